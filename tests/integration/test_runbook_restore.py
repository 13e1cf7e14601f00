"""The runbook's two restore procedures, with the very statements that it gives."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from deploy.local.postgres import Postgres
from libs.common.bus.memory import MemoryBus
from libs.common.clock import ManualClock
from libs.common.consumer import Subscription
from libs.common.errors import InvariantBroken
from libs.common.events import Event
from libs.common.schemas.account import AccountMoved
from libs.common.service import Service
from libs.common.topics import ACCOUNTS
from libs.common.unit import Unit
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
MIGRATIONS = ROOT / "services/ingest/migrations"
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
NOW = datetime(2025, 12, 15, 15, tzinfo=UTC)


def statement(start: str) -> str:
    """The one statement of the runbook that starts so."""
    (found,) = re.findall(rf"^ +({re.escape(start)}.*;)$", RUNBOOK, re.MULTILINE)
    return str(found)


class Seen:
    """Takes every event and keeps which."""

    def __init__(self) -> None:
        self.accounts: list[str] = []

    async def __call__(self, unit: Unit, event: Event, moved: AccountMoved) -> None:
        self.accounts.append(moved.account_id)


@asynccontextmanager
async def running(name: str, dsn: str, bus: MemoryBus, seen: Seen | None) -> AsyncIterator[Service]:
    service = Service(name, dsn, bus, ManualClock(NOW), MIGRATIONS)
    if seen is not None:
        service.subscribe(Subscription((ACCOUNTS,), {AccountMoved: seen}))
    async with service.running():
        yield service


async def say(dsn: str, bus: MemoryBus, *accounts: str) -> None:
    """Run the sender, and have it say something of each account as a person's edit would."""
    async with running("ingest", dsn, bus, None) as sender:
        for account in accounts:
            async with sender.unit("http", "tests") as unit:
                unit.emit(AccountMoved(account, "h1", "elsewhere", 1), account, 1, "h1")
        await eventually(lambda: any(accounts[-1].encode() in record.value for record in bus.log(ACCOUNTS)))


async def copy_database(server: Postgres, dsn: str, name: str) -> str:
    admin = await asyncpg.connect(server.dsn)
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {dsn.rpartition('/')[2]}")
    finally:
        await admin.close()
    return server.dsn_of(name)


@pytest.mark.parametrize("lanes_moved_on", [True, False])
async def test_after_a_restore_new_events_are_taken_only_when_the_lanes_were_moved_on(
    postgres_server: Postgres, fresh_database: str, lanes_moved_on: bool
) -> None:
    bus, seen = MemoryBus(), Seen()
    await say(fresh_database, bus, "before")
    restored = await copy_database(postgres_server, fresh_database, f"restored_{lanes_moved_on}".lower())
    await say(fresh_database, bus, "lost-1", "lost-2")
    if lanes_moved_on:
        connection = await asyncpg.connect(restored)
        await connection.execute(statement("UPDATE ingest.lane"))
        await connection.close()
    await say(restored, bus, "after")
    await say(restored, bus, "last-1", "last-2")
    async with running("orders", fresh_database, bus, seen):
        await eventually(lambda: "last-2" in seen.accounts)
    assert ("after" in seen.accounts) is lanes_moved_on


async def test_on_another_cluster_a_service_starts_only_after_its_offsets_were_set_back(fresh_database: str) -> None:
    lost, new, seen = MemoryBus(), MemoryBus(), Seen()
    await say(fresh_database, lost, "old")
    async with running("ingest", fresh_database, lost, seen):
        await eventually(lambda: seen.accounts == ["old"])
    async with running("ingest", fresh_database, new, seen) as service:
        await service.failed.wait()
        assert isinstance(service.failure, InvariantBroken)
    connection = await asyncpg.connect(fresh_database)
    await connection.execute(statement("UPDATE ingest.consumed").replace("THE NEW ID", await new.cluster_id()))
    await connection.close()
    await say(fresh_database, new, "new")
    async with running("ingest", fresh_database, new, seen):
        await eventually(lambda: seen.accounts == ["old", "new"])
