"""A small holdings file for the tests, line by line and as a JSON document, and a writer of the format."""

from collections.abc import Sequence
from decimal import Decimal

from libs.common.errors import BadInput
from libs.common.money import ZERO, plain
from services.ingest.core.holdings_csv import AccountHoldings, HoldingsReader
from services.ingest.core.snapshot import Snapshot

HEADER = "H,pma-holdings,1,north,2025-12-15,1,1,1,trade_date,2025-12-15T11:30:00Z"
LINES = [
    HEADER,
    "A,A1,1000.50,0",
    "L,A1,L1,AAA,100,1234.56,2024-05-31",
    "L,A1,L2,BBB,12.345678,,",
    "A,A2,-20,300.25",
    "L,A2,L3,AAA,7,70,2025-12-15",
    "A,A3,5000,0",
    "T,3,3,119.345678,5980.5",
]


def read(lines: Sequence[str], name: str = "day1.csv") -> tuple[HoldingsReader, list[AccountHoldings]]:
    """The reader after its last line, and every account it gave.

    Each file is read twice, line by line and as one text, whose lot lines are taken in runs: both must say the same (invariant 1 of
    lot_lines), unless a text holds two lines.
    """
    said = _outcome(name, lines)
    as_one_text = _outcome(name, ["".join(line if line.endswith("\n") else line + "\n" for line in lines)] if lines else [])
    assert _told(as_one_text) == _told(said) or any("\n" in line.rstrip() for line in lines)
    if isinstance(said, BadInput):
        raise said
    return said


Outcome = tuple[HoldingsReader, list[AccountHoldings]] | BadInput


def _outcome(name: str, lines: Sequence[str]) -> Outcome:
    try:
        reader = HoldingsReader(name, lines)
        return reader, list(reader.accounts())
    except BadInput as refused:
        return refused


def _told(outcome: Outcome) -> object:
    if isinstance(outcome, BadInput):
        return str(outcome)
    reader, accounts = outcome
    return accounts, reader.refused, reader.account_lines, reader.lot_lines, reader.quantity_sum, reader.cash_sum


def edited(number: int, line: str | None, lines: Sequence[str] = LINES) -> list[str]:
    """The lines with line `number` (from 1) replaced, or left out."""
    return [*lines[: number - 1], *([] if line is None else [line]), *lines[number:]]


def written(snapshots: Sequence[Snapshot], part: int = 1, parts: int = 1) -> list[str]:
    """Snapshots of one delivery in the canonical format."""
    first = snapshots[0]
    lines = [f"H,pma-holdings,1,{first.custodian},{first.business_date},{first.sequence},{part},{parts},{first.basis},"]
    shares = ZERO
    for one in snapshots:
        lines.append(f"A,{one.account_id},{plain(one.cash_settled)},{plain(one.cash_unsettled)}")
        columns = one.lots
        for lot_id, security_id, quantity, basis, acquired in zip(
            columns.lot_id, columns.security_id, columns.quantity, columns.cost_basis, columns.acquired, strict=True
        ):
            lines.append(f"L,{one.account_id},{_quoted(lot_id)},{_quoted(security_id)},{quantity},{basis or ''},{acquired or ''}")
            shares += Decimal(quantity)
    cash = sum((one.cash_settled for one in snapshots), ZERO)
    lots = sum(len(one.lots.lot_id) for one in snapshots)
    return [*lines, f"T,{len(snapshots)},{lots},{plain(shares)},{plain(cash)}"]


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text
