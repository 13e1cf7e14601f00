"""The backbone on real Kafka and real PostgreSQL: members that come and go under load, gaps, retention, heavy batches, a lost broker."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from deploy.local import kafka
from libs.common.bus import TopicPartition
from libs.common.bus.kafka import KafkaBus
from libs.common.clock import ManualClock
from libs.common.consumer import Subscription
from libs.common.errors import DependencyDown
from libs.common.events import Event, Record
from libs.common.schemas.account import AccountMoved
from libs.common.service import Service
from libs.common.topics import ACCOUNTS, SCREENS
from libs.common.unit import Unit
from tests.integration.stopped_member import MIGRATIONS, NOW, moved, write_effect
from tests.integration.test_backbone_stopped import all_taken
from tests.waiting import eventually

DEADLINE_S = 60.0
PARTITIONS = 4


@pytest.fixture
async def bus(own_kafka: kafka.Kafka) -> AsyncIterator[KafkaBus]:
    made = KafkaBus(own_kafka.bootstrap)
    yield made
    await made.stop()


@asynccontextmanager
async def member(bootstrap: str, dsn: str, slow_s: float = 0.0) -> AsyncIterator[Service]:
    """One process's worth of the service, with its own connections to Kafka."""

    async def handle(unit: Unit, event: Event, said: AccountMoved) -> None:
        await write_effect(unit, event, said)
        if slow_s and event.source == "test":
            await unit.connection.execute("SELECT pg_sleep($1)", slow_s)

    own = KafkaBus(bootstrap, session_timeout_ms=3_000)
    service = Service("ingest", dsn, own, ManualClock(NOW), MIGRATIONS)
    service.subscribe(Subscription((ACCOUNTS,), {AccountMoved: handle}))
    try:
        async with service.running():
            yield service
            assert service.failure is None
    finally:
        await own.stop()


async def test_members_come_and_go_under_load(own_kafka: kafka.Kafka, effect_database: tuple[str, asyncpg.Pool], bus: KafkaBus) -> None:
    dsn, pool = effect_database
    households, each = [f"load-h{n}" for n in range(40)], 60
    rest = asyncio.Event()

    async def feed() -> None:
        for version in range(1, each + 1):
            await bus.publish([moved(household, f"a-{household}", version) for household in households])
            if version == each // 2:
                await rest.wait()  # the second half comes when three members have shared the first

    async with AsyncExitStack() as members:
        first = await members.enter_async_context(member(own_kafka.bootstrap, dsn))
        feeding = asyncio.create_task(feed())
        await eventually(lambda: len(first.consumer.owned) == PARTITIONS, DEADLINE_S)
        async with member(own_kafka.bootstrap, dsn) as second:
            await eventually(lambda: len(second.consumer.owned) == 2, DEADLINE_S, "two share")
            third = await members.enter_async_context(member(own_kafka.bootstrap, dsn))
            await eventually(lambda: third.consumer.owned, DEADLINE_S, "three share")
            rest.set()
        await feeding
        await eventually(lambda: len(first.consumer.owned | third.consumer.owned) == PARTITIONS, DEADLINE_S, "two share again")
        await all_taken(pool, "load-", each * len(households))
        assert not first.consumer.owned & third.consumer.owned
        hints = AIOKafkaAdminClient(bootstrap_servers=own_kafka.bootstrap)
        await hints.start()
        following = "SELECT topic, partition, next_offset FROM consumed"

        async def told() -> bool:
            noted = await hints.list_consumer_group_offsets("pma-ingest")
            marks = {KafkaPartition(row["topic"], row["partition"]): row["next_offset"] for row in await pool.fetch(following)}
            return {place: each.offset for place, each in noted.items()} == marks

        await eventually(told, DEADLINE_S, "Kafka's group offsets are PostgreSQL's")
        await hints.close()


async def test_gaps_of_transaction_markers_and_what_was_aborted_are_passed_over(
    own_kafka: kafka.Kafka, effect_database: tuple[str, asyncpg.Pool], bus: KafkaBus
) -> None:
    dsn, pool = effect_database
    sender = AIOKafkaProducer(bootstrap_servers=own_kafka.bootstrap, transactional_id="a-foreign-sender")
    await sender.start()

    async def send(version: int, household: str) -> None:
        record = moved(household, f"a-{household}", version)
        await (await sender.send(ACCOUNTS, record.value, key=record.key, headers=list(record.headers)))

    async with member(own_kafka.bootstrap, dsn):
        for version in (1, 2, 3):
            async with sender.transaction():
                await send(version, "gap-h1")
            await sender.begin_transaction()
            await send(99, "gap-aborted")
            await sender.abort_transaction()
        await all_taken(pool, "gap-h", 3)
    await sender.stop()
    async with member(own_kafka.bootstrap, dsn):  # begins behind a marker
        await bus.publish([moved("gap-h1", "a-gap-h1", 4)])
        await all_taken(pool, "gap-h", 4)
    assert await pool.fetchval("SELECT count(*) FROM effect WHERE household = 'gap-aborted'") == 0


async def test_what_retention_took_is_counted_and_the_rest_goes_on(
    own_kafka: kafka.Kafka, effect_database: tuple[str, asyncpg.Pool], bus: KafkaBus
) -> None:
    dsn, pool = effect_database
    await bus.publish([moved("late-lost", "a", version) for version in range(1, 31)])
    ends = await bus.extent([ACCOUNTS])
    marks = {
        TopicPartition(row["topic"], row["partition"]): row["next_offset"]
        for row in await pool.fetch("SELECT topic, partition, next_offset FROM consumed")
    }
    (place,) = [place for place, offsets in ends.items() if offsets.stop - marks[place] >= 30]
    admin = AIOKafkaAdminClient(bootstrap_servers=own_kafka.bootstrap)
    await admin.start()
    await admin.delete_records({KafkaPartition(place.topic, place.partition): RecordsToDelete(before_offset=ends[place].stop)})
    await admin.close()
    async with member(own_kafka.bootstrap, dsn) as service:
        await bus.publish([moved("late-lost", "a", 31), moved("late-h1", "a", 1)])
        await all_taken(pool, "late-h", 1)
        await eventually(lambda: pool.fetchval("SELECT count(*) = 1 FROM effect WHERE household = 'late-lost' AND source = 'test'"))
        assert service.metrics.retention_lost.labels(ACCOUNTS)._value.get() == ends[place].stop - marks[place]


async def test_a_heavy_batch_does_not_get_its_member_expelled_for_ever(
    own_kafka: kafka.Kafka, effect_database: tuple[str, asyncpg.Pool], bus: KafkaBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn, pool = effect_database
    monkeypatch.setattr("libs.common.bus.kafka.MAX_POLL_INTERVAL_MS", 1_500)
    monkeypatch.setattr("libs.common.gather.BATCH_AIM_S", 0.4)
    await bus.publish([moved("heavy-h1", "a", version) for version in range(1, 61)])  # 3 s of work in one batch
    async with member(own_kafka.bootstrap, dsn, slow_s=0.05):
        await bus.publish([moved("heavy-h1", "a", version) for version in range(61, 91)])
        await all_taken(pool, "heavy-", 90)
        epochs = await pool.fetchval("SELECT max(epoch) FROM consumed")
        await bus.publish([moved("heavy-h1", "a", version) for version in range(91, 151)])
        await all_taken(pool, "heavy-", 150)
        assert await pool.fetchval("SELECT max(epoch) FROM consumed") == epochs, "batches fit by now: nobody was expelled again"


async def test_after_a_broker_that_did_not_answer_publishing_goes_on_in_order(
    own_kafka: kafka.Kafka, bus: KafkaBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.common.bus.kafka_publisher.PUBLISH_DEADLINE_S", 1.0)
    monkeypatch.setattr("libs.common.bus.kafka_publisher.STOP_DEADLINE_S", 0.5)
    sent = [Record(SCREENS, b"frozen", bytes([n]) + bytes(400_000), []) for n in range(6)]
    await bus.publish(sent[:1])
    os.kill(own_kafka.pid, signal.SIGSTOP)
    try:
        with pytest.raises(DependencyDown):
            await bus.publish(sent[1:])
    finally:
        os.kill(own_kafka.pid, signal.SIGCONT)
    monkeypatch.setattr("libs.common.bus.kafka_publisher.PUBLISH_DEADLINE_S", 30.0)
    await bus.publish(sent[1:])
    there = [record.value[0] async for record in bus.read(await bus.extent([SCREENS])) if record.key == b"frozen"]
    assert [number for place, number in enumerate(there) if number not in there[:place]] == list(range(6))
