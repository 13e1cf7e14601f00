"""Publishing after failures, with a producer that fails as told: nothing is sent behind a failed batch, and then comes a new producer."""

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from libs.common.bus import kafka_publisher
from libs.common.bus.kafka_publisher import BATCH_BYTES, KafkaPublisher, partition_of
from libs.common.errors import DependencyDown, InvariantBroken
from libs.common.events import Record

HALF = BATCH_BYTES // 2 - 1_000
PARTITIONS = 4


class ScriptedProducer:
    """Takes batches like aiokafka's; the n-th batch fails with the error given for it, or never answers where that is None."""

    def __init__(self, failures: dict[int, KafkaError | None]) -> None:
        self.failures = failures
        self.taken: list[tuple[int, list[bytes]]] = []
        self.batches = 0
        self.stopped = False

    async def partitions_for(self, topic: str) -> set[int]:
        return set(range(PARTITIONS))

    def create_batch(self) -> "NotedBatch":
        return NotedBatch(BATCH_BYTES, 0)

    async def send_batch(self, batch: "NotedBatch", topic: str, *, partition: int) -> asyncio.Future[None]:
        self.batches += 1
        answer = asyncio.get_running_loop().create_future()
        if self.batches not in self.failures:
            self.taken.append((partition, batch.values))
            answer.set_result(None)
        elif (error := self.failures[self.batches]) is not None:
            answer.set_exception(error)
        return answer

    async def stop(self) -> None:
        self.stopped = True


class NotedBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka is untyped
    """A batch that remembers what is in it."""

    def __init__(self, *arguments: int) -> None:
        super().__init__(*arguments)
        self.values: list[bytes] = []

    def append(self, *, timestamp: int | None, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> object:
        added = super().append(timestamp=timestamp, key=key, value=value, headers=list(headers))
        if added is not None:
            self.values.append(value[:2])
        return added


class ScriptedPublisher(KafkaPublisher):
    """A publisher whose producers are given out in turn."""

    def __init__(self, *producers: ScriptedProducer) -> None:
        super().__init__("nowhere:1")
        self.producers = list(producers)

    async def _new(self) -> AIOKafkaProducer:
        return self.producers.pop(0)


def records(count: int, key: bytes = b"h1", size: int = HALF) -> list[Record]:
    return [Record("t", key, b"%02d" % number + bytes(size), []) for number in range(count)]


def values(producer: ScriptedProducer) -> list[bytes]:
    return [value for _, batch in producer.taken for value in batch]


async def test_batches_of_a_partition_go_one_after_the_other_and_keep_the_order() -> None:
    producer = ScriptedProducer({})
    await ScriptedPublisher(producer).publish(records(9))
    assert values(producer) == [b"%02d" % n for n in range(9)]
    assert producer.batches > 3


@pytest.mark.parametrize("error", [OutOfOrderSequenceNumber(), ProducerFenced(), KafkaConnectionError()], ids=lambda e: type(e).__name__)
async def test_nothing_behind_a_failed_batch_is_sent_and_the_next_call_has_a_new_producer(error: KafkaError) -> None:
    failing, fresh = ScriptedProducer({2: error}), ScriptedProducer({})
    publisher = ScriptedPublisher(failing, fresh)
    with pytest.raises(DependencyDown):
        await publisher.publish(records(9))
    before = values(failing)
    assert before == [b"%02d" % n for n in range(len(before))] and len(before) < 9
    assert failing.batches == 2, "what follows the failed batch was sent"
    await publisher.publish(records(9))
    assert values(fresh) == [b"%02d" % n for n in range(9)]
    await publisher.stop()
    assert failing.stopped and fresh.stopped


async def test_a_broker_that_never_answers_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_publisher, "PUBLISH_DEADLINE_S", 0.05)
    failing, fresh = ScriptedProducer({1: None}), ScriptedProducer({})
    publisher = ScriptedPublisher(failing, fresh)
    with pytest.raises(DependencyDown):
        await publisher.publish(records(1))
    await publisher.publish(records(1))
    assert values(fresh) == [b"00"]


async def test_what_no_broker_takes_is_a_bug_and_not_tried_for_ever() -> None:
    publisher = ScriptedPublisher(ScriptedProducer({1: MessageSizeTooLargeError()}))
    with pytest.raises(InvariantBroken):
        await publisher.publish(records(1))


async def test_a_record_that_fits_no_batch_ends_the_call_instead_of_looping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotedBatch, "append", lambda *_, **__: None)
    with pytest.raises(InvariantBroken):
        await ScriptedPublisher(ScriptedProducer({})).publish(records(1))


async def test_a_failure_of_one_partition_does_not_tear_the_order_of_another() -> None:
    failing = ScriptedProducer({1: KafkaConnectionError()})
    others = [Record("t", b"h%d" % key, b"%02d" % number + bytes(HALF), []) for number in range(6) for key in range(6)]
    with pytest.raises(DependencyDown):
        await ScriptedPublisher(failing).publish(others)
    for partition in range(PARTITIONS):
        of_partition = [value for place, batch in failing.taken for value in batch if place == partition]
        expected = [r.value[:2] for r in others if partition_of(r.key, PARTITIONS) == partition]
        assert of_partition == expected[: len(of_partition)]


def test_keys_lie_where_kafkas_own_clients_put_them() -> None:
    """murmur2 of Kafka's own tests: org.apache.kafka.common.utils.UtilsTest."""
    assert [partition_of(key, 2**31) for key in (b"21", b"foobar", b"a-little-bit-long-string")] == [
        -973932308 & 0x7FFFFFFF,
        -790332482 & 0x7FFFFFFF,
        -985981536 & 0x7FFFFFFF,
    ]
