"""The risk model on real prices, 2008-2019: the numbers that risk-model-and-evidence, section 1, gives to test against.

The measuring is the benchmark's (benchmarks/risk_model.py), in a process of its own so that it has one BLAS thread.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.risk_backtest import SETS
from benchmarks.risk_shared_panel import SharedPanel, at_members, load_shared_panel
from services.ingest.core.risk import RiskSettings, fit_risk_model

ROOT = Path(__file__).parents[2]
A_SUMMER_DAY = date(2012, 6, 29)

Scores = dict[str, dict[str, dict[str, float]]]


def measured(shared: Path, *arguments: str) -> Scores:
    """The benchmark's JSON lines by model and set."""
    command = [sys.executable, "-m", "benchmarks.risk_model", "accuracy", *arguments]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PMA_SHARED": str(shared)}, capture_output=True, text=True, check=True)
    scores: Scores = {}
    for line in done.stdout.splitlines():
        case = json.loads(line)
        scores.setdefault(case["model"], {})[case["set"]] = case
    return scores


@pytest.fixture(scope="module")
def every_month(shared_data: Path) -> dict[str, dict[str, float]]:
    """All 144 months, 30 portfolios in each random set."""
    return measured(shared_data, "--models", "recommended")["recommended"]


@pytest.fixture(scope="module")
def panel(shared_data: Path) -> SharedPanel:
    return load_shared_panel(shared_data)


def test_reference_b_mean_qlike_of_the_ten_sets(every_month: dict[str, dict[str, float]]) -> None:
    assert set(every_month) == {*SETS, "mean"}
    assert every_month["mean"]["months"] == 144
    assert every_month["mean"]["qlike"] <= 0.24


@pytest.mark.parametrize("name", ["random100", "random250", "sector", "one_name_30"])
def test_reference_b_forecasts_of_plain_portfolios_are_right(every_month: dict[str, dict[str, float]], name: str) -> None:
    assert 0.95 <= every_month[name]["bias"] <= 1.05


@pytest.mark.parametrize("name", ["opt100", "opt_drop20"])
def test_reference_b_forecasts_of_optimised_portfolios_are_low_by_a_known_amount(
    every_month: dict[str, dict[str, float]], name: str
) -> None:
    assert 1.05 <= every_month[name]["bias"] <= 1.25


def test_reference_b_qlike_is_below_half_of_ledoit_wolf(shared_data: Path) -> None:
    """Each on its own optimised portfolios, on the same months: one in six, which is enough for a difference this large."""
    scores = measured(shared_data, "--every-months", "6", "--draws", "5")
    assert scores["recommended"]["mean"]["qlike"] < 0.5 * scores["ledoit_wolf"]["mean"]["qlike"]


def test_reference_c_every_priced_name_has_finite_exposures_and_positive_specific_variance(panel: SharedPanel) -> None:
    row = int(np.searchsorted(panel.panel.dates, np.datetime64(A_SUMMER_DAY)))
    members, _ = at_members(panel, row)
    model = fit_risk_model(members, A_SUMMER_DAY, RiskSettings())
    assert len(model.factors) == 20
    assert len(model.security_id) > 400
    assert np.isfinite(model.exposures).all()
    assert min(model.specific_var_ann) > 0.02**2


def test_reference_e_no_look_ahead_bit_for_bit(panel: SharedPanel) -> None:
    row = int(np.searchsorted(panel.panel.dates, np.datetime64(A_SUMMER_DAY)))
    members, _ = at_members(panel, row)
    returns, cap_usd = members.returns.copy(), members.cap_usd.copy()
    returns[row + 1 :] = np.where(np.isfinite(returns[row + 1 :]), 0.0, 0.05)
    cap_usd[row + 1 :] *= np.linspace(0.1, 10.0, cap_usd.shape[1])
    other = replace(members, returns=returns, cap_usd=cap_usd)
    first, second = (msgspec.json.encode(fit_risk_model(each, A_SUMMER_DAY, RiskSettings())) for each in (members, other))
    assert first == second
