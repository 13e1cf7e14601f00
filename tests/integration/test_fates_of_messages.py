"""What becomes of messages at the services: order within a household, dead letters with their reason, parked households redriven."""

from collections.abc import AsyncIterator
from dataclasses import replace as with_changes
from decimal import Decimal

import pytest

from libs.common.bus.memory import MemoryBus
from libs.common.events import Record, make_event, to_record
from libs.common.schemas.order import TradeBooked
from libs.common.topics import CUSTODY_HOLDINGS, EXECUTIONS, dead_letter_topic
from tests.integration import test_ingest_service as ingest
from tests.integration.orders_stage import WORLD, Stage, declined, place_of, proposed, report, run_of, running
from tests.unit.ingest.book_samples import buy, day, intake
from tests.unit.orders.samples import sell
from tests.waiting import eventually

D = Decimal
SALE = sell("AAA", "100", a2="5")


@pytest.fixture
async def stage(fresh_database: str) -> AsyncIterator[Stage]:
    async with running(fresh_database) as one:
        yield one


def letters(bus: MemoryBus, service: str) -> list[dict[str, str]]:
    """The headers of a service's dead letters."""
    return [{name: value.decode() for name, value in record.headers} for record in bus.log(dead_letter_topic(service))]


async def test_executions_that_can_not_be_read_are_set_aside_with_the_reason_and_the_next_is_booked(stage: Stage) -> None:
    await stage.say(*WORLD, run_of(), declined("A0"), declined("A1"), proposed("B0", SALE))
    order = (await stage.orders(1))["AAA", "sell"]
    fill = report(order, 1, "fill", 5, "100")
    good = to_record(make_event("desk", fill, *place_of(fill), stage.clock.now(), "c"))
    broken = [
        with_changes(good, value=b"{not json"),
        with_changes(good, value=good.value.replace(b'"last_qty":"5"', b'"last_qty":"five"')),
        with_changes(good, value=good.value.replace(b'"exec_type":"fill"', b'"exec_type":"filled"')),
        Record(EXECUTIONS, good.key, good.value, [header for header in good.headers if header[0] != "ce_type"]),
    ]
    assert len({record.value for record in broken[:3]} | {good.value}) == 4
    await stage.bus.publish([*broken, good])
    (trade,) = await eventually(lambda: stage.said(TradeBooked), what="the good one booked")
    assert trade.quantity == 5
    found = await eventually(lambda: len(said := letters(stage.bus, "orders")) == 4 and said, what="four dead letters")
    assert [letter["pma-topic"] for letter in found] == [EXECUTIONS] * 4
    assert len({letter["pma-offset"] for letter in found}) == 4
    for letter, named in zip(found, ("JSON", "last_qty", "exec_type", "ce_type"), strict=True):
        assert named in letter["pma-reason"], letter["pma-reason"]
    await stage.taken(EXECUTIONS)


async def test_custody_messages_that_can_not_be_read_hold_up_no_other(fresh_database: str) -> None:
    async with ingest.running(fresh_database, market=False) as stage:
        await stage.master(intake("A1", "H1"))
        await stage.bus.publish([Record(CUSTODY_HOLDINGS, b"A1", b"\xff\xfe", [("ce_type", b"pma.custody.holdings.received")])])
        await stage.book(buy(1, "5", day(0)))
        await stage.take(ingest.holds("A1", day(0), ingest.X))
        (letter,) = await eventually(lambda: letters(stage.bus, "ingest"), what="the dead letter")
        assert (letter["pma-topic"], "ce_" in letter["pma-reason"]) == (CUSTODY_HOLDINGS, True)


async def test_a_household_waits_in_order_behind_what_can_not_be_applied_and_goes_on_by_a_command(fresh_database: str) -> None:
    """A1 has no master record yet.  Its trades wait, and with them those of its household; the neighbours' do not."""
    async with ingest.running(fresh_database, market=False) as stage:
        await stage.master(intake("A2", "H1"), intake("B1", "H2"))
        await stage.take(ingest.holds("A2", day(0), ingest.X), ingest.holds("B1", day(0), ingest.X))
        late = [trade_of("A1", "H1", 1), trade_of("A2", "H1", 1), trade_of("A1", "H1", 2), trade_of("A2", "H1", 2)]
        await stage.book(*late[:2], trade_of("B1", "H2", 1), *late[2:])
        await eventually(lambda: [v for v in stage.versions("B1") if v.trade_seq == 1], what="the neighbour's trade")
        await eventually(lambda: ingest_waits(stage, 4), what="four messages of the household wait")
        assert "A1 has no master record" in await stage.reason_parked("H1")
        assert max(v.trade_seq for v in stage.versions("A2")) == 0
        assert (await stage.http.post("/v1/parked/H1/redrive")).json()["applied"] == 0

        await stage.master(intake("A1", "H1"))
        await stage.take(ingest.holds("A1", day(0), ingest.X, sequence=2))
        assert (await stage.http.post("/v1/parked/H1/redrive")).json() == {"applied": 4, "still_parked_because": None}
        for account_id in ("A1", "A2"):
            await eventually(lambda name=account_id: [v for v in stage.versions(name) if v.trade_seq == 2], what=f"{account_id}'s trades")
            seen = [v.trade_seq for v in stage.versions(account_id)]
            assert seen == sorted(seen)
        await stage.book(trade_of("A2", "H1", 3))
        await eventually(lambda: [v for v in stage.versions("A2") if v.trade_seq == 3], what="the household goes on")


def trade_of(account_id: str, household_id: str, seq: int) -> TradeBooked:
    one = buy(seq, "5", day(0), security_id="ACME")
    return TradeBooked(
        **{name: getattr(one, name) for name in one.__struct_fields__} | {"account_id": account_id, "household_id": household_id}
    )


async def ingest_waits(stage: ingest.Stage, messages: int) -> bool:
    return await stage.count("parked_message WHERE key = 'H1'") == messages
