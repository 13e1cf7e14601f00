"""From what a ledger was last said, so that the same is not worked out again for a run."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE household ADD COLUMN said_from text NOT NULL DEFAULT ''")


def downgrade() -> None:
    op.execute("ALTER TABLE household DROP COLUMN said_from")
