"""Households' ledgers, what they hold of each account, identity groups and splits by market, and what runs wait for."""

from alembic import op

from libs.common.outbox import BACKBONE_DDL

revision = "0001"
down_revision = None

TABLES = (
    """CREATE TABLE household (
        household_id text PRIMARY KEY, facts bytea NOT NULL, facts_digest text NOT NULL, as_of date NOT NULL, early_inputs int NOT NULL,
        unsaid boolean NOT NULL, refused text, version int NOT NULL DEFAULT 0, said_digest text NOT NULL DEFAULT '', said bytea)""",
    "ALTER TABLE household ALTER COLUMN facts SET STORAGE EXTERNAL, ALTER COLUMN said SET STORAGE EXTERNAL",
    "CREATE INDEX household_unsaid ON household (household_id) WHERE unsaid",
    """CREATE TABLE account_seen (
        household_id text NOT NULL, account_id text NOT NULL, account_version int NOT NULL, trade_seq int NOT NULL,
        departed boolean NOT NULL, PRIMARY KEY (household_id, account_id))""",
    """CREATE TABLE market (
        market_id text PRIMARY KEY, as_of date NOT NULL, arrival bigserial NOT NULL, groups bytea NOT NULL)""",
    """CREATE TABLE split (
        security_id text NOT NULL, ex_date date NOT NULL, ratio numeric NOT NULL, PRIMARY KEY (security_id, ex_date))""",
    """CREATE TABLE run (
        run_id text PRIMARY KEY, market_id text NOT NULL, as_of date NOT NULL, correlationid text NOT NULL,
        opened_at timestamptz NOT NULL)""",
    """CREATE TABLE run_household (
        run_id text NOT NULL REFERENCES run, household_id text NOT NULL, since timestamptz NOT NULL,
        PRIMARY KEY (run_id, household_id))""",
    """CREATE TABLE run_account (
        run_id text NOT NULL, household_id text NOT NULL, account_id text NOT NULL, account_version int NOT NULL, trade_seq int NOT NULL,
        PRIMARY KEY (run_id, household_id, account_id), FOREIGN KEY (run_id, household_id) REFERENCES run_household ON DELETE CASCADE)""",
)


def upgrade() -> None:
    for statement in (*BACKBONE_DDL, *TABLES):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("the first revision is not taken back")
