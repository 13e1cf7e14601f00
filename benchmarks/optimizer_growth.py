# ruff: noqa: E402 (the number of threads is read when numpy is imported)
"""How the certified solve's CPU time grows: with names, lots a name, factors and binding constraints.

    python -m benchmarks.optimizer_growth [--seeds 5] [--repeat 3] [--only names lots factors constraints] [--svg FILE] [--generator FILE]

One account of 500 names, 5 lots a name and 70 factors is varied one way at a time, `seeds` accounts a point (lam 40 of 1/2 lam TE^2).
Binding constraints, one after the other: cash, then a sector cap, a cap on losses, a tracking-error cap, a turnover cap, and five
more sector caps, each up to 2 % inside what the plan without it does.  One JSON line a point: CPU milliseconds cold and warm and the gap,
medians over the accounts.  `--svg` draws the four.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy is imported

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.optimizer_instances import model_of
from benchmarks.optimizer_robustness import Account, Make, generator
from benchmarks.risk_shared_panel import shared_folder
from services.optimizer.core.arrays import Floats, Ints
from services.optimizer.core.dual.model import Model, Rows, Trades, WeightRows, validated
from services.optimizer.core.dual.primal import tracking_error, weights_after
from services.optimizer.core.dual.solve import Certified, solve

BPS = 1e4
NAMES, LOTS, FACTORS, LAM = 500, 5, 70, 20.0
POINTS = {
    "names": (100, 200, 500, 1000, 2000, 3000),
    "lots": (1, 2, 5, 10, 20),
    "factors": (12, 30, 50, 70, 100),
    "constraints": (1, 2, 3, 4, 5, 10),
}
TITLES = {"names": "names", "lots": "lots a name", "factors": "factors", "constraints": "binding constraints"}


def account_of(make: Make, axis: str, at: int, seed: int) -> Account:
    sizes = {"names": NAMES, "lots": LOTS, "factors": FACTORS} | ({axis: at} if axis != "constraints" else {})
    return make(sizes["names"], seed, sizes["factors"], (sizes["lots"], sizes["lots"] + 1), 0.0, LAM)


def constrained(account: Account, count: int) -> Model:
    """With `count` binding constraints, each set from the plan without it, and nearer to it where it would contradict the others."""
    model = model_of(account)
    for number in range(1, count):
        before = solve(model)
        for part in (0.02, 0.005, 0.001):
            tighter = validated(tightened(model, before, np.array(account["sector"]), number, part))
            if solve(tighter).trades is not None:
                break
        else:
            raise RuntimeError("the constraints contradict each other")
        model = tighter
    return model


def tightened(model: Model, before: Certified, sectors: Ints, number: int, part: float) -> Model:
    """With one more constraint, by `part` inside what the plan `before` does."""
    if before.trades is None:
        raise RuntimeError("no plan to set a constraint from")
    if number == 2:
        return with_row(model, -model.lots.sell_price, np.zeros(len(model.names.held)), before.trades, part)
    if number == 3:
        return replace(model, te_cap=(1 - part) * tracking_error(model, before.trades))
    if number == 4:
        return with_row(model, np.ones(len(model.lots.size)), np.ones(len(model.names.held)), before.trades, part)
    inside = (sectors == (0 if number == 1 else number - 4)).astype(np.float64)
    after = float(inside @ weights_after(model, before.trades))
    return with_weight_row(model, inside, after - part * abs(after))


def with_row(model: Model, sell: Floats, buy: Floats, trades: Trades, part: float) -> Model:
    """A row on trades."""
    rows, done = model.rows, float(sell @ trades.sold + buy @ trades.bought)
    more = Rows(
        np.column_stack([rows.sell, sell]),
        np.column_stack([rows.buy, buy]),
        np.append(rows.bound, done - part * abs(done)),
        np.append(rows.floor, 0.0),
        np.append(rows.ceiling, np.inf),
    )
    return replace(model, rows=more)


def with_weight_row(model: Model, inside: Floats, bound: float) -> Model:
    rows = model.weights
    more = WeightRows(
        np.column_stack([rows.coefficient, inside]),
        np.append(rows.bound, bound),
        np.append(rows.floor, 0.0),
        np.append(rows.ceiling, np.inf),
    )
    return replace(model, weights=more)


def timed(model: Model, start: Floats | None, repeat: int) -> tuple[Certified, float]:
    spent = []
    for _ in range(repeat):
        began = time.process_time()
        answer = solve(model, start=start)
        spent.append(1e3 * (time.process_time() - began))
    return answer, statistics.median(spent)


def point(make: Make, axis: str, at: int, seeds: int, repeat: int) -> dict[str, Any]:
    """Medians over the accounts of one point."""
    cold, warm, gaps, lots = [], [], [], []
    for seed in range(1, seeds + 1):
        account = account_of(make, axis, at, seed)
        model = constrained(account, at) if axis == "constraints" else model_of(account)
        answer, ms = timed(model, None, repeat)
        cold.append(ms)
        warm.append(timed(model, answer.start, repeat)[1])
        gaps.append(BPS * answer.gap)
        lots.append(len(account["lots"]))
    medians = {key: round(statistics.median(found), 3) for key, found in (("cold_ms", cold), ("warm_ms", warm), ("gap_bps", gaps))}
    return {"axis": axis, "at": at, "lots": round(statistics.mean(lots)), **medians, "gap_bps_max": round(max(gaps), 3)}


def drawn(points: list[dict[str, Any]]) -> str:
    """Four plots of cold and warm time as SVG."""
    import vl_convert  # noqa: PLC0415 (of the group that only benchmarks need)

    rows = [
        {"axis": each["axis"], "at": each["at"], "start": start, "ms": each[f"{start}_ms"]} for each in points for start in ("cold", "warm")
    ]
    plots = [
        {
            "width": 260,
            "height": 170,
            "title": {"text": TITLES[axis], "anchor": "start", "fontSize": 13},
            "transform": [{"filter": f"datum.axis == '{axis}'"}],
            "mark": {"type": "line", "point": {"size": 40}},
            "encoding": {
                "x": {"field": "at", "type": "quantitative", "title": None, "axis": {"tickCount": 6}},
                "y": {"field": "ms", "type": "quantitative", "title": "CPU ms", "scale": {"domainMin": 0}},
                "color": {"field": "start", "type": "nominal", "title": None, "scale": {"range": ["#4c72b0", "#c44e52"]}},
            },
        }
        for axis in POINTS
        if any(each["axis"] == axis for each in points)
    ]
    specification = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": "white",
        "data": {"values": rows},
        "config": {"view": {"stroke": None}, "axis": {"grid": True, "gridColor": "#e6e6e6", "domainColor": "#888"}},
        "columns": 2,
        "concat": plots,
        "resolve": {"scale": {"y": "independent", "x": "independent"}},
    }
    return vl_convert.vegalite_to_svg(json.dumps(specification))


def measured(make: Make, axes: list[str], seeds: int, repeat: int) -> Iterator[dict[str, Any]]:
    solve(model_of(account_of(make, "names", 100, 1)))  # compiles, or loads what was compiled
    for axis in axes:
        for at in POINTS[axis]:
            yield point(make, axis, at, seeds if axis != "names" or at < 2000 else max(seeds // 2, 1), repeat)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimizer_growth", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=tuple(POINTS), default=list(POINTS))
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--generator", type=Path, default=shared_folder() / "optimizer" / "gen_account.py")
    options = parser.parse_args()
    points = []
    for each in measured(generator(options.generator), options.only, options.seeds, options.repeat):
        points.append(each)
        sys.stdout.write(json.dumps(each) + "\n")
        sys.stdout.flush()
    if options.svg:
        options.svg.write_text(drawn(points))
    return 0


if __name__ == "__main__":
    sys.exit(main())
