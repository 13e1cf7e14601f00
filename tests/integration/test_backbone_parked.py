"""Parked households: order against a redrive that races the consumer, dropping by a person's word, the command; poison of every kind."""

import asyncio
from dataclasses import replace

import pytest

from deploy.parked import Refused, ask, run
from libs.common.bus.memory import MemoryBus
from libs.common.db import transaction
from libs.common.events import Event, Record, from_record, make_event, to_record
from libs.common.outbox import LANE_HEADER, SEQUENCE_HEADER
from libs.common.schemas.account import AccountMoved
from libs.common.topics import ACCOUNTS, dead_letter_topic
from libs.common.unit import Unit
from tests.integration.serving import serving
from tests.integration.test_backbone import NOW, Recorder, moved, running
from tests.waiting import eventually

HOUSEHOLD = "h1"


class Doorkeeper(Recorder):
    """A recorder that waits, once, in the middle of applying `at_the_door`."""

    def __init__(self, at_the_door: str) -> None:
        super().__init__()
        self.at_the_door = at_the_door
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, unit: Unit, event: Event, said: AccountMoved) -> None:
        await super().__call__(unit, event, said)
        if said.account_id == self.at_the_door and event.source == "test":
            self.reached.set()
            await self.open.wait()


def of_household(bus: MemoryBus, recorder: Recorder) -> tuple[list[str], list[str]]:
    """What was applied of the household, and what was said of it, in order."""
    events = [from_record(r.key, r.value, r.headers) for r in bus.log(ACCOUNTS)]
    said = [event.subject.removeprefix("on-") for event in events if event.source == "ingest" and event.partitionkey == HOUSEHOLD]
    return [applied.partition(":")[0] for applied in recorder.applied], said


async def test_what_comes_during_a_redrive_does_not_overtake(fresh_database: str) -> None:
    bus, recorder = MemoryBus(), Doorkeeper("p2")
    recorder.refuse = {"p1", "p2"}
    async with running(fresh_database, bus, recorder) as service:
        await bus.publish([moved(HOUSEHOLD, "p1", 1), moved(HOUSEHOLD, "p2", 2)])
        await eventually(lambda: service.pool.fetchval("SELECT count(*) = 2 FROM parked_message"))
        recorder.refuse = set()
        redriving = asyncio.create_task(service.redrive(HOUSEHOLD))
        await recorder.reached.wait()  # the redrive is within its last message
        await bus.publish([moved(HOUSEHOLD, f"n{n}", 3 + n) for n in range(5)])
        batch = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%consumed%'"
        await eventually(lambda: service.pool.fetchval(batch), what="the batch waits for the redrive")
        assert recorder.applied == ["p1:1", "p2:2"]
        recorder.open.set()
        applied, reason = await redriving
        assert reason is None and applied >= 2
        expected = ["p1", "p2", *(f"n{n}" for n in range(5))]
        await eventually(lambda: of_household(bus, recorder) == (expected, expected))
        assert await service.pool.fetchval("SELECT count(*) FROM parked") == 0
        assert await service.pool.fetchval("SELECT count(*) FROM parked_message") == 0


async def test_many_redrives_at_once_beside_new_messages_keep_the_order(fresh_database: str) -> None:
    bus, recorder = MemoryBus(), Recorder()
    recorder.refuse = {"a0"}
    async with running(fresh_database, bus, recorder) as service:
        await bus.publish([moved(HOUSEHOLD, "a0", 1)])
        await eventually(lambda: service.pool.fetchval("SELECT count(*) = 1 FROM parked_message"))
        recorder.refuse = set()

        async def feed() -> None:
            for number in range(1, 200):
                await bus.publish([moved(HOUSEHOLD, f"a{number}", number + 1), moved("h2", f"b{number}", number)])
                await asyncio.sleep(0)

        await asyncio.gather(feed(), *(service.redrive(HOUSEHOLD) for _ in range(3)))
        await eventually(lambda: len(recorder.applied) == 399)
        await eventually(lambda: len(of_household(bus, recorder)[1]) == 200)
        applied, said = of_household(bus, recorder)
        assert [account for account in applied if account.startswith("a")] == said == [f"a{n}" for n in range(200)]


async def test_a_redrive_lets_go_only_when_its_words_are_on_the_bus(fresh_database: str) -> None:
    bus, recorder = MemoryBus(), Recorder()
    recorder.refuse = {"p1"}
    async with running(fresh_database, bus, recorder) as service:
        await bus.publish([moved(HOUSEHOLD, "p1", 1)])
        await eventually(lambda: service.pool.fetchval("SELECT count(*) = 1 FROM parked_message"))
        recorder.refuse = set()
        async with transaction(service.pool) as another_replica:  # ... is relaying the lane, and takes its time
            await another_replica.execute("SELECT pg_advisory_xact_lock(hashtext($1))", "relay ingest:background")
            redriving = asyncio.create_task(service.redrive(HOUSEHOLD))
            await eventually(lambda: service.pool.fetchval("SELECT count(*) = 0 FROM parked_message"), what="p1 is applied")
            await bus.publish([moved(HOUSEHOLD, "p2", 2)])
            waits = "SELECT count(*) = 1 FROM parked_message WHERE key = $1"
            await eventually(lambda: service.pool.fetchval(waits, HOUSEHOLD), what="the later message is parked too")
            assert not redriving.done()
        assert (await redriving)[1] is None
        await eventually(lambda: of_household(bus, recorder) == (["p1", "p2"], ["p1", "p2"]))


async def test_the_command_lists_redrives_and_drops_with_a_reason_that_is_kept(fresh_database: str) -> None:
    bus, recorder = MemoryBus(), Recorder()
    recorder.refuse = {"bad"}
    async with running(fresh_database, bus, recorder) as service, serving(service) as url:
        await bus.publish([moved(HOUSEHOLD, "bad", 1), moved(HOUSEHOLD, "a", 2), moved(HOUSEHOLD, "b", 3)])
        await eventually(lambda: service.pool.fetchval("SELECT count(*) = 3 FROM parked_message"))
        listed = await asyncio.to_thread(run, url, "list", None, None, "ann")
        assert [(each["key"], each["reason"], each["messages"]) for each in listed] == [(HOUSEHOLD, "bad is refused", 3)]
        (stuck,) = await asyncio.to_thread(run, url, "redrive", HOUSEHOLD, None, "ann")
        assert stuck == {"applied": 0, "still_parked_because": "bad is refused"}
        (dropped,) = await asyncio.to_thread(run, url, "drop", HOUSEHOLD, "sent by mistake, see ticket 7", "ann")
        assert dropped["messages_left"] == 2
        (done,) = await asyncio.to_thread(run, url, "redrive", HOUSEHOLD, None, "ann")
        assert done["applied"] >= 2 and done["still_parked_because"] is None  # its own words come back to it, and were parked too
        assert recorder.applied == ["a:2", "b:3"]
        (letter,) = bus.log(dead_letter_topic("ingest"))
        headers = {name: value.decode() for name, value in letter.headers}
        assert headers["pma-reason"] == "dropped by ann: sent by mistake, see ticket 7"
        assert (headers["pma-topic"], int(headers["pma-offset"])) == (ACCOUNTS, dropped["offset"])
        assert b"bad" in letter.value
        with pytest.raises(Refused, match="not parked"):
            await asyncio.to_thread(ask, f"{url}/v1/parked/{HOUSEHOLD}/redrive", "ann", "POST")
        with pytest.raises(Refused, match="reason"):
            await asyncio.to_thread(ask, f"{url}/v1/parked/{HOUSEHOLD}/drop", "ann", "POST", {"reason": ""})


async def test_poison_of_every_kind_stops_nobody(fresh_database: str) -> None:
    bus, recorder = MemoryBus(), Recorder()
    good = moved(HOUSEHOLD, "good", 1)
    recorder.refuse = {"a\x00NUL", "headless"}

    def stamped_as(lane: bytes, seq: bytes, account: str) -> Record:
        record = moved(HOUSEHOLD, account, 1)
        return replace(record, headers=[*record.headers, (LANE_HEADER, lane), (SEQUENCE_HEADER, seq)])

    nul_key = replace(good, headers=[(n, b"h\x00" if n == "ce_partitionkey" else v) for n, v in good.headers])
    headless = moved("h3", "headless", 1)
    poison = [
        nul_key,
        stamped_as(b"l", b"9" * 5_000, "digits"),
        stamped_as(b"l\x00", b"1", "nul-lane"),
        stamped_as(b"\xff" * 300, b"1", "long-lane"),
        stamped_as(b"l", b"-1", "negative"),
        replace(good, value=b"\xff\xfe not json"),
        replace(good, headers=[(n, v) for n, v in good.headers if n != "ce_time"]),
        replace(good, headers=[*good.headers, ("content-encoding", b"zstd")]),
        to_record(make_event("test", AccountMoved("a\x00NUL", "h2", "elsewhere", 1), "a", 1, "h2", NOW, "c")),
        replace(headless, headers=[*headless.headers, ("x-empty", None)]),  # type: ignore[list-item]  # Kafka allows it
        Record(ACCOUNTS, b"\x00\xff", b"", []),
        good,
    ]
    async with running(fresh_database, bus, recorder) as service:
        await bus.publish(poison)
        await eventually(lambda: "good:1" in recorder.applied)
        await eventually(lambda: len(bus.log(dead_letter_topic("ingest"))) == 5)
        await eventually(lambda: service.pool.fetchval("SELECT count(*) = 2 FROM parked"))
        # A batch in which one can not be applied is begun again, so the recorder, which no transaction takes back, hears some twice.
        assert sorted(set(recorder.applied)) == ["digits:1", "good:1", "long-lane:1", "negative:1", "nul-lane:1"]
        recorder.refuse = set()
        assert (await service.redrive("h3"))[1] is None
        assert "headless:1" in recorder.applied
        assert not service.failed.is_set()
