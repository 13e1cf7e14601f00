"""PostgreSQL: one schema a service, driver-level asyncpg, migrations by Alembic.

A pool's connections have the service's schema as their search path, so SQL names tables without it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import asyncpg
from alembic import command, context
from alembic.config import Config
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from libs.common.errors import DependencyDown
from libs.common.observe import log

Connection: TypeAlias = asyncpg.Connection
Pool: TypeAlias = asyncpg.Pool

POOL_SIZE = 4

TRANSIENT_ERRORS = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.TooManyConnectionsError,
    OSError,
)


async def create_pool(dsn: str, schema: str) -> Pool:
    """A pool on the service's schema.  Raises DependencyDown while PostgreSQL does not answer."""
    try:
        return await asyncpg.create_pool(dsn, min_size=1, max_size=POOL_SIZE, server_settings={"search_path": schema})
    except TRANSIENT_ERRORS as error:
        raise DependencyDown(f"PostgreSQL: {error}") from error


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """One transaction on one connection; what PostgreSQL refuses for the moment is raised as DependencyDown."""
    try:
        async with pool.acquire() as connection, connection.transaction():
            yield connection
    except TRANSIENT_ERRORS as error:
        raise DependencyDown(f"PostgreSQL: {error}") from error


async def migrate(dsn: str, schema: str, migrations: Path) -> None:
    """Bring the service's schema to the newest revision in `migrations`; two replicas starting at once wait for each other.

    A schema at a revision that is not in `migrations` is a newer release's: it is left as it is, since every release works on the
    schema of the next one (docs/deploy.md), during a rolling update and after a roll-back.
    """
    await asyncio.to_thread(_upgrade, dsn, schema, migrations)


def _upgrade(dsn: str, schema: str, migrations: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.attributes["dsn"] = dsn
    config.attributes["schema"] = schema
    command.upgrade(config, "head")


def run_migrations() -> None:
    """The body of every service's migrations/env.py."""
    asyncio.run(_run_migrations(context.config.attributes["dsn"], context.config.attributes["schema"]))


async def _run_migrations(dsn: str, schema: str) -> None:
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_migrate_schema, schema)
    except TRANSIENT_ERRORS as error:
        raise DependencyDown(f"PostgreSQL: {error}") from error
    finally:
        await engine.dispose()


def _migrate_schema(connection: SyncConnection, schema: str) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"migrate {schema}"})
    connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
    connection.execute(text(f'SET search_path TO "{schema}"'))
    context.configure(connection=connection, version_table_schema=schema)
    there = context.get_context().get_current_heads()
    known = {script.revision for script in context.script.walk_revisions()}
    if not known.issuperset(there):
        log().warning("schema_is_newer", schema=schema, revision=", ".join(there))
        return
    with context.begin_transaction():
        context.run_migrations()
