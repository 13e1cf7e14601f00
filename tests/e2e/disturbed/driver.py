"""Plays business days on the running platform, through the doors that custodians and people have, and waits for conditions alone.

Every request is repeated until it is answered, as a careful client does: whatever a killed service had done of it by then must not be
done twice.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
from aiokafka.errors import KafkaError

from demo.sample import Sample
from demo.sample.book import master_json
from demo.sample.days import DEMO_DAYS, DemoDay
from demo.sample.files import day_messages
from demo.sample.market import write_market
from libs.common.bus.kafka import KafkaBus
from libs.common.errors import DependencyDown
from libs.common.events import make_event, to_record
from libs.common.schemas.order import OrderPlaced, TradeBooked
from services.desk_simulator.core import Proportions, decide
from tests.e2e.disturbed.book import answer_approvals, files_of, make_small_book
from tests.e2e.disturbed.clock import set_clock
from tests.e2e.disturbed.quiet import read_standing, unrest
from tests.e2e.disturbed.supervisor import Supervisor
from tests.e2e.disturbed.topic_reader import TopicReader

OPEN_UTC, AFTER_CUTOFF_UTC = time(14, 35), time(20, 31)
STEP_DEADLINE_S = 300.0
LOOK_S = 0.1
REQUEST_TIMEOUT_S = 30.0
DOWN = 503
UNKNOWN = 404
RULED_OUT = ("Energy", "Utilities", "Property")
DONE_BEFORE = (409, 412, 428)
DESK = Proportions(rejected=400, parts=3_000, part_then_expired=400, late_after_cancel=300, corrected=400, busted=400)
DESK_ENVIRONMENT = {
    f"PMA_DESK_{name.upper()}_BPS": str(getattr(DESK, name))
    for name in ("rejected", "parts", "part_then_expired", "late_after_cancel", "corrected", "busted")
}
Moment = Callable[[], Awaitable[None]]


@dataclass
class Driver:
    """One run of the small book.  `at`: what is done in mid-run, at "deciding N" and "trading N" of day N."""

    supervisor: Supervisor
    dsn: str
    bootstrap: str
    clock: Path
    market_dir: Path
    at: Mapping[str, Moment] = field(default_factory=dict)
    sample: Sample = field(default_factory=make_small_book)
    step: str = ""
    _executions: dict[str, set[str]] = field(default_factory=dict)

    async def play(self, days: Sequence[DemoDay]) -> TopicReader:
        """The days, one after the other; returns the reader of all that was said."""
        async with AsyncExitStack() as stack:
            self._client = await stack.enter_async_context(httpx.AsyncClient(timeout=REQUEST_TIMEOUT_S))
            self._reader = await stack.enter_async_context(TopicReader(self.bootstrap))
            for day in days:
                await self._play_day(day)
            return self._reader

    async def _play_day(self, day: DemoDay) -> None:
        if day != DEMO_DAYS[0]:
            self.sample.open_day(day)
        self.step = f"day {day.number}, inputs"
        set_clock(self.clock, day.file_made_at)
        await self._inputs(day)
        await self.rest(before_the_close=True)
        set_clock(self.clock, datetime.combine(day.business_date, OPEN_UTC, UTC))
        run_id = (await self.ask("ingest", "POST", "/v1/runs", json={"as_of": day.business_date.isoformat()}))["run_id"]
        self.step = f"day {day.number}, deciding"
        await self._moment(f"deciding {day.number}")
        await self._people(run_id, day)
        set_clock(self.clock, datetime.combine(day.business_date, AFTER_CUTOFF_UTC, UTC))
        self.step = f"day {day.number}, trading"
        await self._moment(f"trading {day.number}")
        await self.rest()
        trades = [trade for trade in self._reader.payloads(TradeBooked) if trade.run_id == run_id]
        self.sample.custodian.apply(sorted(trades, key=lambda trade: (trade.account_id, trade.trade_seq)))

    async def _moment(self, name: str) -> None:
        if name in self.at:
            await self.at[name]()

    async def _inputs(self, day: DemoDay) -> None:
        """Market, master records, a rule of a household, files and messages."""
        await asyncio.to_thread(write_market, self.sample.market, self.market_dir, day.business_date)
        await self.ask("ingest", "POST", "/v1/market-snapshots", json={"as_of": day.business_date.isoformat()})
        if day == DEMO_DAYS[0]:
            said = await self.ask("ingest", "POST", "/v1/accounts", content=master_json(self.sample.accounts))
            assert not said["refused"], said
        for file in files_of(self.sample.custodian, day):
            path = f"/v1/files/holdings?name={file.name}"
            await self.ask("ingest", "POST", path, content=file.content, headers={"content-type": "text/csv"})
        await self._send_messages(day)
        await self.rest(before_the_close=True)
        for household_id in ("H001", "H002"):
            rule = {"kind": "never_buy", "by": "sector", "targets": [RULED_OUT[day.number - 1]]}
            await self.ask("restrictions", "PUT", f"/v1/households/{household_id}/rules/day-{day.number}", json=rule)

    async def _send_messages(self, day: DemoDay) -> None:
        """The accounts that come by message; whoever sends them tries until the broker has them."""
        records = [
            to_record(
                make_event("custodian", m, m.account_id, f"{m.business_date}/{m.sequence}", m.account_id, day.file_made_at, "messages")
            )
            for m in day_messages(self.sample.custodian)
        ]
        bus = KafkaBus(self.bootstrap)
        try:
            async with asyncio.timeout(STEP_DEADLINE_S):
                while True:
                    try:
                        return await bus.publish(records)
                    except DependencyDown:
                        await asyncio.sleep(LOOK_S)
        finally:
            await bus.stop()

    async def _people(self, run_id: str, day: DemoDay) -> None:
        """One account's proposal is approved; the other's is left to expire, or rejected on the second day."""
        await self._answered(run_id)
        await answer_approvals(self.ask, day)

    async def _answered(self, run_id: str) -> None:
        """Every account of the run has its answer, but for those that wait for a person."""

        async def answered() -> list[str]:
            run = await self.ask("orders", "GET", f"/v1/runs/{run_id}", awaited=True)
            return ["the run"] if run is None else [name for name in ("awaited", "waiting") if run["accounts"].get(name)]

        await self._until_nothing(answered, "answers of orders")

    async def rest(self, before_the_close: bool = False) -> None:
        """Until nothing moves any more."""

        async def moving() -> list[str]:
            connection = await asyncpg.connect(self.dsn)
            try:
                standing = await read_standing(connection)
            finally:
                await connection.close()
            ends = await self._reader.catch_up()
            return unrest(standing, ends, self._desk_says(), before_the_close)

        await self._until_nothing(moving, "rest")

    def _desk_says(self) -> set[str]:
        """Every execution that the desk, being a function of the order, ever reports on the orders placed so far."""
        for order in self._reader.payloads(OrderPlaced):
            if order.cl_ord_id not in self._executions:
                self._executions[order.cl_ord_id] = {report.exec_id for report in decide(order, DESK)}
        return set().union(*self._executions.values())

    async def _until_nothing(self, question: Callable[[], Awaitable[list[str]]], what: str) -> None:
        """Ask until nothing is left, through outages; AssertionError with what was left at the deadline."""
        left: list[str] = ["not asked yet"]
        try:
            async with asyncio.timeout(STEP_DEADLINE_S):
                while left:
                    self.supervisor.check()
                    try:
                        left = await question()
                    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, KafkaError) as down:
                        left = [repr(down)]
                    if left:
                        await asyncio.sleep(LOOK_S)
        except TimeoutError as late:
            raise AssertionError(f"{what}: after {STEP_DEADLINE_S:.0f} s there is still {left}") from late

    async def ask(self, service: str, method: str, path: str, awaited: bool = False, **content: Any) -> Any:
        """The JSON of an answer, however often it takes; None where a repeated write was done before, or what is awaited is not there."""
        answered_before = DONE_BEFORE if method != "GET" else (UNKNOWN,) if awaited else ()
        async with asyncio.timeout(STEP_DEADLINE_S):
            for attempt in itertools.count(method == "GET"):
                self.supervisor.check()
                with suppress(httpx.TransportError):
                    response = await self._client.request(method, self.supervisor.url(service) + path, **content)
                    if response.is_success:
                        return msgspec.json.decode(response.content)
                    if attempt and response.status_code in answered_before:
                        break
                    if response.status_code != DOWN:
                        raise AssertionError(f"{method} {path}: {response.status_code} {response.text}")
                await asyncio.sleep(LOOK_S)
        return None
