"""`python -m services.optimizer transition`: from an intake to three files, without a server; what is wrong is said."""

import csv
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.optimizer.__main__ import main
from services.optimizer.core.transition.result import Analysis
from services.optimizer.transition.market_directory import SHIPPED

LOTS = [
    {"ticker": "LNDIN", "acquired": "2018-05-04", "shares": "900", "cost_per_share": "31.20"},
    {"ticker": "MRTIN", "acquired": "2021-09-15", "shares": "700", "cost_per_share": "66.00"},
]
FORM = {"client_name": "Zelda Quux", "strategy": "direct-index-international", "cash": "20000", "short_rate": "40.8%", "long_rate": "23.8%"}


def intake(directory: Path, **given: Any) -> Path:
    path = directory / "intake.json"
    path.write_text(json.dumps({**FORM, "lots": LOTS, **given}, indent=1))
    return path


def test_an_intake_becomes_three_files_and_what_is_wrong_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = intake(tmp_path, lots=[*LOTS, {**LOTS[0], "ticker": "NOBODY"}], tax_budget="many")
    assert main(["transition", str(path), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    body = (tmp_path / "out/analysis.json").read_bytes()
    analysis = msgspec.json.decode(body, type=Analysis)
    assert analysis.strategy_id == "direct-index-international"
    assert {"keep", "sell_all", "immediate", "timeline_3", "timeline_5"} <= {each.approach_id for each in analysis.approaches}
    assert len(analysis.frontier) >= 20
    assert analysis.assumptions.simulated
    assert analysis.joint == "done"
    assert {each.certificate.proof for each in analysis.approaches if len(each.years) > 1} == {"numerical"}
    assert "Lot 3: 900 NOBODY" in [each.what for each in analysis.not_judged]
    assert b"Zelda" not in body
    assert "Zelda Quux" in (tmp_path / "out/report.html").read_text()
    assert (tmp_path / "out/report.pdf").read_bytes().startswith(b"%PDF")
    assert [each.what for each in analysis.not_judged].count("Tax budget") == 1
    assert "many" in said.err and "lots[2].ticker" in said.err
    assert all(str(tmp_path / "out" / name) in said.out for name in ("analysis.json", "report.html", "report.pdf"))


def test_several_strategies_are_compared(tmp_path: Path) -> None:
    path = intake(tmp_path, strategy=None, compare="direct-index-international, multi-manager-international", market=str(SHIPPED))
    assert main(["transition", str(path), "--out", str(tmp_path / "out")]) == 0
    with (tmp_path / "out/comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["strategy"] for row in rows} == {"direct-index-international", "multi-manager-international"}
    first = msgspec.json.decode((tmp_path / "out/analysis.json").read_bytes(), type=Analysis)
    other = msgspec.json.decode((tmp_path / "out/multi-manager-international/analysis.json").read_bytes(), type=Analysis)
    assert (first.strategy_id, other.strategy_id) == ("direct-index-international", "multi-manager-international")
    told = {(row["strategy"], row["approach"]): row["tax_usd"] for row in rows}
    for analysis in (first, other):
        for each in analysis.approaches:
            assert told[analysis.strategy_id, each.approach_id] == ("" if each.tax_usd is None else str(each.tax_usd))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"strategy": "sell-high"}, "There is no strategy 'sell-high'"),
        ({"short_rate": None}, "The tax rates are not known"),
        ({"lots": [], "cash": 0}, "There is nothing to judge"),
        ({"market": "nowhere"}, "The market directory can't be read"),
    ],
)
def test_what_can_t_be_judged_at_all_is_said_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: dict[str, Any], said: str
) -> None:
    assert main(["transition", str(intake(tmp_path, **given)), "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "body"), [("a.json", ""), ("a.json", '{"cash": 5, "lots": ['), ("a.json", "[]"), ("a.csv", " \n"), ("a.csv", "")]
)
def test_a_file_that_holds_no_form_is_one_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, body: str) -> None:
    (tmp_path / name).write_text(body)
    assert main(["transition", str(tmp_path / name), "--out", str(tmp_path / "out")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_file_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transition", str(tmp_path / "nowhere.json"), "--out", str(tmp_path / "out")]) == 2
    assert "can't be read" in capsys.readouterr().err
