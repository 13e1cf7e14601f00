# ruff: noqa: E402 (the number of threads is read when numpy is imported)
"""Loss harvesting of the real index members on real prices, by the optimizer and by a simple rule.

    python -m benchmarks.backtest [--data FOLDER] [--out FOLDER] [--first 2006-01-03 ...] [--years 14]
                                  [--strategies rule optimizer] [--frequencies annual quarterly monthly weekly]
                                  [--wash-rule kept none] [--rates 0.35 0.15] [--threshold 0]

FOLDER of --data holds prices_close.parquet and its companions (default: ../shared/data).  Every run (a strategy, with or without the
wash-sale rule, a frequency, a start, over the years, at most to the end of 2019) is a line of results.jsonl in --out; what is there already
is not run again, so a broken-off command goes on where it stopped.  Progress goes to standard error, the table at the end to standard
output: active return a year before and after tax, their difference (tax alpha), losses harvested a year in per cent of the initial capital,
realised and predicted tracking error, turnover, and what the ledger denied.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy is imported

import argparse
import json
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.backtest.market import FREQUENCIES, load_market
from benchmarks.backtest.report import table
from benchmarks.backtest.run import Setup, run
from benchmarks.risk_shared_panel import shared_folder

LAST = date(2019, 12, 31)


def setups(options: argparse.Namespace) -> list[Setup]:
    """Every run asked for, the quick ones first."""
    return [
        Setup(
            strategy,
            wash == "kept",
            frequency,
            first,
            min(first.replace(year=first.year + options.years), LAST),
            tuple(options.rates),
            options.threshold,
            options.risk_aversion,
            options.most_of_sector,
        )
        for frequency in options.frequencies
        for first in options.first
        for wash in options.wash_rule
        for strategy in options.strategies
    ]


def said_so_far(file: Path) -> dict[str, dict[str, Any]]:
    """The finished runs by key; a line that was cut off counts as not run."""
    found = {}
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            result = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[result["key"]] = result
    return found


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backtest", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", type=Path, default=shared_folder() / "data")
    parser.add_argument("--out", type=Path, default=Path("out/backtest"))
    parser.add_argument("--first", type=date.fromisoformat, nargs="+", default=[date(2006, 1, 3)])
    parser.add_argument("--years", type=int, default=14)
    parser.add_argument("--strategies", nargs="+", choices=("rule", "optimizer"), default=["rule", "optimizer"])
    parser.add_argument("--frequencies", nargs="+", choices=tuple(FREQUENCIES), default=list(FREQUENCIES))
    parser.add_argument("--wash-rule", nargs="+", choices=("kept", "none"), default=["kept", "none"])
    parser.add_argument("--rates", type=float, nargs=2, default=[0.35, 0.15], help="short and long")
    parser.add_argument("--threshold", type=float, default=0.0, help="of the rule: how far below its basis a lot is sold")
    parser.add_argument("--most-of-sector", type=float, default=0.5, help="of the rule: how much of a sector is closed at a time")
    parser.add_argument("--risk-aversion", type=float, default=100.0, help="of the optimizer, in the half convention")
    return parser


def main() -> int:
    options = arguments().parse_args()
    if not (options.data / "prices_close.parquet").exists():
        sys.stderr.write(f"{options.data} has no prices_close.parquet: name the folder with --data\n")
        return 2
    market = load_market(options.data, options.out / "risk")
    file, wanted = options.out / "results.jsonl", setups(options)
    done = said_so_far(file)
    for number, setup in enumerate(wanted, start=1):
        if setup.key in done:
            continue
        began, shown = time.process_time(), [0.0]

        def progress(dates: int, of: int, setup: Setup = setup, number: int = number, shown: list[float] = shown) -> None:
            if dates == of or time.monotonic() - shown[0] > 1:
                shown[0] = time.monotonic()
                wash = "wash-sale rule" if setup.wash_rule else "no rule"
                sys.stderr.write(f"\r{number}/{len(wanted)} {setup.strategy}, {wash}, {setup.frequency}: {dates}/{of} dates   ")
                sys.stderr.flush()

        result = {**run(market, setup, progress), "cpu_s": round(time.process_time() - began, 1)}
        done[setup.key] = result
        with file.open("a") as lines:
            lines.write(json.dumps(result) + "\n")
    sys.stderr.write("\n")
    sys.stdout.write(table([done[setup.key] for setup in wanted]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
