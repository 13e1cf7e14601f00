"""Calculations on given figures: what is wrong is said by its field, and the command answers the others."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.wash_sale.__main__ import main
from services.wash_sale.core.calculations import BadInputs, calculate

SPIN_OFF = {"op": "spinoff", "lots": [{"quantity": "10", "basis": "5"}], "parent_price": "1", "spun_price": "1", "spun_per_parent": "1"}
GIFT = {"year": "2025", "agi": "100000", "basis": "10", "fmv": "20", "term": "long"}


@pytest.mark.parametrize(
    ("inputs", "field", "detail"),
    [
        pytest.param([], "", "an object is wanted", id="no object"),
        pytest.param({"unheard": "1"}, "", "no calculation has these members", id="no calculation"),
        pytest.param({"op": "poison_pill"}, "op", "'poison_pill': known are", id="an unknown action"),
        pytest.param({**SPIN_OFF, "spun_per_parent": "0"}, "spun_per_parent", "not more than zero", id="a ratio of zero"),
        pytest.param(
            {**SPIN_OFF, "lots": [{"quantity": "-1", "basis": "5"}]}, "lots[0].quantity", "not more than zero", id="negative shares"
        ),
        pytest.param({**SPIN_OFF, "lots": [{"quantity": "1"}]}, "lots[0].basis", "needed", id="a basis that is missing"),
        pytest.param({**SPIN_OFF, "lots": 5}, "lots", "a list is needed", id="no list"),
        pytest.param({"op": "allocate_fmv", "basis": "1"}, "fmv", "amounts by name", id="no values"),
        pytest.param({"op": "allocate_fmv", "basis": "1", "fmv": {"a": "0", "b": "0"}}, "fmv", "not more than zero", id="worthless both"),
        pytest.param({**SPIN_OFF, "parent_price": "0", "spun_price": "0"}, "parent_price", "not more than zero", id="a worthless spin-off"),
        pytest.param({"op": "rights", "basis": "1", "stock_fmv": "0", "rights_fmv": "0"}, "stock_fmv", "than zero", id="worthless rights"),
        pytest.param({"op": "roc_sequence", "basis": "1", "distributions": ["x"]}, "distributions[0].amount", "'x'", id="no amount"),
        pytest.param({"op": "cash_merger", "basis": "1", "cash": "2", "acquired": "2025-02-30"}, "acquired", "2025-02-30", id="no date"),
        pytest.param({"st_loss": "-5"}, "st_loss", "less than zero", id="a negative loss"),
        pytest.param({"st_raw_loss": "5", "st_disallowed": "6"}, "st_disallowed", "more than the loss", id="more denied than lost"),
        pytest.param({"st_loss": "5", "filing_status": "widow"}, "filing_status", "single, mfj, mfs, hoh", id="an unknown status"),
        pytest.param({"year": "2024", "net_capital_gain": "1"}, "year", "possible: 2025, 2026", id="a year without figures"),
        pytest.param({"year": "2025.5", "net_capital_gain": "1"}, "year", "not a year", id="half a year"),
        pytest.param({"magi": "1"}, "net_investment_income", "needed", id="half of NIIT"),
        pytest.param({**GIFT, "donee": "private_foundation"}, "donee", "possible: public_charity", id="another donee"),
        pytest.param({**GIFT, "hp_date": "2025-01-02", "donated": "2025-06-02"}, "term", "by the days it is short", id="a wrong term"),
        pytest.param({"security_type": "etf", "requested_method": "best"}, "requested_method", "'best'", id="an unknown method"),
        pytest.param({"ex_date": "2025-07-14"}, "acquired", "needed", id="no day of purchase"),
    ],
)
def test_what_is_wrong_is_said_by_its_field(inputs: Any, field: str, detail: str) -> None:
    found = calculate(inputs)
    assert isinstance(found, BadInputs)
    assert found.field == field
    assert detail in found.detail


@pytest.mark.parametrize(
    ("inputs", "figure", "value"),
    [
        pytest.param({**GIFT, "year": "2026", "marginal_rate": "0.37", "fmv": "10000"}, "tax_saved", "3325.00", id="7.2 the cap of 35"),
        pytest.param({"op": "split", "quantity": "10", "basis": "100", "ratio": "3:2"}, "basis_per_share", "6.67", id="a ratio of two"),
        pytest.param(
            {"donor_basis": "1", "fmv_at_gift": "2", "fmv_at_death": "9", "months_between": "2", "beneficiary": "the donor's spouse"},
            "basis",
            "1.00",
            id="1014(e) reaches the donor's spouse",
        ),
        pytest.param({"security_type": "common_stock", "requested_method": "fifo"}, "allowed", "True", id="5.1 FIFO for anything"),
    ],
)
def test_figures_beside_the_cases(inputs: dict[str, Any], figure: str, value: str) -> None:
    found = calculate(inputs)
    assert not isinstance(found, BadInputs), found
    assert str(round(found[figure], 2) if figure != "allowed" else found[figure]) == value


def test_the_command_answers_what_it_can(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = [
        {"id": "good", "inputs": {"magi": "230000", "net_investment_income": "50000"}},
        {"id": "history", "transactions": [{"seq": 1}]},
        {"id": "bad", "inputs": {"magi": "much"}},
        "neither",
    ]
    (tmp_path / "in.json").write_text(json.dumps(entries))
    assert main(["calculate", str(tmp_path / "in.json")]) == 1
    out, err = capsys.readouterr()
    answers = json.loads(out)
    assert [each["id"] for each in answers] == ["good", "bad", "2"]
    assert answers[0]["answer"] == {"niit": "1140.00"}
    assert answers[1]["error"]["field"] == "magi"
    assert [line.split(":")[0] for line in err.splitlines()] == ["bad", "2"]


def test_a_file_that_is_none(tmp_path: Path) -> None:
    assert main(["calculate", str(tmp_path / "none.json")]) == 2


def test_a_file_nested_without_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "deep.json"
    file.write_text("[" * 100_000)
    for command in (["calculate"], ["replay"], ["tax-year", "--year", "2025", "--out", str(tmp_path)]):
        assert main([*command, str(file)]) == 2
        assert "recursion" in capsys.readouterr().err


def test_a_day_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["tax-year", "x.json", "--year", "2025", "--out", str(tmp_path), "--as-of", "2025-02-30"])
    assert "'2025-02-30' is not a date such as 2026-04-10" in capsys.readouterr().err
