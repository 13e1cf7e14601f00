"""wash_sale asked before and after: intended trades, certainty, what was known when, the custodian's basis; on a real PostgreSQL."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from libs.common.events import from_record, payload_of
from libs.common.schemas.ledger import LotTold
from libs.common.topics import LEDGERS
from services.wash_sale import store
from services.wash_sale.catch_up import LedgersSaid
from services.wash_sale.core.household import HouseholdLedger
from tests.integration.test_wash_sale_service import LOSS, NOW, OLD, Stage, market, stage
from tests.unit.wash_sale.samples import account, bust, buy, day, lot

__all__ = ["stage"]  # the running service, as a fixture

D = Decimal
RECENT = lot("L2", "XB", "40", "1600", day(-9))


async def posted(stage: Stage, path: str, body: Any) -> Any:
    answer = await stage.http.post(f"/v1/households/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def selling(quantity: str, price: str, lots: dict[str, str] | None = None) -> dict[str, Any]:
    chosen = None if lots is None else [{"lot_id": lot_id, "quantity": part} for lot_id, part in lots.items()]
    return {"account_id": "A1", "security_id": "XA", "side": "sell", "quantity": quantity, "price": price, "lots": chosen}


async def test_intended_trades_are_judged_and_not_booked(stage: Stage) -> None:
    await stage.say(market(), account(lots=[OLD]), account("A2", [RECENT], account_type="roth_ira"))
    asked = {"as_of": day(3).isoformat(), "trades": [selling("100", "40", {"L1": "100"}), selling("101", "40")]}
    found = await posted(stage, "H1/intended-trades", asked)
    sale, too_much = found["trades"]
    assert (sale["gain"], sale["denied"], sale["permanently_denied"]) == ("-1000.00", "400.00", "400.00")
    assert [(w["replacement_account_id"], w["replacement_lot_id"]) for w in sale["washes"]] == [("A2", "L2")]
    assert sale["first_free_day"] == day(22).isoformat()
    assert (sale["certain"]["certainty"], sale["certain"]["until"]) == ("provisional", day(33).isoformat())
    assert (await stage.get("H1/windows"))["certain"] == {"certainty": "confirmed", "until": None, "why": ""}
    assert "oversold_position" in too_much["refusal"]
    assert (await posted(stage, "H1/intended-trades", asked)) == found
    assert (await stage.get("H1/sales"))["sales"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"trades": []},
        {"trades": [{**selling("1", "1"), "quantity": "0"}]},
        {"trades": [{**selling("1", "1"), "side": "short"}]},
        {"trades": [{**selling("1", "1"), "leverage": "3"}]},
    ],
)
async def test_a_list_that_makes_no_sense_is_refused(stage: Stage, body: Any) -> None:
    await stage.say(market(), account(lots=[OLD]))
    answer = await stage.http.post("/v1/households/H1/intended-trades", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


async def test_a_sale_says_how_certain_it_is(stage: Stage) -> None:
    await stage.say(market(), account(lots=[OLD]), LOSS)
    assert (await stage.get("H1/sales"))["certainties"] == [
        {"trade_id": "s", "lot_id": "L1", "certainty": "provisional", "until": day(31).isoformat(), "why": "window_open"}
    ]
    await stage.say(account(lots=[], version=2, trade_seq=1, business_date=day(40)))
    (certainty,) = (await stage.get("H1/sales"))["certainties"]  # type: ignore[misc]
    assert certainty["certainty"] == "confirmed"  # type: ignore[index]


async def test_a_correction_restates_a_past_sale_and_the_old_view_stays(stage: Stage) -> None:
    purchase = buy("t", 2, day(5), "60", "2400", security_id="XB")
    await stage.say(market(), account(lots=[OLD]), LOSS, purchase)
    pinned = await stage.ledger(3)
    await stage.say(bust("b", 3, purchase))
    changes = await stage.get("H1/changes?since_version=3")
    (restated,) = changes["restated"]  # type: ignore[misc]
    assert (restated["before"]["disallowed"], restated["after"]["disallowed"]) == ("600.00", "0")  # type: ignore[index]
    assert changes["securities"] == ["XA", "XB"]
    assert [lot["lot_id"] for lot in changes["lots"]] == ["P-t"]  # type: ignore[attr-defined]
    assert (changes["from_version"], changes["to_version"]) == (3, 4)
    *_, event = stage.restated()
    assert (event.first_version, event.from_version, event.to_version, event.securities) == (3, 3, 4, ["XA", "XB"])
    assert [(s.before.disallowed, s.after.disallowed) for s in event.sales if s.before and s.after] == [(D(600), D(0))]

    then = await stage.get(f"H1/ledger?known_at={NOW.isoformat().replace('+00:00', 'Z')}")
    assert then["version"] == 4
    before = NOW - timedelta(seconds=1)
    nothing = await stage.http.get("/v1/households/H1/ledger", params={"known_at": before.isoformat()})
    assert nothing.status_code == 404
    unknown = await stage.http.get("/v1/households/H1/changes", params={"since_version": 99})
    assert unknown.status_code == 404
    assert pinned.version == 3


async def test_the_custodians_basis_beside_ours(stage: Stage) -> None:
    bought = lot("L9", "XA", "100", "4100", day(5))
    await stage.say(market(), account(lots=[OLD]), account("A2"), LOSS)
    await stage.say(account("A2", [bought], version=2, business_date=day(6)))
    found = await stage.get("H1/custodian-basis")
    accounts: Any = found["accounts"]
    assert [(d["lot_id"], d["custodian_basis"], d["ledger_basis"], d["cause"], d["explained_by"]) for d in accounts["A2"]] == [
        ("L9", "4100", "5100.00", "wash_across_accounts", ["s"])
    ]
    corrected = replace(bought, cost_basis=D("5100"))
    await stage.say(account("A2", [corrected], version=3, business_date=date(2025, 1, 9)))
    assert (await stage.get("H1/custodian-basis"))["accounts"]["A2"] == []  # type: ignore[index]
    every: Any = (await stage.get("H1/custodian-basis?every_lot=true"))["accounts"]
    assert [(d["custodian_basis"], d["ledger_basis"], d["cause"]) for d in every["A2"]] == [("5100", "5100.00", "agrees")]


async def test_a_basis_told_late_restates_the_sale_and_survives_the_next_file(stage: Stage) -> None:
    unknown = replace(OLD, cost_basis=None, acquired=None)
    await stage.say(market(), account(lots=[unknown]), LOSS)
    assert (await stage.ledger(2)).sales[0].raw_gain is None
    path = "/v1/households/H1/accounts/A1/lots/L1/origin"
    answer = await stage.http.put(path, json={"how": "purchase", "acquired": "2023-11-29", "cost": "5000"}, headers={"X-Actor": "ann"})
    assert answer.status_code == 200, answer.text
    assert [(row.raw_gain, row.term) for row in (await stage.ledger(3)).sales] == [(D(-1000), "long")]
    changes = await stage.get("H1/changes?since_version=2")
    assert [c["before"]["raw_gain"] for c in changes["restated"]] == [None]  # type: ignore[attr-defined]

    refused = await stage.http.put(path, json={"how": "purchase", "acquired": day(2).isoformat(), "cost": "5000"})
    assert (refused.status_code, refused.json()["code"]) == (409, "sale_before_purchase")
    assert (await stage.http.put(path, json={"how": "theft"})).status_code == 422
    assert (
        await stage.http.put(path.replace("H1", "H9"), json={"how": "inheritance", "died_on": "2025-01-01", "fmv": "1"})
    ).status_code == 404


async def test_shares_given_away_are_told_and_the_account_agrees_again(stage: Stage) -> None:
    await stage.say(market(), account(lots=[OLD]), account(lots=[replace(OLD, quantity=D(70))], version=2, business_date=day(2)))
    assert (await stage.ledger(2)).accounts[0].disagreements == ["L1"]
    path = "/v1/households/H1/accounts/A1/lots/L1/departures"
    left = {"day": day(1).isoformat(), "quantity": "30", "why": "gift"}
    assert (await stage.http.post(path, json=left)).status_code == 201
    third = (await stage.ledger(3)).accounts[0]
    assert (third.disagreements, third.lots.quantity, third.lots.tax_basis) == ([], ["70"], ["3500"])
    refused = await stage.http.post(path, json={**left, "quantity": "71"})
    assert (refused.status_code, refused.json()["code"]) == (409, "oversold_lot")
    unknown = await stage.http.post(path.replace("L1", "L9"), json=left)
    assert (unknown.status_code, unknown.json()["code"]) == (409, "unknown_lot")


DONATED = {"day": day(1).isoformat(), "quantity": "30", "why": "gift", "fmv": "1800", "donee": "public_charity"}
OWN_RETURN = {"taxpayers": ["T1"], "filing_status": "single", "years": {"2025": {"charity": {"agi": "100000"}}}}


async def test_a_donation_that_is_told_enters_the_tax_year(stage: Stage) -> None:
    await stage.say(market(), account(lots=[OLD]), account(lots=[replace(OLD, quantity=D(70))], version=2, business_date=day(2)))
    path = "/v1/households/H1/accounts/A1/lots/L1/departures"
    assert (await stage.http.post(path, json={**DONATED, "why": "transfer"})).status_code == 422
    assert (await stage.http.post(path, json=DONATED)).status_code == 201
    year = await posted(stage, "H1/tax-years/2025", {"returns": [OWN_RETURN]})
    (report,) = year["returns"]
    (given,) = report["charity"]["lots"]
    assert [given[name] for name in ("quantity", "basis", "value", "term", "donee")] == ["30", "1500.00", "1800", "long", "public_charity"]
    assert D(report["charity"]["deducted"]["deduction"]) == 1800


async def test_what_was_told_is_an_event_and_is_taken_again_after_a_restore(stage: Stage) -> None:
    await stage.say(market(), account(lots=[OLD, replace(RECENT, cost_basis=None)]))
    backup = await facts_of(stage)
    lots = "/v1/households/H1/accounts/A1/lots"
    assert (
        await stage.http.put(f"{lots}/L2/origin", json={"how": "inheritance", "died_on": "2024-11-01", "fmv": "900"})
    ).status_code == 200
    assert (await stage.http.post(f"{lots}/L1/departures", json=DONATED)).status_code == 201
    assert (await stage.http.post(f"{lots}/L1/departures", json=DONATED)).status_code == 201, "the same again is told once"
    told = await facts_of(stage)
    assert told != backup

    events = [from_record(record.key, record.value, record.headers) for record in stage.bus.log(LEDGERS)]
    said = [event for event in events if event.type == "pma.lot.told"]
    assert len(said) == 2
    adoption = LedgersSaid()
    async with stage.service.unit("background", "restored") as unit:
        await store.Households().save(unit.connection, [store.Changed(backup, day(0), frozenset({"A1"}))])
        for event in [*said, *reversed(said)]:
            await adoption.adopt(unit.connection, event, payload_of(event, LotTold))
        assert await adoption.finish(unit) == []
    assert await facts_of(stage) == told
    async with stage.service.unit("background", "restored without its account") as unit:
        await store.Households().save(unit.connection, [store.Changed(HouseholdLedger("H1"), day(0), frozenset())])
        assert [text.partition(":")[0] for text in await adoption.finish(unit)] == [
            "tell again of lot L2 of account A1",
            "tell again of lot L1 of account A1",
        ]


async def facts_of(stage: Stage) -> HouseholdLedger:
    facts = await store.load_facts(stage.service.pool, "H1")
    assert facts is not None
    return facts


async def test_another_identity_group_holds_from_its_snapshot_on(stage: Stage) -> None:
    purchase = buy("t", 2, day(2), "100", "4100", security_id="XB")
    await stage.say(market("M1", day(0)), account(lots=[OLD]), LOSS, purchase)
    assert [row.disallowed for row in (await stage.ledger(3)).sales] == [D(1000)]
    parted = market("M2", day(3))
    await stage.say(replace(parted, securities=replace(parted.securities, identity_group=["X", "B"])))
    await stage.say(buy("u", 3, day(4), "10", "410", security_id="XB"))
    fourth = await stage.ledger(4)
    assert [row.disallowed for row in fourth.sales] == [D(1000)]
    assert [(w.identity_group, w.security_ids) for w in fourth.blocked_loss_sales] == [("B", ["XB"])]
