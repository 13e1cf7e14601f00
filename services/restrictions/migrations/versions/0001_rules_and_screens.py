"""Rules with their edits, accounts as screens need them, screens, market snapshots, and what runs wait for."""

from alembic import op

from libs.common.outbox import BACKBONE_DDL

revision = "0001"
down_revision = None

TABLES = (
    """CREATE TABLE rule (
        level text NOT NULL, owner_id text NOT NULL, rule_id text NOT NULL, revision int NOT NULL, in_force boolean NOT NULL,
        kind text NOT NULL, named_by text NOT NULL, targets text[] NOT NULL, limit_frac numeric, actor text NOT NULL,
        edited_at timestamptz NOT NULL, PRIMARY KEY (level, owner_id, rule_id))""",
    """CREATE TABLE rule_edit (
        edit_id bigserial PRIMARY KEY, level text NOT NULL, owner_id text NOT NULL, rule_id text NOT NULL, revision int NOT NULL,
        action text NOT NULL, kind text NOT NULL, named_by text NOT NULL, targets text[] NOT NULL, limit_frac numeric,
        actor text NOT NULL, edited_at timestamptz NOT NULL, cause text, UNIQUE (level, owner_id, rule_id, revision))""",
    "CREATE TABLE account (account_id text PRIMARY KEY, household_id text NOT NULL, version int NOT NULL, body bytea NOT NULL)",
    "CREATE INDEX account_household ON account (household_id)",
    "CREATE TABLE screen (account_id text PRIMARY KEY, version int NOT NULL, body bytea NOT NULL)",
    """CREATE TABLE market (
        market_id text PRIMARY KEY, as_of date NOT NULL, arrival bigserial NOT NULL, securities bytea NOT NULL)""",
    """CREATE TABLE run_waiting (
        run_id text NOT NULL, household_id text NOT NULL, account_id text NOT NULL, market_id text NOT NULL, account_version int NOT NULL,
        included boolean NOT NULL, since timestamptz NOT NULL, PRIMARY KEY (run_id, household_id, account_id))""",
    "CREATE INDEX run_waiting_household ON run_waiting (household_id)",
)


def upgrade() -> None:
    for statement in (*BACKBONE_DDL, *TABLES):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("the first revision is not taken back")
