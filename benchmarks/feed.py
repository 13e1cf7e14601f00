"""Feed lines to typed rows, beside the bare csv reader: custodian holdings CSV v1 as ingest reads it, in blocks, from a file.

    python -m benchmarks.feed [--accounts 200] [--lots 2000] [--rounds 5]

Both read the same file in turns, `rounds` times each; the best of each counts (CPU seconds).  Rows are checked, their numbers strict and
in one form, and sorted into the account's columns; the peak of the process tells that the file is not held.  Prints one JSON line.
"""

import argparse
import csv
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import book
from benchmarks.machine import MIB, machine
from services.ingest.core.holdings_csv import HoldingsReader
from services.ingest.deliveries import text_blocks


def bare(file: Path) -> int:
    """The csv module alone: a list of strings a line."""
    with file.open(newline="") as content:
        return sum(1 for _ in csv.reader(content))


def typed(file: Path) -> int:
    """The lines as ingest reads them."""
    with file.open("rb") as content:
        reader = HoldingsReader(file.name, text_blocks(file.name, content))
        for account in reader.accounts():
            if account.snapshot is None:
                raise RuntimeError(f"{account.account_id}: {account.quarantine}")
    return reader.account_lines + reader.lot_lines + 2


def cpu_s(work: Callable[[Path], int], file: Path) -> float:
    started = time.process_time()
    work(file)
    return time.process_time() - started


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feed", description=__doc__)
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--lots", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "holdings.csv"
        book.write_holdings(book.Sizes(options.accounts, options.lots, files=1), 0, file)
        lines, size = typed(file), file.stat().st_size
        if bare(file) != lines:
            raise RuntimeError("the readers saw different numbers of lines")
        rounds = [(cpu_s(bare, file), cpu_s(typed, file)) for _ in range(options.rounds)]
    bare_s, typed_s = (min(each) for each in zip(*rounds, strict=True))
    line = {
        "benchmark": "feed",
        "lines": lines,
        "bytes": size,
        "bare_csv_lines_per_s": round(lines / bare_s),
        "typed_lines_per_s": round(lines / typed_s),
        "ratio": round(bare_s / typed_s, 3),
        "cpu_ms_an_account": round(1e3 * typed_s / options.accounts, 2),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB, 1),
    }
    sys.stdout.write(json.dumps({**line, **machine()}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
