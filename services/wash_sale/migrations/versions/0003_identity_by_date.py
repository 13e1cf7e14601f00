"""Identity groups by date."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        """CREATE TABLE identity_since (
        security_id text NOT NULL, since date NOT NULL, identity_group text NOT NULL, PRIMARY KEY (security_id, since))"""
    )


def downgrade() -> None:
    op.execute("DROP TABLE identity_since")
