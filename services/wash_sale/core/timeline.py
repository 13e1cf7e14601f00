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
from collections.abc import Mapping
from datetime import date, datetime

from msgspec import Struct

from services.wash_sale.core.book import Book
from services.wash_sale.core.book_changes import Changes, before_going_back, changes_since
from services.wash_sale.core.booking import book_event
from services.wash_sale.core.identity import IdentityTable
from services.wash_sale.core.order_of_events import Dated, Place, first_of_step, place_of, steps
from services.wash_sale.core.policy import Policy
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.tax_events import TaxAccount

UNDO_EVENTS = 20_000
"""So many events back a late fact goes by undoing; further back the books are made again from the beginning."""


class Fact(Struct, frozen=True):
    """Something about the household, from the time it became known.  The same `fact_id` again corrects it; no event takes it back."""

    fact_id: str
    known_at: datetime
    dated: Dated | None


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
        old = self._current.get(fact.fact_id)
        position = self._put_in_place(old, fact.dated)
        mark = self._mark_of(position)
        before = before_going_back(self.book, mark)
        refusal = self._derive_from(position)
        if refusal is not None:
            refused = self._derive_from(self._put_in_place(fact.dated, old))
            assert refused is None, "the books stood before"
            return refusal
        self.known.append(fact)
        if fact.dated is not None:
            self._current[fact.fact_id] = fact.dated
        elif old is not None:
            del self._current[fact.fact_id]
        since = min((dated.event.day for dated in (old, fact.dated) if dated is not None), default=date.max)
        changes = changes_since(before, self.book, mark, since, fact.known_at)
        if len(self._marks) > 2 * self._undo_events:
            self.book.undo.forget(self._marks[-self._undo_events])
        return changes

    def as_of(self, known_at: datetime) -> "Timeline":
        """The books as they were known at a time (that moment included)."""
        then = Timeline(*self._given, undo_events=self._undo_events)
        for fact in self.known:
            if fact.known_at <= known_at:
                then.learn(fact)
        return then

    def _put_in_place(self, old: Dated | None, new: Dated | None) -> int:
        """Put one event in the place of another; returns from where on the books must be derived again."""
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
        if start < len(self._events):
            start = first_of_step(self._events, start)
        return bisect_left(self._marks, self._marks[start]) if start < len(self._marks) else start

    def _mark_of(self, position: int) -> int | None:
        """The mark before an event; None where the books no longer go back so far."""
        mark = self._marks[position] if position < len(self._marks) else self.book.undo.mark()
        return mark if self.book.undo.goes_back_to(mark) else None

    def _derive_from(self, position: int) -> Refusal | None:
        """Go back to an event, or to the beginning where that is too far, and book what follows."""
        if position < len(self._marks):
            mark = self._mark_of(position)
            if mark is None:
                self.book, self._marks = Book(*self._given), []
            else:
                self.book.undo.back_to(mark)
                del self._marks[position:]
        return self._forward()

    def _forward(self) -> Refusal | None:
        """Book the events that are not booked yet; a refusal leaves those before it booked."""
        for step in steps(self._events, len(self._marks)):
            mark = self.book.undo.mark()
            if refusal := book_event(self.book, step.event):
                return refusal
            self._marks += [mark] * (step.end - step.start)
        return None
