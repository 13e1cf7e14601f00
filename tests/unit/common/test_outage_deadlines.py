"""A server that has gone silent is noticed in time, and what notices it first leaves nothing hanging."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import APIRouter

from libs.common import lag
from libs.common.app import create_app
from libs.common.bus import TopicPartition
from libs.common.bus.kafka_publisher import CONNECT_DEADLINE_S, PUBLISH_DEADLINE_S
from libs.common.bus.memory import MemoryBus
from libs.common.clock import SystemClock
from libs.common.db import IDLE_IN_TRANSACTION_S, transaction
from libs.common.errors import DependencyDown
from libs.common.observe import Metrics
from libs.common.service import Service
from libs.common.settings import ServiceSettings


def test_a_relay_gives_up_before_its_transaction_is_ended_for_being_idle() -> None:
    assert CONNECT_DEADLINE_S + PUBLISH_DEADLINE_S < IDLE_IN_TRANSACTION_S


class SilentConsumer:
    """A broker that takes questions and answers none."""

    async def end_offsets(self, places: set[TopicPartition]) -> dict[TopicPartition, int]:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


async def test_a_silent_bus_is_a_dependency_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag, "LAG_EVERY_S", 0.001)
    monkeypatch.setattr(lag, "ANSWER_DEADLINE_S", 0.01)
    silent: Any = SilentConsumer()
    with pytest.raises(DependencyDown):
        await lag.watch_lag(silent, ["topic"], {}, {}, Metrics("orders"))


class EndedConnection:
    """A connection that the server ended while its transaction was idle: the client finds its protocol in another state."""

    def __init__(self) -> None:
        self.terminated = False

    def transaction(self) -> "EndedConnection":
        return self

    async def __aenter__(self) -> "EndedConnection":
        return self

    async def __aexit__(self, *_: object) -> None:
        raise asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress")

    def terminate(self) -> None:
        self.terminated = True


class PoolOfOne:
    def __init__(self, connection: EndedConnection) -> None:
        self._connection = connection

    def acquire(self) -> "PoolOfOne":
        return self

    async def __aenter__(self) -> EndedConnection:
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        return None


async def test_a_transaction_that_the_server_ended_is_tried_again_on_another_connection() -> None:
    connection = EndedConnection()
    pool: Any = PoolOfOne(connection)
    with pytest.raises(DependencyDown):
        async with transaction(pool):
            pass
    assert connection.terminated


class PoolThatCannotTakeBack(PoolOfOne):
    """Its connection was ended by the server after the transaction: giving it back fails."""

    async def __aexit__(self, *_: object) -> None:
        raise asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress")


class GoodConnection(EndedConnection):
    async def __aexit__(self, *_: object) -> None:
        return None


async def test_a_connection_that_is_lost_as_it_is_given_back_is_a_dependency_that_is_down() -> None:
    pool: Any = PoolThatCannotTakeBack(GoodConnection())
    with pytest.raises(DependencyDown):
        async with transaction(pool):
            pass


async def test_background_work_that_reads_outside_a_transaction_waits_for_postgres(tmp_path: Path) -> None:
    service = Service("orders", "postgresql://", MemoryBus(), SystemClock(), tmp_path)
    service._begun.set()
    service._pool = object()
    tried = 0
    gone_on = asyncio.Event()

    async def work() -> None:
        nonlocal tried
        tried += 1
        if tried == 1:
            raise asyncpg.CannotConnectNowError("the database system is shutting down")
        gone_on.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("libs.common.service.refuse_if_restored", _nothing_restored)
        working = asyncio.create_task(service._guard(work))
        async with asyncio.timeout(30):
            await gone_on.wait()
    working.cancel()
    assert not service.failed.is_set()


async def _nothing_restored(*_: object) -> None:
    return None


@pytest.mark.parametrize(
    "error",
    [asyncpg.CannotConnectNowError("starting up"), asyncpg.InternalClientError("another operation is in progress"), ConnectionResetError()],
)
async def test_a_request_that_meets_a_lost_connection_is_asked_to_come_again(error: Exception, tmp_path: Path) -> None:
    router = APIRouter()

    @router.get("/read")
    async def read() -> None:
        raise error

    service = Service("orders", "postgresql://", MemoryBus(), SystemClock(), tmp_path)
    app = create_app(service, ServiceSettings(postgres_dsn="postgresql://", kafka_bootstrap="none", port=0), router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://orders") as client:
        assert (await client.get("/read")).status_code == 503
