"""What a service sees at its start: a database from a backup (on the real Kafka, with the command itself), a Kafka that lost its data."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import asyncpg
import pytest

from deploy.local.postgres import Postgres
from libs.common.bus import Bus
from libs.common.bus.kafka import KafkaBus
from libs.common.bus.memory import MemoryBus
from libs.common.catch_up import take_new_kafka
from libs.common.clock import ManualClock
from libs.common.consumer import Subscription
from libs.common.errors import DependencyDown
from libs.common.events import Event, Record
from libs.common.restored import BehindItsWord, KafkaLost
from libs.common.schemas.account import AccountMoved
from libs.common.schemas.proposal import Pins, ProposalDeclined
from libs.common.service import Service
from libs.common.topics import ACCOUNTS, PROPOSALS
from libs.common.unit import Unit
from tests.databases import create
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
NOW = datetime(2025, 12, 15, 15, tzinfo=UTC)


class Seen:
    """Takes every event and keeps which."""

    def __init__(self) -> None:
        self.accounts: list[str] = []

    async def __call__(self, unit: Unit, event: Event, moved: AccountMoved) -> None:
        self.accounts.append(moved.account_id)


def service(name: str, dsn: str, bus: Bus, seen: Seen | None = None) -> Service:
    """A service with an outbox, and a consumer if it is to take something."""
    made = Service(name, dsn, bus, ManualClock(NOW), ROOT / "services" / name / "migrations")
    if seen is not None:
        made.subscribe(Subscription((ACCOUNTS,), {AccountMoved: seen}))
    return made


@asynccontextmanager
async def running(name: str, dsn: str, bus: Bus, seen: Seen | None = None) -> AsyncIterator[Service]:
    async with service(name, dsn, bus, seen).running() as begun:
        yield begun


async def say(dsn: str, bus: MemoryBus, account_id: str) -> None:
    """Run ingest, and have it say something of the account as a person's edit would."""
    async with running("ingest", dsn, bus) as sender:
        async with sender.unit("http", "tests") as unit:
            unit.emit(AccountMoved(account_id, "h1", "elsewhere", 1), account_id, 1, "h1")
        await eventually(lambda: any(account_id.encode() in record.value for record in bus.log(ACCOUNTS)))


async def refusal(name: str, dsn: str, bus: Bus) -> BaseException:
    """Why the service does not run; while it does not, it says nothing either."""
    async with running(name, dsn, bus, Seen()) as refused:
        await asyncio.wait_for(refused.failed.wait(), 30.0)
        assert refused.failure is not None
        assert not refused.ready
        with pytest.raises(DependencyDown, match="has not begun"):
            async with refused.unit("http", "tests"):
                raise AssertionError("no unit of work begins")
        return refused.failure


async def decline(dsn: str, bus: KafkaBus, *accounts: str) -> None:
    """Run optimizer, and have it decline these accounts in a run."""
    async with running("optimizer", dsn, bus) as optimizer:
        for account_id in accounts:
            async with optimizer.unit("background", "tests") as unit:
                pins = Pins(1, 1, 1, "M", date(2025, 12, 15), {}, "s")
                said = ProposalDeclined(f"P-{account_id}", "R-noticed", account_id, "H-noticed", pins, "no_trade", "c", "m", None, None, [])
                unit.emit(said, account_id, "R-noticed", "H-noticed")
        await eventually(lambda: published(bus, accounts[-1]), 30.0)


async def published(bus: KafkaBus, account_id: str) -> bool:
    return any([account_id.encode() in record.value async for record in bus.read(await bus.extent([PROPOSALS]))])


def command(dsn: str, bootstrap: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m deploy.catch_up`, as the runbook gives it."""
    environment = os.environ | {"PMA_POSTGRES_DSN": dsn, "PMA_KAFKA_BOOTSTRAP": bootstrap, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "deploy.catch_up", *arguments]
    return subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


async def test_on_the_real_kafka_a_restored_service_refuses_until_the_command_has_run(
    postgres_server: Postgres, fresh_database: str, kafka_bootstrap: str
) -> None:
    bus = KafkaBus(kafka_bootstrap)
    await decline(fresh_database, bus, "before")
    restored = await create(postgres_server, "noticed_restored", fresh_database)
    await decline(fresh_database, bus, "lost-1", "lost-2")
    refused = await refusal("optimizer", restored, bus)
    assert isinstance(refused, BehindItsWord)
    assert "number 3 of lane optimizer:background, PostgreSQL has given out 1" in str(refused)
    first = await asyncio.to_thread(command, restored, kafka_bootstrap, "optimizer")
    assert first.returncode == 0, first.stderr
    taken = " ".join(first.stdout.split())
    assert "lane optimizer:background 1 -> 3" in taken
    assert "taken back: pma.proposal.declined 2" in taken
    again = await asyncio.to_thread(command, restored, kafka_bootstrap, "optimizer")
    assert again.stdout == "optimizer: nothing to catch up: PostgreSQL knows all that was said\n"
    await decline(restored, bus, "after")
    numbers = [dict(r.headers)["pma-seq"] async for r in bus.read(await bus.extent([PROPOSALS])) if b"R-noticed" in r.value]
    assert numbers == [b"1", b"2", b"3", b"4"]
    await bus.stop()


async def test_a_catch_up_that_was_broken_off_is_noticed_too(fresh_database: str) -> None:
    bus = MemoryBus()
    await say(fresh_database, bus, "old")
    connection = await asyncpg.connect(fresh_database)
    await connection.execute("CREATE TABLE ingest.catching_up (lane text PRIMARY KEY, restored_seq bigint NOT NULL)")
    await connection.close()
    refused = await refusal("ingest", fresh_database, bus)
    assert "a catch-up was begun and not finished; run `python -m deploy.catch_up ingest`" in str(refused)


class FailingBus(MemoryBus):
    """Does not take what is published while it is `down`."""

    down = False

    async def publish(self, records: Sequence[Record]) -> None:
        if self.down:
            raise DependencyDown("the bus, as told")
        await super().publish(records)


async def test_a_process_that_lives_through_a_restore_notices_it_after_the_pause(fresh_database: str) -> None:
    """A dependency is down for a while, and in the meantime the tables are put back to what a backup knew."""
    bus = FailingBus()
    await say(fresh_database, bus, "old")
    await say(fresh_database, bus, "since")
    async with running("ingest", fresh_database, bus) as sender:
        bus.down = True
        async with sender.unit("http", "tests") as unit:
            unit.emit(AccountMoved("never", "h1", "elsewhere", 1), "never", 1, "h1")
        await sender.pool.execute("UPDATE lane SET out_seq = 1")
        await asyncio.wait_for(sender.failed.wait(), 60.0)
        assert isinstance(sender.failure, BehindItsWord)


@pytest.mark.parametrize("lost_by", ["another cluster", "topics that end too early"])
async def test_on_a_kafka_that_lost_its_data_a_service_starts_only_after_the_command(fresh_database: str, lost_by: str) -> None:
    lost, seen = MemoryBus(), Seen()
    await say(fresh_database, lost, "old")
    async with running("orders", fresh_database, lost, seen) as orders:
        await eventually(lambda: orders.pool.fetchval("SELECT max(next_offset) FROM consumed"))
    new = MemoryBus()
    if lost_by != "another cluster":
        new._cluster_id = await lost.cluster_id()
    refused = await refusal("orders", fresh_database, new)
    assert isinstance(refused, KafkaLost)
    assert "'Kafka lost its data' in docs/runbook.md" in str(refused)
    assert await take_new_kafka(service("orders", fresh_database, new)) == 4
    assert await take_new_kafka(service("orders", fresh_database, new)) == 0
    await say(fresh_database, new, "new")
    async with running("orders", fresh_database, new, seen):
        await eventually(lambda: seen.accounts == ["old", "new"])
