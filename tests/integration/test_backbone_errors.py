"""What PostgreSQL refuses: by SQLSTATE, for the moment (try again) or for good (a bug, or data that don't fit); what HTTP says of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from fastapi import APIRouter

from libs.common.app import create_app
from libs.common.bus.memory import MemoryBus
from libs.common.db import Pool, create_pool, is_transient, transaction
from libs.common.errors import CannotApply, DependencyDown
from libs.common.outbox import LARGEST_VALUE_BYTES
from libs.common.schemas.order import OrderCancelled
from libs.common.settings import ServiceSettings
from libs.common.unit import Unit
from tests.integration.test_backbone import NOW, Recorder, running
from tests.waiting import eventually

FOR_THE_MOMENT = {
    "08000": "connection exception",
    "08006": "connection failure",
    "40001": "serialization failure",
    "40P01": "deadlock detected",
    "53100": "disk full",
    "53200": "out of memory",
    "53300": "too many connections",
    "57014": "query cancelled",
    "57P01": "admin shutdown",
    "57P02": "crash shutdown",
    "57P03": "cannot connect now",
    "25006": "read-only transaction: no longer the primary",
    "25P03": "idle in transaction too long",
}
FOR_GOOD = {
    "22003": "numeric value out of range",
    "22021": "character not in repertoire",
    "23505": "unique violation",
    "23503": "foreign key violation",
    "25P02": "in a failed transaction",
    "28000": "invalid authorization",
    "42601": "syntax error",
    "42P01": "undefined table",
    "42501": "insufficient privilege",
    "54000": "program limit exceeded",
    "XX000": "internal error",
}


@pytest.fixture
async def pool(fresh_database: str) -> AsyncIterator[Pool]:
    made = await create_pool(fresh_database, "public")
    yield made
    await made.close()


async def fail_with(pool: Pool, state: str) -> None:
    async with transaction(pool) as connection:
        await connection.execute(f"DO $$ BEGIN RAISE EXCEPTION 'made up' USING ERRCODE = '{state}'; END $$")


@pytest.mark.parametrize("state", FOR_THE_MOMENT, ids=lambda state: f"{state} {FOR_THE_MOMENT[state]}")
async def test_what_is_refused_for_the_moment_is_a_dependency_that_is_down(pool: Pool, state: str) -> None:
    with pytest.raises(DependencyDown, match="made up"):
        await fail_with(pool, state)


@pytest.mark.parametrize("state", FOR_GOOD, ids=lambda state: f"{state} {FOR_GOOD[state]}")
async def test_what_is_refused_for_good_stays_what_it_is(pool: Pool, state: str) -> None:
    with pytest.raises(asyncpg.PostgresError) as raised:
        await fail_with(pool, state)
    assert raised.value.sqlstate == state and not is_transient(raised.value)


async def test_a_connection_that_ends_within_a_transaction_is_a_dependency_that_is_down(pool: Pool) -> None:
    with pytest.raises(DependencyDown):
        async with transaction(pool) as connection:
            own = await connection.fetchval("SELECT pg_backend_pid()")
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(pool.execute("SELECT pg_terminate_backend($1)", own))
            await eventually(lambda: lost(connection), what="the connection is lost")
            await connection.execute("SELECT 1")
    async with transaction(pool) as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def lost(connection: asyncpg.Connection) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


async def test_misuse_of_the_driver_is_a_bug_and_not_a_dependency_that_is_down(pool: Pool) -> None:
    with pytest.raises(asyncpg.InterfaceError, match="another operation is in progress"):
        async with transaction(pool) as connection:
            await asyncio.gather(connection.execute("SELECT pg_sleep(0.2)"), connection.execute("SELECT 1"))


async def test_a_value_that_does_not_fit_its_column_is_not_a_dependency_that_is_down(pool: Pool) -> None:
    with pytest.raises(asyncpg.DataError):
        async with transaction(pool) as connection:
            await connection.fetchval("SELECT $1::int", 2**40)


async def test_a_missing_file_in_a_unit_of_work_is_a_bug(pool: Pool) -> None:
    with pytest.raises(FileNotFoundError):
        async with transaction(pool):
            Path("/no/such/file").read_text()  # noqa: ASYNC240


async def test_no_server_and_a_pool_that_closes_are_dependencies_that_are_down(pool: Pool) -> None:
    with pytest.raises(DependencyDown):
        await create_pool("postgresql://nobody@127.0.0.1:9/none", "public")
    await pool.close()
    with pytest.raises(DependencyDown):
        async with transaction(pool):
            pass


async def test_a_process_that_stands_still_in_a_transaction_loses_it(fresh_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libs.common.db.IDLE_IN_TRANSACTION_S", 0.2)
    pool = await create_pool(fresh_database, "public")
    with pytest.raises(DependencyDown):
        async with transaction(pool) as connection:
            await eventually(lambda: lost(connection), what="PostgreSQL ends the transaction")
            await connection.execute("SELECT 1")
    await pool.close()


async def test_a_bug_behind_http_is_a_problem_document_and_a_lost_database_a_503(fresh_database: str) -> None:
    router, bus = APIRouter(), MemoryBus()
    async with running(fresh_database, bus, Recorder()) as service:

        @router.get("/bug")
        async def bug() -> int:
            return 1 // 0

        @router.get("/down")
        async def down() -> None:
            raise asyncpg.AdminShutdownError("going down")

        @router.get("/misuse")
        async def misuse() -> None:
            raise asyncpg.UndefinedTableError("no such table")

        app = create_app(service, ServiceSettings(postgres_dsn=fresh_database, kafka_bootstrap="none", port=1), router)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
            answers = {path: await client.get(path) for path in ("/bug", "/down", "/misuse")}
    assert {path: answer.status_code for path, answer in answers.items()} == {"/bug": 500, "/down": 503, "/misuse": 500}
    for path, answer in answers.items():
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["instance"] == path and answer.json()["status"] == answer.status_code
    assert "ZeroDivisionError" not in answers["/bug"].text


def test_an_event_larger_than_kafka_takes_can_not_be_said() -> None:
    unit = Unit(None, "orders", NOW, "test")
    with pytest.raises(CannotApply, match="more than the"):
        unit.emit(OrderCancelled("order", "x" * LARGEST_VALUE_BYTES, NOW), "s", 1, "h")
