# ruff: noqa: E402 (the number of threads is read when numpy is imported)
"""The certified dual solve on account instances: plan, bound, gap and CPU time.

    python -m benchmarks.optimizer [--repeat 7] [--multipliers] [--brief] FILE...

FILE is an account of the scorer's format.  One JSON line an instance: instance, status, objective_bps, lower_bound_bps, gap_bps (basis
points of account value), cpu_ms_cold and cpu_ms_warm (medians of the solve on one thread; warm starts where the cold solve's first
relaxation ended), model_ms (once an account), score_bps and feasible by the independent scorer, trades in its format (fractional shares).
`--multipliers` adds those that the bound at the root comes from (root_bound_bps), for who would recompute it; `--brief` leaves trades out.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy is imported

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.optimizer_instances import load, model_of, trades_for_scorer
from services.optimizer.core.arrays import Floats
from services.optimizer.core.dual.model import Model, ModelError
from services.optimizer.core.dual.solve import Certified, solve
from tests.unit.optimizer import scorer

BPS = 1e4


def timed(model: Model, start: Floats | None, repeat: int) -> tuple[Certified, float]:
    """The answer, which is the same each time, and the median CPU milliseconds."""
    spent = []
    for _ in range(repeat):
        began = time.process_time()
        answer = solve(model, start=start)
        spent.append(1e3 * (time.process_time() - began))
    return answer, round(statistics.median(spent), 2)


def measure(file: Path, repeat: int, multipliers: bool, brief: bool) -> dict[str, Any]:
    """One instance, solved and scored; a model that is refused says why in `status` and `reason`."""
    account = load(file)
    began = time.process_time()
    try:
        model = model_of(account)
    except ModelError as refused:
        return {"instance": file.stem, "status": "refused", "reason": str(refused)}
    model_ms = round(1e3 * (time.process_time() - began), 2)
    answer, cold_ms = timed(model, None, repeat)
    _, warm_ms = timed(model, answer.start, repeat)
    trades = [] if answer.trades is None else trades_for_scorer(account, answer.trades)
    scored = scorer.score(account, trades)
    line: dict[str, Any] = {
        "instance": file.stem,
        "status": answer.outcome.value,
        "objective_bps": round(BPS * answer.objective, 6) if answer.trades is not None else None,
        "lower_bound_bps": round(BPS * answer.lower_bound, 6),
        "gap_bps": round(BPS * answer.gap, 6) if answer.trades is not None else None,
        "cpu_ms_cold": cold_ms,
        "cpu_ms_warm": warm_ms,
        "model_ms": model_ms,
        "score_bps": round(scored["score_bps"], 6),
        "feasible": scored["feasible"] and answer.trades is not None,
        "names": len(account["tickers"]),
        "lots": len(account["lots"]),
        "newton_steps": answer.newton_steps,
        "nodes": answer.nodes,
    }
    if multipliers:
        line["root_bound_bps"] = round(BPS * answer.root_bound, 6)
        line["multipliers"] = answer.bound_multipliers.tolist()
    return line if brief else {**line, "trades": trades}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimizer", description=__doc__)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--multipliers", action="store_true")
    parser.add_argument("--brief", action="store_true")
    parser.add_argument("files", nargs="+", type=Path)
    options = parser.parse_args()
    for file in options.files:
        sys.stdout.write(json.dumps(measure(file, options.repeat, options.multipliers, options.brief)) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
