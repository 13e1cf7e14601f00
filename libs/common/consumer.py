"""The consumer: takes events in order, each with its effect exactly once, and says what came of them.

One batch of one partition is one PostgreSQL transaction: the offset mark is moved by compare-and-set, the handlers change state, what
they emit goes to the partition's own lane of the outbox.  Then the lane is published, while the next batch is already being worked on,
and marked in a later transaction.

Invariants
1. The offset mark and the effects of the records before it commit together: a crash repeats nothing and skips nothing.
2. Only the owner of a partition's newest epoch moves its mark; a stopped owner that wakes up changes nothing (`Fenced`).
3. A record with a (lane, sequence) at or below the highest seen of that lane in that partition is dropped: a relay sent it twice.
4. Records of a household apply in order; when one can't, it and all later ones of the household are parked, the others go on.
5. A record that can't be read goes to the dead-letter topic with its reason and its place.
6. Nothing is committed while PostgreSQL is down, at most one more batch of a partition while the bus is; the same records are taken again.
7. A lane's records reach the bus in the order of their sequence: a batch is published only when the one before it was acknowledged.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
from msgspec import Struct

from libs.common.arrivals import Arrival, Reader, Taken
from libs.common.back_off import back_off
from libs.common.bus import Bus, Consumer, Received, TopicPartition
from libs.common.clock import Clock
from libs.common.db import Connection, Pool, transaction
from libs.common.errors import DependencyDown, Fenced
from libs.common.events import Event, Record, to_record
from libs.common.gather import BatchSize, Gather, add_what_follows, parts_of
from libs.common.lag import watch_lag
from libs.common.observe import Metrics, log
from libs.common.outbox import Relay, mark_published, publish_leftovers, stamped, write_rows
from libs.common.ownership import Owned, check_extent, claim, finish_batch, move_mark
from libs.common.parking import DATA_ERRORS, Parking
from libs.common.unit import Batch, Unit

__all__ = ["EventConsumer", "Gather", "Handler", "Subscription", "back_off"]

Handler = Callable[[Unit, Event, Any], Awaitable[None]]
Prepare = Callable[[Unit, Sequence[Struct]], Awaitable[None]]

POLL_S = 0.5
UNCLAIMED_POLL_S = 0.05
LEAVE_S = 5.0


@dataclass(frozen=True)
class Subscription:
    """What a service takes: the topics in full, and a handler for each payload type it knows; other types are passed over.

    `gather` is for a service whose events of a topic are many small changes of few large states.  `prepare` sees the payloads of a batch
    before the handlers do, to load for all of them together.
    """

    topics: Sequence[str]
    handlers: Mapping[type[Struct], Handler]
    gather: Gather | None = None
    prepare: Prepare | None = None


class EventConsumer:
    """Runs one service's subscription: `run` until cancelled; DependencyDown means call again after a pause."""

    def __init__(self, service: str, pool: Pool, bus: Bus, clock: Clock, metrics: Metrics, subscription: Subscription) -> None:
        self._service = service
        self._pool = pool
        self._bus = bus
        self._clock = clock
        self._metrics = metrics
        self._subscription = subscription
        self._reader = reader = Reader(service, subscription.handlers.keys())
        self._parking = Parking(service, clock, reader, self._apply, Relay(pool, bus, f"{service}:background"))
        self._lock = asyncio.Lock()
        self._assigned: set[TopicPartition] = set()
        self._owned: dict[TopicPartition, Owned] = {}
        self._committing: asyncio.Task[None] | None = None
        self._cluster_id = ""
        self._batch_size = BatchSize()
        self._taken_ms: dict[str, int] = {}
        self.ready = False
        self.after_commit: list[Callable[[], None]] = []

    @property
    def owned(self) -> set[TopicPartition]:
        """The partitions whose newest owner this is, as far as it knows."""
        return set(self._owned)

    async def run(self) -> None:
        """Join the group and work until cancelled."""
        self._cluster_id = await self._bus.cluster_id()
        consumer = self._bus.consumer(f"pma-{self._service}", self._subscription.topics)

        async def on_revoked(partitions: set[TopicPartition]) -> None:
            async with self._lock:
                await self._let_go(consumer, partitions)

        tasks: list[asyncio.Task[None]] = []
        try:
            await consumer.start(self._on_assigned, on_revoked)
            watching = watch_lag(consumer, self._subscription.topics, self._owned, self._taken_ms, self._metrics)
            tasks = [asyncio.create_task(work) for work in (self._work(consumer), watching)]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self.ready = False
            try:
                await _end([*tasks, *([self._committing] if self._committing else [])])
            finally:  # also when cancelled again: a member that did not leave would keep its partitions from the others
                self._committing = None
                await self._leave(consumer)

    async def _leave(self, consumer: Consumer) -> None:
        """Let go of everything, within a few seconds: what is not said by then is said by the next owner."""
        leaving = list(self._owned.values())
        try:
            with suppress(DependencyDown, TimeoutError):
                async with asyncio.timeout(LEAVE_S), self._lock:
                    await self._let_go(consumer, set(self._owned))
        finally:
            for owned in leaving:
                if owned.publishing is not None:
                    owned.publishing.cancel()
            self._owned.clear()
            self._assigned.clear()
            await consumer.stop()

    async def _work(self, consumer: Consumer) -> None:
        while True:
            await self._claim_assigned(consumer)
            waiting = self._assigned - set(self._owned)
            batches = dict(await consumer.poll(self._batch_size.records, UNCLAIMED_POLL_S if waiting else POLL_S))
            self.ready = not waiting
            gather = self._subscription.gather
            if gather is not None and any(partition.topic == gather.topic for partition in batches):
                await add_what_follows(consumer, batches, gather)
            for partition, records in batches.items():
                if partition in self._owned:
                    await self._read_ahead(self._owned[partition], records)
            if not batches:
                await self._committed_so_far()
                async with self._lock:
                    await self._settle(self._owned.values())

    async def _on_assigned(self, partitions: set[TopicPartition]) -> None:
        """Only noted: the work loop claims them, so that a claim that waits for an older owner stops no heartbeat."""
        self._assigned |= partitions

    async def _let_go(self, consumer: Consumer, partitions: set[TopicPartition]) -> None:
        """Stop being the owner; what is still on its way is waited for, so that the next owner need not say it again."""
        self._assigned -= partitions
        leaving = [self._owned.pop(partition) for partition in partitions if partition in self._owned]
        await consumer.note_taken({each.place: each.next_offset for each in leaving})
        await self._settle(leaving)

    async def _claim_assigned(self, consumer: Consumer) -> None:
        unclaimed = self._assigned - set(self._owned)
        held = await consumer.extent(unclaimed) if unclaimed else {}
        for partition in sorted(unclaimed):
            async with self._lock:
                if partition not in self._assigned:
                    continue
                try:
                    async with transaction(self._pool) as connection:
                        owned = await claim(connection, self._service, partition, self._cluster_id)
                except asyncpg.LockNotAvailableError:
                    log().warning("partition_held", topic=partition.topic, partition=partition.partition)
                    continue
                check_extent(owned, held[partition], self._metrics)
                await publish_leftovers(self._pool, self._bus, owned.lane)
                if partition in consumer.assigned():  # otherwise it moves on at this moment, and is revoked next
                    consumer.seek(partition, max(owned.next_offset, held[partition].start))
                    self._owned[partition] = owned

    async def _read_ahead(self, owned: Owned, records: Sequence[Received]) -> None:
        """Read a batch while the one before it, of whichever partition, is being committed; then commit it in turn."""
        fresh = [record for record in records if record.offset >= owned.read_to]
        for part in parts_of(fresh):
            taken = await self._reader.take(part, owned.seen)
            owned.read_to = part[-1].offset + 1
            owned.seen.update(taken.seen)
            await self._committed_so_far()
            self._committing = asyncio.create_task(self._take_or_rejoin(owned, part, taken))

    async def _committed_so_far(self) -> None:
        """Wait for the batch that is being committed; raises what committing raised."""
        if self._committing is not None:
            committing, self._committing = self._committing, None
            await committing

    async def _take_or_rejoin(self, owned: Owned, fresh: Sequence[Received], taken: Taken) -> None:
        async with self._lock:
            if self._owned.get(owned.place) is not owned:  # it moved on meanwhile
                return
            started_s = time.monotonic()
            try:
                await self._take_batch(owned, fresh, taken)
            except Fenced as fenced:
                self._metrics.fenced.labels(owned.place.topic).inc()
                log().warning("fenced", topic=owned.place.topic, partition=owned.place.partition, epoch=owned.epoch)
                raise DependencyDown(f"another owner took {fenced}; joining the group again") from fenced
            self._batch_size.fit(len(fresh), time.monotonic() - started_s)

    async def _take_batch(self, owned: Owned, fresh: Sequence[Received], taken: Taken) -> None:
        after = fresh[-1].offset + 1
        try:
            said, last = await self._commit(owned, taken, after, self._parking.apply_together)
        except DATA_ERRORS:
            said, last = await self._commit(owned, taken, after, self._parking.apply_each)
        owned.next_offset = after
        self._count(owned.place.topic, fresh, taken)
        self._committed()
        if said:
            await self._published(owned)
            owned.publishing = asyncio.create_task(self._publish(owned, said, last))

    async def _commit(
        self, owned: Owned, taken: Taken, after: int, apply: Callable[[Connection, list[Arrival], set[str]], Awaitable[list[Event]]]
    ) -> tuple[list[Record], int]:
        """One transaction: the mark, the effects, the words; returns what is to be published, and the last's sequence."""
        async with transaction(self._pool) as connection:
            parked = await move_mark(connection, owned, after)
            emitted = await apply(connection, taken.arrivals, parked)
            said = [*taken.letters, *map(to_record, emitted)]
            acknowledged = owned.acknowledged
            if not (said or taken.seen or acknowledged):
                return [], 0
            last = await finish_batch(connection, owned, taken.seen, len(said))
            first = last - len(said) + 1
            await write_rows(connection, owned.lane, first, said)
        if owned.acknowledged == acknowledged:
            owned.acknowledged = 0
        return [Record(r.topic, r.key, r.value, stamped(r.headers, owned.lane, first + i)) for i, r in enumerate(said)], last

    async def _publish(self, owned: Owned, records: Sequence[Record], last: int) -> None:
        await self._bus.publish(records)
        owned.acknowledged = last

    async def _published(self, owned: Owned) -> None:
        """Wait until what is on its way is acknowledged; raises what publishing raised."""
        if owned.publishing is not None:
            publishing, owned.publishing = owned.publishing, None
            await publishing

    async def _settle(self, partitions: Iterable[Owned]) -> None:
        """Wait for what is on its way, and mark it."""
        for owned in partitions:
            await self._published(owned)
            if owned.acknowledged:
                async with transaction(self._pool) as connection:
                    await mark_published(connection, owned.lane, owned.acknowledged)
                owned.acknowledged = 0

    def _count(self, topic: str, fresh: Sequence[Received], taken: Taken) -> None:
        self._taken_ms[topic] = fresh[-1].timestamp_ms
        self._metrics.consumed.labels(topic).inc(len(fresh))
        self._metrics.repeated.labels(topic).inc(taken.repeated)
        for letter in taken.letters:
            said = {name: value.decode(errors="replace") for name, value in letter.headers if name.startswith("pma-")}
            self._metrics.dead_letters.labels(topic).inc()
            log().error("dead_letter", topic=topic, partition=said["pma-partition"], offset=said["pma-offset"], reason=said["pma-reason"])

    def _committed(self) -> None:
        for hook in self.after_commit:
            hook()

    async def _apply(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[Event]:
        """Give each event to its handler, then save what the handlers hold in hand; returns what they said, in order."""
        batch, units = Batch(), []
        if self._subscription.prepare is not None:
            unit = Unit(connection, self._service, self._clock.now(), self._service, batch=batch)
            await self._subscription.prepare(unit, [arrival.payload for arrival in arrivals])
        for arrival in arrivals:
            unit = Unit(connection, self._service, self._clock.now(), self._service, cause=arrival.event, batch=batch)
            units.append(unit)
            await self._subscription.handlers[type(arrival.payload)](unit, arrival.event, arrival.payload)
        await batch.finish()
        return [event for unit in units for event in unit.emitted]

    async def redrive(self, key: str) -> tuple[int, str | None]:
        """Apply a parked household's messages again; see Parking.redrive."""
        try:
            return await self._parking.redrive(self._pool, key)
        finally:
            self._committed()

    async def drop_parked(self, key: str, actor: str, why: str) -> Received | None:
        """Set a parked household's first message aside; see Parking.drop_first."""
        return await self._parking.drop_first(self._pool, key, actor, why)


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
