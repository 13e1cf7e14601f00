"""What came out differently in the books after a fact: sale rows and lots, found from what was touched, not by comparing everything."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from msgspec import Struct

from services.wash_sale.core.book import Book
from services.wash_sale.core.lots import Layer
from services.wash_sale.core.positions import Layers, LotKey
from services.wash_sale.core.sale_rows import SaleRow
from services.wash_sale.core.undo_log import nothing


class Change(Struct, frozen=True):
    """A sale row before and after; None where it was not there."""

    before: SaleRow | None
    after: SaleRow | None


class Changes(Struct, frozen=True):
    """What a fact changed.  `since`: from which day on the books were derived again.  `sales` from before that are past sales that came
    out differently; `lots` are those whose layers did; `securities` all that are touched.
    """

    since: date
    known_at: datetime
    sales: Sequence[Change]
    lots: Sequence[LotKey]
    securities: frozenset[str]


class Decided(Struct, frozen=True):
    """A proposal: when it was decided, on which securities."""

    proposal_id: str
    decided_at: datetime
    securities: frozenset[str]


class Touched(NamedTuple):
    """What changed in the books since a mark: lots and rows with what they were at the mark, and how many rows were added."""

    lots: Mapping[LotKey, Layers | None]
    rows: Mapping[int, SaleRow]
    rows_added: int


class Before(Struct, frozen=True):
    """The books as they stand, as far as going back to a mark will touch them: lots, old rows by number, and the rows since."""

    lots: Mapping[LotKey, tuple[Layer, ...] | None]
    old_rows: Mapping[int, SaleRow]
    new_rows: Sequence[SaleRow]


def before_going_back(book: Book, mark: int | None) -> Before:
    """Keep what is to be compared; `mark` None: everything."""
    touched = touched_since(book, mark)
    base = len(book.rows) - touched.rows_added
    return Before({key: book.lot(key) for key in touched.lots}, {index: book.rows[index] for index in touched.rows}, book.rows[base:])


def changes_since(before: Before, book: Book, mark: int | None, since: date, known_at: datetime) -> Changes:
    """Compare what was kept with the books now, which went back to the mark and on again."""
    touched = touched_since(book, mark)
    base = len(book.rows) - touched.rows_added
    sales = []
    for index in sorted(before.old_rows.keys() | touched.rows.keys()):
        old, new = before.old_rows.get(index) or touched.rows[index], book.rows[index]
        if old != new:
            sales.append(Change(old, new))
    old_rows, new_rows = _numbered(before.new_rows), _numbered(book.rows[base:])
    keys = [*old_rows, *(key for key in new_rows if key not in old_rows)]
    sales += [Change(old_rows.get(key), new_rows.get(key)) for key in keys if old_rows.get(key) != new_rows.get(key)]
    lots = {**touched.lots, **before.lots}
    changed = sorted(key for key, old in lots.items() if (old or ()) != (book.lot(key) or ()))
    rows = [row for change in sales for row in (change.before, change.after) if row is not None]
    securities = frozenset({row.security_id for row in rows} | {key.security_id for key in changed})
    return Changes(since, known_at, sales, changed, securities)


def touched_since(book: Book, mark: int | None) -> Touched:
    """Read from the undo log: a lot's change is followed, going back, by the note of its key.  `mark` None: everything."""
    if mark is None:
        every = (LotKey(*place, lot_id) for place, position in book.positions.items() for lot_id in position.lots)
        return Touched(dict.fromkeys(every), {}, len(book.rows))
    rows: dict[int, SaleRow] = {}
    lots: dict[LotKey, Layers | None] = {}
    added, latest = 0, None
    for change in book.undo.since(mark):
        if change.undo is nothing:
            lots[change.target] = latest
        elif change.target is book.rows and change.key is None:
            added += 1
        elif change.target is book.rows:
            rows[change.key] = change.old
        latest = change.old
    base = len(book.rows) - added
    return Touched(lots, {index: row for index, row in rows.items() if index < base}, added)


def _numbered(rows: Iterable[SaleRow]) -> dict[tuple[str, str, str, int], SaleRow]:
    """Rows by sale, account and lot, and by their order within that."""
    found: dict[tuple[str, str, str, int], SaleRow] = {}
    counts: dict[tuple[str, str, str], int] = {}
    for row in rows:
        key = (row.trade_id, row.account_id, row.lot_id)
        counts[key] = counts.get(key, 0) + 1
        found[*key, counts[key]] = row
    return found


def decided_on_other_facts(changes: Changes, proposals: Iterable[Decided]) -> list[str]:
    """The proposals that were decided before a fact was known which changes something of a security that they trade."""
    return [p.proposal_id for p in proposals if p.decided_at < changes.known_at and p.securities & changes.securities]
