"""What any bus must do, for the in-process one and for Apache Kafka."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from libs.common.bus import Bus, Consumer, Received, TopicPartition
from libs.common.bus.kafka import KafkaBus
from libs.common.bus.memory import MemoryBus
from libs.common.events import Record
from libs.common.topics import SCREENS

DEADLINE_S = 30.0
_numbers = itertools.count(1)


@pytest.fixture(params=["memory", "kafka"])
def unstarted_bus(request: pytest.FixtureRequest) -> Bus:
    return MemoryBus() if request.param == "memory" else KafkaBus(request.getfixturevalue("kafka_bootstrap"))


@pytest.fixture
async def bus(unstarted_bus: Bus) -> AsyncIterator[Bus]:
    made = unstarted_bus
    await made.start()
    yield made
    await made.stop()


class Member:
    """A consumer with what it was told and what it got."""

    def __init__(self, bus: Bus, group: str) -> None:
        self.consumer: Consumer = bus.consumer(group, [SCREENS])
        self.owned: set[TopicPartition] = set()
        self.received: list[Received] = []
        self.start_at: dict[TopicPartition, int] = {}

    async def assigned(self, partitions: set[TopicPartition]) -> None:
        self.owned |= partitions
        for partition in partitions:
            self.consumer.seek(partition, self.start_at.get(partition, 0))

    async def revoked(self, partitions: set[TopicPartition]) -> None:
        self.owned -= partitions

    async def start(self) -> None:
        await self.consumer.start(self.assigned, self.revoked)

    async def take_until(self, wanted: int, key_prefix: bytes) -> list[Received]:
        async with asyncio.timeout(DEADLINE_S):
            while len(mine := [r for r in self.received if (r.key or b"").startswith(key_prefix)]) < wanted:
                for records in (await self.consumer.poll(100, 0.2)).values():
                    self.received += records
        return mine


def records(prefix: str, keys: int, each: int) -> list[Record]:
    return [
        Record(SCREENS, f"{prefix}-{key}".encode(), f"{number}".encode(), [("n", str(number).encode())])
        for number in range(each)
        for key in range(keys)
    ]


async def test_keeps_the_order_of_a_key_and_carries_headers(bus: Bus) -> None:
    prefix = f"order{next(_numbers)}"
    member = Member(bus, prefix)
    await member.start()
    await bus.publish(records(prefix, keys=7, each=20))
    received = await member.take_until(140, prefix.encode())
    await member.consumer.stop()
    by_key: dict[bytes, list[bytes]] = {}
    for record in received:
        by_key.setdefault(record.key or b"", []).append(record.value)
        assert dict(record.headers)["n"] == record.value
    assert len(by_key) == 7
    assert all(values == [str(n).encode() for n in range(20)] for values in by_key.values())
    assert len({(r.topic, r.partition) for r in received if r.key == f"{prefix}-3".encode()}) == 1


async def test_seek_returns_the_records_from_that_offset_again(bus: Bus) -> None:
    prefix = f"seek{next(_numbers)}"
    member = Member(bus, prefix)
    await member.start()
    await bus.publish(records(prefix, keys=1, each=10))
    first = await member.take_until(10, prefix.encode())
    place = TopicPartition(first[4].topic, first[4].partition)
    member.received.clear()
    member.consumer.seek(place, first[4].offset)
    again = await member.take_until(6, prefix.encode())
    assert [r.offset for r in again] == [r.offset for r in first[4:]]
    ends = await member.consumer.end_offsets({place})
    assert ends[place] > first[-1].offset
    await member.consumer.stop()


async def test_partitions_move_when_a_member_joins_and_when_it_leaves(bus: Bus) -> None:
    prefix = f"move{next(_numbers)}"
    first, second = Member(bus, prefix), Member(bus, prefix)
    await first.start()
    async with asyncio.timeout(DEADLINE_S):
        while len(first.owned) < 4:
            await first.consumer.poll(1, 0.1)
    joining = asyncio.create_task(second.start())
    async with asyncio.timeout(DEADLINE_S):
        while len(second.owned) != 2 or len(first.owned) != 2:
            await first.consumer.poll(1, 0.1)
            if joining.done():
                await second.consumer.poll(1, 0.1)
    assert not first.owned & second.owned
    await second.consumer.stop()
    async with asyncio.timeout(DEADLINE_S):
        while len(first.owned) < 4:
            await first.consumer.poll(1, 0.1)
    await first.consumer.stop()


async def noted(bus: Bus, group: str, bootstrap: str | None) -> dict[TopicPartition, int]:
    """What the broker's own lag tools would read."""
    if isinstance(bus, MemoryBus):
        return bus.noted(group)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    found = await admin.list_consumer_group_offsets(group)
    await admin.close()
    return {TopicPartition(p.topic, p.partition): each.offset for p, each in found.items()}


async def test_the_broker_is_told_what_comes_next_and_a_note_that_it_refuses_stops_nobody(bus: Bus, request: pytest.FixtureRequest) -> None:
    group = f"note{next(_numbers)}"
    member = Member(bus, group)
    await member.start()
    await bus.publish(records(group, keys=1, each=10))
    received = await member.take_until(10, group.encode())
    place = TopicPartition(received[0].topic, received[0].partition)
    await member.consumer.note_taken({place: received[6].offset})
    bootstrap = request.getfixturevalue("kafka_bootstrap") if isinstance(bus, KafkaBus) else None
    assert (await noted(bus, group, bootstrap))[place] == received[6].offset
    await member.consumer.note_taken({TopicPartition("not.assigned.v1", 3): 5})
    await member.consumer.stop()
    await member.consumer.note_taken({place: 7})


async def test_extent_is_what_the_partitions_hold(bus: Bus) -> None:
    prefix = f"extent{next(_numbers)}"
    member = Member(bus, prefix)
    await member.start()
    await bus.publish(records(prefix, keys=1, each=10))
    received = await member.take_until(10, prefix.encode())
    place = TopicPartition(received[0].topic, received[0].partition)
    assert (await member.consumer.extent({place})) == {place: range(received[-1].offset + 1)}
    await member.consumer.stop()


async def test_what_is_published_at_once_keeps_its_order_over_many_batches_and_sizes(bus: Bus) -> None:
    prefix = f"sizes{next(_numbers)}"
    member = Member(bus, prefix)
    await member.start()
    sizes = [10, 700_000, 3_900_000, 1, 600_000, 400_000, 20] * 2
    sent = [Record(SCREENS, f"{prefix}-{n % 3}".encode(), bytes([n]) + bytes(size), []) for n, size in enumerate(sizes)]
    await bus.publish(sent)
    received = await member.take_until(len(sizes), prefix.encode())
    await member.consumer.stop()
    for key in {record.key for record in sent}:
        assert [r.value for r in received if r.key == key] == [r.value for r in sent if r.key == key]


async def test_the_cluster_has_a_lasting_id(bus: Bus) -> None:
    assert await bus.cluster_id() == await bus.cluster_id() != ""


async def test_reads_without_a_group_exactly_the_offsets_asked_for(bus: Bus) -> None:
    prefix = f"read{next(_numbers)}"
    before = await bus.extent([SCREENS])
    await bus.publish(records(prefix, keys=6, each=5))
    after = await bus.extent([SCREENS])
    assert len(after) == 4
    assert sum(len(after[place]) - len(before[place]) for place in after) == 30
    since = {place: range(before[place].stop, offsets.stop) for place, offsets in after.items()}
    read = [record async for record in bus.read(since)]
    assert sorted((r.key, r.value) for r in read) == sorted((r.key, r.value) for r in records(prefix, 6, 5))
    assert [(r.partition, r.offset) for r in read] == sorted((p.partition, offset) for p, offsets in since.items() for offset in offsets)
    last = {place: offsets[-1:] for place, offsets in after.items()}
    assert [r.offset async for r in bus.read(last)] == [offsets.start for _, offsets in sorted(last.items()) if offsets]
    assert [r async for r in bus.read({place: offsets[:0] for place, offsets in after.items()})] == []
