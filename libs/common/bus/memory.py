"""The in-process bus: same order, offsets, groups and rebalances as Kafka, no durability.

As with a broker, a rebalance that was begun is carried through, whatever becomes of the member that joins or leaves, and what a member's
callback raises is that member's own: else partitions would stay with a member that is gone, or with none, for ever.
"""

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from libs.common.bus import Consumer, PartitionsCallback, Received, TopicPartition
from libs.common.events import Record
from libs.common.ids import content_id
from libs.common.topics import TOPICS, Topic


@dataclass
class _Group:
    members: list["MemoryConsumer"] = field(default_factory=list)
    noted: dict[TopicPartition, int] = field(default_factory=dict)


class MemoryBus:
    """Topics as lists in this process.  Like the real one it refuses topics that nobody made."""

    def __init__(self, topics: Sequence[Topic] = TOPICS) -> None:
        self._partitions = {topic.name: topic.partitions for topic in topics}
        self._logs: dict[TopicPartition, list[Received]] = {
            TopicPartition(topic.name, number): [] for topic in topics for number in range(topic.partitions)
        }
        self._groups: dict[str, _Group] = {}
        self._arrived = asyncio.Condition()
        self.published = 0
        self.rebalancing = asyncio.Lock()
        self._rebalances: set[asyncio.Task[None]] = set()
        self._cluster_id = content_id("memory", time.time_ns(), id(self))

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        """Nothing to disconnect from."""

    async def cluster_id(self) -> str:
        return self._cluster_id

    async def publish(self, records: Sequence[Record]) -> None:
        for record in records:
            partition = zlib.crc32(record.key) % self._partitions[record.topic]
            log = self._logs[TopicPartition(record.topic, partition)]
            now_ms = time.time_ns() // 1_000_000
            log.append(Received(record.topic, partition, len(log), now_ms, record.key, record.value, tuple(record.headers)))
        self.published += len(records)
        async with self._arrived:
            self._arrived.notify_all()

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        unknown = [topic for topic in topics if topic not in self._partitions]
        if unknown:
            raise ValueError(f"unknown topics {unknown}")
        return MemoryConsumer(self, self._groups.setdefault(group, _Group()), topics)

    async def extent(self, topics: Sequence[str]) -> dict[TopicPartition, range]:
        return {partition: range(len(self._logs[partition])) for partition in self.all_partitions(topics)}

    async def read(self, places: Mapping[TopicPartition, range]) -> AsyncIterator[Received]:
        for partition, offsets in sorted(places.items()):
            for record in self.records_from(partition, offsets.start, len(offsets)):
                yield record

    def noted(self, group: str) -> dict[TopicPartition, int]:
        """Which offset comes next in each partition, as the group's members last said."""
        return dict(self._groups[group].noted)

    def log(self, topic: str) -> list[Received]:
        """Every record of a topic, partition by partition: for the demo's output and for tests."""
        return [record for partition, log in sorted(self._logs.items()) if partition.topic == topic for record in log]

    async def carry_through(self, rebalance: Coroutine[Any, Any, None]) -> None:
        """Wait for a rebalance, which goes on to its end when the one that waits is cancelled."""
        task = asyncio.create_task(rebalance)
        self._rebalances.add(task)
        task.add_done_callback(self._rebalances.discard)
        await asyncio.shield(task)

    def all_partitions(self, topics: Sequence[str]) -> list[TopicPartition]:
        """The partitions of the given topics, in order."""
        return [partition for partition in sorted(self._logs) if partition.topic in topics]

    def records_from(self, partition: TopicPartition, offset: int, limit: int) -> list[Received]:
        """At most `limit` records of a partition from `offset` on."""
        return self._logs[partition][offset : offset + limit]

    def end_offset(self, partition: TopicPartition) -> int:
        """The offset that the next record of this partition will get."""
        return len(self._logs[partition])

    async def wait_beyond(self, published: int, timeout_s: float) -> None:
        """Return when more than `published` records were ever published, or after the timeout."""
        try:
            async with asyncio.timeout(timeout_s), self._arrived:
                await self._arrived.wait_for(lambda: self.published > published)
        except TimeoutError:
            return


class MemoryConsumer:
    """A member of a group on the in-process bus; partitions are dealt round robin whenever a member comes or goes."""

    def __init__(self, bus: MemoryBus, group: _Group, topics: Sequence[str]) -> None:
        self._bus = bus
        self._group = group
        self._topics = tuple(topics)
        self._positions: dict[TopicPartition, int] = {}
        self._on_assigned: PartitionsCallback | None = None
        self._on_revoked: PartitionsCallback | None = None
        self._failure: Exception | None = None

    async def start(self, on_assigned: PartitionsCallback, on_revoked: PartitionsCallback) -> None:
        self._on_assigned, self._on_revoked = on_assigned, on_revoked
        await self._bus.carry_through(self._join())

    async def stop(self) -> None:
        await self._bus.carry_through(self._leave())

    async def _join(self) -> None:
        async with self._bus.rebalancing:
            self._group.members.append(self)
            await _rebalance(self._bus, self._group.members)

    async def _leave(self) -> None:
        async with self._bus.rebalancing:
            if self in self._group.members:
                await self.take(set())
                self._group.members.remove(self)
                await _rebalance(self._bus, self._group.members)

    async def take(self, partitions: set[TopicPartition]) -> None:
        """Become the owner of exactly these partitions."""
        assert self._on_assigned is not None and self._on_revoked is not None
        lost = set(self._positions) - partitions
        if lost:
            await self._tell(self._on_revoked, lost)
            for partition in lost:
                del self._positions[partition]
        gained = partitions - set(self._positions)
        for partition in gained:
            self._positions[partition] = 0
        if gained:
            await self._tell(self._on_assigned, gained)

    async def _tell(self, callback: PartitionsCallback, partitions: set[TopicPartition]) -> None:
        """Call back; a failure is kept for the next poll, as that of a listener on Kafka is."""
        try:
            await callback(partitions)
        except Exception as error:
            self._failure = error

    async def poll(self, max_records: int, timeout_s: float) -> Mapping[TopicPartition, list[Received]]:
        published = self._bus.published
        found = self._take_ready(max_records)
        if not found:
            await self._bus.wait_beyond(published, timeout_s)
            found = self._take_ready(max_records)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        return found

    def _take_ready(self, max_records: int) -> dict[TopicPartition, list[Received]]:
        found: dict[TopicPartition, list[Received]] = {}
        for partition, position in self._positions.items():
            records = self._bus.records_from(partition, position, max_records)
            if records:
                self._positions[partition] = records[-1].offset + 1
                found[partition] = records
                max_records -= len(records)
            if max_records <= 0:
                break
        return found

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._positions[partition] = offset

    def assigned(self) -> set[TopicPartition]:
        return set(self._positions)

    async def extent(self, partitions: set[TopicPartition]) -> dict[TopicPartition, range]:
        return {partition: range(self._bus.end_offset(partition)) for partition in partitions}

    async def note_taken(self, following: Mapping[TopicPartition, int]) -> None:
        self._group.noted.update(following)

    async def end_offsets(self, partitions: set[TopicPartition]) -> dict[TopicPartition, int]:
        return {partition: self._bus.end_offset(partition) for partition in partitions}

    @property
    def topics(self) -> tuple[str, ...]:
        """What this member subscribed to."""
        return self._topics


async def _rebalance(bus: MemoryBus, members: Sequence[MemoryConsumer]) -> None:
    """Deal every partition to one member; those that lose partitions let go before the others take them."""
    dealt: dict[int, set[TopicPartition]] = {index: set() for index in range(len(members))}
    topics = sorted({topic for member in members for topic in member.topics})
    for number, partition in enumerate(bus.all_partitions(topics)):
        dealt[number % len(members)].add(partition)
    for index, member in enumerate(members):
        await member.take(member.assigned() & dealt[index])
    for index, member in enumerate(members):
        await member.take(dealt[index])
