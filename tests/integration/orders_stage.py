"""orders on a real PostgreSQL and the in-process bus, with a small world around it: two households, one market, one run."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import asyncpg
import httpx
from msgspec import Struct
from msgspec.structs import replace
from pydantic import SecretStr

from libs.common.bus.memory import MemoryBus
from libs.common.clock import ManualClock
from libs.common.events import EVENT_TYPES, TYPE_OF_PAYLOAD, from_record, make_event, payload_of, to_record
from libs.common.ids import content_id
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerAccount, LedgerUpdated
from libs.common.schemas.market import MarketPublished, RiskModel, RunAccount, RunOpened
from libs.common.schemas.order import ExecutionReported, OrderPlaced
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined, ProposedTrade
from libs.common.schemas.screen import ScreenUpdated
from libs.common.service import Service
from services.orders.answer_store import load_held_back
from services.orders.settings import OrdersSettings
from services.orders.wiring import build
from tests.unit.orders.samples import ACCOUNT, AS_OF, LEDGER, LOTS, OPENED, PINS, RUN, SCREEN, execution, proposal, securities, tax_columns
from tests.waiting import eventually

TOKEN = "a-token-for-tests"
AUTHORISED = {"authorization": f"Bearer {TOKEN}", "x-actor": "pat"}
Said = TypeVar("Said", bound=Struct)

HOUSEHOLD_OF = {"A0": "H1", "A1": "H1", "B0": "H2"}
MARKET = MarketPublished("market-1", AS_OF, True, securities(), [], RiskModel([], [], [], []), [])


def run_of(run_id: str = "R1", versions: int = 1, trade_seqs: dict[str, int] | None = None) -> RunOpened:
    """A run over the three accounts."""
    seqs = trade_seqs or {}
    members = [RunAccount(a, h, versions, seqs.get(a, 0)) for a, h in HOUSEHOLD_OF.items()]
    return replace(RUN, run_id=run_id, accounts=members, files_received_at=RUN.opened_at)


def account(account_id: str, version: int = 1, **changes: object) -> AccountChanged:
    own: dict[str, object] = {"version": version, "trade_seq": 0, "household_id": HOUSEHOLD_OF[account_id]}
    return replace(ACCOUNT, account_id=account_id, **(own | changes))


def screen(account_id: str, version: int = 1, **changes: object) -> ScreenUpdated:
    return replace(SCREEN, account_id=account_id, household_id=HOUSEHOLD_OF[account_id], version=version, **changes)


def ledger(household_id: str, version: int = 1, trade_seqs: dict[str, int] | None = None, **changes: object) -> LedgerUpdated:
    seqs = trade_seqs or {}
    accounts = [LedgerAccount(a, 1, seqs.get(a, 0), tax_columns(LOTS), []) for a, h in HOUSEHOLD_OF.items() if h == household_id]
    return replace(LEDGER, household_id=household_id, version=version, accounts=accounts, **changes)


def proposed(account_id: str, *trades: ProposedTrade, run_id: str = "R1", approval: str = "auto", version: int = 1) -> ProposalCreated:
    """A proposal on the world's first versions; A1 has seen A0's."""
    intents = {"A0": proposal_id("A0", run_id)} if account_id == "A1" else {}
    pins = replace(PINS, account_version=version, screen_version=version, ledger_version=version, intents=intents)
    asked = proposal(*trades, proposal_id=proposal_id(account_id, run_id), account_id=account_id, pins=pins)
    return replace(asked, household_id=HOUSEHOLD_OF[account_id], run_id=run_id, approval=approval)


def proposal_id(account_id: str, run_id: str = "R1") -> str:
    return f"{run_id}-{account_id}"


def declined(account_id: str, run_id: str = "R1") -> ProposalDeclined:
    return ProposalDeclined(
        proposal_id(account_id, run_id),
        run_id,
        account_id,
        HOUSEHOLD_OF[account_id],
        None,
        "no_trade",
        "in_line",
        "in line",
        None,
        None,
        [],
    )


def report(
    order: OrderPlaced, n: int, exec_type: str, quantity: int = 0, price: str | None = None, ref: int | None = None
) -> ExecutionReported:
    """The desk's n-th report on an order."""
    one = execution("", exec_type, quantity, price)  # type: ignore[arg-type]
    reference = None if ref is None else content_id("exec", order.cl_ord_id, ref)
    return replace(one, exec_id=content_id("exec", order.cl_ord_id, n), cl_ord_id=order.cl_ord_id, exec_ref_id=reference)


WORLD: Sequence[Struct] = (
    *(account(a) for a in HOUSEHOLD_OF),
    *(screen(a) for a in HOUSEHOLD_OF),
    ledger("H1"),
    ledger("H2"),
    MARKET,
)


def place_of(payload: Struct) -> tuple[str, str | int, str]:
    """Subject, version and partition key of a payload, as its producer gives them."""
    match payload:
        case AccountChanged() | ScreenUpdated():
            return payload.account_id, payload.version, payload.household_id
        case LedgerUpdated():
            return payload.household_id, payload.version, payload.household_id
        case MarketPublished():
            return payload.market_id, 1, payload.market_id
        case RunOpened():
            return payload.run_id, 1, payload.run_id
        case ProposalCreated() | ProposalDeclined():
            return payload.proposal_id, 1, payload.household_id
        case ExecutionReported():
            return payload.cl_ord_id, payload.exec_id, payload.cl_ord_id
    raise TypeError(payload)


@dataclass
class Stage:
    """The running service, its bus, its clock and its HTTP client."""

    service: Service
    bus: MemoryBus
    clock: ManualClock
    http: httpx.AsyncClient

    async def say(self, *payloads: Struct) -> None:
        """Publish as the producers do and wait until all is taken; topics may overtake each other within one call."""
        for payload in payloads:
            await self.bus.publish([to_record(make_event("test", payload, *place_of(payload), self.clock.now(), "c1"))])
        for topic in {TYPE_OF_PAYLOAD[type(payload)].topic for payload in payloads}:
            await self.taken(topic)

    async def taken(self, topic: str) -> None:
        """Wait until the service has committed everything that was published to a topic."""

        async def behind() -> bool:
            rows = await self.service.pool.fetch("SELECT partition, next_offset FROM consumed WHERE topic = $1", topic)
            return sum(row["next_offset"] for row in rows) == len(self.bus.log(topic))

        await eventually(behind, 60.0, f"{topic} taken")

    def said(self, payload_type: type[Said]) -> list[Said]:
        """Every event of a type that the service said, each id once."""
        topic = TYPE_OF_PAYLOAD[payload_type].topic
        events = [from_record(record.key, record.value, record.headers) for record in self.bus.log(topic)]
        assert len({event.id for event in events}) == len(events)
        return [payload_of(event, payload_type) for event in events if EVENT_TYPES[event.type].payload is payload_type]

    async def orders(self, count: int) -> dict[tuple[str, str], OrderPlaced]:
        """The orders placed, by security and side, once there are so many."""
        await eventually(lambda: len(self.said(OrderPlaced)) >= count, 60.0, f"{count} orders")
        placed = self.said(OrderPlaced)
        assert len(placed) == count
        return {(order.security_id, order.side): order for order in placed}

    async def get(self, path: str) -> object:
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def progress(self, run_id: str = "R1") -> dict[str, str]:
        """How far each account of a run is."""
        rows = await self.get(f"/v1/runs/{run_id}/accounts")
        assert isinstance(rows, list)
        return {row["account_id"]: row["progress"] for row in rows}

    async def codes(self, run_id: str = "R1") -> dict[str, str]:
        """The refusals of a run by account."""
        rows = await self.get(f"/v1/refusals?run_id={run_id}")
        assert isinstance(rows, list)
        return {row["account_id"]: row["code"] for row in rows}

    async def post(self, path: str, status: int = 200, **body: object) -> dict[str, object]:
        answer = await self.http.post(path, json=body or None, headers=AUTHORISED)
        assert answer.status_code == status, answer.text
        found = answer.json()
        assert isinstance(found, dict)
        return found

    async def reserved(self) -> int:
        """Trades for which either household holds something back."""
        async with self.service.pool.acquire() as connection:
            held = [await load_held_back(connection, household_id) for household_id in sorted(set(HOUSEHOLD_OF.values()))]
        return sum(len(each.reservations) for each in held)


@asynccontextmanager
async def running(dsn: str) -> AsyncIterator[Stage]:
    bus, clock = MemoryBus(), ManualClock(OPENED)
    settings = OrdersSettings(
        postgres_dsn=dsn, kafka_bootstrap="in-process", bearer_token=SecretStr(TOKEN), watch_s=0.05, max_orders_per_run=4
    )
    service, app = build(settings, bus, clock)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://orders") as client,
    ):
        yield Stage(service, bus, clock, client)
        assert service.failure is None
        assert await service.pool.fetchval("SELECT count(*) FROM parked") == 0


async def empty(dsn: str) -> None:
    """Forget everything, as after the migrations."""
    admin = await asyncpg.connect(dsn, server_settings={"search_path": "orders"})
    try:
        rows = await admin.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'orders' AND tablename <> 'alembic_version'")
        await admin.execute(f"TRUNCATE {', '.join(row['tablename'] for row in rows)}")
        await admin.execute("INSERT INTO kill_switch (one, is_on) VALUES (true, false)")
    finally:
        await admin.close()
