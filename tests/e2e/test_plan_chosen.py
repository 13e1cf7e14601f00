"""The whole way of a transition on the real Kafka and PostgreSQL: an intake over HTTP, its analysis, a plan that two people choose, the
account taken on, its first file, the run that follows the plan, the desk, and the account's standing.  The client's name is in no event."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from demo.sample.days import DEMO_DAYS
from demo.sample.market import DIVIDEND, make_market, write_market
from deploy.local import kafka
from libs.common.bus.kafka import KafkaBus
from libs.common.clock import ManualClock
from libs.common.events import EVENT_TYPES, Event, payload_of
from libs.common.money import ZERO
from libs.common.schemas.account import AccountChanged, Lot
from libs.common.schemas.decision import ProposalJudged
from libs.common.schemas.market import MarketPublished
from libs.common.schemas.order import OrderPlaced, TradeBooked
from libs.common.schemas.plan import PlanChosen
from libs.common.schemas.proposal import ProposalCreated
from services.desk_simulator.core import Proportions
from services.desk_simulator.wiring import build as build_desk
from services.ingest.core.snapshot import Snapshot, lot_columns
from tests.e2e.disturbed.servers import Servers, running_servers
from tests.e2e.disturbed.topic_reader import TopicReader
from tests.integration.restore_stage import cancelled, composed
from tests.no_skips import skip_or_fail
from tests.unit.ingest.holdings_samples import written
from tests.waiting import eventually

DAY = DEMO_DAYS[0]
NAME = "Wilhelmina Transitionstest"
DEADLINE_S = 120.0
ALL_FILLED = Proportions(0, 0, 0, 0, 0)
D = Decimal


@dataclass
class Stage:
    """The services' HTTP, the clock, and what is on the topics."""

    clients: dict[str, httpx.AsyncClient]
    clock: ManualClock
    reader: TopicReader
    pool: asyncpg.Pool

    async def ask(self, service: str, method: str, path: str, actor: str = "ann", **content: Any) -> Any:
        answer = await self.clients[service].request(method, path, headers={"x-actor": actor}, **content)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return msgspec.json.decode(answer.content)

    async def said(self, kind: type[Any], count: int = 1) -> list[Any]:
        """All events of a kind, once there are so many."""

        async def found() -> list[Any]:
            await self.reader.catch_up()
            of_kind = [payload for _, payload in self.reader.said if isinstance(payload, kind)]
            return of_kind if len(of_kind) >= count else []

        return await eventually(found, DEADLINE_S, kind.__name__)


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    if missing := kafka.missing_programs():
        skip_or_fail(f"the real Kafka needs {' and '.join(missing)}, not installed here")
    async with running_servers() as both:
        yield both


@pytest.fixture
async def stage(servers: Servers, tmp_path: Path) -> AsyncIterator[Stage]:
    clock = ManualClock(datetime.combine(DAY.business_date, time(11), UTC))
    write_market(make_market(), tmp_path, DAY.business_date)
    async with AsyncExitStack() as stack:
        clients, bus, desk_bus = {}, KafkaBus(servers.bootstrap), KafkaBus(servers.bootstrap)
        for each in (bus, desk_bus):
            await each.start()
            stack.push_async_callback(each.stop)
        for service, app in composed(servers.dsn, bus, clock, tmp_path):
            await stack.enter_async_context(app.router.lifespan_context(app))
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service", timeout=DEADLINE_S)
            clients[service.name] = await stack.enter_async_context(client)
        desk = asyncio.create_task(build_desk(desk_bus, ALL_FILLED).run())
        stack.push_async_callback(cancelled, desk)
        reader = await stack.enter_async_context(TopicReader(servers.bootstrap))
        pool = await stack.enter_async_context(asyncpg.create_pool(servers.dsn, min_size=1, max_size=1))
        yield Stage(clients, clock, reader, pool)


def lots_of(market: MarketPublished) -> list[Lot]:
    """A hundred shares of forty names, long held, the half of them at a gain."""
    acquired, found = DAY.business_date - timedelta(days=900), []
    priced = [
        (name, price) for name, price in zip(market.securities.security_id, market.securities.price, strict=True) if price is not None
    ]
    for number, (name, price) in enumerate(priced[::10][:40]):
        basis = (D(price) * 100 * (D("0.5") if number % 2 else D("1.1"))).quantize(D("0.01"))
        found.append(Lot(f"L{number:02d}", name, D(100), basis, acquired))
    return found


def intake(lots: list[Lot]) -> dict[str, Any]:
    """What the adviser types."""
    held = [
        {
            "ticker": lot.security_id,
            "acquired": str(lot.acquired),
            "shares": str(lot.quantity),
            "cost_per_share": str((lot.cost_basis or D(0)) / 100),
        }
        for lot in lots
    ]
    rates = {"short_rate": "40.8%", "long_rate": "23.8%"}
    return {
        "client_name": NAME,
        "household": "H-TRANS",
        "strategy": DIVIDEND,
        "cash": "5000.00",
        "tax_budget": "9000",
        **rates,
        "lots": held,
    }


async def test_from_an_intake_to_orders_that_follow_the_chosen_plan(stage: Stage) -> None:
    await stage.ask("ingest", "POST", "/v1/market-snapshots", json={"as_of": DAY.business_date.isoformat()})
    (market,) = await stage.said(MarketPublished)
    await eventually(lambda: stage.pool.fetchval("SELECT count(*) FROM optimizer.market"), DEADLINE_S, "the market taken")
    lots = lots_of(market)

    begun = await stage.ask("optimizer", "POST", "/v1/transitions", json=intake(lots))
    path = f"/v1/transitions/{begun['transition_id']}"

    async def ready() -> Any:
        found = await stage.ask("optimizer", "GET", path)
        assert found["status"] != "failed", found
        return found if found["status"] == "done" else None

    answer = await eventually(ready, DEADLINE_S, "the analysis")
    approach = next(each for each in answer["analyses"][0]["approaches"] if each["approach_id"] == "tax_budget")
    assert approach["status"] == "planned"

    account = {"account_id": "T0001", "household_id": "H-TRANS", "taxpayer_id": "TP-1", "custodian": "north"}
    choice = {"approach_id": "tax_budget", "second_person": True, **account}
    waiting = await stage.ask("optimizer", "POST", f"{path}/choose", json=choice)
    assert waiting["state"] == "waiting"
    followed = await stage.ask("optimizer", "POST", f"/v1/plans/{waiting['plan_id']}/approve", actor="bob")
    assert followed["state"] == "followed"
    (chosen,) = await stage.said(PlanChosen)
    assert (chosen.chosen_by, chosen.approved_by, chosen.plan.strategy_id) == ("ann", "bob", DIVIDEND)

    held = Snapshot("north", "T0001", DAY.business_date, 1, "trade_date", D(5000), D(0), lot_columns(iter(lots)))
    await stage.ask("ingest", "POST", "/v1/files/holdings?name=first.csv", content="\n".join(written([held])).encode())
    (taken_on,) = await stage.said(AccountChanged)
    assert taken_on.transition == chosen.plan

    stage.clock.set(datetime.combine(DAY.business_date, time(14, 35), UTC))
    await stage.ask("ingest", "POST", "/v1/runs", json={"as_of": DAY.business_date.isoformat()})
    (proposal,) = await stage.said(ProposalCreated)
    assert proposal.progress is not None
    assert proposal.progress.plan_id == chosen.plan.plan_id
    assert ZERO < proposal.tax.tax <= D(9000)
    assert proposal.te_after_frac < proposal.te_before_frac

    assert [judged.progress for judged in await stage.said(ProposalJudged)] == ["accepted"]

    stage.clock.set(datetime.combine(DAY.business_date, time(20, 31), UTC))
    orders = await stage.said(OrderPlaced, len(proposal.trades))
    assert {(order.security_id, order.side) for order in orders} == {(trade.security_id, trade.side) for trade in proposal.trades}
    await stage.said(TradeBooked, len(orders))

    standing = await stage.ask("optimizer", "GET", "/v1/accounts/T0001/plan")
    assert [each["proposal_id"] for each in standing["standings"]] == [proposal.proposal_id]
    assert not [event for event, _ in stage.reader.said if b"Wilhelmina" in msgspec.json.encode(event) or b"Wilhelmina" in encoded(event)]


def encoded(event: Event) -> bytes:
    """The payload as it would be read."""
    return msgspec.json.encode(payload_of(event, EVENT_TYPES[event.type].payload))
