"""`python -m services.optimizer solve FILE --out DIR`: one account, decided without a server."""

import sys
from pathlib import Path

import msgspec

from libs.common.schemas.proposal import ProposalCreated
from services.optimizer.account_file_reader import FileFault, read_account_file
from services.optimizer.account_payloads import payloads_of
from services.optimizer.core.propose import propose
from services.optimizer.solve_report import summary_of, table_of


def run(path: Path, out: Path) -> int:
    """Write proposal.json and trades.csv, print the summary; 0 with trades or none worth making, 1 where refused or infeasible, 2 where
    the file is no account."""
    document = read_account_file(path)
    if isinstance(document, FileFault):
        place = f"{path}" + (f", line {document.line}" if document.line else "") + (f", {document.field}" if document.field else "")
        sys.stderr.write(f"{place}: {document.problem}. {document.remedy}\n")
        return 2
    given = payloads_of(document)
    decision = propose(given.account, given.screen, given.ledger, given.market, given.run, [])
    out.mkdir(parents=True, exist_ok=True)
    (out / "proposal.json").write_bytes(msgspec.json.format(msgspec.json.encode(decision), indent=1) + b"\n")
    (out / "trades.csv").write_text(table_of(decision))
    sys.stdout.write(summary_of(decision))
    return 0 if isinstance(decision, ProposalCreated) or decision.outcome == "no_trade" else 1
