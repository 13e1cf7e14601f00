"""Databases of a test's own on the tests' PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from deploy.local.postgres import Postgres


async def create(server: Postgres, name: str, copy_of: str | None = None) -> str:
    """The DSN (postgresql://...) of a new database: empty, or a copy of the one at the DSN `copy_of`, which nobody uses meanwhile."""
    await _execute(server, f"CREATE DATABASE {name}" + (f" TEMPLATE {copy_of.rpartition('/')[2]}" if copy_of else ""))
    return server.dsn_of(name)


@asynccontextmanager
async def database(server: Postgres, name: str) -> AsyncIterator[str]:
    """The DSN of a new empty database, dropped at the end."""
    yield await create(server, name)
    await _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


async def _execute(server: Postgres, statement: str) -> None:
    admin = await asyncpg.connect(server.dsn)
    try:
        await admin.execute(statement)
    finally:
        await admin.close()
