"""The consumer, the outbox and the service frame on a real PostgreSQL, with the in-process bus where Kafka adds nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from libs.common import outbox
from libs.common.bus.memory import MemoryBus
from libs.common.clock import ManualClock
from libs.common.consumer import Subscription
from libs.common.db import transaction
from libs.common.errors import CannotApply, DependencyDown, InvariantBroken
from libs.common.events import Event, Record, from_record, make_event, to_record
from libs.common.outbox import LANE_HEADER, SEQUENCE_HEADER, stamped
from libs.common.schemas.account import AccountMoved
from libs.common.service import Service
from libs.common.topics import ACCOUNTS, dead_letter_topic
from libs.common.unit import Unit
from tests.waiting import eventually

MIGRATIONS = Path(__file__).parents[2] / "services/ingest/migrations"
NOW = datetime(2025, 12, 15, 15, tzinfo=UTC)
DEADLINE_S = 20.0


class Recorder:
    """A handler that keeps what it applied, refuses chosen accounts, and says something on for each."""

    def __init__(self) -> None:
        self.applied: list[str] = []
        self.refuse: set[str] = set()

    async def __call__(self, unit: Unit, event: Event, moved: AccountMoved) -> None:
        if moved.account_id in self.refuse:
            raise CannotApply(f"{moved.account_id} is refused")
        if event.source != "test":
            return
        self.applied.append(f"{moved.account_id}:{moved.version}")
        unit.emit(moved, f"on-{moved.account_id}", moved.version, moved.from_household_id)


def moved(household: str, account: str, version: int) -> Record:
    payload = AccountMoved(account, household, "elsewhere", version)
    return to_record(make_event("test", payload, account, version, household, NOW, "c"))


@asynccontextmanager
async def running(dsn: str, bus: MemoryBus, recorder: Recorder) -> AsyncIterator[Service]:
    service = Service("ingest", dsn, bus, ManualClock(NOW), MIGRATIONS)
    service.subscribe(Subscription((ACCOUNTS,), {AccountMoved: recorder}))
    async with service.running():
        yield service


def said(bus: MemoryBus) -> list[str]:
    events = [from_record(r.key, r.value, r.headers) for r in bus.log(ACCOUNTS)]
    return [e.subject for e in events if e.source == "ingest"]


async def test_every_record_has_its_effect_once_over_restarts(fresh_database: str) -> None:
    bus, recorder = MemoryBus(), Recorder()
    await bus.publish([moved(f"h{n % 5}", f"a{n}", 1) for n in range(20)])
    async with running(fresh_database, bus, recorder):
        await eventually(lambda: len(said(bus)) == 20)
    applied_first = list(recorder.applied)
    async with running(fresh_database, bus, recorder):
        await bus.publish([moved("h1", "b1", 1)])
        await eventually(lambda: "b1:1" in recorder.applied)
    assert sorted(applied_first) == sorted(f"a{n}:1" for n in range(20))
    assert recorder.applied == [*applied_first, "b1:1"]


async def test_a_record_that_a_relay_sent_twice_is_dropped(fresh_database: str) -> None:
    bus, recorder = MemoryBus(), Recorder()
    first, second, third = (moved("h1", "a1", version) for version in (1, 2, 3))
    sent = [replace(r, headers=stamped(r.headers, "sender:0", n)) for n, r in enumerate((first, second, third), start=1)]
    await bus.publish([sent[0], sent[1], sent[0], sent[1], sent[2]])
    async with running(fresh_database, bus, recorder) as service:
        await eventually(lambda: "a1:3" in recorder.applied)
        assert [a for a in recorder.applied if a.startswith("a1")] == ["a1:1", "a1:2", "a1:3"]
        await eventually(lambda: service.metrics.repeated.labels(ACCOUNTS)._value.get() == 2)


async def test_what_was_committed_and_not_published_is_published_at_the_next_start(fresh_database: str) -> None:
    bus, recorder = MemoryBus(), Recorder()
    async with running(fresh_database, bus, recorder) as service:
        async with transaction(service.pool) as connection:
            await outbox.append_records(connection, f"ingest:{ACCOUNTS}:2", [moved("h1", "left-over", 1)])
        assert not [r for r in bus.log(ACCOUNTS) if b"left-over" in r.value]
    async with running(fresh_database, bus, recorder) as service:
        await eventually(lambda: [r for r in bus.log(ACCOUNTS) if b"left-over" in r.value])
        await eventually(lambda: "left-over:1" in recorder.applied)


async def test_a_household_is_parked_in_order_and_redriven_while_others_go_on(fresh_database: str) -> None:
    bus, recorder = MemoryBus(), Recorder()
    recorder.refuse = {"bad"}
    async with running(fresh_database, bus, recorder) as service:
        await bus.publish([moved("h1", "a", 1), moved("h1", "bad", 1), moved("h1", "a", 2), moved("h2", "z", 1)])
        await eventually(lambda: "z:1" in recorder.applied)
        waiting = "SELECT count(*) >= 2 FROM parked_message WHERE key = 'h1'"
        await eventually(lambda: service.pool.fetchval(waiting))
        assert "a:1" in recorder.applied and "a:2" not in recorder.applied
        assert await service.pool.fetchval("SELECT reason FROM parked WHERE key = 'h1'") == "bad is refused"
        applied, reason = await service.redrive("h1")
        assert reason == "bad is refused"
        recorder.refuse = set()
        applied, reason = await service.redrive("h1")
        assert reason is None and applied >= 2
        assert [a for a in recorder.applied if a in ("bad:1", "a:2")] == ["bad:1", "a:2"]
        assert await service.pool.fetchval("SELECT count(*) FROM parked") == 0
        await eventually(lambda: "on-bad" in said(bus))


async def test_what_cannot_be_read_goes_to_the_dead_letters_and_the_rest_goes_on(fresh_database: str) -> None:
    bus, recorder = MemoryBus(), Recorder()
    good = moved("h1", "a1", 1)
    no_type = Record(ACCOUNTS, b"h1", b"{}", [("ce_id", b"1")])
    broken = Record(ACCOUNTS, b"h1", b'{"account_id": 7}', good.headers)
    async with running(fresh_database, bus, recorder):
        await bus.publish([no_type, broken, good])
        await eventually(lambda: "a1:1" in recorder.applied)
        await eventually(lambda: len(bus.log(dead_letter_topic("ingest"))) == 2)
    reasons = [dict(r.headers)["pma-reason"].decode() for r in bus.log(dead_letter_topic("ingest"))]
    assert "ce_type" in reasons[0] and "account_id" in reasons[1]
    assert dict(bus.log(dead_letter_topic("ingest"))[1].headers)["pma-topic"] == ACCOUNTS.encode()


async def test_an_owner_whose_epoch_is_past_changes_nothing_and_joins_again(fresh_database: str) -> None:
    bus, recorder = MemoryBus(), Recorder()
    async with running(fresh_database, bus, recorder) as service:
        await bus.publish([moved("h1", "a1", 1)])
        await eventually(lambda: "a1:1" in recorder.applied)
        await eventually(lambda: len(service.consumer.owned) == 4)
        await service.pool.execute("UPDATE consumed SET epoch = epoch + 10")
        await bus.publish([moved(f"h{n}", f"z{n}", 2) for n in range(20)])
        await eventually(lambda: len([a for a in recorder.applied if a.startswith("z")]) == 20)
        assert service.metrics.fenced.labels(ACCOUNTS)._value.get() >= 1
        assert sorted(recorder.applied) == sorted(["a1:1", *(f"z{n}:2" for n in range(20))])
        assert await service.pool.fetchval("SELECT min(epoch) FROM consumed") >= 12


async def test_another_cluster_under_the_same_offsets_stops_the_service(fresh_database: str) -> None:
    recorder = Recorder()
    async with running(fresh_database, MemoryBus(), recorder) as service:
        await eventually(lambda: service.ready)
    async with running(fresh_database, MemoryBus(), recorder) as service:
        async with asyncio.timeout(DEADLINE_S):
            await service.failed.wait()
        assert isinstance(service.failure, InvariantBroken)


async def test_events_of_a_unit_leave_in_order_and_only_with_its_commit(fresh_database: str) -> None:
    bus, recorder = MemoryBus(), Recorder()
    async with running(fresh_database, bus, recorder) as service:
        with pytest.raises(ZeroDivisionError):
            async with service.unit("http", "someone") as unit:
                unit.emit(AccountMoved("never", "h", "i", 1), "never", 1, "h")
                raise ZeroDivisionError
        for number in range(3):
            async with service.unit("http", "someone") as unit:
                unit.emit(AccountMoved(f"n{number}", "h", "i", 1), f"n{number}", 1, "h")
        await eventually(lambda: [s for s in said(bus) if s.startswith("n")] == ["n0", "n1", "n2"])
    lanes = [(dict(r.headers)[LANE_HEADER], dict(r.headers)[SEQUENCE_HEADER]) for r in bus.log(ACCOUNTS) if b'"n' in r.value][:3]
    assert lanes == [(b"ingest:http", b"1"), (b"ingest:http", b"2"), (b"ingest:http", b"3")]


class RepeatingBus(MemoryBus):
    """A bus whose acknowledgement is lost every third time: the sender does not know that its records arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    async def publish(self, records: Sequence[Record]) -> None:
        await super().publish(records)
        self.calls += 1
        if self.calls % 3 == 0:
            raise DependencyDown("the acknowledgement was lost")


async def test_two_replicas_that_relay_one_lane_and_lose_acknowledgements_keep_its_order(fresh_database: str) -> None:
    bus = RepeatingBus()
    async with running(fresh_database, bus, Recorder()) as first, running(fresh_database, bus, Recorder()) as second:
        await eventually(lambda: first.ready and second.ready)

        async def edit(service: Service, name: str) -> None:
            for number in range(60):
                async with service.unit("http", name) as unit:
                    unit.emit(AccountMoved(f"{name}{number}", "h", "i", number), f"{name}{number}", number, "h")

        await asyncio.gather(edit(first, "p"), edit(second, "q"))
        outbox_rows = "SELECT count(*) = 0 FROM outbox WHERE lane = 'ingest:http'"
        await eventually(lambda: first.pool.fetchval(outbox_rows), 30.0, "everything is relayed")
    lane = [int(dict(r.headers)[SEQUENCE_HEADER]) for r in bus.log(ACCOUNTS) if dict(r.headers).get(LANE_HEADER) == b"ingest:http"]
    highest, kept = 0, []
    for number in lane:  # what a consumer keeps of it
        if number > highest:
            highest = number
            kept.append(number)
    assert kept == list(range(1, 121))
    assert len(lane) > len(kept), "nothing was sent twice: the test tests nothing"
