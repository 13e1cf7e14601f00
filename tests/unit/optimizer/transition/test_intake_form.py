"""The form: the samples as they ship, each wrong field marked with its line, everything else kept."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.optimizer.transition.client_form import Elsewhere, OutsideAsset, PlacedAccount, StateRates, WindDownWish
from services.optimizer.transition.form import read_form
from services.optimizer.transition.short_form import read_csv

EXAMPLES = Path(__file__).parents[4] / "docs/examples/transition"
LOT = {"ticker": "ACORN", "acquired": "2019-03-04", "shares": "100", "cost_per_share": "12.50"}


@pytest.mark.parametrize("name", ["seasoned.json", "concentrated.json", "cash.json", "legacy_funds.json", "lots.csv"])
def test_the_samples_have_no_fault(name: str) -> None:
    body = (EXAMPLES / name).read_bytes()
    read = read_csv(body) if name.endswith(".csv") else read_form(body)
    assert read.faults == []
    assert read.form.lots
    assert read.form.client_name


def test_every_part_of_a_form_is_read() -> None:
    form = read_form((EXAMPLES / "concentrated.json").read_bytes()).form
    assert form.wind_down == (WindDownWish(form.lots[0].ticker, Decimal("0.05"), 4, Decimal("0.12")),)
    assert form.outside == (OutsideAsset("A house", Decimal(1250000)),)
    assert [each.bought for each in form.owned_elsewhere] == [date(2026, 11, 6)]
    assert form.charity == 60000
    assert read_form((EXAMPLES / "seasoned.json").read_bytes()).form.state_rates == (StateRates("CA", Decimal("0.093"), Decimal("0.093")),)
    assert PlacedAccount("roth_ira", Decimal(120000)) in read_form((EXAMPLES / "legacy_funds.json").read_bytes()).form.accounts


def test_texts_with_colons_are_the_same_parts() -> None:
    given = {
        "wind_down": "acorn: 5%: 3: 2%",
        "owned_elsewhere": "BOLT: 2026-11-01, CRANE",
        "accounts": "roth ira: 5000",
        "state_rates": "ca:9%:9%",
    }
    read = read_form(given)
    assert read.faults == []
    assert read.form.wind_down == (WindDownWish("ACORN", Decimal("0.05"), 3, Decimal("0.02")),)
    assert read.form.owned_elsewhere == (Elsewhere("BOLT", date(2026, 11, 1)), Elsewhere("CRANE", None, 1))
    assert read.form.accounts == (PlacedAccount("roth_ira", Decimal(5000)),)
    assert read.form.state_rates == (StateRates("CA", Decimal("0.09"), Decimal("0.09")),)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"cash": "many"}, "cash"),
        ({"cash": -5}, "cash"),
        ({"cash": True}, "cash"),
        ({"carried_short_loss": "1e7"}, "carried_short_loss"),
        ({"charity": "-5"}, "charity"),
        ({"te_target": "-0.05"}, "te_target"),
        ({"state": "California"}, "state"),
        ({"state_rates": [{"state": "Ohio", "short_rate": 0, "long_rate": 0}]}, "state_rates[0].state"),
        ({"cash": "1e400"}, "cash"),
        ({"short_rate": "408"}, "short_rate"),
        ({"tax_budget": [1]}, "tax_budget"),
        ({"filing_status": "alone"}, "filing_status"),
        ({"client_name": {"first": "Ada"}}, "client_name"),
        ({"as_of": "soon"}, "as_of"),
        ({"exclude": 5}, "exclude"),
        ({"exclude": [5]}, "exclude[0]"),
        ({"timelines": [3, "x"]}, "timelines[1]"),
        ({"timelines": [40]}, "timelines[0]"),
        ({"risk_score": 101}, "risk_score"),
        ({"risk_aversion": 0}, "risk_aversion"),
        ({"wind_down": [{"ticker": "ACORN", "years": 1.5}]}, "wind_down[0].years"),
        ({"wind_down": [7]}, "wind_down[0]"),
        ({"accounts": [{"kind": "sock", "value": 5}]}, "accounts[0].kind"),
        ({"accounts": [{"kind": "roth_ira"}]}, "accounts[0].value"),
        ({"owned_elsewhere": [{"bought": "2026-01-01"}]}, "owned_elsewhere[0].ticker"),
        ({"state_rates": [{"state": "CA"}]}, "state_rates[0].short_rate"),
        ({"colour": "blue"}, "colour"),
        ({"market": "/etc"}, "market"),
        ({"lots_file": "/etc/passwd"}, "lots_file"),
        ({"state_rates_file": "/etc/passwd"}, "state_rates_file"),
        ({"lots": [LOT, 7]}, "lots[1]"),
        ({"lots": [LOT, {**LOT, "shares": None}]}, "lots[1].shares"),
        ({"lots": [LOT, {**LOT, "cost_per_share": None}]}, "lots[1].cost_per_share"),
        ({"lots": [LOT, {**LOT, "shares": [3]}]}, "lots[1].shares"),
        ({"lots": [LOT, {**LOT, "acquired": "2019-02-30"}]}, "lots[1].acquired"),
        ({"lots": [LOT, {**LOT, "broker": "x"}]}, "lots[1].broker"),
    ],
)
def test_a_wrong_field_is_marked_with_its_line_and_everything_else_is_kept(wrong: dict[str, Any], field: str) -> None:
    document = {"client_name": "Ada Example", "strategy": "core-equity", "income": 90000, "lots": [LOT], **wrong}
    text = json.dumps(document, indent=1)
    read = read_form(text.encode())
    assert [each.field for each in read.faults] == [field]
    (fault,) = read.faults
    member = field.rpartition(".")[2].partition("[")[0]
    assert (
        f'"{member}"' in text.splitlines()[fault.line - 1] or field.endswith("]") or "missing" in fault.message or "needed" in fault.message
    )
    assert 1 <= fault.line <= len(text.splitlines())
    assert fault.message and fault.remedy
    assert [(each.what, each.why) for each in read.form.left_out if fault.message in each.why] == [
        (each.what, each.why) for each in read.form.left_out
    ]
    assert len(read.form.left_out) == 1
    assert read.form.market == ""
    assert (read.form.strategy, read.form.income, read.form.lots[0].ticker) == ("core-equity", 90000, "ACORN")


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"wind_down": [{"ticker": "ACORN", "to": "-0.05"}]}, "Give at least 0 and at most 100%, such as 5% or 0.05"),
        ({"te_target": -1}, "Give at least 0 and at most 100%, such as 1% or 0.01"),
        ({"growth": "fast"}, "Give at least 0 and at most 100%, such as 6% or 0.06"),
        ({"timelines": ["x"]}, "Write a whole number from 1 to 10"),
        ({"risk_score": 0}, "Write a whole number from 1 to 100"),
        ({"cash": "1e7"}, "Write it in digits, as 1234.56"),
        ({"state": "California"}, "Give its two letters, such as CA"),
    ],
)
def test_a_remedy_is_one_for_its_field(wrong: dict[str, Any], remedy: str) -> None:
    (fault,) = read_form({"lots": [LOT], **wrong}).faults
    assert fault.remedy == remedy


def test_a_number_with_an_exponent_is_told_so() -> None:
    (fault,) = read_form({"carried_short_loss": "1e7"}).faults
    assert fault.message == "'1e7' is written with an exponent"
    assert read_form('{"carried_short_loss": 1e7}').form.year.carried_short_loss == 10_000_000


def test_what_is_left_out_never_tells_the_clients_name() -> None:
    read = read_form({"client_name": "Ada Example", "ada_example": 5, "cash": "Ada Example", "colour": "red"})
    assert [each.field for each in read.faults] == ["ada_example", "colour", "cash"]
    assert "ada" not in repr(read.form.left_out).lower()
    assert len(read.form.left_out) == 3


def test_the_line_of_a_lot_is_its_own() -> None:
    text = json.dumps({"lots": [LOT, {**LOT, "shares": "-1"}]}, indent=1)
    (fault,) = read_form(text).faults
    assert '"-1"' in text.splitlines()[fault.line - 1]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"cash": 1,}',
        b"[" * 100_000,
        b'{"cash": ' + b"9" * 5000 + b"}",
        b"\xff\xfe{",
        b'{"cash": NaN',
        b"\x00\x01\x02",
    ],
)
def test_what_is_no_form_is_one_fault(body: bytes) -> None:
    read = read_form(body)
    assert len(read.faults) == 1
    assert read.form.lots == ()


def test_a_form_in_utf_16_is_read() -> None:
    assert read_form('{"client_name": "Zoë"}'.encode("utf-16")).form.client_name == "Zoë"
