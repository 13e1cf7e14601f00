"""The tax year over HTTP, on a real PostgreSQL: what the ledger knows, and what a body adds for one answer."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest

from tests.integration.test_wash_sale_service import LOSS, OLD, Stage, market, running
from tests.unit.wash_sale.samples import account, buy, day

YEAR = "/v1/households/H1/tax-years/2025"
BODY = {
    "returns": [
        {
            "taxpayers": ["T1"],
            "filing_status": "single",
            "years": {
                "2025": {
                    "income": {"ordinary_taxable_income": "100000", "magi": "120000", "investment_income": "0"},
                    "short_carryover_in": "0",
                    "long_carryover_in": "2500",
                }
            },
        }
    ],
    "prices": {"XB": "70"},
}


@pytest.fixture
async def stage(fresh_database: str) -> AsyncIterator[Stage]:
    async with running(fresh_database) as one:
        yield one


async def answered(stage: Stage, body: Any = None) -> dict[str, Any]:
    answer = await (stage.http.get(YEAR) if body is None else stage.http.post(YEAR, json=body))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_year_of_a_household(stage: Stage) -> None:
    """1,000 of long loss, of which 60 of 100 shares were bought back three days later, in another class of the issuer."""
    await stage.say(market(), account(lots=[OLD]), LOSS, buy("t", 2, day(5), "60", "2400", security_id="XB"))

    known = (await answered(stage))["returns"][0]
    row = known["form_8949"][0]
    assert (row["code"], row["adjustment"], row["gain"], row["certainty"]) == ("W", "600.00", "-400.00", "provisional")
    assert row["provisional_until"] == day(31).isoformat()
    assert (known["estimate"], known["no_estimate_because"]) == (None, "income not stated")

    stated = (await answered(stage, BODY))["returns"][0]
    assert (stated["filing_status"], stated["netting"]["total"], stated["netting"]["deduction"]) == ("single", "-2900.00", "2900.00")
    assert stated["estimate"]["tax_on_gains"] == "-638.00", "2,900 at 22 of a hundred"

    table = await stage.http.get(f"{YEAR}/schedule_d.csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert "H1,T1,16,Lines 7 and 15 combined,,,,-400.00" in table.text.splitlines()


async def test_a_calculation_on_given_figures(stage: Stage) -> None:
    asked = {"filing_status": "mfs", "magi": "140000", "net_investment_income": "90000"}
    assert (await stage.http.post("/v1/calculations", json=asked)).json() == {"niit": "570.00"}


async def test_gift_candidates_as_csv_with_the_prices_of_the_body(stage: Stage) -> None:
    await stage.say(market(), account(lots=[OLD]))
    found = await stage.http.post(f"{YEAR}/gift_candidates.csv", json={**BODY, "prices": {"XA": "70"}})
    assert (found.status_code, found.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    header, row = found.text.splitlines()
    assert dict(zip(header.split(","), row.split(","), strict=True))["gain_avoided"] == "2000.00"


async def test_histories_are_replayed_as_by_the_command(stage: Stage) -> None:
    bought = {
        "seq": 1,
        "date": "2025-01-02",
        "action": "buy",
        "account": "A",
        "security": "X",
        "quantity": 10,
        "cost": 100.10,
        "lot_id": "L",
    }
    history = {"id": "h", "lot_method": "fifo", "accounts": [{"id": "A", "owner": "A", "type": "taxable"}], "transactions": [bought]}
    wrong = {**history, "id": "w", "transactions": [{**bought, "quantity": "-1"}]}
    found = (await stage.http.post("/v1/calculations/histories", json=[history, wrong])).json()
    assert (found[0]["id"], found[0]["lots"][0]["adjusted_basis"]) == ("h", "100.10")
    assert (found[1]["id"], found[1]["error"]["field"]) == ("w", "quantity")


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        pytest.param(YEAR.replace("H1", "H9"), None, 404, "H9", id="an unknown household"),
        pytest.param(YEAR, {"prices": {"XB": "-1"}}, 422, "tax.prices.XB: -1 is negative", id="a negative price"),
        pytest.param(YEAR, {"returns": [{"taxpayers": ["T9"]}]}, 422, "tax.returns[0].taxpayers: T9", id="a stranger"),
        pytest.param(YEAR, "{", 422, "not JSON", id="no JSON"),
        pytest.param("/v1/calculations", {"magi": "x"}, 422, "magi: 'x' is not a plain decimal", id="no number"),
        pytest.param("/v1/calculations", "{", 422, "not JSON", id="no JSON to calculate with"),
        pytest.param("/v1/calculations/histories", "{", 422, "not JSON", id="no JSON to replay"),
        pytest.param("/v1/calculations/histories", {"transactions": [{}] * 2001}, 413, "2001 transactions", id="too much to replay"),
    ],
)
async def test_what_can_not_be_answered(stage: Stage, path: str, body: Any, status: int, said: str) -> None:
    await stage.say(account(lots=[OLD], business_date=date(2025, 1, 2)))
    if body is None:
        answer = await stage.http.get(path)
    elif isinstance(body, str):
        answer = await stage.http.post(path, content=body)
    else:
        answer = await stage.http.post(path, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.text
