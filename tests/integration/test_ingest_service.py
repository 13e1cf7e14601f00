"""ingest as a service, on a real PostgreSQL and the in-process bus: files, messages and trades in; accounts and runs out."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace
from pydantic import SecretStr

from libs.common.bus.memory import MemoryBus
from libs.common.clock import ManualClock
from libs.common.db import transaction
from libs.common.events import Event, from_record, make_event, payload_of, to_record
from libs.common.observe import Metrics
from libs.common.schemas.account import AccountChanged, AccountMoved, Lot
from libs.common.schemas.custody import CustodyHoldings, CustodyLot
from libs.common.schemas.market import MarketPublished, RunOpened
from libs.common.schemas.order import TradeBooked
from libs.common.service import Service
from libs.common.topics import ACCOUNTS, MARKET
from services.ingest.core.intake import AccountIntake
from services.ingest.core.snapshot import Snapshot, lot_columns
from services.ingest.deliveries import LONGEST_LINE_BYTES
from services.ingest.metrics import IngestMetrics
from services.ingest.observing import observe_tables
from services.ingest.settings import IngestSettings
from services.ingest.wiring import build
from tests.unit.ingest.book_samples import D, buy, day, intake, lot, sell, snapshot
from tests.unit.ingest.holdings_samples import written
from tests.waiting import eventually

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
NOW = datetime(2025, 12, 15, 12, tzinfo=UTC)
TOKEN = "a-token-for-tests"
PROBLEM = "application/problem+json"


@dataclass
class Stage:
    """The running service, its bus and its HTTP client."""

    service: Service
    bus: MemoryBus
    http: httpx.AsyncClient

    async def master(self, *records: AccountIntake) -> dict[str, Any]:
        """Post master records; every one must be taken."""
        answer = await self.http.post("/v1/accounts", content=msgspec.json.encode({"accounts": records}))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def upload(self, lines: Sequence[str], name: str = "day.csv") -> httpx.Response:
        content = "\n".join(lines).encode()
        return await self.http.post("/v1/files/holdings", params={"name": name}, content=content, headers={"content-type": "text/csv"})

    async def take(self, *snapshots: Snapshot, **parts: int) -> dict[str, Any]:
        """Upload a good file of these accounts; its acknowledgement."""
        answer = await self.upload(written(snapshots, **parts))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def say(self, payload: Struct, subject: str, version: str | int, key: str) -> None:
        await self.bus.publish([to_record(make_event("elsewhere", payload, subject, version, key, NOW, "c1"))])

    async def book(self, *trades: TradeBooked) -> None:
        for one in trades:
            await self.say(one, one.trade_id, 1, one.household_id)

    async def holdings(self, *messages: CustodyHoldings) -> None:
        for one in messages:
            await self.say(one, one.account_id, f"{one.business_date}:{one.sequence}", one.account_id)

    def events(self, topic: str = ACCOUNTS) -> list[Event]:
        """What ingest said on a topic; no event is said twice."""
        found = [from_record(record.key, record.value, record.headers) for record in self.bus.log(topic)]
        assert len({event.id for event in found}) == len(found)
        return found

    def versions(self, account_id: str) -> list[AccountChanged]:
        """Each version of an account, in the order in which it was said."""
        said = [payload_of(e, AccountChanged) for e in self.events() if e.type == "pma.account.changed"]
        return [one for one in said if one.account_id == account_id]

    async def version(self, account_id: str, number: int) -> AccountChanged:
        """The account's version, once it was said; no number comes twice or is left out."""
        found = await eventually(lambda: [v for v in self.versions(account_id) if v.version == number], what=f"{account_id} v{number}")
        assert len(found) == 1
        return found[0]

    async def market(self) -> MarketPublished:
        """Publish the example market of 2025-12-15."""
        answer = await self.http.post("/v1/market-snapshots", json={"as_of": "2025-12-15"})
        assert answer.status_code == 200, answer.text
        await eventually(lambda: self.events(MARKET), what="market said")
        return payload_of(self.events(MARKET)[0], MarketPublished)

    async def run(self, files_of: date) -> dict[str, Any]:
        answer = await self.http.post("/v1/runs", json={"as_of": "2025-12-15", "files_of": files_of.isoformat()})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def opened(self) -> RunOpened:
        """The first run that was opened, once it was said."""
        runs = await eventually(lambda: [e for e in self.events(MARKET) if e.type == "pma.run.opened"], what="a run")
        return payload_of(runs[0], RunOpened)

    async def count(self, table: str) -> int:
        return int(await self.service.pool.fetchval(f"SELECT count(*) FROM {table}"))

    async def reason_parked(self, key: str) -> str:
        query = "SELECT reason FROM parked WHERE key = $1"
        return str(await eventually(lambda: self.service.pool.fetchval(query, key), what=f"{key} parked"))


@asynccontextmanager
async def running(
    dsn: str, bus: MemoryBus | None = None, token: str | None = None, market: bool = True, opens_runs: bool = False
) -> AsyncIterator[Stage]:
    bus = bus or MemoryBus()
    settings = IngestSettings(
        postgres_dsn=dsn,
        kafka_bootstrap="unused:1",
        bearer_token=None if token is None else SecretStr(token),
        market_dir=EXAMPLES / "market" if market else None,
        opens_runs=opens_runs,
        _env_file=None,
    )
    service, app = build(settings, bus, ManualClock(NOW))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ingest") as client,
    ):
        yield Stage(service, bus, client)
        assert service.failure is None


@pytest.fixture
async def stage(fresh_database: str) -> AsyncIterator[Stage]:
    async with running(fresh_database) as one:
        yield one


def holds(account_id: str, on: date, *lots: Lot, sequence: int = 1, cash: str = "10000") -> Snapshot:
    """Holdings of one account at north; lots are of ACME unless they say otherwise."""
    own = [replace(one, lot_id=f"{account_id}-{one.lot_id}", security_id="ACME") for one in lots]
    return replace(snapshot(on, sequence=sequence, cash=cash), account_id=account_id, lots=lot_columns(iter(own)))


async def observed(stage: Stage, now: datetime) -> Callable[..., float | None]:
    """The gauges of the tables at a moment, by name and labels."""
    common = Metrics("ingest")
    async with transaction(stage.service.pool) as connection:
        await observe_tables(connection, IngestMetrics(common), now, time(9, 0))
    return lambda name, **labels: common.registry.get_sample_value(f"pma_ingest_{name}", labels)


X = lot("X", "100")


async def test_the_days_run_opens_by_itself_when_the_files_are_in_and_once(fresh_database: str) -> None:
    today = date(2025, 12, 15)
    async with running(fresh_database, opens_runs=True) as stage:
        await stage.master(intake("A1", "H1"), intake("A2", "H2"))
        await stage.market()
        await stage.take(holds("A1", today, X), holds("A2", today, X))
        run = await stage.opened()
        assert (run.as_of, [(a.account_id, a.excluded) for a in run.accounts]) == (today, [("A1", None), ("A2", None)])
        assert (await stage.run(today))["fresh"] is False
        assert await stage.count("run") == 1


async def test_the_days_run_opens_at_the_files_cut_off_without_those_that_are_missing(fresh_database: str) -> None:
    async with running(fresh_database, opens_runs=True) as stage:
        await stage.master(intake("A1", "H1"))
        await stage.market()
        clock = stage.service.clock
        assert isinstance(clock, ManualClock)
        clock.set(datetime(2025, 12, 15, 14, 0, tzinfo=UTC))  # nine in New York
        run = await stage.opened()
        assert [(a.account_id, a.excluded) for a in run.accounts] == [("A1", "no_holdings")]


async def test_files_are_taken_repeated_corrected_late_and_held(stage: Stage) -> None:
    await stage.master(*(intake(f"A{n}", f"H{n}") for n in range(1, 6)))
    five = [holds(f"A{n}", day(0), X) for n in range(1, 6)]
    first = await stage.take(*five)
    assert (first["outcome"], first["accounts"], first["lots"], first["quarantined"]) == ("accepted", 5, 5, 0)
    assert (first["applied_accounts"], first["changed_accounts"], first["refused_lines"]) == (5, 5, [])
    said = await stage.version("A1", 1)
    assert (said.state, said.household_id, said.business_date, list(said.lots.rows())) == (
        "open",
        "H1",
        day(0),
        [lot("A1-X", "100", security_id="ACME")],
    )

    again = await stage.take(*five)
    assert (again["outcome"], again["detail"], again["changed_accounts"]) == ("duplicate", "the same content came before as day.csv", 0)

    correction = await stage.take(holds("A2", day(0), lot("X", "107"), sequence=2))
    assert (correction["outcome"], correction["applied_accounts"], correction["changed_accounts"]) == ("accepted", 1, 1)
    assert (await stage.version("A2", 2)).lots.quantity == ["107"]

    other = await stage.upload(written([holds("A3", day(0), lot("X", "1"), sequence=2)]))
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "sequence")

    few = await stage.take(holds("A1", day(1), lot("X", "90")))
    assert (few["outcome"], few["detail"]) == ("held", "1 accounts, 5 the time before: release it if that is right")
    assert [v.version for v in stage.versions("A1")] == [1]
    (held,) = [d for d in (await stage.http.get("/v1/deliveries")).json() if d["state"] == "held"]
    released = await stage.http.post(f"/v1/deliveries/{held['delivery_id']}/release", headers={"x-actor": "ann"})
    assert released.json() == {"applied_accounts": 1, "changed_accounts": 1, "accounts_without_master": []}
    assert (await stage.version("A1", 2)).lots.quantity == ["90"]
    assert (await stage.http.post(f"/v1/deliveries/{held['delivery_id']}/release")).status_code == 409
    states = {d["business_date"]: (d["state"], d["reason"]) for d in (await stage.http.get("/v1/deliveries")).json()}
    assert states["2025-12-16"] == ("applied", "1 accounts, 5 the time before: release it if that is right; released by ann")

    late = await stage.take(holds("A3", day(0), lot("X", "55"), sequence=3))
    assert (late["outcome"], late["applied_accounts"]) == ("late", 0)
    assert "before 2025-12-16, which is applied" in late["detail"]
    assert [v.version for v in stage.versions("A3")] == [1]
    assert {e.partitionkey for e in stage.events()} == {"H1", "H2", "H3", "H4", "H5"}


async def test_a_delivery_in_parts_waits_for_all_of_them_and_they_must_agree(stage: Stage) -> None:
    await stage.master(intake("A1", "H1"), intake("A2", "H2"))
    one, two = holds("A1", day(0), X), holds("A2", day(0), X)
    first = await stage.take(one, part=1, parts=2)
    assert (first["outcome"], first["applied_accounts"]) == ("accepted", 0)
    for lines, field in (
        (written([two], 2, 3), "parts"),
        (written([replace(two, basis="settlement_date")], 2, 2), "parts"),
        (written([one, two], 2, 2), "account_id"),
        (written([two], 1, 2), "sequence"),
    ):
        refused = await stage.upload(lines)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)
    assert stage.events() == []
    second = await stage.take(two, part=2, parts=2)
    assert (second["applied_accounts"], second["changed_accounts"]) == (2, 2)
    await stage.version("A1", 1)
    await stage.version("A2", 1)


async def test_a_file_that_is_refused_whole_says_where_and_leaves_nothing_behind(stage: Stage) -> None:
    await stage.master(intake("A1", "H1"), intake("A2", "H2"))
    good = written([holds("A1", day(0), X), holds("A2", day(0), X)])
    bad = [line.replace("A,A2", "A,A 2") for line in good]
    refused = await stage.upload(bad, "monday.csv")
    assert (refused.status_code, refused.headers["content-type"]) == (422, PROBLEM)
    body = refused.json()
    assert (body["title"], body["status"], body["instance"]) == ("Bad input", 422, "/v1/files/holdings")
    remedy = "Account ids are 1 to 40 letters, digits, '-' or '_'"
    assert body["errors"] == [{"file": "monday.csv", "line": 4, "field": "account_id", "remedy": remedy}]
    for content in (b"H,pma-holdings,1,\xff", b"H" * (LONGEST_LINE_BYTES + 1), b""):
        answer = await stage.http.post("/v1/files/holdings", content=content)
        assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert [await stage.count(table) for table in ("delivery", "file_part", "staged_account")] == [0, 0, 0]
    assert (await stage.upload(good)).json()["outcome"] == "accepted"
    metrics = (await stage.http.get("/metrics")).text
    assert 'pma_ingest_files_total{outcome="rejected"} 4.0' in metrics
    assert 'pma_ingest_files_total{outcome="accepted"} 1.0' in metrics


async def test_a_day_with_a_bad_line_a_missing_account_and_a_run(stage: Stage) -> None:
    """Who is in the run, who is left out and why; and that a new date alone is no change."""
    await stage.master(*(intake(f"A{n}", f"H{n}") for n in range(1, 6)))
    await stage.take(*(holds(f"A{n}", day(-1), X) for n in range(1, 5)))
    assert (await stage.http.post("/v1/runs", json={"as_of": "2025-12-15"})).json()["title"] == "No market"
    market = await stage.market()
    early = await stage.http.post("/v1/runs", params={"when_files_are_in": True}, json={"as_of": "2025-12-15"})
    assert (early.status_code, early.json()["title"]) == (409, "Files missing")

    lines = written([holds("A1", day(0), X), holds("A2", day(0), X), holds("A3", day(0), lot("X", "90")), holds("A9", day(0))])
    broken = next(n for n, line in enumerate(lines) if line.startswith("L,A2,"))
    lines[broken] = lines[broken].replace(",100,", ",1e2,")
    said = (await stage.upload(lines)).json()
    assert (said["outcome"], said["accounts"], said["quarantined"], said["accounts_without_master"]) == ("accepted", 4, 1, ["A9"])
    (refused,) = said["refused_lines"]
    assert (refused["line"], refused["account_id"], refused["field"]) == (broken + 1, "A2", "quantity")
    assert (said["applied_accounts"], said["changed_accounts"]) == (3, 2)  # A1 is the same on a new date: freshness, no event

    third = await stage.version("A3", 2)
    quarantined = await stage.version("A2", 2)
    assert (quarantined.state, quarantined.lots.quantity) == ("quarantined", ["100"])
    assert quarantined.state_reason == f"day.csv, line {broken + 1}, field quantity: '1e2' is no plain decimal"
    assert [v.version for v in stage.versions("A1")] == [1]

    await stage.book(buy(1, "5", day(0), security_id="ACME"))
    booked = await stage.version("A1", 2)
    run = await stage.run(day(0))
    assert (run["accounts"], run["fresh"]) == (2, True)
    assert run["left_out"] == {"A2": "quarantined", "A4": "stale", "A5": "no_holdings"}
    await eventually(lambda: len(stage.events(MARKET)) == 2, what="run said")
    opened = payload_of(stage.events(MARKET)[1], RunOpened)
    assert (opened.run_id, opened.market_id, opened.as_of) == (run["run_id"], market.market_id, day(0))
    assert [(a.account_id, a.household_id, a.account_version, a.trade_seq, a.excluded) for a in opened.accounts] == [
        ("A1", "H1", booked.version, 1, None),
        ("A2", "H2", 2, 0, "quarantined"),
        ("A3", "H3", third.version, 0, None),
        ("A4", "H4", 1, 0, "stale"),
        ("A5", "H5", 0, 0, "no_holdings"),
    ]
    assert (opened.cutoff_at, opened.files_received_at) == (datetime(2025, 12, 15, 20, 30, tzinfo=UTC), NOW)

    again = await stage.run(day(0))
    assert again == {**run, "fresh": False}
    assert len(stage.events(MARKET)) == 2
    assert 'pma_ingest_run_accounts_left_out{reason="stale"} 1.0' in (await stage.http.get("/metrics")).text
    noon, next_noon = await observed(stage, NOW + timedelta(hours=5)), await observed(stage, NOW + timedelta(days=1, hours=5))
    unusable = {reason: noon("accounts_unusable", reason=reason) for reason in ("quarantined", "stale", "no_holdings")}
    assert unusable == {"quarantined": 1, "stale": 1, "no_holdings": 1}
    assert (noon("accounts"), noon("breaks"), noon("deliveries", state="applied"), noon("deliveries", state="held")) == (5, 0, 2, 0)
    assert (noon("custodians_late"), next_noon("custodians_late")) == (0, 1)

    await stage.take(holds("A2", day(0), X, sequence=2))
    lifted = await stage.version("A2", 3)
    assert (lifted.state, lifted.state_reason) == ("open", None)
    assert len(stage.events(MARKET)) == 2  # on the same lane as what was just said


async def test_holdings_by_message_wait_for_their_master_record(stage: Stage) -> None:
    await stage.market()
    message = CustodyHoldings("north", "A7", day(0), 1, "trade_date", D(50), D(0), [CustodyLot("L1", "ACME", D(3))])
    corrected = replace(message, sequence=2, cash_settled=D(60))
    await stage.holdings(message, corrected)
    assert "account A7 has no master record; send it to POST /v1/accounts" in await stage.reason_parked("A7")
    await eventually(lambda: stage.count("parked_message where key = 'A7'"), what="message kept")
    await stage.master(intake("A7", "H7"))
    assert (await stage.run(day(0)))["left_out"] == {"A7": "parked"}
    (parked,) = (await stage.http.get("/v1/parked")).json()
    assert (parked["key"], parked["subject"], parked["messages"]) == ("A7", "A7", 2)
    redriven = await stage.http.post("/v1/parked/A7/redrive")
    assert redriven.json() == {"applied": 2, "still_parked_because": None}
    assert [(await stage.version("A7", number)).cash_settled for number in (1, 2)] == [D(50), D(60)]
    assert (await stage.http.get("/v1/parked")).json() == []
    assert (await stage.http.post("/v1/parked/A7/redrive")).status_code == 404


async def test_messages_that_can_not_be_trusted_or_applied(stage: Stage) -> None:
    await stage.market()
    await stage.master(intake("A1", "H1"), intake("A2", "H2"), intake("A3", "H3"))
    good = CustodyHoldings("north", "A1", day(0), 1, "trade_date", D(50), D(0), [CustodyLot("L1", "ACME", D(3))])
    short = replace(good, business_date=day(1), lots=[CustodyLot("L1", "ACME", D(-3))])
    unknown = replace(good, account_id="A2", lots=[CustodyLot("L1", "NOBODY", D(3))])
    await stage.holdings(good)
    await stage.version("A1", 1)
    await stage.holdings(good, short, unknown, replace(good, account_id="A3"))
    quarantined = await stage.version("A1", 2)
    assert (quarantined.state, quarantined.lots.quantity) == ("quarantined", ["3"])
    assert "lots[0].quantity: -3" in (quarantined.state_reason or "")
    assert "security NOBODY is not in the security master" in await stage.reason_parked("A2")
    await stage.version("A3", 1)
    await stage.holdings(replace(good, business_date=day(1), sequence=2))
    assert (await stage.version("A1", 3)).state == "open"
    stray = replace(lot("L1", "3"), security_id="NOBODY")
    await stage.take(replace(snapshot(day(1), stray), account_id="A3"))
    assert (await stage.version("A3", 2)).state_reason == "security NOBODY is not in the security master"


async def test_trades_are_booked_on_top_and_found_in_the_next_file(stage: Stage) -> None:
    await stage.market()
    await stage.master(intake("A1", "H1"))
    await stage.take(holds("A1", day(0), X))
    sale = sell(1, "A1-X", "30", day(0), "12", "ACME")
    purchase = buy(2, "50", day(0), "9", "ACME")
    await stage.book(purchase, sale, sale)
    booked = await eventually(lambda: [v for v in stage.versions("A1") if v.trade_seq == 2], what="both trades booked")
    assert dict(zip(booked[0].lots.lot_id, booked[0].lots.quantity, strict=True)) == {"A1-X": "70", "P-t2": "50"}
    assert (booked[0].cash_settled, booked[0].cash_unsettled) == (D(9550), D(360))
    last = booked[0].version
    await stage.take(holds("A1", day(1), lot("X", "70", "700"), lot("C", "50", "450", day(0)), cash="9910"))
    found = await stage.version("A1", last + 1)
    assert (found.aliases, found.breaks, found.trade_seq) == ({"P-t2": "A1-C"}, [], 2)
    assert (found.cash_settled, found.cash_unsettled) == (D(9910), D(0))
    assert (await stage.http.get("/v1/breaks")).json() == {}
    await stage.take(holds("A1", day(2), lot("X", "60", "600"), lot("C", "50", "450", day(0)), cash="9910"))
    await stage.version("A1", last + 2)
    (one,) = (await stage.http.get("/v1/breaks")).json()["A1"]
    assert (one["kind"], one["lot_id"], one["actual"]) == ("lot_smaller_than_trades", "A1-X", "-10")
    await stage.book(replace(purchase, account_id="A9", household_id="H9"))
    assert "account A9 has no master record" in await stage.reason_parked("H9")


async def test_an_account_moves_between_households_and_records_are_judged_one_by_one(stage: Stage) -> None:
    await stage.master(intake("A1", "H1"))
    await stage.take(holds("A1", day(0), X))
    await stage.version("A1", 1)
    records = [intake("A1", "H2"), intake("A2", "H 2"), {"account_id": "A3"}]
    answer = await stage.http.post("/v1/accounts", content=msgspec.json.encode({"accounts": records}), headers={"x-actor": "ann"})
    said = answer.json()
    assert (answer.status_code, said["accepted"]) == (200, 1)
    assert [(r["index"], r["account_id"], r["problems"][0]["field"]) for r in said["refused"]] == [
        (1, "A2", "household_id"),
        (2, None, "record"),
    ]
    await stage.version("A1", 3)
    moves = [e for e in stage.events() if e.type == "pma.account.moved"]
    assert [(e.partitionkey, payload_of(e, AccountMoved)) for e in moves] == [("H1", AccountMoved("A1", "H1", "H2", 2))]
    assert [e.partitionkey for e in stage.events() if e.type == "pma.account.changed"].count("H2") == 1
    edits = await stage.service.pool.fetch("SELECT account_id, actor FROM account_edit ORDER BY edit_id")
    assert [tuple(row) for row in edits] == [("A1", "anonymous"), ("A1", "ann")]
    none_good = await stage.http.post("/v1/accounts", content=msgspec.json.encode({"accounts": records[1:]}))
    assert none_good.status_code == 422
    no_list = await stage.http.post("/v1/accounts", content=b'{"account": []}')
    assert (no_list.status_code, no_list.json()["errors"][0]["field"]) == (422, "accounts")
    await stage.master(intake("A1", "H2"))
    assert [v.version for v in stage.versions("A1")] == [1, 3]


async def test_holdings_may_come_before_the_master_record_and_a_crash_is_finished(fresh_database: str) -> None:
    bus = MemoryBus()
    async with running(fresh_database, bus) as stage:
        said = await stage.take(holds("A1", day(0), X), holds("A2", day(0), X))
        assert (said["outcome"], said["applied_accounts"], said["accounts_without_master"]) == ("accepted", 0, ["A1", "A2"])
        await stage.master(intake("A1", "H1"))
        assert (await stage.version("A1", 1)).lots.quantity == ["100"]
        await stage.take(holds("A1", day(1), X), holds("A2", day(1), X))
        held = await stage.take(holds("A1", day(2), lot("X", "90")))
        assert held["outcome"] == "held"
        # A release whose process died between its two steps: released, not yet applied.
        await stage.service.pool.execute("UPDATE delivery SET state = 'applying' WHERE state = 'held'")
    async with running(fresh_database, bus) as stage:
        assert (await stage.version("A1", 2)).lots.quantity == ["90"]
        assert await stage.count("delivery WHERE state = 'applied'") == 3
        await stage.service.pool.execute("UPDATE delivery SET state = 'applying' WHERE business_date = $1", day(2))
        repeated = await stage.take(holds("A1", day(2), lot("X", "90")))
        assert (repeated["outcome"], repeated["applied_accounts"], repeated["changed_accounts"]) == ("duplicate", 1, 0)


async def test_the_documented_examples_work_together(stage: Stage) -> None:
    """docs/examples, in the order of docs/file-formats.md: accounts, market, holdings, a message, a run."""
    accounts = await stage.http.post("/v1/accounts", content=(EXAMPLES / "accounts.json").read_bytes())
    assert accounts.json() == {"accepted": 3, "refused": []}
    market = await stage.market()
    assert market.securities.security_id == ["ACME", "ACME.B", "BOLT", "CRANE"]
    holdings = await stage.http.post("/v1/files/holdings", content=(EXAMPLES / "holdings.csv").read_bytes())
    assert (holdings.json()["outcome"], holdings.json()["changed_accounts"]) == ("accepted", 3)
    as_json = (EXAMPLES / "holdings.json").read_bytes()
    same = await stage.http.post("/v1/files/holdings", content=as_json, headers={"content-type": "application/json"})
    assert "came before with other content" in same.json()["detail"]
    correction = as_json.replace(b'"sequence": 1', b'"sequence": 2')
    corrected = await stage.http.post("/v1/files/holdings", content=correction, headers={"content-type": "application/json"})
    assert (corrected.json()["outcome"], corrected.json()["changed_accounts"]) == ("accepted", 0)
    await stage.holdings(msgspec.json.decode((EXAMPLES / "custody-holdings-received.json").read_bytes(), type=CustodyHoldings))
    assert len((await stage.version("A0003", 2)).lots.lot_id) == 2
    run = await stage.run(date(2025, 12, 15))
    assert (run["accounts"], run["left_out"]) == (3, {})
    state = (await stage.http.get("/v1/accounts/A0001")).json()
    assert (state["version"], state["intake"]["household_id"]) == (1, "H0001")


async def test_writes_need_the_token_and_health_does_not(fresh_database: str) -> None:
    async with running(fresh_database, token=TOKEN, market=False) as stage:
        writes = [
            "/v1/accounts",
            "/v1/files/holdings",
            "/v1/deliveries/x/release",
            "/v1/market-snapshots",
            "/v1/runs",
            "/v1/parked/x/redrive",
        ]
        for path in writes:
            for headers in ({}, {"authorization": "Bearer wrong"}):
                refused = await stage.http.post(path, json={"as_of": "2025-12-15"}, headers=headers)
                assert (refused.status_code, refused.headers["content-type"]) == (401, PROBLEM), path
                assert refused.headers["www-authenticate"] == "Bearer"
        assert await stage.count("file_part") == 0
        bearer = {"authorization": f"Bearer {TOKEN}"}
        taken = await stage.http.post("/v1/accounts", content=msgspec.json.encode({"accounts": [intake()]}), headers=bearer)
        assert taken.json()["accepted"] == 1
        no_market = await stage.http.post("/v1/market-snapshots", json={"as_of": "2025-12-15"}, headers=bearer)
        assert (no_market.status_code, no_market.json()["title"]) == (409, "No market directory")
        wrong = await stage.http.post("/v1/runs", json={"as_of": "yesterday"}, headers=bearer)
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "body.as_of")
        unknown = await stage.http.get("/v1/accounts/A404")
        assert (unknown.status_code, unknown.json()["title"], unknown.json()["instance"]) == (404, "Unknown account", "/v1/accounts/A404")
        assert (await stage.http.get("/nowhere")).headers["content-type"] == PROBLEM
        assert (await stage.http.get("/healthz")).json() == {"status": "alive"}
        await eventually(lambda: stage.service.ready, what="partitions assigned")
        assert (await stage.http.get("/readyz")).json() == {"status": "ready"}
        metrics = (await stage.http.get("/metrics")).text
        for name in ("consumer_lag_records", "outbox_oldest_age_seconds", "parked_households", "files_total", "runs_total"):
            assert f"pma_ingest_{name}" in metrics
        assert "\npma_ingest_ready 1.0\n" in metrics and "\nprocess_resident_memory_bytes " in metrics
        assert "A1" not in metrics
        paths = json.loads((await stage.http.get("/openapi.json")).text)["paths"]
        assert {"/v1/accounts", "/v1/files/holdings", "/v1/runs"} <= set(paths)
