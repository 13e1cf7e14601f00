"""Publishing to Apache Kafka through aiokafka, so that what fails leaves nothing published behind it.

Invariants
1. Of a call's records of one partition, each batch is sent only when the one before it was acknowledged.
2. After any failure the producer is given up and the next call makes a new one: an idempotent producer that has lost its place in the
   broker's sequence refuses everything that follows.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTopicError, KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder

from libs.common.errors import DependencyDown, InvariantBroken
from libs.common.events import Record

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
BATCH_BYTES = 512 * 1024
CONNECT_DEADLINE_S, PUBLISH_DEADLINE_S = 5.0, 20.0  # together less than a transaction may be idle: a relay publishes within one
STOP_DEADLINE_S = 5.0
NEVER_TAKEN = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidTopicError)


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """Where Kafka's own clients put a key, of so many partitions."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


class KafkaPublisher:
    """One idempotent producer, made anew after a failure."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._given_up: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        await self._started()

    async def stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)
        await asyncio.gather(*self._given_up)

    async def publish(self, records: Sequence[Record]) -> None:
        """Return when all are acknowledged by all in-sync replicas.

        Raises DependencyDown when the broker does not answer in time: some may have arrived, and of each partition none behind a
        missing one.  Raises InvariantBroken for a record that no broker of this platform takes.
        """
        producer = await self._started()
        try:
            async with asyncio.timeout(PUBLISH_DEADLINE_S):
                await _send_in_order(producer, records)
        except NEVER_TAKEN as error:
            self._give_up(producer)
            raise InvariantBroken(f"Kafka at {self._bootstrap} will never take this: {error!r}") from error
        except (KafkaError, OSError, TimeoutError) as error:
            self._give_up(producer)
            raise DependencyDown(f"Kafka at {self._bootstrap}: {error!r}") from error

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                self._producer = await self._new()
            return self._producer

    async def _new(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_MESSAGE_BYTES,
        )
        try:
            async with asyncio.timeout(CONNECT_DEADLINE_S):
                await producer.start()
        except (KafkaError, OSError, TimeoutError) as error:
            await _stop(producer)
            raise DependencyDown(f"Kafka at {self._bootstrap}: {error!r}") from error
        return producer

    def _give_up(self, producer: AIOKafkaProducer) -> None:
        """Stop it aside: what it still has on its way is of one batch a partition, and comes again from the outbox."""
        if self._producer is producer:
            self._producer = None
            stopping = asyncio.create_task(_stop(producer))
            self._given_up.add(stopping)
            stopping.add_done_callback(self._given_up.discard)


async def _stop(producer: AIOKafkaProducer) -> None:
    """Stop within a bounded time: aiokafka would wait for a lost broker for ever."""
    with suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(STOP_DEADLINE_S):
            await producer.stop()
            return
    with suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(STOP_DEADLINE_S):
            await producer.client.close()


async def _send_in_order(producer: AIOKafkaProducer, records: Iterable[Record]) -> None:
    by_partition: dict[tuple[str, int], list[Record]] = {}
    counts: dict[str, int] = {}
    for record in records:
        topic = record.topic
        if topic not in counts:
            counts[topic] = len(await producer.partitions_for(topic))
        by_partition.setdefault((topic, partition_of(record.key, counts[topic])), []).append(record)
    waiting = {place: list(reversed(of_place)) for place, of_place in by_partition.items()}
    round_ = _next_batches(producer, waiting)
    while round_:
        sent = [await producer.send_batch(batch, topic, partition=number) for (topic, number), batch in round_.items()]
        round_ = _next_batches(producer, waiting)
        await asyncio.gather(*sent)


def _next_batches(producer: AIOKafkaProducer, waiting: dict[tuple[str, int], list[Record]]) -> dict[tuple[str, int], BatchBuilder]:
    """The next batch of each partition that has records left, as many of them as fit; they are taken from the end of its list."""
    batches = {}
    for place, left in waiting.items():
        if not left:
            continue
        batch = producer.create_batch()
        while left and batch.append(timestamp=None, key=left[-1].key, value=left[-1].value, headers=list(left[-1].headers)) is not None:
            left.pop()
        if not batch.record_count():
            raise MessageSizeTooLargeError(f"{len(left[-1].value)} bytes of {place[0]} fit no batch")
        batch.close()
        batches[place] = batch
    return batches
