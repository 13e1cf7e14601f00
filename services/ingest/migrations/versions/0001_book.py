"""The account book, deliveries, market snapshots and runs."""

from alembic import op

from libs.common.outbox import BACKBONE_DDL

revision = "0001"
down_revision = None

TABLES = (
    """CREATE TABLE account (
        account_id text PRIMARY KEY, household_id text NOT NULL, custodian text NOT NULL, business_date date, version int NOT NULL,
        trade_seq int NOT NULL, quarantine text, breaks int NOT NULL, book bytea NOT NULL)""",
    "ALTER TABLE account ALTER COLUMN book SET STORAGE EXTERNAL",
    """CREATE TABLE account_edit (
        edit_id bigserial PRIMARY KEY, account_id text NOT NULL, actor text NOT NULL, edited_at timestamptz NOT NULL,
        intake bytea NOT NULL)""",
    """CREATE TABLE delivery (
        delivery_id text PRIMARY KEY, custodian text NOT NULL, business_date date NOT NULL, sequence int NOT NULL, parts int NOT NULL,
        basis text NOT NULL, state text NOT NULL, reason text, received_at timestamptz NOT NULL,
        UNIQUE (custodian, business_date, sequence))""",
    """CREATE TABLE file_part (
        content_hash text PRIMARY KEY, delivery_id text NOT NULL REFERENCES delivery, part int NOT NULL, actor text NOT NULL,
        received_at timestamptz NOT NULL, acknowledgement bytea NOT NULL, UNIQUE (delivery_id, part))""",
    """CREATE TABLE staged_account (
        delivery_id text NOT NULL REFERENCES delivery, account_id text NOT NULL, snapshot bytea, quarantine text,
        PRIMARY KEY (delivery_id, account_id))""",
    "CREATE INDEX staged_account_by_account ON staged_account (account_id)",
    """CREATE TABLE market (
        market_id text PRIMARY KEY, as_of date NOT NULL, published_at timestamptz NOT NULL)""",
    "CREATE TABLE security (security_id text PRIMARY KEY)",
    """CREATE TABLE corporate_action (
        security_id text NOT NULL, ex_date date NOT NULL, kind text NOT NULL, ratio numeric NOT NULL,
        PRIMARY KEY (security_id, ex_date, kind))""",
    """CREATE TABLE run (
        run_id text PRIMARY KEY, as_of date NOT NULL, market_id text NOT NULL, opened_at timestamptz NOT NULL, body bytea NOT NULL)""",
)


def upgrade() -> None:
    for statement in (*BACKBONE_DDL, *TABLES):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("the first revision is not taken back")
