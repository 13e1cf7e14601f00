"""Reorganizations that the market snapshots tell."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(
        """CREATE TABLE reorganization (
        security_id text NOT NULL, ex_date date NOT NULL, body bytea NOT NULL, PRIMARY KEY (security_id, ex_date))"""
    )


def downgrade() -> None:
    op.execute("DROP TABLE reorganization")
