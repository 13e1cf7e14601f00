"""Accounts a second from feed to order without the solve, and CPU milliseconds an account by stage.

    python -m benchmarks.throughput [--accounts 100] [--lots 2000] [--household 2] [--partitions 4] [--processes 1]

Real Kafka, real PostgreSQL with fsync, one process a service; the optimizer trades pro rata (benchmarks/pro_rata).  Time runs from the
first byte of the custodians' files to the run's close in orders.  The parse of the same files is measured by itself in this process;
"ingest book" is what ingest spent beyond it.  After the day the idle platform is watched: what it spends anyway, over the seconds of
the day, is the most of the figures that is not for the accounts.  Prints one JSON line.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import book
from benchmarks.machine import machine
from benchmarks.platform_day import Day, Running, play, prepare, profiled, running_platform
from services.ingest.core.holdings_csv import HoldingsReader
from services.ingest.deliveries import text_blocks

IDLE_S = 4.0


def parse_s(files: Sequence[Path]) -> float:
    """CPU seconds of the reader alone over the files."""
    started = time.process_time()
    for file in files:
        with file.open("rb") as content:
            for _ in HoldingsReader(file.name, text_blocks(file.name, content)).accounts():
                pass
    return time.process_time() - started


def idle_cores(platform: Running) -> dict[str, float]:
    """What each part spends with nothing to do, in cores: consumers ask Kafka for news all the time."""
    before, started = platform.cpu(), time.monotonic()
    time.sleep(IDLE_S)
    after, took_s = platform.cpu(), time.monotonic() - started
    return {name: round((after[name] - before[name]) / took_s, 4) for name in after}


def figures(sizes: book.Sizes, day: Day, parsed_s: float) -> dict[str, Any]:
    """One day as a JSON line's content."""
    spent = dict(day.cpu_s)
    spent["ingest parse"], spent["ingest book"] = parsed_s, spent.pop("ingest") - parsed_s
    stages = {name: round(1e3 * seconds / sizes.accounts, 2) for name, seconds in sorted(spent.items())}
    total = sum(stages.values())
    return {
        "accounts": sizes.accounts,
        "lots": sizes.lots,
        "household": sizes.household,
        "accounts_per_s": round(sizes.accounts / day.wall_s, 1),
        "wall_s": round(day.wall_s, 2),
        "feed_s": round(day.feed_s, 2),
        "cpu_ms_an_account": round(total, 1),
        "accounts_per_s_of_2_free_cores": round(2_000 / total, 1),
        "cpu_ms_by_stage": stages,
        "orders": day.orders,
        "progress": day.progress,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--accounts", type=int, default=100)
    parser.add_argument("--lots", type=int, default=2_000)
    parser.add_argument("--household", type=int, default=2)
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--py-spy", default="", help="the program, to sample every service into --profiles")
    parser.add_argument("--profiles", type=Path, default=Path("out/profiles"))
    options = parser.parse_args()
    sizes = book.Sizes(options.accounts, options.lots, options.household, options.files)
    with running_platform(options.partitions, options.processes) as platform:
        files = prepare(platform, sizes)
        samplers = []
        if options.py_spy:
            options.profiles.mkdir(parents=True, exist_ok=True)
            names = ("ingest", "restrictions", "wash_sale", "optimizer", "orders")
            samplers = [profiled(platform, name, 600, options.profiles / f"{name}.raw", options.py_spy) for name in names]
        day = play(platform, sizes, files)
        idle = idle_cores(platform)
        for sampler in samplers:
            sampler.send_signal(2)
            sampler.wait()
        measured = figures(sizes, day, parse_s(files))
        peaks = platform.peaks()
    measured["idle_cores"] = idle
    measured["cpu_ms_of_idling_an_account"] = round(1e3 * sum(idle.values()) * day.wall_s / sizes.accounts, 1)
    line = {"benchmark": "throughput", **measured, "partitions": options.partitions, "processes": options.processes, "peak_mib": peaks}
    sys.stdout.write(json.dumps({**line, **machine()}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
