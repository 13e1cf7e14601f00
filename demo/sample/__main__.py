"""`python -m demo.sample --out DIR`: write the sample market, the account master and the first day's files, for a look.

Simulated throughout.  The files of the second and third day follow from the trades that a run books, so only a run writes them.
"""

import argparse
import sys
from pathlib import Path

from demo.sample import make_sample
from demo.sample.book import master_json
from demo.sample.days import DEMO_DAYS
from demo.sample.files import day_files
from demo.sample.market import write_market


def main(arguments: list[str]) -> int:
    """Write everything below --out and say what it is."""
    parser = argparse.ArgumentParser(prog="python -m demo.sample", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="directory to write to")
    out: Path = parser.parse_args(arguments).out
    sample = make_sample()
    write_market(sample.market, out / "market", DEMO_DAYS[-1].business_date)
    (out / "accounts.json").write_bytes(master_json(sample.accounts))
    for file in day_files(sample.custodian, DEMO_DAYS[0]):
        (out / file.name).write_bytes(file.content)
    lots = sum(len(account.lots) for account in sample.accounts)
    sys.stdout.write(f"simulated: {len(sample.market.universe)} securities, {len(sample.accounts)} accounts, {lots} lots in {out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
