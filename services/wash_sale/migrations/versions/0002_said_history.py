"""Every ledger that was said stays, with the time from which it was known."""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = (
    """CREATE TABLE said_history (
        household_id text NOT NULL, version int NOT NULL, known_at timestamptz NOT NULL, said bytea NOT NULL,
        PRIMARY KEY (household_id, version))""",
    "ALTER TABLE said_history ALTER COLUMN said SET STORAGE EXTERNAL",
    "INSERT INTO said_history SELECT household_id, version, now(), said FROM household WHERE said IS NOT NULL",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE said_history")
