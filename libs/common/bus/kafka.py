"""Apache Kafka through aiokafka: idempotent producer, manual offsets (they live in PostgreSQL), errors as DependencyDown."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from libs.common.bus import Consumer, PartitionsCallback, Received, TopicPartition
from libs.common.errors import DependencyDown
from libs.common.events import Record

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
BATCH_BYTES = 512 * 1024
FETCH_WAIT_MS = 20
READ_POLL_MS = 500


class KafkaBus:
    """One producer and any number of consumers on one cluster.  `bootstrap` is a comma-separated list of host:port."""

    def __init__(self, bootstrap: str, session_timeout_ms: int = 10_000) -> None:
        self._bootstrap = bootstrap
        self._session_timeout_ms = session_timeout_ms
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_MESSAGE_BYTES,
        )
        try:
            await producer.start()
        except (KafkaError, OSError) as error:
            await producer.stop()
            raise DependencyDown(f"Kafka at {self._bootstrap}: {error}") from error
        self._producer = producer

    async def stop(self) -> None:
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

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

    async def publish(self, records: Sequence[Record]) -> None:
        if self._producer is None:
            await self.start()
        assert self._producer is not None
        try:
            sent = [await self._producer.send(r.topic, r.value, key=r.key, headers=list(r.headers)) for r in records]
            await asyncio.gather(*sent)
        except (KafkaError, OSError) as error:
            raise DependencyDown(f"Kafka at {self._bootstrap}: {error!r}") from error

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        return KafkaConsumer(self._bootstrap, group, topics, self._session_timeout_ms)

    async def extent(self, topics: Sequence[str]) -> dict[TopicPartition, range]:
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


class KafkaConsumer:
    """A member of a Kafka consumer group that never commits to Kafka: the offsets live with the state they belong to."""

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
            max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
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
        if self._consumer is not None:
            await self._consumer.stop()
            self._consumer = None

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
        self._running().seek(KafkaPartition(partition.topic, partition.partition), offset)

    def assigned(self) -> set[TopicPartition]:
        return {TopicPartition(p.topic, p.partition) for p in self._running().assignment()}

    async def end_offsets(self, partitions: set[TopicPartition]) -> dict[TopicPartition, int]:
        try:
            found = await self._running().end_offsets([KafkaPartition(p.topic, p.partition) for p in sorted(partitions)])
        except (KafkaError, OSError) as error:
            raise DependencyDown(f"Kafka at {self._bootstrap}: {error!r}") from error
        return {TopicPartition(p.topic, p.partition): offset for p, offset in found.items()}
