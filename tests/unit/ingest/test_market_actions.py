"""The table of corporate actions: reorganizations as the ledger takes them, and terms with two meanings refused with their line."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from libs.common.errors import BadInput
from libs.common.schemas.market import Reorganization
from services.ingest.core.market_inputs import Action
from services.ingest.market_actions import read_actions

D = Decimal
DAY = date(2026, 3, 2)
HEAD = "security_id,ex_date,kind,value,new_security_id,cash_per_share,new_price,parent_price\n"
IDS = ["A", "B", "C"]


def table(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "corporate_actions.csv"
    path.write_text(HEAD + "".join(f"{line}\n" for line in lines))
    return path


def test_every_kind_is_read(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "A,2026-03-02,merger,0.5,B,3.25,40,",
        "A,2026-02-02,spin_off,0.25,C,,20,95",
        "B,2026-03-02,cash_in_lieu,40.5,,,,",
        "C,2026-03-03,cash_merger,21,,,,",
        "B,2026-03-04,return_of_capital,0.75,,,,",
    )
    actions, reorganizations = read_actions(path, IDS)
    assert reorganizations == (
        Reorganization("A", date(2026, 2, 2), "spin_off", "C", D("0.25"), None, D(20), D(95)),
        Reorganization("A", DAY, "merger", "B", D("0.5"), D("3.25"), D(40)),
        Reorganization("B", DAY, "cash_in_lieu", cash_per_share=D("40.5")),
        Reorganization("C", date(2026, 3, 3), "cash_merger", cash_per_share=D(21)),
        Reorganization("B", date(2026, 3, 4), "return_of_capital", cash_per_share=D("0.75")),
    )
    assert actions == (  # what explains a fall of the price
        Action("A", date(2026, 2, 2), "dividend", D(5)),
        Action("B", date(2026, 3, 4), "dividend", D("0.75")),
    )


def test_the_fraction_of_a_split(tmp_path: Path) -> None:
    _, found = read_actions(table(tmp_path, "A,2026-03-02,split,0.1,,,,", "A,2026-03-02,cash_in_lieu,80,,,,"), IDS)
    assert found == (Reorganization("A", DAY, "cash_in_lieu", cash_per_share=D(80)),)


@pytest.mark.parametrize(
    ("lines", "line", "field", "problem"),
    [
        pytest.param(["A,2026-03-02,merger,0.5,,,,"], 2, "new_security_id", "empty", id="a merger into nothing"),
        pytest.param(["A,2026-03-02,merger,0.5,A,,,"], 2, "new_security_id", "itself", id="a merger into itself"),
        pytest.param(["A,2026-03-02,merger,0.5,Z,,,"], 2, "new_security_id", "security master", id="an unknown successor"),
        pytest.param(["A,2026-03-02,merger,0.5,B,3,,"], 2, "new_price", "empty", id="cash without the new share's price"),
        pytest.param(["A,2026-03-02,merger,0.5,B,-3,40,"], 2, "cash_per_share", "not positive", id="negative cash"),
        pytest.param(["A,2026-03-02,merger,0,B,,,"], 2, "value", "not positive", id="a ratio of zero"),
        pytest.param(["A,2026-03-02,spin_off,0.25,C,,20,"], 2, "parent_price", "empty", id="a spin-off without values"),
        pytest.param(["A,2026-03-02,cash_merger,20,B,,,"], 2, "new_security_id", "no such term", id="cash alone brings no security"),
        pytest.param(["A,2026-03-02,split,2,B,,,"], 2, "new_security_id", "no such term", id="a split brings no security"),
        pytest.param(["A,2026-03-02,demerger,2,,,,"], 2, "kind", "not known", id="an unknown kind"),
        pytest.param(["A,2026-03-02,merger,0.5,B,,,", "A,2026-03-02,merger,0.6,B,,,"], 3, "ex_date", "another action", id="twice"),
        pytest.param(["A,2026-03-02,merger,0.5,B,,,", "A,2026-03-02,cash_merger,20,,,,"], 3, "ex_date", "another action", id="two ends"),
        pytest.param(
            ["A,2026-03-02,merger,0.5,B,,,", "B,2026-03-02,merger,2,C,,,"], 2, "ex_date", "B has an action", id="a chain in a day"
        ),
        pytest.param(["B,2026-03-02,cash_in_lieu,40,,,,"], 2, "security_id", "0 splits", id="a fraction of nothing"),
        pytest.param(
            ["A,2026-03-02,merger,0.5,B,,,", "B,2026-03-02,split,2,,,,", "B,2026-03-02,cash_in_lieu,40,,,,"],
            4,
            "security_id",
            "2 splits",
            id="a fraction of two",
        ),
    ],
)
def test_what_could_mean_two_things_is_refused(tmp_path: Path, lines: list[str], line: int, field: str, problem: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_actions(table(tmp_path, *lines), IDS)
    assert (caught.value.line, caught.value.field) == (line, field)
    assert problem in caught.value.problem
    assert caught.value.remedy
