"""The consumer: takes events in order, each with its effect exactly once, and says what came of them.

One batch of one partition is one PostgreSQL transaction: the offset mark is moved by compare-and-set, the handlers change state, what
they emit goes to the partition's own lane of the outbox.  Then the lane is published, and marked in a later transaction.

Invariants
1. The offset mark and the effects of the records before it commit together: a crash repeats nothing and skips nothing.
2. Only the owner of a partition's newest epoch moves its mark; a stopped owner that wakes up changes nothing (`Fenced`).
3. A record with a (lane, sequence) at or below the highest seen of that lane in that partition is dropped: a relay sent it twice.
4. Records of a household apply in order; when one can't, it and all later ones of the household are parked, the others go on.
5. A record that can't be read goes to the dead-letter topic with its reason and its place.
6. Nothing is committed while a dependency is down; the same records are taken again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import asyncpg
from msgspec import Struct

from libs.common.arrivals import Arrival, Reader
from libs.common.bus import Bus, Consumer, Received, TopicPartition
from libs.common.clock import Clock
from libs.common.db import Connection, Pool, transaction
from libs.common.errors import DependencyDown, Fenced, InvariantBroken
from libs.common.events import Event, to_record
from libs.common.observe import Metrics, log
from libs.common.outbox import append_records, mark_published, publish_lane, stamped
from libs.common.parking import Parking
from libs.common.unit import Batch, Unit

Handler = Callable[[Unit, Event, Any], Awaitable[None]]
Handled = TypeVar("Handled", bound=Struct)

BATCH_RECORDS = 500
POLL_S = 0.5
GATHER_RECORDS = 5_000
LAG_EVERY_S = 1.0


@dataclass(frozen=True)
class Gather:
    """When records of `topic` come, wait for more as long as some come within `idle_s`, at most `most_s`, before they are applied.

    A burst of ten thousand fills is then one or two new states of each account, not a hundred.
    """

    topic: str
    idle_s: float = 0.5
    most_s: float = 5.0


@dataclass(frozen=True)
class Subscription:
    """What a service takes: the topics in full, and a handler for each payload type it knows; other types are passed over.

    `gather` is for a service whose events of a topic are many small changes of few large states.
    """

    topics: Sequence[str]
    handlers: Mapping[type[Struct], Handler]
    gather: Gather | None = None


class EventConsumer:
    """Runs one service's subscription: `run` until cancelled; DependencyDown means call again after a pause."""

    def __init__(self, service: str, pool: Pool, bus: Bus, clock: Clock, metrics: Metrics, subscription: Subscription) -> None:
        self._service = service
        self._pool = pool
        self._bus = bus
        self._clock = clock
        self._metrics = metrics
        self._subscription = subscription
        self._reader = Reader(service, metrics, subscription.handlers.keys())
        self._parking = Parking(service, clock, self._reader, self._apply)
        self._consumer: Consumer | None = None
        self._lock = asyncio.Lock()
        self._epochs: dict[TopicPartition, int] = {}
        self._next: dict[TopicPartition, int] = {}
        self._published: dict[str, int] = {}
        self._cluster_id = ""
        self._lag_observed_s = 0.0
        self._taken_ms: dict[str, int] = {}
        self.ready = False
        self.after_commit: list[Callable[[], None]] = []

    @property
    def owned(self) -> set[TopicPartition]:
        """The partitions whose newest owner this is, as far as it knows."""
        return set(self._epochs)

    async def run(self) -> None:
        """Join the group and work until cancelled."""
        self._cluster_id = await self._bus.cluster_id()
        self._consumer = self._bus.consumer(f"pma-{self._service}", self._subscription.topics)
        try:
            await self._consumer.start(self._on_assigned, self._on_revoked)
            while True:
                await self._poll_once(self._consumer)
        finally:
            self.ready = False
            await self._consumer.stop()
            self._epochs.clear()

    async def _poll_once(self, consumer: Consumer) -> None:
        batches = dict(await consumer.poll(BATCH_RECORDS, POLL_S))
        self.ready = True
        gather = self._subscription.gather
        if gather is not None and any(partition.topic == gather.topic for partition in batches):
            await self._add_what_follows(consumer, batches, gather)
        for partition, records in batches.items():
            async with self._lock:
                if partition not in self._epochs:
                    continue
                try:
                    await self._take_batch(partition, records)
                except Fenced:
                    log().warning("fenced", topic=partition.topic, partition=partition.partition)
                    del self._epochs[partition]
        if not batches:
            async with self._lock:
                await self._mark_published_lanes()
        await self._observe_lag(consumer)

    async def _add_what_follows(self, consumer: Consumer, batches: dict[TopicPartition, list[Received]], gather: Gather) -> None:
        until = asyncio.get_running_loop().time() + gather.most_s
        while asyncio.get_running_loop().time() < until and sum(map(len, batches.values())) < GATHER_RECORDS:
            more = await consumer.poll(BATCH_RECORDS, gather.idle_s)
            if not more:
                return
            for partition, records in more.items():
                known = batches.get(partition, [])
                last = known[-1].offset if known else -1
                batches[partition] = [*known, *(record for record in records if record.offset > last)]

    async def _on_assigned(self, partitions: set[TopicPartition]) -> None:
        async with self._lock:
            for partition in sorted(partitions):
                async with transaction(self._pool) as connection:
                    row = await self._claim(connection, partition)
                self._epochs[partition], self._next[partition] = row["epoch"], row["next_offset"]
                await self._relay_leftovers(self._lane(partition))
                assert self._consumer is not None
                self._consumer.seek(partition, row["next_offset"])

    async def _on_revoked(self, partitions: set[TopicPartition]) -> None:
        async with self._lock:
            await self._mark_published_lanes()
            for partition in partitions:
                self._epochs.pop(partition, None)

    async def _claim(self, connection: Connection, partition: TopicPartition) -> asyncpg.Record:
        """Become the partition's owner: a new epoch, behind which older owners are fenced."""
        row = await connection.fetchrow(
            "INSERT INTO consumed AS c (topic, partition, next_offset, epoch, cluster_id) VALUES ($1, $2, 0, 1, $3) "
            "ON CONFLICT (topic, partition) DO UPDATE SET epoch = c.epoch + 1 RETURNING next_offset, epoch, cluster_id",
            partition.topic,
            partition.partition,
            self._cluster_id,
        )
        if row["cluster_id"] != self._cluster_id:
            raise InvariantBroken(
                f"{self._service}: offsets of {partition.topic} belong to Kafka cluster {row['cluster_id']}, this is {self._cluster_id}; "
                "see 'another cluster' in docs/runbook.md"
            )
        return row

    async def _relay_leftovers(self, lane: str) -> None:
        """Publish what the lane's last owner committed and did not mark."""
        while True:
            async with transaction(self._pool) as connection:
                last = await publish_lane(connection, self._bus, lane)
                if not last:
                    return
                await mark_published(connection, lane, last)

    def _lane(self, partition: TopicPartition) -> str:
        return f"{self._service}:{partition.topic}:{partition.partition}"

    async def _take_batch(self, partition: TopicPartition, records: Sequence[Received]) -> None:
        started = self._next[partition]
        fresh = [record for record in records if record.offset >= started]
        if not fresh:
            return
        lane = self._lane(partition)
        after = fresh[-1].offset + 1
        async with transaction(self._pool) as connection:
            await self._move_mark(connection, partition, started, after)
            await self._mark_lane(connection, lane)
            arrivals, letters = self._reader.read(await self._reader.drop_repeated(connection, partition, fresh))
            emitted = await self._parking.apply_or_park(connection, arrivals)
            said = [*letters, *map(to_record, emitted)]
            last = await append_records(connection, lane, said) if said else 0
        self._next[partition] = after
        self._taken_ms[partition.topic] = fresh[-1].timestamp_ms
        self._metrics.consumed.labels(partition.topic).inc(len(fresh))
        self._committed()
        if said:
            first = last - len(said) + 1
            stamps = [replace(r, headers=stamped(r.headers, lane, first + i)) for i, r in enumerate(said)]
            await self._bus.publish(stamps)
            self._published[lane] = last

    async def _mark_lane(self, connection: Connection, lane: str) -> None:
        if lane in self._published:
            await mark_published(connection, lane, self._published.pop(lane))

    async def _mark_published_lanes(self) -> None:
        if not self._published:
            return
        async with transaction(self._pool) as connection:
            for lane in list(self._published):
                await self._mark_lane(connection, lane)

    async def _move_mark(self, connection: Connection, partition: TopicPartition, started: int, after: int) -> None:
        moved = await connection.fetchval(
            "UPDATE consumed SET next_offset = $5 WHERE topic = $1 AND partition = $2 AND epoch = $3 AND next_offset = $4 RETURNING 1",
            partition.topic,
            partition.partition,
            self._epochs[partition],
            started,
            after,
        )
        if moved is None:
            raise Fenced(f"{partition.topic}/{partition.partition}")

    async def _apply(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[Event]:
        """Give each event to its handler, then save what the handlers hold in hand; returns what they said, in order."""
        batch, units = Batch(), []
        for arrival in arrivals:
            unit = Unit(connection, self._service, self._clock.now(), self._service, cause=arrival.event, batch=batch)
            units.append(unit)
            await self._subscription.handlers[type(arrival.payload)](unit, arrival.event, arrival.payload)
        await batch.finish()
        return [event for unit in units for event in unit.emitted]

    async def redrive(self, key: str) -> tuple[int, str | None]:
        """Apply a parked household's messages again, in order, to the first that still can't be.

        Returns how many were applied and, if some are left, the reason.
        """
        applied, reason = await self._parking.redrive(self._pool, key)
        if applied:
            self._committed()
        return applied, reason

    def _committed(self) -> None:
        for hook in self.after_commit:
            hook()

    async def _observe_lag(self, consumer: Consumer) -> None:
        """Set the lag gauges, at most once a second: records not yet taken by topic, and how long ago the last taken was written."""
        now_s = time.time()
        if now_s - self._lag_observed_s < LAG_EVERY_S:
            return
        self._lag_observed_s = now_s
        ends = await consumer.end_offsets(set(self._epochs))
        lag: dict[str, int] = dict.fromkeys(self._subscription.topics, 0)
        for partition, end in ends.items():
            lag[partition.topic] += max(0, end - self._next.get(partition, end))
        for topic, records in lag.items():
            age_s = max(0.0, now_s - self._taken_ms.get(topic, 0) / 1000) if records and topic in self._taken_ms else 0.0
            self._metrics.lag_records.labels(topic).set(records)
            self._metrics.lag_seconds.labels(topic).set(age_s)


async def back_off(work: Callable[[], Awaitable[None]], first_s: float = 0.1, most_s: float = 10.0) -> None:
    """Run `work` until cancelled; when a dependency is down, wait (doubling, bounded) and run it again."""
    pause_s = first_s
    while True:
        started = asyncio.get_running_loop().time()
        try:
            await work()
        except DependencyDown as error:
            if asyncio.get_running_loop().time() - started > most_s:
                pause_s = first_s
            log().warning("dependency_down", reason=str(error), pause_s=pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(most_s, pause_s * 2)
