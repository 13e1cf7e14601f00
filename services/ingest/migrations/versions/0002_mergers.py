"""Mergers beside splits: the security that came."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE corporate_action ADD COLUMN new_security_id text")


def downgrade() -> None:
    op.execute("ALTER TABLE corporate_action DROP COLUMN new_security_id")
