"""Measure the risk model: how long a fit takes, and how well it forecasts on real prices.

    python -m benchmarks.risk_model                       CPU seconds of a fit for 500, 1200 and 3000 names
    python -m benchmarks.risk_model accuracy --table      2008-2019, ten sets of portfolios, against Ledoit-Wolf (minutes)

Prints one JSON line a case, or a table.  Prices come from the data folder beside the project, or from PMA_SHARED.
"""

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse  # noqa: E402  (threads are counted when numpy loads)
import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from dataclasses import asdict  # noqa: E402
from datetime import date  # noqa: E402

import numpy as np  # noqa: E402

from benchmarks.risk_backtest import SETS, SetScore, backtest, ledoit_wolf, mean_score, recommended  # noqa: E402
from benchmarks.risk_shared_panel import load_shared_panel, month_ends, shared_folder  # noqa: E402
from services.ingest.core.risk import RiskPanel, RiskSettings, fit_risk_model  # noqa: E402

ESTIMATORS = {"recommended": recommended, "ledoit_wolf": ledoit_wolf}
HISTORY_DAYS = 1030
LAST_DAY = date(2024, 6, 28)


def simulated_panel(securities: int) -> RiskPanel:
    """Four years of seeded returns with a market, eleven sectors and specific risk."""
    rng = np.random.default_rng(securities)
    sector = np.arange(securities) % 11
    returns = (
        rng.normal(0.0, 0.010, (HISTORY_DAYS, 1))
        + rng.normal(0.0, 0.005, (HISTORY_DAYS, 11))[:, sector]
        + rng.normal(0.0, 0.015, (HISTORY_DAYS, securities))
    )
    return RiskPanel(
        dates=np.busday_offset(np.datetime64(LAST_DAY), np.arange(1 - HISTORY_DAYS, 1)).astype("datetime64[D]"),
        security_id=tuple(f"N{i:04d}" for i in range(securities)),
        sector=tuple(f"Sector {k:02d}" for k in sector),
        returns=returns,
        cap_usd=np.exp(rng.normal(23.0, 1.0, securities)) * np.cumprod(1.0 + returns, axis=0),
    )


def measure_speed(repeats: int) -> None:
    """A whole daily fit, the 36 months of factor history included; the best of some repeats."""
    for securities in (500, 1200, 3000):
        panel = simulated_panel(securities)
        seconds = []
        for _ in range(repeats):
            started = time.process_time()
            fit_risk_model(panel, LAST_DAY, RiskSettings())
            seconds.append(time.process_time() - started)
        case = {"case": "fit_risk_model", "securities": securities, "history_days": HISTORY_DAYS, "cpu_s": round(min(seconds), 3)}
        sys.stdout.write(json.dumps(case) + "\n")


def measure_accuracy(models: list[str], every_months: int, draws: int, as_table: bool) -> None:
    """Refit at each `every_months`th month end and score the month that follows."""
    shared = load_shared_panel(shared_folder())
    months = month_ends(shared.panel.dates, date(2008, 1, 1), date(2019, 12, 1))[::every_months]
    scores = backtest(shared, {name: ESTIMATORS[name] for name in models}, months, draws)
    if as_table:
        sys.stdout.write(table(scores))
        return
    for name, sets in scores.items():
        for set_name, score in [*sets.items(), ("mean", mean_score(sets))]:
            rounded = {key: round(value, 4) for key, value in asdict(score).items()}
            sys.stdout.write(json.dumps({"case": "risk_accuracy", "model": name, "set": set_name, "months": len(months), **rounded}) + "\n")


def table(scores: dict[str, dict[str, SetScore]]) -> str:
    """bias / QLIKE / realised tracking error in hundredths a year, a line a set and a column a model."""
    lines = ["set          " + "".join(f"{name:>28}" for name in scores)]
    columns = {name: {**sets, "mean": mean_score(sets)} for name, sets in scores.items()}
    for set_name in (*SETS, "mean"):
        cells = (f"{s.bias:.3f} / {s.qlike:.3f} / {100 * s.te_ann:.2f}" for s in (sets[set_name] for sets in columns.values()))
        lines.append(f"{set_name:<13}" + "".join(f"{cell:>28}" for cell in cells))
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="measure the risk model")
    parser.add_argument("what", nargs="?", choices=["speed", "accuracy"], default="speed")
    parser.add_argument("--models", default=",".join(ESTIMATORS), help="comma-separated, of: " + ", ".join(ESTIMATORS))
    parser.add_argument("--every-months", type=int, default=1, help="use each n-th month only")
    parser.add_argument("--draws", type=int, default=30, help="portfolios a month in each random set")
    parser.add_argument("--repeats", type=int, default=3, help="of a timed fit")
    parser.add_argument("--table", action="store_true", help="a table for people instead of JSON lines")
    chosen = parser.parse_args()
    if chosen.what == "speed":
        measure_speed(chosen.repeats)
    else:
        measure_accuracy(chosen.models.split(","), chosen.every_months, chosen.draws, chosen.table)


if __name__ == "__main__":
    main()
