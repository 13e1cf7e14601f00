"""Purchases and losses that wait to meet, a line a security in the order of days; whoever looks along a line takes out what is used up.

However many stood in a line, only those within reach that can still meet cost time: the first ones are used up first, and they go for good
(through the undo log, so that going back brings them back).
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Generic, TypeVar

from services.wash_sale.core.undo_log import UndoLog

T = TypeVar("T")
MANY_DEAD = 16


class WaitingLines(Generic[T]):
    """Lines by security.  `day_of` gives the day by which an item stands in its line; what comes later is added at the end."""

    __slots__ = ("_day_of", "_lines", "_undo")

    def __init__(self, undo: UndoLog, day_of: Callable[[T], date]) -> None:
        self._undo = undo
        self._day_of = day_of
        self._lines: dict[str, list[T]] = {}

    def add(self, security_id: str, item: T) -> None:
        """Let something wait."""
        self._undo.append(self._lines.setdefault(security_id, []), item)

    def of(self, security_id: str) -> Sequence[T]:
        """A whole line."""
        return self._lines.get(security_id, ())

    def all_since(self, since: date) -> Iterable[T]:
        """What stands in any line from a day on."""
        for line in self._lines.values():
            yield from line[bisect_left(line, since, key=self._day_of) :]

    def waiting(self, security_id: str, since: date, alive: Callable[[T], bool]) -> list[T]:
        """What of a line, from a day on, is not used up."""
        found: list[T] = []

        def noted(item: T) -> bool:
            found.append(item)
            return True

        self.walk(security_id, since, alive, noted)
        return found

    def walk(self, security_id: str, since: date, alive: Callable[[T], bool], meet: Callable[[T], bool]) -> None:
        """Meet what waits from a day on, the first first, until `meet` says that there is no more to meet."""
        line = self._lines.get(security_id)
        if not line:
            return
        at = start = bisect_left(line, since, key=self._day_of)
        left: list[T] = []
        more = True
        while more and at < len(line):
            item = line[at]
            at += 1
            if alive(item):
                left.append(item)
                more = meet(item)
        dead = at - start - len(left)
        if dead > MANY_DEAD and 2 * dead > at - start:
            self._undo.splice(line, start, at, left)
