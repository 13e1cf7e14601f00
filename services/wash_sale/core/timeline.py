"""A household's books over two times: when something happened, and when it became known.

Facts come in the order in which they become known.  One that is later than all others is booked at once, whatever the household's size.
A late or corrected one goes to its place: the books go back to that day and on again from there, and what came out differently is said.
What was known at any time can be shown again (`as_of`).

Invariants
1. The books are those of a replay of the facts in the order of their days, however and in how many steps the facts came.
2. A fact that can't be booked, in its place or because of what stands after it, leaves the books and the facts as they were.
3. `as_of` a time shows the books of that time, whatever has been learned since.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from msgspec import Struct

from services.wash_sale.core.book import Book, LotKey
from services.wash_sale.core.booking import book_event
from services.wash_sale.core.identity import IdentityTable
from services.wash_sale.core.lots import Layer
from services.wash_sale.core.order_of_events import Dated, Place, first_of_step, one_step, place_of, steps
from services.wash_sale.core.policy import Policy
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.sale_rows import SaleRow
from services.wash_sale.core.tax_events import TaxAccount

UNDO_EVENTS = 20_000
"""So many events back a late fact goes by undoing; further back the books are made again from the beginning."""


class Fact(Struct, frozen=True):
    """Something about the household, from the time it became known.  The same `fact_id` again corrects it; no event takes it back."""

    fact_id: str
    known_at: datetime
    dated: Dated | None


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


class Timeline:
    """Facts in the order of their days, and the books that follow, with the way back to each."""

    def __init__(self, accounts: Mapping[str, TaxAccount], identity: IdentityTable, policy: Policy, undo_events: int = UNDO_EVENTS) -> None:
        self._given = (accounts, identity, policy)
        self._undo_events = undo_events
        self.book = Book(accounts, identity, policy)
        self.known: list[Fact] = []
        self._current: dict[str, Dated] = {}
        self._events: list[Dated] = []
        self._places: list[Place] = []
        self._marks: list[int] = []

    def learn(self, fact: Fact) -> Changes | Refusal:
        """Take a fact that becomes known now; a refusal leaves everything as it was."""
        before = self._current.get(fact.fact_id)
        rows, lots = self.book.rows, _lots(self.book) if before is not None or self._is_late(fact) else None
        rows = list(rows) if lots is not None else rows
        count, mark = len(rows), self.book.undo.mark()
        refusal = self._replace(before, fact.dated)
        if refusal is not None:
            assert self._replace(fact.dated, before) is None, "the books stood before"
            return refusal
        self.known.append(fact)
        if fact.dated is None:
            self._current.pop(fact.fact_id, None)
        else:
            self._current[fact.fact_id] = fact.dated
        since = min((dated.event.day for dated in (before, fact.dated) if dated is not None), default=date.max)
        if lots is None:
            changes = self._changes_since(mark, since, fact.known_at, count)
        else:
            changes = _changes_between(rows, self.book.rows, lots, _lots(self.book), since, fact.known_at)
        self._keep_undo_short()
        return changes

    def as_of(self, known_at: datetime) -> "Timeline":
        """The books as they were known at a time (that moment included)."""
        then = Timeline(*self._given, undo_events=self._undo_events)
        for fact in self.known:
            if fact.known_at <= known_at:
                then.learn(fact)
        return then

    def _is_late(self, fact: Fact) -> bool:
        """Whether the fact belongs before, or together with, something that is booked."""
        if fact.dated is None or not self._events:
            return False
        return place_of(fact.dated) < self._places[-1] or one_step(self._events[-1], fact.dated)

    def _replace(self, old: Dated | None, new: Dated | None) -> Refusal | None:
        """Put one event in the place of another, and derive again from the earlier of the two."""
        start = len(self._events)
        if old is not None:
            start = bisect_left(self._places, place_of(old))
            while self._events[start] is not old:
                start += 1
            del self._events[start], self._places[start]
        if new is not None:
            at = bisect_right(self._places, place_of(new))
            self._events.insert(at, new)
            self._places.insert(at, place_of(new))
            start = min(start, at)
        self._back_to(min(start, first_of_step(self._events, start)) if start < len(self._events) else start)
        return self._forward()

    def _back_to(self, position: int) -> None:
        """Undo the events from a position on, with what was booked at once with it; or begin anew where that is too far back."""
        if position >= len(self._marks):
            return
        mark = self._marks[position]
        if self.book.undo.goes_back_to(mark):
            self.book.undo.back_to(mark)
            del self._marks[bisect_left(self._marks, mark) :]
        else:
            self.book = Book(*self._given)
            self._marks = []

    def _forward(self) -> Refusal | None:
        """Book the events that are not booked yet; a refusal leaves those before it booked."""
        for step in steps(self._events, len(self._marks)):
            mark = self.book.undo.mark()
            if refusal := book_event(self.book, step.event):
                return refusal
            self._marks += [mark] * (step.end - step.start)
        return None

    def _changes_since(self, mark: int, since: date, known_at: datetime, rows_before: int) -> Changes:
        touched = self.book.touched_since(mark)
        sales = [Change(None, row) for row in self.book.rows[rows_before:]]
        sales += [Change(before, self.book.rows[index]) for index, before in sorted(touched.rows.items()) if index < rows_before]
        return _changes(sales, sorted(touched.lots), since, known_at)

    def _keep_undo_short(self) -> None:
        if len(self._marks) > 2 * self._undo_events:
            self.book.undo.forget(self._marks[-self._undo_events])


def _lots(book: Book) -> dict[LotKey, tuple[Layer, ...]]:
    return {
        LotKey(account_id, security_id, lot_id): layers
        for (account_id, security_id), position in book.positions.items()
        for lot_id, layers in position.lots.items()
        if layers
    }


def _changes_between(
    rows: Sequence[SaleRow],
    rows_now: Sequence[SaleRow],
    lots: Mapping[LotKey, tuple[Layer, ...]],
    lots_now: Mapping[LotKey, tuple[Layer, ...]],
    since: date,
    known_at: datetime,
) -> Changes:
    """Rows pair by sale, lot and their order within both."""
    before, after = _numbered(rows), _numbered(rows_now)
    keys = [*before, *(key for key in after if key not in before)]
    sales = [Change(before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]
    changed = [key for key in {**lots, **lots_now} if lots.get(key) != lots_now.get(key)]
    return _changes(sales, sorted(changed), since, known_at)


def _numbered(rows: Iterable[SaleRow]) -> dict[tuple[str, str, str, int], SaleRow]:
    found: dict[tuple[str, str, str, int], SaleRow] = {}
    counts: dict[tuple[str, str, str], int] = {}
    for row in rows:
        key = (row.trade_id, row.account_id, row.lot_id)
        counts[key] = counts.get(key, 0) + 1
        found[*key, counts[key]] = row
    return found


def _changes(sales: Sequence[Change], lots: Sequence[LotKey], since: date, known_at: datetime) -> Changes:
    rows = [row for change in sales for row in (change.before, change.after) if row is not None]
    return Changes(since, known_at, sales, lots, frozenset({row.security_id for row in rows} | {key.security_id for key in lots}))


def decided_on_other_facts(changes: Changes, proposals: Iterable[Decided]) -> list[str]:
    """The proposals that were decided before a fact was known which changes something of a security that they trade."""
    return [p.proposal_id for p in proposals if p.decided_at < changes.known_at and p.securities & changes.securities]
