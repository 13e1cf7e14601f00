"""wash_sale as a service, on a real PostgreSQL and the in-process bus: accounts, trades, markets and runs in, ledgers out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial

import httpx
import pytest
from msgspec import Struct
from msgspec.structs import replace

from libs.common.bus.memory import MemoryBus
from libs.common.clock import ManualClock
from libs.common.db import transaction
from libs.common.events import EVENT_TYPES, from_record, make_event, payload_of, to_record
from libs.common.outbox import SEQUENCE_HEADER
from libs.common.schemas.account import AccountChanged, AccountMoved
from libs.common.schemas.ledger import LedgerRestated, LedgerUpdated, LotTold
from libs.common.schemas.market import CorporateAction, MarketPublished, RiskModel, RunAccount, RunOpened, SecurityColumns
from libs.common.schemas.order import TradeBooked
from libs.common.service import Service
from libs.common.topics import LEDGERS
from services.wash_sale.settings import WashSaleSettings
from services.wash_sale.store import Households
from services.wash_sale.wiring import build
from tests.unit.wash_sale.samples import account, buy, day, lot, sell, split
from tests.waiting import eventually

NOW = datetime(2025, 1, 6, 15, tzinfo=UTC)
D = Decimal
RUN_DAY = day(3)
OLD = lot("L1", "XA", "100", "5000", day(-400))
LOSS = sell("s", 1, day(1), "4000", {"L1": "100"}, security_id="XA")


@dataclass
class Stage:
    """The running service, its bus and its HTTP client."""

    service: Service
    bus: MemoryBus
    http: httpx.AsyncClient

    async def say(self, *payloads: Struct) -> None:
        """Publish as ingest and orders do, and wait until each is taken and what follows is said: so each change is a version."""
        for payload in payloads:
            match payload:
                case AccountChanged():
                    place = ("ingest", payload.account_id, payload.version, payload.household_id)
                case AccountMoved():
                    place = ("ingest", payload.account_id, payload.version, payload.from_household_id)
                case TradeBooked():
                    place = ("orders", payload.account_id, payload.trade_seq, payload.household_id)
                case MarketPublished():
                    place = ("ingest", payload.market_id, 1, payload.market_id)
                case RunOpened():
                    place = ("ingest", payload.run_id, 1, payload.run_id)
                case _:
                    raise TypeError(payload)
            source, subject, version, key = place
            taken = await self._taken()
            await self.bus.publish([to_record(make_event(source, payload, subject, version, key, NOW, "c1"))])
            await eventually(lambda before=taken: self._more_than(before), what=f"{type(payload).__name__} taken")
            await eventually(self._all_said, what=f"what follows {type(payload).__name__} said")

    async def _taken(self) -> int:
        return int(await self.service.pool.fetchval("SELECT coalesce(sum(next_offset), 0) FROM consumed"))

    async def _more_than(self, before: int) -> bool:
        return await self._taken() > before

    async def _all_said(self) -> bool:
        query = "SELECT NOT EXISTS (SELECT 1 FROM household WHERE unsaid) AND NOT EXISTS (SELECT 1 FROM outbox)"
        return bool(await self.service.pool.fetchval(query))

    def ledgers(self, household_id: str = "H1") -> list[LedgerUpdated]:
        """The household's ledgers said so far, in their order."""
        events = [from_record(record.key, record.value, record.headers) for record in self.bus.log(LEDGERS)]
        assert len({event.id for event in events}) == len(events)
        said: list[LedgerUpdated | LedgerRestated | LotTold] = [payload_of(event, EVENT_TYPES[event.type].payload) for event in events]
        assert [event.partitionkey for event in events] == [each.household_id for each in said]
        return [each for each in said if isinstance(each, LedgerUpdated) and each.household_id == household_id]

    def restated(self) -> list[LedgerRestated]:
        """What was said otherwise of the past, so far."""
        events = [from_record(record.key, record.value, record.headers) for record in self.bus.log(LEDGERS)]
        return [payload_of(event, LedgerRestated) for event in events if event.type == "pma.ledger.restated"]

    def answers(self, household_id: str) -> list[LedgerUpdated]:
        """Those of them that answer a run."""
        return [ledger for ledger in self.ledgers(household_id) if ledger.run_id]

    async def ledger(self, version: int, run_id: str | None = None) -> LedgerUpdated:
        """The ledger of H1 of this version (for this run), once it was said."""

        def find() -> LedgerUpdated | None:
            return next((one for one in self.ledgers() if (one.version, one.run_id) == (version, run_id)), None)

        found = await eventually(find, what=f"ledger {version} for run {run_id}")
        assert found is not None
        return found

    async def get(self, path: str) -> dict[str, object]:
        answer = await self.http.get(f"/v1/households/{path}")
        assert answer.status_code == 200, answer.text
        body: dict[str, object] = answer.json()
        return body

    async def metric(self, name: str) -> float:
        text = (await self.http.get("/metrics")).text
        return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"pma_wash_sale_{name} "))


@asynccontextmanager
async def running(dsn: str, bus: MemoryBus | None = None) -> AsyncIterator[Stage]:
    bus = bus or MemoryBus()
    settings = WashSaleSettings(postgres_dsn=dsn, kafka_bootstrap="unused:1", _env_file=None)
    service, app = build(settings, bus, ManualClock(NOW))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://wash-sale") as client,
    ):
        await eventually(lambda: service.ready, what="partitions assigned")
        yield Stage(service, bus, client)
        assert service.failure is None


@pytest.fixture
async def stage(fresh_database: str) -> AsyncIterator[Stage]:
    async with running(fresh_database) as one:
        yield one


def market(market_id: str = "M1", as_of: date = RUN_DAY, *splits: CorporateAction) -> MarketPublished:
    ids = ["XA", "XB"]
    columns = SecurityColumns(ids, ids, ["X", "X"], ["s"] * 2, ["i"] * 2, [[], []], ["1", "1"], [1.0] * 2, [1.0] * 2, [None, None])
    return MarketPublished(market_id, as_of, True, columns, [], RiskModel([], [], [], []), list(splits))


def run(*accounts: RunAccount, run_id: str = "R1", market_id: str = "M1", as_of: date = RUN_DAY) -> RunOpened:
    return RunOpened(run_id, as_of, market_id, NOW, NOW, 200, list(accounts))


async def test_a_loss_and_a_purchase_in_another_account_of_the_household(stage: Stage) -> None:
    roth = account("A2", account_type="roth_ira")
    await stage.say(market(), account(lots=[OLD]), roth, LOSS)
    third = await stage.ledger(3)
    assert [(w.identity_group, w.security_ids, w.until) for w in third.blocked_buys] == [("X", ["XA", "XB"], day(31))]
    assert [(row.disallowed, row.allowed_gain) for row in third.sales] == [(D(0), D(-1000))]

    await stage.say(buy("t", 1, day(5), "40", "1600", account_id="A2", security_id="XB"))
    fourth = await stage.ledger(4)
    assert [(row.disallowed, row.allowed_gain) for row in fourth.sales] == [(D(400), D(-600))]
    assert (fourth.as_of, len(fourth.blocked_buys), fourth.blocked_loss_sales) == (day(5), 1, [])
    assert await stage.metric("denied_sales_total") == 1

    await stage.say(buy("u", 2, day(6), "10", "400", account_id="A2", security_id="XB"))
    await stage.ledger(5)
    assert await stage.metric("denied_sales_total") == 1  # more of the same sale's loss


async def test_the_version_rises_only_with_the_content(stage: Stage) -> None:
    await stage.say(account(lots=[OLD]), LOSS, LOSS, account(lots=[OLD]))
    await stage.say(account(version=2, trade_seq=1))
    assert [(one.version, one.accounts[0].account_version, one.accounts[0].trade_seq) for one in stage.ledgers()] == [
        (1, 1, 0),
        (2, 1, 1),
        (3, 2, 1),
    ]


async def test_a_run_waits_for_its_market_its_accounts_and_their_trades(stage: Stage) -> None:
    listed = run(RunAccount("A1", "H1", 2, 1), RunAccount("A2", "H1", 9, 9, excluded="stale"), RunAccount("B1", "H2", 1, 0))
    await stage.say(listed, account(lots=[OLD]), account("B1", household_id="H2"))
    await stage.say(account(version=2, trade_seq=1))
    assert await eventually(lambda: stage.metric("waiting_joins")) == 2
    assert await stage.metric("early_inputs") == 1
    assert await stage.get("H1/waiting") == {
        "household_id": "H1",
        "held_back": None,
        "trades": {},
        "account_versions": {"A1": [2]},
    }

    await stage.say(market())
    await eventually(lambda: [one for one in stage.ledgers("H2") if one.run_id == "R1"], what="H2 answered")
    assert not any(one.run_id for one in stage.ledgers())

    await stage.say(LOSS)
    answer = await stage.ledger(2, "R1")
    assert (answer.as_of, answer.accounts[0].account_version, answer.accounts[0].trade_seq) == (day(3), 2, 1)

    async def none_waits() -> bool:
        return await stage.metric("waiting_joins") == 0

    await eventually(none_waits)


async def test_a_run_is_answered_once_even_when_nothing_changed(stage: Stage) -> None:
    await stage.say(market(), account(lots=[OLD]), run(RunAccount("A1", "H1", 1, 0)))
    answer = await stage.ledger(2, "R1")
    await stage.say(run(RunAccount("A1", "H1", 1, 0), run_id="R2"))
    again = await stage.ledger(2, "R2")
    assert replace(again, run_id="R1") == answer
    await stage.say(run(RunAccount("A1", "H1", 1, 0), run_id="R2"))
    assert len(stage.ledgers()) == 3


async def test_a_run_on_other_securities_that_say_the_same_of_a_household_is_answered_with_its_version(stage: Stage) -> None:
    await stage.say(market(), account(lots=[OLD]), run(RunAccount("A1", "H1", 1, 0)))
    answer = await stage.ledger(2, "R1")
    three = ["XA", "XB", "YA"]
    columns = SecurityColumns(three, three, ["X", "X", "Y"], ["s"] * 3, ["i"] * 3, [[]] * 3, ["1"] * 3, [1.0] * 3, [1.0] * 3, [None] * 3)
    await stage.say(replace(market("M2"), securities=columns), run(RunAccount("A1", "H1", 1, 0), run_id="R2", market_id="M2"))
    await eventually(lambda: len(stage.answers("H1")) == 2, what="the second run is answered")
    assert replace(stage.answers("H1")[1], run_id="R1") == answer


async def test_who_is_being_changed_keeps_nobody_waiting_and_is_said_afterwards(stage: Stage) -> None:
    names = [f"H{number}" for number in range(1, 5)]
    accounts = [account(f"A{name}", household_id=name) for name in names]
    await stage.say(market(), *accounts)
    async with transaction(stage.service.pool) as connection:
        await Households().load(connection, "H1")
        await stage.say(run(*(RunAccount(f"A{name}", name, 1, 0) for name in names)))
        for name in names[1:]:
            await eventually(partial(stage.answers, name), what=f"{name} answered")
        assert stage.answers("H1") == []
    await eventually(lambda: stage.answers("H1"), what="H1 answered")
    numbers = sorted(int(dict(record.headers)[SEQUENCE_HEADER]) for record in stage.bus.log(LEDGERS))
    assert numbers == list(range(1, len(numbers) + 1))


async def test_two_runs_that_ask_for_a_household_are_both_answered(stage: Stage) -> None:
    first, second = (run(RunAccount("A1", "H1", 1, 0), run_id=name) for name in ("R1", "R2"))
    await stage.say(first, second, account(lots=[OLD]))
    await stage.say(market())
    await eventually(lambda: len(stage.answers("H1")) == 2, what="both answered")
    assert [(one.version, one.run_id) for one in stage.ledgers()] == [(1, None), (2, "R1"), (2, "R2")]


async def test_a_split_in_the_runs_market_explains_the_new_quantity(stage: Stage) -> None:
    doubled = account(lots=[replace(OLD, quantity=D(200))], version=2, business_date=day(2))
    await stage.say(market(), account(lots=[OLD]), doubled)
    assert (await stage.ledger(2)).accounts[0].disagreements == ["L1"]
    await stage.say(market("M2", day(2), split("XA", day(2), "2")), run(RunAccount("A1", "H1", 2, 0), market_id="M2", as_of=day(2)))
    answer = await stage.ledger(3, "R1")
    assert (answer.accounts[0].disagreements, answer.accounts[0].lots.quantity) == ([], ["200"])


async def test_what_can_not_be_applied_parks_the_household_and_no_other(stage: Stage) -> None:
    oversold = sell("s", 1, day(1), "1", {"L1": "101"}, security_id="XA")
    await stage.say(account(lots=[OLD]), oversold, account(lots=[OLD], version=2, aliases={"P-x": "L1"}))
    await stage.say(account("B1", household_id="H2"))
    assert (await eventually(lambda: stage.ledgers("H2")))[0].version == 1
    parked = (await stage.http.get("/v1/parked")).json()
    assert [(one["key"], one["messages"]) for one in parked] == [("H1", 2)]
    assert "oversold_lot" in parked[0]["reason"] and "101 asked, 100 possible" in parked[0]["reason"]
    assert len(stage.ledgers()) == 1


async def test_facts_that_contradict_each_other_hold_the_ledger_back_and_mend_later(stage: Stage) -> None:
    """A reverse split comes to be known after a sale of its day was booked in old shares: the lot would go below zero."""
    start, sale = account(lots=[OLD]), sell("s", 1, day(2), "900", {"L1": "90"}, security_id="XA")
    await stage.say(market(), start)
    await stage.ledger(1)
    await stage.say(sale)
    await stage.ledger(2)
    await stage.say(market("M2", day(4), split("XA", day(2), "0.5")), run(RunAccount("A1", "H1", 1, 1), market_id="M2"))

    async def held_back() -> str:
        return str((await stage.get("H1/waiting"))["held_back"] or "")

    assert "oversold_lot" in await eventually(held_back)
    assert await eventually(lambda: stage.metric("held_back_households")) == 1
    await stage.say(replace(sale, trade_id="b", trade_seq=2, kind="bust", ref_trade_id="s"))
    assert (await stage.ledger(3, "R1")).accounts[0].lots.quantity == ["50"]


async def test_a_move_leaves_the_window_behind_and_starts_anew(stage: Stage) -> None:
    await stage.say(account(lots=[OLD]), account("A2"), LOSS, AccountMoved("A1", "H1", "H2", 2))
    left = await stage.ledger(4)
    assert ([one.account_id for one in left.accounts], len(left.blocked_buys)) == (["A2"], 1)
    await stage.say(account(household_id="H2", version=2, trade_seq=1))
    assert [one.accounts[0].trade_seq for one in stage.ledgers("H2")] == [1]


async def test_the_ledger_survives_a_restart(fresh_database: str) -> None:
    bus = MemoryBus()
    async with running(fresh_database, bus) as first:
        await first.say(market(), account(lots=[OLD]), LOSS)
    async with running(fresh_database, bus) as second:
        await second.say(buy("t", 2, day(5), "100", "4100", security_id="XB"))
        assert (await second.ledger(3)).accounts[0].lots.tax_basis == ["5100"]


async def test_http_shows_ledger_windows_sales_and_their_washes(stage: Stage) -> None:
    await stage.say(market(), account(lots=[OLD]), LOSS, buy("t", 2, day(5), "60", "2400", security_id="XB"))
    ledger = await stage.get("H1/ledger")
    assert ledger["version"] == 3
    windows = await stage.get("H1/windows")
    assert [window["cause"] for window in windows["blocked_buys"]] == ["s"]  # type: ignore[attr-defined]
    sales = await stage.get("H1/sales")
    assert [(w["loss_id"], w["replacement_lot_id"], w["disallowed"], w["permanent"]) for w in sales["washes"]] == [  # type: ignore[attr-defined]
        ("s", "P-t", "600.00", False)
    ]
    missing = await stage.http.get("/v1/households/H9/ledger")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
