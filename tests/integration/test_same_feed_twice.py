"""The same feed twice, through all five services and the desk: no new event, no new order.

The documented examples make a day; then each part of it comes again, in every way in which a feed repeats.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import httpx
import msgspec
import pytest

from demo.platform import Platform, running_platform
from libs.common import topics
from libs.common.bus.memory import MemoryBus
from libs.common.clock import ManualClock
from libs.common.events import EVENT_TYPES, Event, from_record, make_event, payload_of, to_record
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.custody import CustodyHoldings
from libs.common.schemas.order import OrderPlaced, TradeBooked
from tests.waiting import eventually

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
DAY = date(2025, 12, 15)
MORNING = datetime(2025, 12, 15, 12, tzinfo=UTC)
HOLDINGS = (EXAMPLES / "holdings.csv").read_text()
MESSAGE = msgspec.json.decode((EXAMPLES / "custody-holdings-received.json").read_bytes(), type=CustodyHoldings)
OF_TODAY = msgspec.structs.replace(MESSAGE, business_date=DAY, sequence=2, cash_settled=Decimal("99000"), lots=[])
# What the file says of the first account; what it and the message say of the others.
FIRST_ACCOUNT = [line for line in HOLDINGS.splitlines() if ",A0001," in line]
LATER_ACCOUNTS = [*(line for line in HOLDINGS.splitlines() if ",A0002," in line), "A,A0003,99000,0"]
IDLE = {
    "wash_sale": "SELECT count(*) = 0 FROM household WHERE unsaid",
    "optimizer": "SELECT count(*) = 0 FROM household_run WHERE state = 'ready'",
}


@dataclass
class Day:
    """The running platform, and ways to feed it."""

    platform: Platform
    bus: MemoryBus

    async def post(self, path: str, status: int = 200, service: str = "ingest", **request: object) -> dict[str, object]:
        answer: httpx.Response = await self.platform.clients[service].post(path, **request)  # type: ignore[arg-type]
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    async def file(self, content: str, name: str = "day.csv", status: int = 200) -> dict[str, object]:
        headers = {"content-type": "text/csv"}
        return await self.post("/v1/files/holdings", status, params={"name": name}, content=content.encode(), headers=headers)

    async def message(self, holdings: CustodyHoldings, version: str) -> None:
        event = make_event("custodian", holdings, holdings.account_id, version, holdings.account_id, MORNING, "c")
        await self.bus.publish([to_record(event)])

    async def market(self) -> None:
        await self.post("/v1/market-snapshots", json={"as_of": DAY.isoformat()})

    async def master(self) -> None:
        await self.post("/v1/accounts", content=(EXAMPLES / "accounts.json").read_bytes())

    async def run(self) -> dict[str, object]:
        return await self.post("/v1/runs", json={"as_of": DAY.isoformat()})

    async def quiet(self) -> None:
        """Wait until everything that was said is taken, everything decided is said, and nothing is left to do."""

        async def all_done() -> bool:
            published = self.bus.published
            for name, service in self.platform.services.items():
                places = self.bus.all_partitions(service.subscription.topics)
                rows = await service.pool.fetch("SELECT topic, partition, next_offset FROM consumed")
                marks = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
                if any(marks.get((place.topic, place.partition), 0) < self.bus.end_offset(place) for place in places):
                    return False
                if await service.pool.fetchval(
                    "SELECT count(*) FROM outbox WHERE seq > (SELECT pub_seq FROM lane l WHERE l.lane = outbox.lane)"
                ):
                    return False
                if name in IDLE and not await service.pool.fetchval(IDLE[name]):
                    return False
            return published == self.bus.published and self.platform.failure() is None

        await eventually(all_done, 120.0, "the platform is quiet")

    def said(self) -> list[tuple[str, int, str]]:
        """Every record that the services and the desk have said, in its place."""
        ours = [topic.name for topic in topics.TOPICS if topic.name != topics.CUSTODY_HOLDINGS]
        return [(r.topic, r.partition, event_of(r).id) for name in ours for r in self.bus.log(name)]

    def events(self, topic: str, kind: type[msgspec.Struct]) -> list[msgspec.Struct]:
        found = [event_of(record) for record in self.bus.log(topic)]
        return [payload_of(event, kind) for event in found if EVENT_TYPES[event.type].payload is kind]


def event_of(record: object) -> Event:
    return from_record(record.key, record.value, record.headers)  # type: ignore[attr-defined]


@pytest.fixture
async def day(fresh_database: str) -> AsyncIterator[Day]:
    """A day that is done: market, accounts, a file, a message, the run, its orders, their fills in book and ledger."""
    bus = MemoryBus()
    async with running_platform(fresh_database, bus, ManualClock(MORNING), EXAMPLES / "market") as platform:
        one = Day(platform, bus)
        await one.market()
        await one.master()
        await one.file(HOLDINGS)
        await one.message(OF_TODAY, "1")
        await one.quiet()
        platform.clock.set(MORNING.replace(hour=15))
        run = await one.run()
        assert run["accounts"] == 3

        async def closed() -> bool:
            orders = platform.clients["orders"]
            for waiting in (await orders.get("/v1/approvals")).json():
                await orders.post(f"/v1/proposals/{waiting['proposal_id']}/approve")
            answer = await orders.get(f"/v1/runs/{run['run_id']}")
            return answer.status_code == 200 and answer.json()["state"] == "closed"

        await eventually(closed, 120.0, "the run closed")
        await one.quiet()
        assert one.events(topics.ORDERS, OrderPlaced) and one.events(topics.TRADES, TradeBooked), "the day trades"
        yield one
        assert platform.failure() is None


async def test_whatever_comes_again_says_nothing_and_orders_nothing(day: Day) -> None:
    before = day.said()
    assert (await day.file(HOLDINGS))["outcome"] == "duplicate"
    assert (await day.file(HOLDINGS, "the-same-under-another-name.csv"))["outcome"] == "duplicate"
    await asyncio.gather(*(day.file(HOLDINGS, f"at-once-{n}.csv") for n in range(4)))
    await day.message(OF_TODAY, "1")
    await day.message(OF_TODAY, "the same holdings as another event")
    await day.master()
    await day.market()
    assert (await day.run())["fresh"] is False
    await day.quiet()
    assert day.said() == before


async def test_the_same_holdings_in_parts_whichever_comes_first_say_nothing(day: Day) -> None:
    """A correction that corrects nothing: a new sequence, so taken and applied; but no account changed."""
    before = day.said()
    assert (await day.file(part(2, LATER_ACCOUNTS), "part-2.csv"))["applied_accounts"] == 0
    taken = await day.file(part(1, FIRST_ACCOUNT), "part-1.csv")
    assert (taken["outcome"], taken["applied_accounts"], taken["changed_accounts"]) == ("accepted", 3, 0)
    assert (await day.file(part(2, LATER_ACCOUNTS), "part-2-again.csv"))["outcome"] == "duplicate"
    await day.quiet()
    assert day.said() == before


async def test_the_whole_day_again_after_the_run_says_nothing(day: Day) -> None:
    before = day.said()
    for _ in range(2):
        await day.market()
        await day.master()
        await day.file(HOLDINGS)
        await day.message(OF_TODAY, "1")
        await day.run()
    await day.quiet()
    assert day.said() == before


async def test_holdings_that_do_differ_are_one_event_of_the_account_that_differs(day: Day) -> None:
    """The other way round, so that the tests above can fail."""
    before = day.events(topics.ACCOUNTS, AccountChanged)
    await day.file(part(1, [line.replace("15230.55", "15230.56") for line in FIRST_ACCOUNT]), "part-1.csv")
    assert (await day.file(part(2, LATER_ACCOUNTS), "part-2.csv"))["changed_accounts"] == 1
    await day.quiet()
    (new,) = [one for one in day.events(topics.ACCOUNTS, AccountChanged) if one not in before]
    assert isinstance(new, AccountChanged) and new.account_id == "A0001"


def part(number: int, lines: list[str]) -> str:
    """These lines as one of two parts of a delivery that comes after the file and the message."""
    fields = [line.split(",") for line in lines]
    shares = sum(Decimal(one[4]) for one in fields if one[0] == "L")
    cash = sum(Decimal(one[2]) for one in fields if one[0] == "A")
    accounts = sum(one[0] == "A" for one in fields)
    header = f"H,pma-holdings,1,north-custody,{DAY},3,{number},2,trade_date,2025-12-15T11:30:00Z"
    return "\n".join([header, *lines, f"T,{accounts},{len(lines) - accounts},{shares},{cash}"])
