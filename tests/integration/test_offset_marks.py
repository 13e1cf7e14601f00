"""What keeps an effect single: the mark, what an owner skips and remembers, and when a word may leave the outbox."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from libs.common.bus import Consumer, TopicPartition
from libs.common.bus.memory import MemoryBus, MemoryConsumer
from libs.common.db import transaction
from libs.common.errors import CannotApply, Fenced, InvariantBroken
from libs.common.events import Event, Record, from_record
from libs.common.outbox import Relay, append_records, publish_lane, stamped
from libs.common.ownership import claim, move_mark
from libs.common.schemas.account import AccountMoved
from libs.common.service import Service
from libs.common.topics import ACCOUNTS
from libs.common.unit import Unit
from tests.integration.test_backbone import Recorder, moved, running, said
from tests.waiting import eventually

HOUSEHOLD = "h1"
ELSEWHERE = TopicPartition("a.topic.of.nobody", 0)


class Rewound(MemoryBus):
    """A bus whose member can be made to give records again, as after a rebalance."""

    members: list[MemoryConsumer]

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        made = super().consumer(group, topics)
        assert isinstance(made, MemoryConsumer)
        self.members = [*getattr(self, "members", []), made]
        return made


class Slow(MemoryBus):
    """A bus that acknowledges what a service says only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()

    async def publish(self, records: Sequence[Record]) -> None:
        if any(name == "ce_source" and value == b"ingest" for record in records for name, value in record.headers):
            await self.free.wait()
        await super().publish(records)


async def place_of(service: Service) -> TopicPartition:
    """The partition of HOUSEHOLD, once something of it was taken."""
    row = await eventually(lambda: service.pool.fetchrow("SELECT topic, partition FROM consumed WHERE next_offset > 0"), what="a mark")
    return TopicPartition(row["topic"], row["partition"])


def of_test(recorder: Recorder) -> list[str]:
    return [applied.partition(":")[0] for applied in recorder.applied]


async def test_what_the_mark_says_is_done_is_not_done_again(fresh_database: str) -> None:
    """Somebody moved the mark under the same epoch: what this owner has in hand is dropped, and it goes on where the mark is."""
    bus, recorder = MemoryBus(), Recorder()
    async with running(fresh_database, bus, recorder) as service:
        await bus.publish([moved(HOUSEHOLD, "a", 1)])
        await eventually(lambda: said(bus) == ["on-a"])
        await eventually(lambda: service.pool.fetchval("SELECT sum(next_offset) = 2 FROM consumed"), what="its own word is taken too")
        await service.pool.execute("UPDATE consumed SET next_offset = next_offset + 1 WHERE next_offset > 0")
        await bus.publish([moved(HOUSEHOLD, "done", 2), moved(HOUSEHOLD, "b", 3)])
        await eventually(lambda: "b" in of_test(recorder))
        assert of_test(recorder) == ["a", "b"]


async def test_records_below_the_mark_are_skipped_when_they_come_again(fresh_database: str) -> None:
    bus, recorder = Rewound(), Recorder()
    async with running(fresh_database, bus, recorder) as service:
        await bus.publish([moved(HOUSEHOLD, "a", 1), moved(HOUSEHOLD, "b", 2)])
        await eventually(lambda: "b" in of_test(recorder))
        bus.members[-1].seek(await place_of(service), 0)
        await bus.publish([moved(HOUSEHOLD, "c", 3)])
        await eventually(lambda: "c" in of_test(recorder))
        assert of_test(recorder) == ["a", "b", "c"]


async def test_a_relays_repetition_is_dropped_in_a_later_batch_and_after_a_restart(fresh_database: str) -> None:
    bus, recorder = MemoryBus(), Recorder()
    records = [moved(HOUSEHOLD, name, n) for n, name in enumerate("abcd", start=1)]
    a, b, c, d = (replace(r, headers=stamped(r.headers, "sender:0", n)) for n, r in enumerate(records, start=1))
    async with running(fresh_database, bus, recorder):
        await bus.publish([a, b])
        await eventually(lambda: "b" in of_test(recorder))
        await bus.publish([a, b, c])
        await eventually(lambda: "c" in of_test(recorder))
    async with running(fresh_database, bus, recorder):
        await bus.publish([b, c, d])
        await eventually(lambda: "d" in of_test(recorder))
    assert of_test(recorder) == ["a", "b", "c", "d"]


async def test_a_word_leaves_the_outbox_only_when_the_bus_has_it(fresh_database: str) -> None:
    bus, recorder = Slow(), Recorder()
    async with running(fresh_database, bus, recorder) as service:
        await bus.publish([moved(HOUSEHOLD, "a", 1)])
        await eventually(lambda: "a" in of_test(recorder))
        await bus.publish([moved(HOUSEHOLD, "b", 2)])
        await eventually(lambda: service.pool.fetchval("SELECT sum(next_offset) = 2 FROM consumed"), what="both batches committed")
        assert await service.pool.fetchval("SELECT count(*) FROM outbox") == 2
        bus.free.set()
        await eventually(lambda: said(bus) == ["on-a", "on-b"])
        await eventually(lambda: service.pool.fetchval("SELECT count(*) = 0 FROM outbox"), what="the outbox is empty")


async def test_a_lane_has_one_relay_at_a_time(fresh_database: str) -> None:
    bus = MemoryBus()
    async with running(fresh_database, bus, Recorder()) as service:
        relay = Relay(service.pool, bus, "ingest:http")
        async with transaction(service.pool) as other:
            await other.execute("SELECT pg_advisory_xact_lock(hashtext('relay ingest:http'))")
            async with service.unit("http", "someone") as unit:
                unit.emit(AccountMoved("n", "h", "i", 1), "n", 1, "h")
            assert await relay.publish_once() is False
            assert said(bus) == []
        await eventually(lambda: said(bus) == ["n"])


async def test_a_batch_waits_for_whoever_has_a_parked_household_in_hand(fresh_database: str) -> None:
    """A redrive in the middle: what it will have applied and said comes before what the batch brings."""
    bus, recorder = MemoryBus(), Recorder()
    recorder.refuse = {"bad"}
    async with running(fresh_database, bus, recorder) as service:
        await bus.publish([moved(HOUSEHOLD, "bad", 1)])
        await eventually(lambda: service.pool.fetchval("SELECT count(*) = 1 FROM parked"))
        async with transaction(service.pool) as redrive:
            await redrive.execute("SELECT 1 FROM parked WHERE key = $1 FOR UPDATE", HOUSEHOLD)
            await bus.publish([moved(HOUSEHOLD, "later", 2)])
            waits = "SELECT count(*) = 1 FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            await eventually(lambda: redrive.fetchval(waits), what="the batch waits")
        await eventually(lambda: service.pool.fetchval("SELECT count(*) = 2 FROM parked_message"), what="and parks behind it")


async def test_a_claim_fences_the_owner_before(fresh_database: str) -> None:
    async with running(fresh_database, MemoryBus(), Recorder()) as service, transaction(service.pool) as connection:
        first = await claim(connection, "ingest", ELSEWHERE, "cluster-1")
        second = await claim(connection, "ingest", ELSEWHERE, "cluster-1")
        with pytest.raises(Fenced):
            await move_mark(connection, first, 5)
        await move_mark(connection, second, 5)
        assert await connection.fetchval("SELECT next_offset FROM consumed WHERE topic = $1", ELSEWHERE.topic) == 5


async def test_a_claim_of_another_clusters_offsets_is_refused(fresh_database: str) -> None:
    async with running(fresh_database, MemoryBus(), Recorder()) as service, transaction(service.pool) as connection:
        await claim(connection, "ingest", ELSEWHERE, "cluster-1")
        with pytest.raises(InvariantBroken, match="cluster-1, this is cluster-2"):
            await claim(connection, "ingest", ELSEWHERE, "cluster-2")


async def test_a_lane_is_published_in_the_order_of_its_numbers(fresh_database: str) -> None:
    bus = MemoryBus()
    async with running(fresh_database, bus, Recorder()) as service, transaction(service.pool) as connection:
        names = [f"n{number}" for number in range(5)]
        for name in names:
            await append_records(connection, "a lane", [moved(HOUSEHOLD, name, 1)])
        assert await publish_lane(connection, bus, "a lane") == 5
    assert [from_record(r.key, r.value, r.headers).subject for r in bus.log(ACCOUNTS)][:5] == names


async def test_what_a_message_did_before_it_failed_is_taken_back(fresh_database: str) -> None:
    """And its neighbours' effects stay."""

    class Writer(Recorder):
        async def __call__(self, unit: Unit, event: Event, moved: AccountMoved) -> None:
            if event.source == "test":
                await unit.connection.execute("INSERT INTO inbox (topic, id) VALUES ('t', $1)", moved.account_id)
                if moved.account_id == "bad":
                    raise CannotApply("after it wrote")
            await super().__call__(unit, event, moved)

    bus, recorder = MemoryBus(), Writer()
    async with running(fresh_database, bus, recorder) as service:
        await bus.publish([moved("h0", "good", 1), moved(HOUSEHOLD, "bad", 1), moved(HOUSEHOLD, "later", 2), moved("h0", "last", 2)])
        await eventually(lambda: service.pool.fetchval("SELECT count(*) = 2 FROM parked_message"), what="two parked")
        await eventually(lambda: service.pool.fetchval("SELECT count(*) >= 2 FROM inbox"), what="the neighbours' effects")
        rows = await service.pool.fetch("SELECT id FROM inbox ORDER BY id")
    assert [row["id"] for row in rows] == ["good", "last"]
