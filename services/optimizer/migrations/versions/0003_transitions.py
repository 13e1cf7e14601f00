"""Transition analyses that were asked for.  A client's name is in `client_name` of `transition` and nowhere else."""

from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = (
    """CREATE TABLE transition (
        transition_id text PRIMARY KEY, created_at timestamptz NOT NULL, client_name text NOT NULL, state text NOT NULL,
        step text NOT NULL, done_frac double precision NOT NULL, attempts int NOT NULL, claimed_until timestamptz,
        market_id text, form bytea NOT NULL, answer bytea, plan_id text, joint_pending boolean NOT NULL DEFAULT false)""",
    "CREATE INDEX transition_open ON transition (created_at) WHERE state IN ('queued', 'running')",
    "CREATE INDEX transition_joint ON transition (created_at) WHERE joint_pending",
    "ALTER TABLE transition ALTER COLUMN answer SET STORAGE EXTERNAL",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("what clients brought is not thrown away")
