"""`python -m demo.audit out/demo`: the table of rules, each violation with its order and numbers; exit 1 where there is any."""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from demo.audit.rules import RULES, audit
from demo.audit.tally import Tally

SHOWN_A_RULE = 20


def main(arguments: list[str]) -> int:
    """Audit one directory; 0 when nothing is violated."""
    parser = argparse.ArgumentParser(prog="python -m demo.audit", description=__doc__)
    parser.add_argument("directory", type=Path, help="what the demo wrote, e.g. out/demo")
    directory: Path = parser.parse_args(arguments).directory
    tallies = audit(directory)
    console = Console(soft_wrap=True, highlight=False)
    console.print(report(tallies))
    for tally in tallies:
        for violation in tally.violations[:SHOWN_A_RULE]:
            console.print(f"{tally.rule}: order {violation.order_id}: {violation.detail}", markup=False)
        if len(tally.violations) > SHOWN_A_RULE:
            console.print(f"{tally.rule}: and {len(tally.violations) - SHOWN_A_RULE} more")
    return 1 if any(tally.violations for tally in tallies) else 0


def report(tallies: list[Tally]) -> Table:
    """Rule, what it says, how often it was checked, how often it was violated."""
    meaning = {
        "schema": "Each line is what its file's JSON Schema says.",
        "references": "Each allocation rests on a run, proposal, book, ledger, screen and market that the files hold.",
    } | {name: (rule.__doc__ or "").strip() for name, rule in RULES.items()}
    table = Table(title="audit")
    for column in ("rule", "says", "checked", "violations"):
        table.add_column(column, justify="right" if column in ("checked", "violations") else "left")
    for tally in tallies:
        table.add_row(tally.rule, meaning[tally.rule], f"{tally.checked:,}", str(len(tally.violations)))
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
