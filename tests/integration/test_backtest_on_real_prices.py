"""The harvesting backtest on a year of real prices, read in place: both strategies, with the ledger's own judgement of what was sold."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.backtest.__main__ import main

YEAR = ("--first", "2011-01-03", "--years", "1", "--frequencies", "quarterly", "--wash-rule", "kept")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backtest")


def ran(shared_data: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    monkeypatch.setattr("sys.argv", ["backtest", "--data", str(shared_data / "data"), "--out", str(out), *YEAR])
    assert main() == 0
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def test_a_year_of_harvesting_and_a_second_call_that_has_nothing_left_to_run(
    shared_data: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = ran(shared_data, out, monkeypatch)
    assert [each["strategy"] for each in results] == ["rule", "optimizer"]
    for each in results:
        assert each["disallowed_usd"] == 0  # no plan made a wash sale
        assert each["losses_pct_a_year"] > 1  # 2011 had a bad summer
        assert each["tax_alpha_bps"] > 50
        assert each["active_after_tax_bps"] - each["active_before_tax_bps"] == pytest.approx(each["tax_alpha_bps"], abs=0.11)
        assert 0.05 < each["te_realised_pct"] < 3
    assert results[1]["unsolved"] == 0
    assert results[1]["gap_bps_max"] < 0.5
    assert results[1]["te_realised_pct"] < results[0]["te_realised_pct"]
    capsys.readouterr()
    assert ran(shared_data, out, monkeypatch) == results
    said = capsys.readouterr()
    assert "dates" not in said.err  # nothing ran
    assert said.out.count("| quarterly |") == 2
