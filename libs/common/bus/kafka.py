"""Apache Kafka through aiokafka: manual offsets (they live in PostgreSQL), what the broker refuses raised as DependencyDown.

Only what was committed is read, should a producer outside the platform use Kafka's transactions.  A rebalance waits a minute for a member
that is in a long batch; one that is gone is missed within the session timeout.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from libs.common.bus import Consumer, PartitionsCallback, Received, TopicPartition
from libs.common.bus.kafka_publisher import MAX_MESSAGE_BYTES, KafkaPublisher
from libs.common.errors import DependencyDown
from libs.common.events import Record

FETCH_WAIT_MS = 100
FETCH_BYTES = 2 * 1024 * 1024
"""Of a partition at once; a larger record comes alone.  It bounds the memory: two fetches of one partition are in hand at most."""

MAX_POLL_INTERVAL_MS = 300_000
REBALANCE_TIMEOUT_MS = 60_000
NOTE_DEADLINE_S = 2.0
READ_POLL_MS = 500
STOP_DEADLINE_S = 5.0


class KafkaBus:
    """One producer and any number of consumers on one cluster.  `bootstrap` is a comma-separated list of host:port."""

    def __init__(self, bootstrap: str, session_timeout_ms: int = 10_000) -> None:
        self._bootstrap = bootstrap
        self._session_timeout_ms = session_timeout_ms
        self._publisher = KafkaPublisher(bootstrap)

    async def start(self) -> None:
        await self._publisher.start()

    async def stop(self) -> None:
        await self._publisher.stop()

    async def publish(self, records: Sequence[Record]) -> None:
        await self._publisher.publish(records)

    async def cluster_id(self) -> str:
        return str((await self._ask(lambda admin: admin.describe_cluster()))["cluster_id"])

    async def _ask(self, question: Callable[[AIOKafkaAdminClient], Awaitable[Any]]) -> Any:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        try:
            await admin.start()
            return await question(admin)
        except (KafkaError, OSError) as error:
            raise DependencyDown(f"Kafka at {self._bootstrap}: {error}") from error
        finally:
            await admin.close()

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        return KafkaConsumer(self._bootstrap, group, topics, self._session_timeout_ms)

    async def extent(self, topics: Sequence[str]) -> dict[TopicPartition, range]:
        if not topics:
            return {}
        described = await self._ask(lambda admin: admin.describe_topics(list(topics)))
        partitions = [KafkaPartition(each["topic"], place["partition"]) for each in described for place in each["partitions"]]
        async with self._groupless(partitions) as consumer:
            oldest, following = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
            return {TopicPartition(p.topic, p.partition): range(oldest[p], following[p]) for p in sorted(partitions)}

    async def read(self, places: Mapping[TopicPartition, range]) -> AsyncIterator[Received]:
        for place, offsets in sorted(places.items()):
            partition = KafkaPartition(place.topic, place.partition)
            if not offsets:
                continue
            async with self._groupless([partition]) as consumer:
                consumer.seek(partition, offsets.start)
                while await consumer.position(partition) < offsets.stop:
                    for records in (await consumer.getmany(timeout_ms=READ_POLL_MS)).values():
                        for record in records:
                            if record.offset < offsets.stop:
                                yield _received(record)

    @asynccontextmanager
    async def _groupless(self, partitions: Sequence[KafkaPartition]) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer of these partitions outside every group; what the broker refuses is raised as DependencyDown."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
        )
        consumer.assign(list(partitions))  # before start: aiokafka's end of a consumer without any fails
        try:
            await consumer.start()
            yield consumer
        except (KafkaError, OSError) as error:
            raise DependencyDown(f"Kafka at {self._bootstrap}: {error!r}") from error
        finally:
            await consumer.stop()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """aiokafka swallows what a listener raises, so a failure is kept and raised by the next poll."""

    def __init__(self, on_assigned: PartitionsCallback, on_revoked: PartitionsCallback) -> None:
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self.failure: Exception | None = None

    async def on_partitions_assigned(self, assigned: set[KafkaPartition]) -> None:
        await self._call(self._on_assigned, assigned)

    async def on_partitions_revoked(self, revoked: set[KafkaPartition]) -> None:
        await self._call(self._on_revoked, revoked)

    async def _call(self, callback: PartitionsCallback, partitions: set[KafkaPartition]) -> None:
        if not partitions:
            return
        try:
            await callback({TopicPartition(p.topic, p.partition) for p in partitions})
        except Exception as error:
            self.failure = error


def _received(record: ConsumerRecord) -> Received:
    return Received(record.topic, record.partition, record.offset, record.timestamp, record.key, record.value or b"", tuple(record.headers))


async def _bounded(stopping: Coroutine[Any, Any, None]) -> None:
    """Wait a few seconds for it; what it raises, even a cancellation of its own making, is not ours."""
    task = asyncio.create_task(stopping)
    await asyncio.wait({task}, timeout=STOP_DEADLINE_S)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class KafkaConsumer:
    """A member of a Kafka consumer group whose offsets live with the state they belong to; Kafka gets them as a hint."""

    def __init__(self, bootstrap: str, group: str, topics: Sequence[str], session_timeout_ms: int) -> None:
        self._bootstrap = bootstrap
        self._group = group
        self._topics = tuple(topics)
        self._session_timeout_ms = session_timeout_ms
        self._consumer: AIOKafkaConsumer | None = None
        self._listener: _Listener | None = None

    async def start(self, on_assigned: PartitionsCallback, on_revoked: PartitionsCallback) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            isolation_level="read_committed",
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            session_timeout_ms=self._session_timeout_ms,
            heartbeat_interval_ms=self._session_timeout_ms // 4,
        )
        self._listener = _Listener(on_assigned, on_revoked)
        consumer.subscribe(topics=list(self._topics), listener=self._listener)
        self._consumer = consumer  # before start: the first assignment calls back, and the callback seeks
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            await self.stop()
            raise DependencyDown(f"Kafka at {self._bootstrap}: {error}") from error

    async def stop(self) -> None:
        """Leave the group, within a bounded time: of a lost broker aiokafka waits for ever, or raises its own cancellation."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await _bounded(consumer.stop())
            await _bounded(consumer._client.close())  # which `stop` leaves open when it fails

    def _running(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise DependencyDown("the consumer is not started")
        return self._consumer

    async def poll(self, max_records: int, timeout_s: float) -> Mapping[TopicPartition, list[Received]]:
        consumer = self._running()
        try:
            batches = await consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=max_records)
        except KafkaError as error:
            raise DependencyDown(f"Kafka at {self._bootstrap}: {error!r}") from error
        if self._listener is not None and self._listener.failure is not None:
            failure, self._listener.failure = self._listener.failure, None
            raise failure
        return {TopicPartition(p.topic, p.partition): [_received(record) for record in records] for p, records in batches.items()}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        try:
            self._running().seek(KafkaPartition(partition.topic, partition.partition), offset)
        except KafkaError as error:  # the partition moved on in this very moment
            raise DependencyDown(f"Kafka at {self._bootstrap}: {error!r}") from error

    def assigned(self) -> set[TopicPartition]:
        return {TopicPartition(p.topic, p.partition) for p in self._running().assignment()}

    async def extent(self, partitions: set[TopicPartition]) -> dict[TopicPartition, range]:
        wanted = [KafkaPartition(p.topic, p.partition) for p in sorted(partitions)]
        try:
            oldest, following = await self._running().beginning_offsets(wanted), await self._running().end_offsets(wanted)
        except (KafkaError, OSError) as error:
            raise DependencyDown(f"Kafka at {self._bootstrap}: {error!r}") from error
        return {TopicPartition(p.topic, p.partition): range(oldest[p], following[p]) for p in wanted}

    async def note_taken(self, following: Mapping[TopicPartition, int]) -> None:
        offsets = {KafkaPartition(place.topic, place.partition): offset for place, offset in following.items()}
        if self._consumer is None or not offsets:
            return
        with suppress(KafkaError, OSError, TimeoutError):  # only a hint: the partition may have moved on, the broker be down
            async with asyncio.timeout(NOTE_DEADLINE_S):
                await self._consumer.commit(offsets)

    async def end_offsets(self, partitions: set[TopicPartition]) -> dict[TopicPartition, int]:
        try:
            found = await self._running().end_offsets([KafkaPartition(p.topic, p.partition) for p in sorted(partitions)])
        except (KafkaError, OSError) as error:
            raise DependencyDown(f"Kafka at {self._bootstrap}: {error!r}") from error
        return {TopicPartition(p.topic, p.partition): offset for p, offset in found.items()}
