"""What decisions rest on, which households wait for what, and the decisions."""

from alembic import op

from libs.common.outbox import BACKBONE_DDL

revision = "0001"
down_revision = None

TABLES = (
    """CREATE TABLE account (
        account_id text PRIMARY KEY, household_id text NOT NULL, taxable boolean NOT NULL, version int NOT NULL, trade_seq int NOT NULL,
        body bytea NOT NULL)""",
    "CREATE TABLE screen (account_id text PRIMARY KEY, version int NOT NULL, body bytea NOT NULL)",
    "CREATE TABLE ledger (household_id text PRIMARY KEY, version int NOT NULL, body bytea NOT NULL)",
    "CREATE TABLE answer (run_id text NOT NULL, subject text NOT NULL, PRIMARY KEY (run_id, subject))",
    "CREATE TABLE market (market_id text PRIMARY KEY, as_of date NOT NULL, arrival bigserial NOT NULL, body bytea NOT NULL)",
    """CREATE TABLE run (
        run_id text PRIMARY KEY, as_of date NOT NULL, market_id text NOT NULL, opened_at timestamptz NOT NULL, correlationid text NOT NULL,
        body bytea NOT NULL)""",
    """CREATE TABLE run_account (
        run_id text NOT NULL, account_id text NOT NULL, household_id text NOT NULL, account_version int NOT NULL, trade_seq int NOT NULL,
        PRIMARY KEY (run_id, account_id))""",
    "CREATE INDEX run_account_household ON run_account (household_id, run_id)",
    """CREATE TABLE household_run (
        run_id text NOT NULL, household_id text NOT NULL, state text NOT NULL, since timestamptz NOT NULL,
        PRIMARY KEY (run_id, household_id))""",
    "CREATE INDEX household_run_state ON household_run (state) WHERE state IN ('waiting', 'ready')",
    """CREATE TABLE proposal (
        proposal_id text PRIMARY KEY, run_id text NOT NULL, account_id text NOT NULL, household_id text NOT NULL, kind text NOT NULL,
        code text, body bytea NOT NULL, UNIQUE (run_id, account_id))""",
    """CREATE TABLE open_order (
        cl_ord_id text NOT NULL, account_id text NOT NULL, household_id text NOT NULL, proposal_id text NOT NULL,
        PRIMARY KEY (cl_ord_id, account_id))""",
    "CREATE INDEX open_order_household ON open_order (household_id)",
    "CREATE TABLE ended_order (cl_ord_id text PRIMARY KEY, run_id text NOT NULL)",
    *(
        f"ALTER TABLE {table} ALTER COLUMN body SET STORAGE EXTERNAL"
        for table in ("account", "screen", "ledger", "market", "run", "proposal")
    ),
)


def upgrade() -> None:
    for statement in (*BACKBONE_DDL, *TABLES):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("the first revision is not taken back")
