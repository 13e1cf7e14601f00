"""A member that was stopped (SIGSTOP) past the session timeout and wakes after its partitions moved changes nothing: on real Kafka.

The stopped member is a process of its own (stopped_member.py), the one that takes over runs in the test.
"""

import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from deploy.local import kafka
from libs.common.bus.kafka import KafkaBus
from libs.common.clock import ManualClock
from libs.common.consumer import Subscription
from libs.common.events import from_record
from libs.common.outbox import LANE_HEADER, SEQUENCE_HEADER
from libs.common.schemas.account import AccountMoved
from libs.common.service import Service
from libs.common.topics import ACCOUNTS
from tests.integration.stopped_member import MIGRATIONS, NOW, SESSION_TIMEOUT_MS, moved, write_effect
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60.0
PARTITIONS = 4


class Member:
    """The process that stops itself."""

    def __init__(self, bootstrap: str, dsn: str, point: str, log: Path) -> None:
        self.log = log
        argv = [sys.executable, "-m", "tests.integration.stopped_member", bootstrap, dsn, point]
        with log.open("w") as output:
            self.process = subprocess.Popen(argv, cwd=ROOT, stderr=output, stdout=output)

    @property
    def stopped(self) -> bool:
        return self.alive and Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    @property
    def alive(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        return True

    def wake(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def logged(self, name: str) -> int:
        return self.log.read_text().count(f'"event": "{name}"')


@asynccontextmanager
async def survivor(bootstrap: str, dsn: str) -> AsyncIterator[Service]:
    bus = KafkaBus(bootstrap, SESSION_TIMEOUT_MS)
    service = Service("ingest", dsn, bus, ManualClock(NOW), MIGRATIONS)
    service.subscribe(Subscription((ACCOUNTS,), {AccountMoved: write_effect}))
    async with service.running():
        yield service
    await bus.stop()


async def effects(pool: asyncpg.Pool, source: str, prefix: str) -> list[asyncpg.Record]:
    return await pool.fetch("SELECT * FROM effect WHERE source = $1 AND household LIKE $2 ORDER BY place", source, f"{prefix}%")


async def all_taken(pool: asyncpg.Pool, prefix: str, records: int) -> None:
    """Every record and every word that followed from it had its effect, once, and in the order of its household."""

    async def there() -> bool:
        return all([len(await effects(pool, source, prefix)) >= records for source in ("test", "ingest")])

    await eventually(there, DEADLINE_S, "an effect of every record")
    for source in ("test", "ingest"):
        by_household: dict[str, list[int]] = {}
        for row in await effects(pool, source, prefix):
            by_household.setdefault(row["household"], []).append(row["version"])
        assert {household: versions for household, versions in by_household.items() if versions != list(range(1, len(versions) + 1))} == {}
        assert sum(map(len, by_household.values())) == records


async def stop_and_wake(own_kafka: kafka.Kafka, effect_database: tuple[str, asyncpg.Pool], point: str, log: Path) -> tuple[Member, int]:
    """The story; returns the member and how many repeated records the survivor dropped."""
    dsn, connections = effect_database
    households, bus = [f"{point}-h{n}" for n in range(8)], KafkaBus(own_kafka.bootstrap)
    member = Member(own_kafka.bootstrap, dsn, point, log)
    try:
        await bus.publish([moved(household, f"a-{household}", 1) for household in households])
        await all_taken(connections, f"{point}-", 8)
        batch = [moved(household, f"a-{household}", 2) for household in households]
        await bus.publish([*batch, moved(households[0], f"trigger-{point}", 3)])
        await eventually(lambda: member.stopped, DEADLINE_S, "the member stops itself")
        async with survivor(own_kafka.bootstrap, dsn) as service:
            await eventually(lambda: len(service.consumer.owned) == PARTITIONS, DEADLINE_S, "the partitions moved")
            await bus.publish([moved(household, f"a-{household}", 4 if household == households[0] else 3) for household in households])
            await all_taken(connections, f"{point}-", 8 + 9 + 8)
            before = await effects(connections, "test", f"{point}-")
            member.wake()
            await eventually(lambda: member.alive and len(service.consumer.owned) == PARTITIONS // 2, DEADLINE_S, "it joins again")
            await bus.publish([moved(household, f"a-{household}", 5 if household == households[0] else 4) for household in households])
            await all_taken(connections, f"{point}-", 8 + 9 + 8 + 8)
            assert (await effects(connections, "test", f"{point}-"))[: len(before)] == before
            return member, int(service.metrics.repeated.labels(ACCOUNTS)._value.get())
    finally:
        member.end()
        await bus.stop()


async def test_one_that_holds_records_and_wakes_is_fenced(
    own_kafka: kafka.Kafka, effect_database: tuple[str, asyncpg.Pool], tmp_path: Path
) -> None:
    member, _ = await stop_and_wake(own_kafka, effect_database, "after_poll", tmp_path / "member.log")
    assert member.logged("fenced") == 1


async def test_one_in_its_transaction_loses_it_and_no_longer_holds_up_the_partition(
    own_kafka: kafka.Kafka, effect_database: tuple[str, asyncpg.Pool], tmp_path: Path
) -> None:
    member, _ = await stop_and_wake(own_kafka, effect_database, "in_transaction", tmp_path / "member.log")
    assert member.logged("dependency_down") and "PostgreSQL" in member.log.read_text()


async def test_one_that_committed_and_publishes_late_says_nothing_new(
    own_kafka: kafka.Kafka, effect_database: tuple[str, asyncpg.Pool], tmp_path: Path
) -> None:
    await stop_and_wake(own_kafka, effect_database, "before_publish", tmp_path / "member.log")
    bus = KafkaBus(own_kafka.bootstrap)
    extent = await bus.extent([ACCOUNTS])
    places = []
    async for record in bus.read(extent):
        if b"trigger-before_publish" in record.value and from_record(record.key, record.value, record.headers).source == "ingest":
            headers = dict(record.headers)
            places.append((headers[LANE_HEADER], headers[SEQUENCE_HEADER]))
    await bus.stop()
    assert len(places) >= 2, "the one that took over and the one that woke up both published it"
    assert len(set(places)) == 1
