"""Transition plans that people chose: who chose, who decided, and what was said."""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = (
    """CREATE TABLE plan (
        plan_id text PRIMARY KEY, account_id text NOT NULL, household_id text NOT NULL, state text NOT NULL,
        chosen_by text NOT NULL, chosen_at timestamptz NOT NULL, decided_by text, decided_at timestamptz, body bytea NOT NULL)""",
    "CREATE INDEX plan_account ON plan (account_id, chosen_at)",
    "ALTER TABLE plan ALTER COLUMN body SET STORAGE EXTERNAL",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("chosen plans are not thrown away")
