"""A small platform in one process that can be stopped, backed up, restored and started again: five services and the desk."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
from fastapi import FastAPI
from msgspec import Struct

from demo.sample import Sample
from demo.sample.book import master_json
from demo.sample.days import DEMO_DAYS, DemoDay
from demo.sample.files import SampleFile, day_messages
from demo.sample.market import write_market
from libs.common.bus import Bus
from libs.common.bus.memory import MemoryBus
from libs.common.clock import ManualClock
from libs.common.events import EVENT_TYPES, Event, from_record, make_event, payload_of, to_record
from libs.common.restored import place_in_lane
from libs.common.schemas.market import RunOpened
from libs.common.schemas.order import OrderPlaced, TradeBooked
from libs.common.service import Service
from libs.common.topics import TOPICS
from services.desk_simulator.core import decide
from services.desk_simulator.wiring import build as build_desk
from services.ingest.settings import IngestSettings
from services.ingest.wiring import build as build_ingest
from services.optimizer.pool import InlinePool
from services.optimizer.settings import OptimizerSettings
from services.optimizer.wiring import compose as build_optimizer
from services.orders.settings import OrdersSettings
from services.orders.wiring import build as build_orders
from services.restrictions.settings import RestrictionsSettings
from services.restrictions.wiring import build as build_restrictions
from services.wash_sale.settings import WashSaleSettings
from services.wash_sale.wiring import build as build_wash_sale
from tests.e2e.disturbed.book import answer_approvals, files_of, make_small_book
from tests.e2e.disturbed.driver import AFTER_CUTOFF_UTC, DESK, OPEN_UTC, RULED_OUT
from tests.e2e.disturbed.outcome import Outcome, outcome_of
from tests.e2e.disturbed.quiet import read_standing, unrest
from tests.waiting import eventually

DEADLINE_S = 240.0
PERSON = {"x-actor": "pat"}
EVENING_UTC = time(22, 0)


def composed(dsn: str, bus: Bus, clock: ManualClock, market_dir: Path) -> list[tuple[Service, FastAPI]]:
    """The five services, not started."""
    where: dict[str, Any] = {"postgres_dsn": dsn, "kafka_bootstrap": "in-process"}
    return [
        build_ingest(IngestSettings(**where, market_dir=market_dir), bus, clock),
        build_restrictions(RestrictionsSettings(**where), bus, clock),
        build_wash_sale(WashSaleSettings(**where), bus, clock),
        build_optimizer(OptimizerSettings(**where), bus, clock, InlinePool()),
        build_orders(OrdersSettings(**where, watch_s=0.05), bus, clock),
    ]


@dataclass
class Days:
    """One course of business: its bus and clock, the custodian's true book, and the files as they were sent."""

    market_dir: Path
    bus: MemoryBus = field(default_factory=MemoryBus)
    clock: ManualClock = field(default_factory=lambda: ManualClock(datetime.combine(DEMO_DAYS[0].business_date, time(0), UTC)))
    sample: Sample = field(default_factory=make_small_book)
    sent: dict[int, list[SampleFile]] = field(default_factory=dict)
    executions: dict[str, set[str]] = field(default_factory=dict)

    def said(self) -> list[tuple[Event, Struct]]:
        """Everything on the topics, what a relay repeated left out, each partition in its order."""
        found, seen = [], set()
        for topic in TOPICS:
            for record in self.bus.log(topic.name):
                place = place_in_lane(record.headers)
                if place is None or place not in seen:
                    seen.add(place)
                    event = from_record(record.key, record.value, record.headers)
                    found.append((event, payload_of(event, EVENT_TYPES[event.type].payload)))
        return found

    def said_by_services(self) -> int:
        """Records that came through an outbox; the desk says its own again whenever it starts."""
        return sum(place_in_lane(record.headers) is not None for topic in TOPICS for record in self.bus.log(topic.name))

    def outcome(self) -> Outcome:
        return outcome_of(self.said())

    def ends(self) -> dict[tuple[str, int], int]:
        partitions = self.bus.all_partitions([topic.name for topic in TOPICS])
        return {(p.topic, p.partition): self.bus.end_offset(p) for p in partitions}


@dataclass
class Running:
    """The platform while it runs."""

    days: Days
    dsn: str
    services: list[Service]
    clients: dict[str, httpx.AsyncClient]

    async def ask(self, service: str, method: str, path: str, **content: Any) -> Any:
        response = await self.clients[service].request(method, path, headers=PERSON, **content)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        return msgspec.json.decode(response.content)

    async def play(self, day: DemoDay) -> None:
        """One business day to its end, the custodian's evening included."""
        await self.morning(day)
        await self.afternoon(day)

    async def morning(self, day: DemoDay) -> None:
        """Market, files, messages, a person's rule, and the run, up to where people are waited for."""
        days = self.days
        if day.number == 3:
            await self.ask("orders", "POST", "/v1/kill-switch", json={"on": False, "reason": "the review is done"})
        if day != DEMO_DAYS[0]:
            days.sample.open_day(day)
        days.clock.set(day.file_made_at)
        await self._market_and_master(day)
        days.sent[day.number] = files_of(days.sample.custodian, day)
        await self.send(days.sent[day.number])
        messages = [
            to_record(make_event("custodian", m, m.account_id, f"{m.business_date}/{m.sequence}", m.account_id, day.file_made_at, "m"))
            for m in day_messages(days.sample.custodian)
        ]
        await days.bus.publish(messages)
        await self.rest(before_the_close=True)
        rule = {"kind": "never_buy", "by": "sector", "targets": [RULED_OUT[day.number - 1]]}
        await self.ask("restrictions", "PUT", f"/v1/households/H001/rules/day-{day.number}", json=rule)
        await self.rest(before_the_close=True)
        days.clock.set(datetime.combine(day.business_date, OPEN_UTC, UTC))
        await self.ask("ingest", "POST", "/v1/runs", json={"as_of": day.business_date.isoformat()})
        await self.rest(before_the_close=True)

    async def afternoon(self, day: DemoDay) -> None:
        """People decide, the run's cut-off comes, the desk trades; in the evening the custodian books it."""
        days = self.days
        (run_id,) = (p.run_id for _, p in days.said() if isinstance(p, RunOpened) and p.as_of == day.business_date)
        await answer_approvals(self.ask, day)
        days.clock.set(datetime.combine(day.business_date, AFTER_CUTOFF_UTC, UTC))
        await self.rest()
        trades = [p for _, p in days.said() if isinstance(p, TradeBooked) and p.run_id == run_id]
        days.sample.custodian.apply(sorted(trades, key=lambda trade: (trade.account_id, trade.trade_seq)))
        await self._evening(day)

    async def _market_and_master(self, day: DemoDay) -> None:
        await asyncio.to_thread(write_market, self.days.sample.market, self.days.market_dir, day.business_date)
        await self.ask("ingest", "POST", "/v1/market-snapshots", json={"as_of": day.business_date.isoformat()})
        if day == DEMO_DAYS[0]:
            assert not (await self.ask("ingest", "POST", "/v1/accounts", content=master_json(self.days.sample.accounts)))["refused"]

    async def send(self, files: Iterable[SampleFile]) -> None:
        """Files as the custodian sends them."""
        for file in files:
            await self.ask("ingest", "POST", f"/v1/files/holdings?name={file.name}", content=file.content)

    async def _evening(self, day: DemoDay) -> None:
        """On the second evening a person stops trading; on the third morning lets it go on."""
        self.days.clock.set(datetime.combine(day.business_date, EVENING_UTC, UTC))
        if day.number == 2:
            await self.ask("orders", "POST", "/v1/kill-switch", json={"on": True, "reason": "the week's review"})
            await self.rest()

    async def rest(self, before_the_close: bool = False) -> None:
        """Until nothing moves any more; what still moves is said where that takes too long."""
        moving: list[str] = []

        async def still() -> bool:
            for service in self.services:
                assert service.failure is None, repr(service.failure)
            connection = await asyncpg.connect(self.dsn)
            try:
                standing = await read_standing(connection)
            finally:
                await connection.close()
            moving[:] = unrest(standing, self.days.ends(), self._desk_says(), before_the_close)
            return not moving

        try:
            await eventually(still, DEADLINE_S, "rest")
        except AssertionError as error:
            raise AssertionError(f"{error}; still moving: {', '.join(moving)}") from None

    def _desk_says(self) -> set[str]:
        for _, order in self.days.said():
            if isinstance(order, OrderPlaced) and order.cl_ord_id not in self.days.executions:
                self.days.executions[order.cl_ord_id] = {report.exec_id for report in decide(order, DESK)}
        return set().union(*self.days.executions.values())


@asynccontextmanager
async def running(days: Days, dsn: str) -> AsyncIterator[Running]:
    """All services and the desk, on the course's bus and the given database."""
    async with AsyncExitStack() as stack:
        clients, services = {}, []
        for service, app in composed(dsn, days.bus, days.clock, days.market_dir):
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app)
            clients[service.name] = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://service"))
            services.append(service)
        desk = asyncio.create_task(build_desk(days.bus, DESK).run())
        stack.push_async_callback(cancelled, desk)
        yield Running(days, dsn, services, clients)


async def cancelled(task: "asyncio.Task[None]") -> None:
    """Cancel it and wait until it has ended."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
