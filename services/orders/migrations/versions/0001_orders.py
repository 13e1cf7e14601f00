"""What proposals rest on, the answers to them, reservations, blocks, booked trades and the kill switch."""

from alembic import op

from libs.common.outbox import BACKBONE_DDL

revision = "0001"
down_revision = None

TABLES = (
    """CREATE TABLE account (
        account_id text PRIMARY KEY, household_id text NOT NULL, account_type text NOT NULL, version int NOT NULL, body bytea NOT NULL)""",
    "CREATE INDEX ON account (household_id)",
    "CREATE TABLE screen (account_id text PRIMARY KEY, version int NOT NULL, body bytea NOT NULL)",
    "CREATE TABLE ledger (household_id text PRIMARY KEY, version int NOT NULL, body bytea NOT NULL)",
    """CREATE TABLE market (
        market_id text PRIMARY KEY, as_of date NOT NULL, arrival bigserial NOT NULL, securities bytea NOT NULL)""",
    """CREATE TABLE run (
        run_id text PRIMARY KEY, as_of date NOT NULL, market_id text NOT NULL, opened_at timestamptz NOT NULL,
        cutoff_at timestamptz NOT NULL, closed_at timestamptz, closed_by text, body bytea NOT NULL)""",
    """CREATE TABLE run_account (
        run_id text NOT NULL, account_id text NOT NULL, household_id text NOT NULL, progress text NOT NULL, proposal_id text UNIQUE,
        proposal bytea, awaited text, code text, message text, changed_at timestamptz NOT NULL, PRIMARY KEY (run_id, account_id))""",
    "CREATE INDEX ON run_account (household_id)",
    "CREATE INDEX ON run_account (progress) WHERE progress IN ('waiting', 'waiting_approval')",
    """CREATE TABLE decision (
        decision_id bigserial PRIMARY KEY, run_id text NOT NULL, account_id text NOT NULL, household_id text NOT NULL,
        proposal_id text NOT NULL, progress text NOT NULL, code text, message text, subject text, limit_value numeric,
        actual_value numeric, actor text NOT NULL, decided_at timestamptz NOT NULL)""",
    "CREATE INDEX ON decision (run_id)",
    "CREATE TABLE household (household_id text PRIMARY KEY)",
    """CREATE TABLE reservation (
        proposal_id text PRIMARY KEY, household_id text NOT NULL, account_id text NOT NULL, placed boolean NOT NULL,
        body bytea NOT NULL)""",
    "CREATE INDEX ON reservation (household_id)",
    "CREATE INDEX ON reservation (account_id)",
    """CREATE TABLE block (
        cl_ord_id text PRIMARY KEY, run_id text NOT NULL, security_id text NOT NULL, side text NOT NULL, order_qty numeric NOT NULL,
        cum_qty numeric NOT NULL, avg_px numeric, state text NOT NULL, ended boolean NOT NULL, held int NOT NULL,
        cancel_asked_at timestamptz, changed_at timestamptz NOT NULL, record bytea NOT NULL)""",
    "ALTER TABLE block ALTER COLUMN record SET STORAGE EXTERNAL",
    "CREATE INDEX ON block (run_id)",
    "CREATE TABLE account_seq (account_id text PRIMARY KEY, trade_seq int NOT NULL)",
    """CREATE TABLE trade (
        trade_id text PRIMARY KEY, account_id text NOT NULL, trade_seq int NOT NULL, cl_ord_id text NOT NULL, exec_id text NOT NULL,
        kind text NOT NULL, booked_at timestamptz NOT NULL, UNIQUE (account_id, trade_seq))""",
    """CREATE TABLE unbooked_execution (
        exec_id text PRIMARY KEY, cl_ord_id text NOT NULL, fault text NOT NULL, received_at timestamptz NOT NULL, body bytea NOT NULL)""",
    "CREATE TABLE kill_switch (one boolean PRIMARY KEY CHECK (one), is_on boolean NOT NULL)",
    "INSERT INTO kill_switch (one, is_on) VALUES (true, false)",
    """CREATE TABLE kill_switch_change (
        change_id bigserial PRIMARY KEY, is_on boolean NOT NULL, actor text NOT NULL, reason text NOT NULL,
        changed_at timestamptz NOT NULL)""",
)


def upgrade() -> None:
    for statement in (*BACKBONE_DDL, *TABLES):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("the first revision is not taken back")
