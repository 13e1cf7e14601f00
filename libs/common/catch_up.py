"""Catching up after PostgreSQL was restored from a backup, while Kafka and everyone else went on.

What was said is the truth, because others acted on it.  With the service stopped:
1. find what it said beyond the numbers that PostgreSQL has given out, and move its lanes beyond it;
2. adopt it: put it into the service's tables, as it was said (`Adoption`, each service has its own);
3. take the inputs since the backup; what their handlers say and was said before is not said again;
4. finish: say what was never said, and name what a person must do.

Invariants
1. Nothing that was said is said differently, and new versions and numbers continue above those on the topics.
2. It can be broken off anywhere and begun again: until the last step has committed the service refuses to run.
3. Run twice, the second time finds nothing to do.  On an empty database it rebuilds what the topics can tell.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from libs.common.arrivals import Arrival
from libs.common.bus import Bus, Received, TopicPartition
from libs.common.clock import Clock
from libs.common.consumer import EventConsumer, Subscription
from libs.common.db import Connection, Pool, transaction
from libs.common.errors import Undecodable
from libs.common.events import EVENT_TYPES, Event, from_record, payload_of
from libs.common.observe import Metrics
from libs.common.outbox import append_events
from libs.common.restored import KafkaLost, given_out, own_place, own_topics, refuse_if_kafka_lost
from libs.common.service import Service
from libs.common.topics import MARKET
from libs.common.unit import Unit

ADOPT_BATCH = 200
LOOK_AGAIN_S = 0.05
Progress = Callable[[str, int, int], None]
"""Called with the step, how much is done, and how much there is."""


class Adoption(Protocol):
    """How a service takes back what it said."""

    async def begin(self, connection: Connection) -> None:
        """All is adopted: from now on take events without saying what follows from them, where ids don't tell that it was said."""
        ...

    async def adopt(self, connection: Connection, event: Event, payload: Any) -> None:
        """Put one event into the tables, as often as it comes; topics come one after the other by name, partitions in their order."""
        ...

    async def finish(self, unit: Unit) -> Sequence[str]:
        """With all inputs taken: settle what is open, say what was never said; returns what a person must do."""
        ...


@dataclass
class CaughtUp:
    """What a catch-up did: lanes with the number before and after, what was adopted, inputs taken, what a person must do."""

    service: str
    lanes: dict[str, tuple[int, int]] = field(default_factory=dict)
    adopted: Counter[str] = field(default_factory=Counter)
    inputs: int = 0
    for_a_person: list[str] = field(default_factory=list)

    @property
    def nothing_to_do(self) -> bool:
        """PostgreSQL was not behind."""
        return not self.lanes


class _Resuming(EventConsumer):
    """Takes inputs of some topics as ever, and does not say again what was said before, known by its id."""

    def __init__(
        self,
        said: Collection[str],
        topics: Sequence[str],
        service: str,
        pool: Pool,
        bus: Bus,
        clock: Clock,
        metrics: Metrics,
        subscription: Subscription,
    ) -> None:
        super().__init__(service, pool, bus, clock, metrics, replace(subscription, topics=topics))
        self._said = said

    async def _apply(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[Event]:
        return [event for event in await super()._apply(connection, arrivals) if event.id not in self._said]


async def catch_up(service: Service, progress: Progress) -> CaughtUp:
    """Catch a stopped service up with what it said.  Raises KafkaLost where Kafka is what lost data."""
    done = CaughtUp(service.name)
    async with service.connected() as pool:
        async with transaction(pool) as connection:
            await refuse_if_kafka_lost(service.name, connection, service.bus)
        extent = await service.bus.extent(own_topics(service.name))
        done.lanes = await _move_lanes(service, pool, extent, progress)
        if done.nothing_to_do:
            return done
        said = await _adopt(service, pool, extent, done, progress)
        async with transaction(pool) as connection:
            await service.adoption.begin(connection)
        topics = service.subscription.topics
        for first in ({MARKET} & set(topics), set(topics)):  # runs and markets first: what comes after rests on them
            done.inputs += await _take_inputs(service, sorted(first), said, progress)
        await _finish(service, pool, done)
    return done


async def take_new_kafka(service: Service) -> int:
    """Where Kafka lost its data: begin anew at the beginning of its topics; returns how many partitions that concerns.

    What the lanes have given out and what was seen of others' lanes stays: an old outbox's words are still known.
    """
    async with service.connected() as pool, transaction(pool) as connection:
        try:
            await refuse_if_kafka_lost(service.name, connection, service.bus)
        except KafkaLost:
            set_back = "UPDATE consumed SET next_offset = 0, cluster_id = $1 RETURNING 1"
            return len(await connection.fetch(set_back, await service.bus.cluster_id()))
        return 0


async def _move_lanes(service: Service, pool: Pool, extent: dict[TopicPartition, range], progress: Progress) -> dict[str, tuple[int, int]]:
    """Move the lanes beyond what is on the topics; returns each lane that was behind, with its number before and after.

    The numbers of the restored database are kept in a table of their own until all is done: while it is there the service won't run.
    """
    highest: dict[str, int] = {}
    async for record in _read(service, extent, "look at what was said", progress):
        place = own_place(service.name, record)
        if place is not None:
            highest[place[0]] = max(highest.get(place[0], 0), place[1])
    async with transaction(pool) as connection:
        if await connection.fetchval("SELECT to_regclass('catching_up') IS NULL"):
            known = await given_out(connection)
            if all(number <= known.get(lane, 0) for lane, number in highest.items()):
                return {}
            await connection.execute("CREATE TABLE catching_up (lane text PRIMARY KEY, restored_seq bigint NOT NULL)")
            rows = [(lane, known.get(lane, 0)) for lane in sorted(known.keys() | highest)]
            await connection.executemany("INSERT INTO catching_up (lane, restored_seq) VALUES ($1, $2)", rows)
            await connection.executemany(
                "INSERT INTO lane AS l (lane, out_seq, pub_seq) VALUES ($1, $2, 0) "
                "ON CONFLICT (lane) DO UPDATE SET out_seq = greatest(l.out_seq, $2)",
                sorted(highest.items()),
            )
        restored = await connection.fetch("SELECT lane, restored_seq FROM catching_up ORDER BY lane")
    before = dict.fromkeys(highest, 0) | {row["lane"]: row["restored_seq"] for row in restored}
    return {lane: (number, max(number, highest.get(lane, 0))) for lane, number in sorted(before.items())}


async def _adopt(service: Service, pool: Pool, extent: dict[TopicPartition, range], done: CaughtUp, progress: Progress) -> Collection[str]:
    """Adopt every event beyond the restored numbers, once; returns the ids of those events."""
    ids: set[str] = set()
    numbers: dict[str, set[int]] = {lane: set() for lane in done.lanes}
    batch: list[tuple[Event, Any]] = []

    async def flush() -> None:
        async with transaction(pool) as connection:
            for event, payload in batch:
                await service.adoption.adopt(connection, event, payload)
                done.adopted[event.type] += 1
        batch.clear()

    async for record in _read(service, extent, "adopt it", progress):
        place = own_place(service.name, record)
        if place is None or place[1] <= done.lanes[place[0]][0] or place[1] in numbers[place[0]]:
            continue
        numbers[place[0]].add(place[1])
        try:
            event = from_record(record.key, record.value, record.headers)
            payload = payload_of(event, EVENT_TYPES[event.type].payload)
        except Undecodable:  # a dead letter: someone else's record, set aside by us
            done.adopted["dead letters"] += 1
            continue
        ids.add(event.id)
        batch.append((event, payload))
        if len(batch) == ADOPT_BATCH:
            await flush()
    await flush()
    for lane, (before, after) in done.lanes.items():
        if missing := after - before - len(numbers[lane]):
            done.for_a_person.append(f"{missing} events of lane {lane} since the backup are not on the topics any more (retention?)")
    return ids


async def _take_inputs(service: Service, topics: Sequence[str], said: Collection[str], progress: Progress) -> int:
    """Take what the topics hold now, as the running service would; returns how many records there were."""
    if not topics:
        return 0
    consumer = service.make_consumer(partial(_Resuming, said, topics))
    extent = await service.bus.extent(topics)
    total = await _left(service.pool, extent)
    taking = asyncio.create_task(consumer.run())
    try:
        while True:
            left = await _left(service.pool, extent)
            progress("take the inputs since the backup", total - left, total)
            if not left:
                await _redrive(service, consumer)
                return total
            await asyncio.wait({taking}, timeout=LOOK_AGAIN_S)
            if taking.done():
                taking.result()
    finally:
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)


async def _redrive(service: Service, consumer: EventConsumer) -> None:
    """What was parked when the backup was made may have been redriven since."""
    for row in await service.pool.fetch("SELECT key FROM parked ORDER BY since, key"):
        await consumer.redrive(row["key"])


async def _left(pool: Pool, extent: dict[TopicPartition, range]) -> int:
    """How many of these offsets are not taken yet."""
    rows = await pool.fetch("SELECT topic, partition, next_offset FROM consumed")
    marks = {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}
    return sum(max(0, offsets.stop - max(offsets.start, marks.get(place, 0))) for place, offsets in extent.items())


async def _finish(service: Service, pool: Pool, done: CaughtUp) -> None:
    """The service's own end of it, and the end of the catch-up, in one transaction."""
    async with transaction(pool) as connection:
        unit = Unit(connection, service.name, service.clock.now(), service.name)
        done.for_a_person += await service.adoption.finish(unit)
        await unit.batch.finish()
        if unit.emitted:
            await append_events(connection, f"{service.name}:background", unit.emitted)
        parked = await connection.fetch("SELECT key, reason FROM parked ORDER BY key")
        await connection.execute("DROP TABLE catching_up")
    done.for_a_person += [f"parked: {row['key']} ({row['reason']})" for row in parked]


async def _read(service: Service, extent: dict[TopicPartition, range], step: str, progress: Progress) -> AsyncIterator[Received]:
    total, done = sum(map(len, extent.values())), 0
    async for record in service.bus.read(extent):
        yield record
        done += 1
        if done % ADOPT_BATCH == 0:
            progress(step, done, total)
    progress(step, total, total)
