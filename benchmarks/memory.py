"""Peak memory of each service while a day goes through, for books of different sizes: is it flat?

    python -m benchmarks.memory [--accounts 250 2500] [--lots 2000]

Real Kafka, real PostgreSQL, one process a service, as benchmarks/throughput; each size on a platform of its own.  A service's figure is
the highest resident set of its largest process (VmHWM), start-up included.  Prints one JSON line a size.
"""

import argparse
import json
import sys

from benchmarks import book
from benchmarks.machine import machine
from benchmarks.platform_day import play, prepare, running_platform


def peaks(sizes: book.Sizes) -> dict[str, list[float]]:
    """MiB of every process of each service after one day, the largest first."""
    with running_platform() as platform:
        play(platform, sizes, prepare(platform, sizes))
        return {name: sorted(found, reverse=True) for name, found in platform.peaks().items()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--accounts", type=int, nargs="+", default=[100, 400])
    parser.add_argument("--lots", type=int, default=2_000)
    options = parser.parse_args()
    smallest: dict[str, float] = {}
    for accounts in options.accounts:
        found = peaks(book.Sizes(accounts, options.lots))
        largest = {name: processes[0] for name, processes in found.items()}
        smallest = smallest or largest
        line = {
            "benchmark": "memory",
            "accounts": accounts,
            "lots": options.lots,
            "peak_mib": largest,
            "all_processes_mib": found,
            "times_the_smallest": {name: round(largest[name] / smallest[name], 2) for name in largest},
        }
        sys.stdout.write(json.dumps({**line, **machine()}) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
