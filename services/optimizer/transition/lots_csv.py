"""Lots as a table: a CSV of a broker or a spreadsheet, or cells pasted from one; with or without a header, in whatever encoding came.

Columns are found by their names in any order (COLUMNS), else they are ticker, day acquired, shares, cost per share.  Lines above the header
with a name and a value are the short form (short_form.py).  A wrong line is marked and left out; the others are kept.
"""

import csv
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct

from services.optimizer.transition.amounts import Mark, Problem, mark_of, read_amount
from services.optimizer.transition.days import REMEDY, day_first, read_day
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.fields import clean

COLUMNS = {
    "ticker": ("ticker", "symbol", "security", "security id", "stock", "name"),
    "acquired": ("acquired", "date acquired", "acquisition date", "purchase date", "open date", "trade date", "date", "bought"),
    "shares": ("shares", "quantity", "qty", "units", "no of shares", "number of shares"),
    "cost_per_share": ("cost per share", "unit cost", "price paid", "cost share", "purchase price", "cost", "average cost"),
    "cost_basis": ("cost basis", "total cost", "basis", "adjusted basis", "tax basis"),
    "lot_id": ("lot id", "lot", "lot number", "id"),
}
IN_ORDER = ("ticker", "acquired", "shares", "cost_per_share")
DELIMITERS = ",;\t|"
MOST_LOTS = 20_000
LONGEST_TICKER = 64
MOST_OF_A_CELL = 4000
UNNAMED = re.compile(r"(lot|line) \d+", re.ASCII)


class FormLot(Struct, frozen=True):
    """One lot as given: cost in dollars a share; `line` is where it stands."""

    line: int
    lot_id: str
    ticker: str
    acquired: date
    shares: Decimal
    cost_per_share: Decimal
    at: int = 0  # its place among all lots that were given

    def what(self) -> str:
        """The lot in words, by its id, or by where it stands."""
        name = self.lot_id if UNNAMED.fullmatch(self.lot_id) else f"lot {self.lot_id}"
        return f"{name[:1].upper()}{name[1:]}: {self.shares.normalize():f} {self.ticker}"


class LeftOut(Struct, frozen=True):
    """What of the form can't be judged, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Table:
    """What a text holds: `short` are the lines of name and value above the lots, with their line numbers."""

    short: list[tuple[int, str, str]]
    lots: list[FormLot]
    left_out: list[LeftOut]
    faults: list[FieldFault]


def decoded(body: bytes) -> str:
    """The text of a file, by its mark or by how it looks: UTF-8, UTF-16 of either order, else Latin-1, which always reads."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if body.startswith(mark):
            return body.decode(encoding, "replace")
    half = max(1, len(body[:2000]) // 2)
    for encoding, offset in (("utf-16-le", 1), ("utf-16-be", 0)):
        if body[:2000][offset::2].count(0) > 0.4 * half:
            return body.decode(encoding, "replace")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("latin-1")


def read_table(given: bytes | str) -> Table:
    """The lots of a table, and what is above them."""
    text = decoded(given) if isinstance(given, bytes) else given.removeprefix("\ufeff")
    delimiter, rows = _rows(text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", ""))
    found = Table([], [], [], [])
    columns, at = _header(rows)
    for line, cells in rows[:at]:
        found.short.append((line, _name(cells[0]), delimiter.join(cells[1:]).strip(delimiter + " ")))
    body = [row for row in rows[at + (columns is not None) :] if not _name(row[1][0]).startswith("total")]
    if columns is None:
        columns = dict(zip(IN_ORDER, range(4), strict=True))
    if len(body) > MOST_LOTS:
        found.faults.append(FieldFault(body[MOST_LOTS][0], "lots", f"There are more than {MOST_LOTS} lots", "Give the account in parts"))
    _read_lots(body[:MOST_LOTS], columns, delimiter, found)
    return found


def _rows(text: str) -> tuple[str, list[tuple[int, list[str]]]]:
    """The mark between cells, and the rows that are not empty, with their lines; cells are stripped."""
    first = [line for line in text.split("\n") if line.strip()][:40]
    delimiter = max(DELIMITERS, key=lambda each: (sum(min(line.count(each), 12) for line in first), each == ","))
    rows: list[tuple[int, list[str]]] = []
    reader = csv.reader(text.split("\n"), delimiter=delimiter)
    while True:
        try:
            cells = [clean(cell, MOST_OF_A_CELL) for cell in next(reader)]
        except StopIteration:
            return delimiter, rows
        except csv.Error:
            continue  # a cell longer than any cell: the line can't be a lot
        if any(cells):
            rows.append((reader.line_num, cells))


def _name(cell: str) -> str:
    return " ".join(cell.lower().replace("_", " ").replace("/", " ").replace(".", " ").replace("(", " ").replace(")", " ").split())


def _header(rows: list[tuple[int, list[str]]]) -> tuple[dict[str, int] | None, int]:
    """Where each column is and which row names them; without such a row, None and where the first row of four cells is."""
    for at, (_, cells) in enumerate(rows):
        names = [_name(cell) for cell in cells]
        columns: dict[str, int] = {}
        for column, spellings in COLUMNS.items():
            found = [(spellings.index(name), i) for i, name in enumerate(names) if name in spellings]
            if found:
                columns[column] = min(found)[1]
        if "ticker" in columns and len(columns) >= 3:
            return columns, at
    wide = [at for at, (_, cells) in enumerate(rows) if len(cells) >= 3]
    like_lots = [at for at in wide if isinstance(read_day(rows[at][1][1]), date) or isinstance(read_amount(rows[at][1][2]), Decimal)]
    return None, next(iter(like_lots or wide), len(rows))


def _read_lots(rows: list[tuple[int, list[str]]], columns: dict[str, int], delimiter: str, found: Table) -> None:
    def cells_of(column: str) -> list[str]:
        at = columns.get(column)
        return [cells[at] for _, cells in rows if at is not None and at < len(cells)]

    numbers = [*cells_of("shares"), *cells_of("cost_per_share"), *cells_of("cost_basis")]
    mark = mark_of(numbers, Mark.NOT_CLEAR if delimiter == ";" and any("," in each for each in numbers) else Mark.POINT)
    before = day_first(cells_of("acquired"))
    for number, (line, cells) in enumerate(rows):
        given = {column: cells[at] for column, at in columns.items() if at < len(cells)}
        lot = read_lot(given, line, number, mark, day_before_month=before)
        if isinstance(lot, FormLot):
            found.lots.append(lot)
        else:
            found.faults.extend(lot)
            found.left_out.append(left_out(given, line, lot))


def left_out(given: dict[str, Any], line: int, faults: list[FieldFault]) -> LeftOut:
    """The lot among what is not judged."""
    ticker, shares = clean(str(given.get("ticker") or "")), clean(str(given.get("shares") or ""))
    what = f"Lot of {shares + ' ' if shares else ''}{ticker or 'a security without a name'}" + (f" (line {line})" if line else "")
    return LeftOut(what, "; ".join(each.message for each in faults))


def read_lot(given: dict[str, str], line: int, at: int, mark: Mark, *, day_before_month: bool = False) -> FormLot | list[FieldFault]:
    """One lot from its texts, or everything that is wrong with it; `at` is its place among the lots."""
    place = f"lots[{at}]"
    faults: list[FieldFault] = []
    ticker = clean(given.get("ticker", "")).upper()
    if not ticker or len(ticker) > LONGEST_TICKER:
        faults.append(FieldFault(line, f"{place}.ticker", "The ticker is missing", "Give the security's ticker"))
    day = read_day(given.get("acquired", ""), day_before_month=day_before_month)
    if not given.get("acquired", "").strip():
        faults.append(FieldFault(line, f"{place}.acquired", "The day acquired is missing", REMEDY))
    elif isinstance(day, Problem):
        faults.append(FieldFault(line, f"{place}.acquired", str(day), REMEDY))
    shares = _positive(given, "shares", line, place, mark, faults, "Shares are missing")
    total = given.get("cost_per_share", "").strip() == "" and given.get("cost_basis", "").strip() != ""
    cost = _positive(given, "cost_basis" if total else "cost_per_share", line, place, mark, faults, "The cost is missing", zero=True)
    if faults or isinstance(day, Problem) or shares is None or cost is None:
        return faults
    each = cost / shares if total else cost
    return FormLot(line, clean(given.get("lot_id", "")) or f"line {line}", ticker, day, shares, each, at)


def _positive(
    given: dict[str, str], name: str, line: int, place: str, mark: Mark, faults: list[FieldFault], missing: str, *, zero: bool = False
) -> Decimal | None:
    text = given.get(name, "").strip()
    value = read_amount(text, mark) if text else Problem(missing)
    if not isinstance(value, Problem) and (value < 0 or (value == 0 and not zero)):
        value = Problem(f"{text[:40]!r} is not above zero")
    if isinstance(value, Problem):
        faults.append(
            FieldFault(
                line,
                f"{place}.{name}",
                str(value),
                "Write dollars in digits, as 1234.56" if zero else "Write shares in digits, as 100 or 12.345",
            )
        )
        return None
    return value
