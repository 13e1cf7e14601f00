"""Alembic's entry: the connection and the schema come from libs.common.db.migrate."""

from libs.common.db import run_migrations

run_migrations()
