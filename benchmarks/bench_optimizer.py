# ruff: noqa: E402 (the number of threads is read when numpy is imported)
"""CPU time and quality of whole decisions on account instances: payloads in, whole shares out.

    python -m benchmarks.bench_optimizer [--repeat 7] [--min-trade 0] [FILE...]

FILE is an account of the scorer's format (tests/unit/optimizer/instances.py says how its rules map); without one, the instances of the
tests.  One JSON line an instance: CPU milliseconds of the whole decision (median and most, one thread), of the market's preparation
(once a market), how the solve ended with its certificate, and the scorer's verdict on the result.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy is imported: see decision 15

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from libs.common.schemas.proposal import ProposalCreated
from services.optimizer.core.market import prepare
from services.optimizer.core.propose import propose_on
from services.optimizer.warm_up import warm_up
from tests.unit.optimizer import scorer
from tests.unit.optimizer.instances import DATA, scored_trades, world_of


def cpu_ms(started: float) -> float:
    return round(1e3 * (time.process_time() - started), 2)


def measure(instance: dict[str, Any], repeat: int, min_trade: str) -> dict[str, Any]:
    """Decide the instance `repeat` times."""
    given = world_of(instance, min_trade)
    started = time.process_time()
    snapshot = prepare(given.market)
    prepared_ms = cpu_ms(started)
    times = []
    for _ in range(repeat):
        started = time.process_time()
        decision = propose_on(given.account, given.screen, given.ledger, snapshot, given.run, [])
        times.append(cpu_ms(started))
    scored = scorer.score(instance, scored_trades(decision) if isinstance(decision, ProposalCreated) else [])
    return {
        "names": len(instance["tickers"]),
        "lots": len(instance["lots"]),
        "factors": len(instance["B"][0]),
        "cpu_ms_median": statistics.median(times),
        "cpu_ms_most": max(times),
        "prepare_ms": prepared_ms,
        "status": decision.solve_status if isinstance(decision, ProposalCreated) else decision.code,
        "certificate": None if decision.certificate is None else msgspec.to_builtins(decision.certificate),
        "score_bps": round(scored["score_bps"], 3),
        "no_trade_bps": round(scorer.score(instance, [])["score_bps"], 3),
        "feasible": scored["feasible"],
        "orders": scored["orders"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_optimizer", description=__doc__)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--min-trade", default="0", help="dollars")
    parser.add_argument("files", nargs="*", type=Path, default=sorted(DATA.glob("acct_*.json")))
    options = parser.parse_args()
    warm_up()
    for file in options.files:
        measured = measure(json.loads(file.read_text()), options.repeat, options.min_trade)
        sys.stdout.write(json.dumps({"instance": file.stem, **measured}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
