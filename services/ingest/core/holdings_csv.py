"""The canonical holdings file, one line a lot, read as a stream (docs/file-formats.md).

    H,pma-holdings,1,<custodian>,<business_date>,<sequence>,<part>,<parts>,<basis>,<created_at>
    A,<account_id>,<cash_settled>,<cash_unsettled>
    L,<account_id>,<lot_id>,<security_id>,<quantity>,<cost_basis or empty>,<acquired or empty>
    T,<account lines>,<lot lines>,<sum of quantity>,<sum of cash_settled>

A bad line quarantines its account and the rest is taken.  What can't be pinned on an account (header, an unreadable account id, an
unknown record type, the trailer's counts and sums) refuses the whole file.

Invariants
1. Every account line gives one account, whole or quarantined, or the file is refused.
2. Counts and sums agree with the trailer, or the file is refused; sums are left out where a line's number can't be read.
3. A bad line of one account changes nothing of another.
4. Lines are read as a stream; what is kept is one block of text, one account and the ids of those before it.
"""

import csv
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NoReturn, cast

from msgspec import Struct

from libs.common.errors import BadInput
from libs.common.money import PLAIN_DECIMAL, ZERO, plain
from services.ingest.core.lot_lines import GoodLots, Lines, LotTable, good_lots
from services.ingest.core.snapshot import Basis, Snapshot

ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
OPAQUE_ID = re.compile(r"[\x21-\x7e]{1,64}")
ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
HEADER_FIELDS = 10
ACCOUNT_FIELDS = 4
LOT_FIELDS = 7
TRAILER_FIELDS = 5
DATES_KEPT = 50_000
AHEAD_OF_ITS_MAKING = timedelta(days=4)  # Friday night's file for the Monday after a long weekend


class RefusedLine(Struct, frozen=True):
    """A line that was not taken, and what to do about it.  Lines count from 1."""

    line: int
    account_id: str | None
    field: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class FileHeader:
    """Who sent what for which day; `part` counts from 1 to `parts`."""

    custodian: str
    business_date: date
    sequence: int
    part: int
    parts: int
    basis: Basis


@dataclass(frozen=True)
class AccountHoldings:
    """One account of a file: its snapshot, or why it is quarantined."""

    account_id: str
    snapshot: Snapshot | None
    quarantine: str | None


@dataclass
class _Open:
    """The account whose lines are being read."""

    account_id: str
    cash_settled: Decimal
    cash_unsettled: Decimal
    refused: RefusedLine | None = None
    lots: LotTable = field(default_factory=LotTable)


class HoldingsReader:
    """Reads one file: `header` after the first line, `accounts()` as they complete, counts and refused lines as they grow.

    `lines` are texts of a line each, or of many that each end with LF.
    Raises BadInput, naming file, line, field and remedy, for what refuses the whole file.
    """

    def __init__(self, name: str, lines: Iterable[str]) -> None:
        self._name = name
        self._lines = Lines(lines)
        self._rows = csv.reader(self._lines, strict=True)
        self._dates: set[str] = {""}  # acquired: not known, or on a day up to the business date
        self._seen: set[str] = set()
        self._unreadable_sums = False
        self.refused: list[RefusedLine] = []
        self.account_lines = 0
        self.lot_lines = 0
        self.quantity_sum = ZERO
        self.cash_sum = ZERO
        self.header = self._read_header()

    def _refuse(self, field_name: str | None, problem: str, remedy: str) -> NoReturn:
        raise BadInput(self._name, max(1, self._lines.taken), field_name, problem, remedy)

    def _next_row(self) -> list[str] | None:
        try:
            return next(self._rows, None)
        except csv.Error as error:
            self._refuse(None, f"the line can't be read ({error})", "Send the file again as UTF-8 CSV")

    def _read_header(self) -> FileHeader:
        row = self._next_row()
        if row is None:
            self._refuse(None, "the file is empty", "A file without accounts still has its H and T lines")
        if len(row) != HEADER_FIELDS or row[:3] != ["H", "pma-holdings", "1"]:
            self._refuse("record type", f"{','.join(row)[:80]!r} is no header", "Begin with H,pma-holdings,1,... of ten fields")
        _, _, _, custodian, day, sequence, part, parts, basis, created_at = row
        if not OPAQUE_ID.fullmatch(custodian):
            self._refuse("custodian", f"{custodian!r} is no id", "Use printable ASCII without spaces")
        business_date = _date(day)
        if business_date is None:
            self._refuse("business_date", f"{day!r} is no date", "Write it as 2025-12-15")
        numbers = {"sequence": sequence, "part": part, "parts": parts}
        for name, text in numbers.items():
            if not text.isdecimal() or not text.isascii() or int(text[:9]) < 1 or len(text) > 9:
                self._refuse(name, f"{text!r} is no number from 1", "Count from 1")
        if int(part) > int(parts):
            self._refuse("part", f"part {part} of {parts}", "Parts count from 1 to parts")
        if basis not in ("trade_date", "settlement_date"):
            self._refuse("basis", f"{basis!r} is unknown", "Say trade_date or settlement_date")
        self._check_created_at(created_at, business_date)
        return FileHeader(custodian, business_date, int(sequence), int(part), int(parts), cast(Basis, basis))

    def _check_created_at(self, text: str, business_date: date) -> None:
        if not text:
            return
        try:
            made = datetime.fromisoformat(text).date()
        except ValueError:
            self._refuse("created_at", f"{text!r} is no time", "Write it as 2025-12-15T11:30:00Z, or leave it empty")
        if business_date - made > AHEAD_OF_ITS_MAKING:
            self._refuse("business_date", f"{business_date} is days after the file was made ({text})", "Check both dates")

    def accounts(self) -> Iterator[AccountHoldings]:
        """The accounts one by one, each after its last line; the trailer's counts and sums are checked at the end."""
        current: _Open | None = None
        while (row := self._row_after_runs(current)) is not None:
            kind = row[0] if row else ""
            if kind == "L":
                self._read_lot(row, current)
            elif kind == "A":
                if current is not None:
                    yield self._close(current)
                current = self._open(row)
            elif kind == "T":
                if current is not None:
                    yield self._close(current)
                self._check_trailer(row)
                return
            else:
                self._refuse("record type", f"{kind!r} is unknown", "Begin each line with A, L or T")
        self._refuse("record type", "the trailer is missing: the file was cut off", "Send the whole file again")

    def _row_after_runs(self, current: _Open | None) -> list[str] | None:
        """Take the account's next lots as long as they come in faultless runs; then the line that follows."""
        while current is not None and self._lines.take_run(lambda run: self._take_run(run, current)):
            pass
        return self._next_row()

    def _take_run(self, run: str, current: _Open) -> bool:
        lots = good_lots(run, current.account_id, self._all_possible)
        if lots is None or not current.lots.add(lots):
            return False
        self.lot_lines += len(lots.lot_id)
        self.quantity_sum += lots.shares
        return True

    def _open(self, row: list[str]) -> _Open:
        self.account_lines += 1
        account_id = row[1] if len(row) > 1 else ""
        if not ACCOUNT_ID.fullmatch(account_id):
            self._refuse("account_id", f"{account_id!r} is unreadable", "Account ids are 1 to 40 letters, digits, '-' or '_'")
        if account_id in self._seen:
            self._refuse("account_id", f"{account_id} comes twice", "Keep all lines of an account together, once a file")
        self._seen.add(account_id)
        opened = _Open(account_id, ZERO, ZERO)
        if len(row) != ACCOUNT_FIELDS:
            self._quarantine(opened, "A line", f"{len(row)} fields", f"An A line has {ACCOUNT_FIELDS}")
            self._unreadable_sums = True
            return opened
        for name, text in (("cash_settled", row[2]), ("cash_unsettled", row[3])):
            if not PLAIN_DECIMAL.fullmatch(text):
                self._quarantine(opened, name, f"{text!r} is no plain decimal", "Write dollars as 1234.56")
                self._unreadable_sums = True
                return opened
        opened.cash_settled, opened.cash_unsettled = Decimal(row[2]), Decimal(row[3])
        self.cash_sum += opened.cash_settled
        return opened

    def _read_lot(self, row: list[str], current: _Open | None) -> None:
        self.lot_lines += 1
        account_id = row[1] if len(row) > 1 else ""
        if current is None or account_id != current.account_id:
            self._refuse("account_id", f"lot line of {account_id!r} outside its account", "Put each lot under its account's A line")
        if len(row) != LOT_FIELDS:
            self._unreadable_sums = True
            self._quarantine(current, "L line", f"{len(row)} fields", f"An L line has {LOT_FIELDS}")
            return
        _, _, lot_id, security_id, quantity, cost_basis, acquired = row
        if not PLAIN_DECIMAL.fullmatch(quantity):
            self._unreadable_sums = True
            self._quarantine(current, "quantity", f"{quantity!r} is no plain decimal", "Write shares as 100 or 12.345678")
            return
        shares = Decimal(quantity)
        self.quantity_sum += shares
        if shares <= 0:
            self._quarantine(current, "quantity", f"{quantity} is not positive", "Leave out closed lots; short positions are not kept")
        elif not OPAQUE_ID.fullmatch(lot_id) or lot_id in current.lots.ids:
            self._quarantine(current, "lot_id", f"{lot_id!r} is unreadable or comes twice", "Give each lot of an account its own id")
        elif not OPAQUE_ID.fullmatch(security_id):
            self._quarantine(current, "security_id", f"{security_id!r} is no id", "Use the security master's ids")
        elif cost_basis and (not PLAIN_DECIMAL.fullmatch(cost_basis) or cost_basis[0] == "-"):
            self._quarantine(current, "cost_basis", f"{cost_basis!r} is no amount", "Write dollars for the whole lot, or leave it empty")
        elif acquired and not self._acquired_possible(acquired):
            self._quarantine(current, "acquired", f"{acquired!r} is no date up to the business date", "Write 2024-05-31, or leave it empty")
        else:
            basis = plain(Decimal(cost_basis)) if cost_basis else None
            current.lots.add(GoodLots([security_id], [acquired], [lot_id], [plain(shares)], [basis], shares))

    def _all_possible(self, texts: Collection[str]) -> bool:
        return self._dates.issuperset(texts) or all(map(self._acquired_possible, set(texts)))

    def _acquired_possible(self, text: str) -> bool:
        if text in self._dates:
            return True
        day = _date(text)
        if day is None or day > self.header.business_date:
            return False
        if len(self._dates) < DATES_KEPT:
            self._dates.add(text)
        return True

    def _quarantine(self, account: _Open, field_name: str, problem: str, remedy: str) -> None:
        refused = RefusedLine(self._lines.taken, account.account_id, field_name, problem, remedy)
        self.refused.append(refused)
        account.refused = account.refused or refused

    def _close(self, account: _Open) -> AccountHoldings:
        if account.refused is not None:
            reason = f"{self._name}, line {account.refused.line}, field {account.refused.field}: {account.refused.problem}"
            return AccountHoldings(account.account_id, None, reason)
        head = self.header
        cash = (account.cash_settled, account.cash_unsettled)
        snapshot = Snapshot(
            head.custodian, account.account_id, head.business_date, head.sequence, head.basis, *cash, account.lots.columns()
        )
        return AccountHoldings(account.account_id, snapshot, None)

    def _check_trailer(self, row: list[str]) -> None:
        if len(row) != TRAILER_FIELDS:
            self._refuse("T line", f"{len(row)} fields", f"A T line has {TRAILER_FIELDS}")
        counted = {"account lines": (row[1], self.account_lines), "lot lines": (row[2], self.lot_lines)}
        for name, (said, found) in counted.items():
            if said != str(found):
                self._refuse(name, f"the trailer says {said[:20]}, the file has {found}", "Send the whole file again")
        if not self._unreadable_sums:
            sums = {"sum of quantity": (row[3], self.quantity_sum), "sum of cash_settled": (row[4], self.cash_sum)}
            for name, (text, total) in sums.items():
                if not re.fullmatch(r"-?\d+(\.\d+)?", text) or Decimal(text) != total:
                    self._refuse(name, f"the trailer says {text[:40]}, the lines add up to {plain(total)}", "Send the whole file again")
        if self._next_row() is not None:
            self._refuse("record type", "there is a line after the trailer", "End the file with its T line")


def _date(text: str) -> date | None:
    if not ISO_DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
