"""An intake from a file, with the files that it names; and the lines of a document's members."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.optimizer.account_file_reader import line_of
from services.optimizer.transition.client_form import StateRates
from services.optimizer.transition.intake_file import read_intake
from services.optimizer.transition.lines import Lines

TABLE = "ticker,acquired,shares,cost per share\nACORN,2019-03-04,100,12.5\nBOLT,2019-03-04,,4\n"
LOT = {"ticker": "ACORN", "acquired": "2019-03-04", "shares": "100", "cost_per_share": "12.50"}


def written(directory: Path, document: dict[str, Any], **files: str) -> Path:
    for name, text in files.items():
        (directory / f"{name}.csv").write_text(text)
    path = directory / "intake.json"
    path.write_text(json.dumps(document))
    return path


def test_lots_and_state_rates_beside_the_form(tmp_path: Path) -> None:
    document = {"cash": 5, "lots_file": "lots.csv", "state": "ny", "state_rates_file": "states.csv", "state_rates": []}
    read = read_intake(written(tmp_path, document, lots=TABLE, states="state,short_rate,long_rate\nCA,9.3%,9.3%\nNY,0.0685,6.85%\n"))
    assert [(each.line, each.field) for each in read.faults] == [(3, "lots[1].shares")]
    assert [lot.ticker for lot in read.form.lots] == ["ACORN"]
    assert read.form.state_rates == (
        StateRates("CA", Decimal("0.093"), Decimal("0.093")),
        StateRates("NY", Decimal("0.0685"), Decimal("0.0685")),
    )


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"lots_file": "nowhere.csv"}, "lots_file"),
        ({"lots_file": "a\0b"}, "lots_file"),
        ({"lots_file": "lots.csv", "lots": [LOT]}, "lots_file"),
        ({"state_rates_file": "nowhere.csv"}, "state_rates_file"),
        ({"state_rates_file": "lots.csv"}, "state_rates_file"),
    ],
)
def test_a_file_that_can_t_be_used_is_marked_and_the_rest_kept(tmp_path: Path, document: dict[str, Any], field: str) -> None:
    read = read_intake(written(tmp_path, {"cash": 5, **document}, lots=TABLE))
    assert [each.field for each in read.faults] == [field]
    assert read.form.cash == 5


def test_a_market_may_be_named_offline(tmp_path: Path) -> None:
    assert read_intake(written(tmp_path, {"market": "mine"})).form.market == "mine"
    (tmp_path / "lots.csv").write_text("market,mine\nlots_file,other.csv\n\n" + TABLE)
    read = read_intake(tmp_path / "lots.csv")
    assert read.form.market == "mine"
    assert [(each.line, each.field) for each in read.faults] == [(2, "lots_file"), (6, "lots[1].shares")]


def test_a_file_that_is_not_there_is_one_fault(tmp_path: Path) -> None:
    (fault,) = read_intake(tmp_path / "nowhere.json").faults
    assert "can't be read" in fault.message


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abc"), st.one_of(st.integers(), st.text(), st.lists(st.integers(), max_size=2)), max_size=3),
        max_size=4,
    ),
    st.sampled_from([None, 0, 1, 3]),
)
def test_a_member_is_found_on_the_same_line_as_by_reading_from_the_start(lots: list[dict[str, Any]], indent: int | None) -> None:
    text = json.dumps({"x": {"lots": 1}, "lots": lots, "cash": 5}, indent=indent)
    lines = Lines(text)
    places = ["cash", "lots", "nowhere", *(f"lots[{n}]" for n in range(len(lots)))]
    places += [f"lots[{n}].{name}" for n, lot in enumerate(lots) for name in lot]
    assert [lines(place) for place in places] == [line_of(text, place) for place in places]
