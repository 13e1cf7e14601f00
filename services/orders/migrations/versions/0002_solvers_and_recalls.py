"""Which solvers decide in a run, and orders that are to be called back from the desk."""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    """CREATE TABLE run_solver (
        run_id text NOT NULL, solver_version text NOT NULL, first_decided_at timestamptz NOT NULL, PRIMARY KEY (run_id, solver_version))""",
    "ALTER TABLE block ADD COLUMN recall text",
    "CREATE INDEX ON block (cl_ord_id) WHERE recall IS NOT NULL AND cancel_asked_at IS NULL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("revisions are not taken back")
