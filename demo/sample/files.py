"""The custodian's files of a demo day, in the canonical format (docs/file-formats.md), with what goes wrong on the second and third.

Day 1: two parts.  Day 2: one file with an error in one account, the same bytes again, and a correction of that account.  Day 3: one
account is missing and one has a line that can't be read.  Two accounts come by message (custody.holdings.v1) and are in no file; one of
them holds a security that nobody knows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from msgspec.structs import replace

from demo.sample.custodian import Custodian
from demo.sample.days import DemoDay
from libs.common.money import ZERO, plain
from libs.common.schemas.custody import CustodyHoldings

MISSING_ON_DAY_3 = "A0023"
UNREADABLE_ON_DAY_3 = "A0024"
CORRECTED_ON_DAY_2 = "A0025"
BY_MESSAGE = ("A0013", "A0026")
WRONG_BY_SHARES = Decimal(7)


@dataclass(frozen=True)
class SampleFile:
    """A file as the custodian sends it; `note` says what is special about it."""

    name: str
    content: bytes
    note: str


def day_files(custodian: Custodian, day: DemoDay) -> list[SampleFile]:
    """The files of a day in the order in which they come; `custodian` must stand at the opening of that day."""
    if day.number == 1:
        return _in_two_parts(custodian, day)
    if day.number == 2:
        return _wrong_again_and_corrected(custodian, day)
    return _missing_and_unreadable(custodian, day)


def day_messages(custodian: Custodian) -> list[CustodyHoldings]:
    """The holdings of the open day that come one account a message."""
    return [custodian.holdings(account_id) for account_id in BY_MESSAGE]


def holdings_file(
    custodian: Custodian, day: DemoDay, holdings: Sequence[CustodyHoldings], sequence: int = 1, part: int = 1, parts: int = 1
) -> SampleFile:
    """One canonical file with the given accounts."""
    made_at = day.file_made_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    header = f"H,pma-holdings,1,{custodian.name},{day.business_date},{sequence},{part},{parts},trade_date,{made_at}"
    lines = [header, *(line for account in holdings for line in _account_lines(account)), _trailer(holdings)]
    name = f"holdings_{custodian.name}_{day.business_date}_{sequence}_{part}of{parts}.csv"
    return SampleFile(name, ("\n".join(lines) + "\n").encode(), f"sequence {sequence}, part {part} of {parts}")


def _account_lines(account: CustodyHoldings) -> Iterable[str]:
    yield f"A,{account.account_id},{plain(account.cash_settled)},{plain(account.cash_unsettled)}"
    for lot in account.lots:
        basis = "" if lot.cost_basis is None else plain(lot.cost_basis)
        acquired = "" if lot.acquired is None else lot.acquired.isoformat()
        yield f"L,{account.account_id},{lot.lot_id},{lot.security_id},{plain(lot.quantity)},{basis},{acquired}"


def _trailer(holdings: Sequence[CustodyHoldings]) -> str:
    lots = sum(len(account.lots) for account in holdings)
    shares = sum((lot.quantity for account in holdings for lot in account.lots), ZERO)
    cash = sum((account.cash_settled for account in holdings), ZERO)
    return f"T,{len(holdings)},{lots},{plain(shares)},{plain(cash)}"


def _in_files(custodian: Custodian) -> list[CustodyHoldings]:
    return [custodian.holdings(account_id) for account_id in sorted(custodian.accounts) if account_id not in BY_MESSAGE]


def _in_two_parts(custodian: Custodian, day: DemoDay) -> list[SampleFile]:
    accounts = _in_files(custodian)
    half = len(accounts) // 2
    return [holdings_file(custodian, day, part, 1, i + 1, 2) for i, part in enumerate((accounts[:half], accounts[half:]))]


def _wrong_again_and_corrected(custodian: Custodian, day: DemoDay) -> list[SampleFile]:
    """The first file gives one lot too few shares; it comes twice; sequence 2 puts that account right."""
    right = _in_files(custodian)
    wrong = [_with_too_few_shares(account) if account.account_id == CORRECTED_ON_DAY_2 else account for account in right]
    first = holdings_file(custodian, day, wrong)
    again = SampleFile(first.name, first.content, "the same bytes again")
    corrected = holdings_file(custodian, day, [custodian.holdings(CORRECTED_ON_DAY_2, 2)], sequence=2)
    return [first, again, SampleFile(corrected.name, corrected.content, f"corrects account {CORRECTED_ON_DAY_2}")]


def _with_too_few_shares(account: CustodyHoldings) -> CustodyHoldings:
    largest = max(account.lots, key=lambda lot: (lot.quantity, lot.lot_id))
    lots = [replace(lot, quantity=lot.quantity - WRONG_BY_SHARES) if lot is largest else lot for lot in account.lots]
    return replace(account, lots=lots)


def _missing_and_unreadable(custodian: Custodian, day: DemoDay) -> list[SampleFile]:
    present = [account for account in _in_files(custodian) if account.account_id != MISSING_ON_DAY_3]
    file = holdings_file(custodian, day, present)
    lines = file.content.decode().split("\n")
    broken = next(i for i, line in enumerate(lines) if line.startswith(f"L,{UNREADABLE_ON_DAY_3},"))
    fields = lines[broken].split(",")
    fields[4] = "1e3"
    lines[broken] = ",".join(fields)
    return [SampleFile(file.name, "\n".join(lines).encode(), f"without {MISSING_ON_DAY_3}; a bad line in {UNREADABLE_ON_DAY_3}")]
