"""PostgreSQL: one schema a service, driver-level asyncpg, migrations by Alembic.

A pool's connections have the service's schema as their search path, so SQL names tables without it.
"""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn, TypeAlias

import asyncpg
from alembic import command, context
from alembic.config import Config
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from libs.common.errors import DependencyDown
from libs.common.observe import log

Connection: TypeAlias = asyncpg.Connection
Pool: TypeAlias = asyncpg.Pool

POOL_SIZE = 4

IDLE_IN_TRANSACTION_S = 30.0
"""How long a transaction may stand still before PostgreSQL ends it: a frozen process must not hold its partitions' rows for ever."""

_MIGRATING = threading.Lock()
"""Alembic keeps the migration that runs in a global of the process: two services of one process take turns."""

TRANSIENT_CLASSES = ("08", "53", "57")  # connection lost, out of resources, server going down or a query cancelled
TRANSIENT_STATES = frozenset(
    {
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "25006",  # read_only_sql_transaction: this server is no longer the primary
        "25P03",  # idle_in_transaction_session_timeout
        "25P04",  # transaction_timeout
    }
)


def is_transient(error: BaseException) -> bool:
    """Whether PostgreSQL refuses this for the moment (try again) rather than for good (a bug, or data that don't fit).

    By SQLSTATE; without one only a lost or refused connection counts.  Misuse of the driver does not.
    """
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return state[:2] in TRANSIENT_CLASSES or state in TRANSIENT_STATES
    return isinstance(error, ConnectionError | TimeoutError | socket.gaierror | asyncpg.InternalClientError)


async def create_pool(dsn: str, schema: str) -> Pool:
    """A pool on the service's schema.  Raises DependencyDown while PostgreSQL does not answer."""
    settings = {"search_path": schema, "idle_in_transaction_session_timeout": str(int(IDLE_IN_TRANSACTION_S * 1000))}
    try:
        return await asyncpg.create_pool(dsn, min_size=1, max_size=POOL_SIZE, server_settings=settings, reset=_as_it_is)
    except (asyncpg.PostgresError, OSError) as error:
        _raise_down_or_itself(error, isinstance(error, OSError))


async def _as_it_is(connection: Connection) -> None:
    """Give a connection back without a round trip: what a transaction sets is set LOCAL and its locks end with it."""


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """One transaction on one connection; what PostgreSQL refuses for the moment is raised as DependencyDown."""
    async with _connection(pool) as connection:
        try:
            async with connection.transaction():
                yield connection
        except asyncpg.InternalClientError as error:
            # The server ended an idle transaction, and its word of it came while the client was about to say something.
            connection.terminate()
            _raise_down_or_itself(error, lost=True)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            # A connection that is lost in the middle shows as misuse of a closed one, when the transaction is to be rolled back.
            _raise_down_or_itself(error, isinstance(error, asyncpg.InterfaceError) and _is_lost(connection))


@asynccontextmanager
async def _connection(pool: Pool) -> AsyncIterator[Connection]:
    acquired = False
    try:
        async with pool.acquire() as connection:
            acquired = True
            yield connection
    except asyncpg.InternalClientError as error:
        _raise_down_or_itself(error, lost=True)  # the server ended it while the pool took it back
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        if acquired:
            raise
        _raise_down_or_itself(error, isinstance(error, OSError) or pool.is_closing())


def _is_lost(connection: Connection) -> bool:
    """Whether a connection that is still ours has ended; the pool takes such a one back by itself, and then it answers nothing."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


def _raise_down_or_itself(error: Exception, lost: bool) -> NoReturn:
    if lost or is_transient(error):
        raise DependencyDown(f"PostgreSQL: {error!r}") from error
    raise error


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
    with _MIGRATING:
        command.upgrade(config, "head")


def run_migrations() -> None:
    """The body of every service's migrations/env.py."""
    asyncio.run(_run_migrations(context.config.attributes["dsn"], context.config.attributes["schema"]))


async def _run_migrations(dsn: str, schema: str) -> None:
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_migrate_schema, schema)
    except (asyncpg.PostgresError, OSError) as error:
        _raise_down_or_itself(error, isinstance(error, OSError))
    except DBAPIError as error:
        cause = error.orig.__cause__ if error.orig is not None else None
        if cause is None or not is_transient(cause):
            raise
        raise DependencyDown(f"PostgreSQL: {cause!r}") from error
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
