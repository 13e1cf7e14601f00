"""Lines of the holdings file as text, and runs of its lot lines taken together: one match instead of a line's checks and a csv row each.

A run only says yes or no.  What is wrong with a line, and what to do about it, holdings_csv says: it reads the lines that no run takes.

Invariants
1. What a run takes, the line-by-line reader takes too, with the same result.
2. Every line is taken once, in order, by a run or by itself.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import itemgetter

from libs.common.schemas.account import LotColumns

NUMBER = r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?"
PLAIN_ID = r"[!#-+\--~]{1,64}"  # printable ASCII but the comma and the quote, which csv has to read
LOT_RUN = re.compile(rf"(?:L,[A-Za-z0-9_-]{{1,40}},{PLAIN_ID},{PLAIN_ID},{NUMBER},(?:{NUMBER})?,[0-9-]*\r?\n)++")
FIELDS_OF_A_LOT = 5


class Lines:
    """Text as lines.  A text that ends with LF holds whole lines, as many as it likes; another one is a line by itself."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = iter(texts)
        self._text, self._at, self._left = "", 0, False
        self._singly_until = 0
        self.taken = 0

    def _more(self) -> bool:
        if not self._left:
            text = next(self._texts, None)
            if text is None:
                return False
            self._text, self._at, self._left, self._singly_until = text, 0, True, 0
        return True

    def _advance(self, end: int, lines: int) -> None:
        self._at, self._left = end, end < len(self._text)
        self.taken += lines

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        """The next line."""
        if not self._more():
            raise StopIteration
        begin = self._at
        end = self._text.find("\n", begin) + 1 if self._text.endswith("\n") else len(self._text)
        self._advance(end, 1)
        return self._text[begin:end]

    def take_run(self, take: Callable[[str], bool]) -> bool:
        """Offer the lot lines that come next, all of plain form; False where there are none or they are not wanted together."""
        if not self._more() or self._at < self._singly_until:
            return False
        found = LOT_RUN.match(self._text, self._at)
        if found is None:
            return False
        if not take(found[0]):
            self._singly_until = found.end()
            return False
        self._advance(found.end(), found[0].count("\n"))
        return True


@dataclass(frozen=True)
class GoodLots:
    """The lots of lines without a fault, as columns of equal length; `acquired` may hold ''.  `shares` is the sum of `quantity`."""

    security_id: Sequence[str]
    acquired: Sequence[str]
    lot_id: Sequence[str]
    quantity: Sequence[str]
    cost_basis: Sequence[str | None]
    shares: Decimal


class LotTable:
    """The lots of one account as they come, and their ids."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self._parts: list[GoodLots] = []

    def add(self, lots: GoodLots) -> None:
        """Take lots without a fault."""
        self.ids.update(lots.lot_id)
        self._parts.append(lots)

    def columns(self) -> LotColumns:
        """The lots in the book's order: security, date acquired (unknown first), lot id."""
        if not self._parts:
            return LotColumns([], [], [], [], [], [])
        security_id = [each for part in self._parts for each in part.security_id]
        acquired = [each for part in self._parts for each in part.acquired]
        lot_id = [each for part in self._parts for each in part.lot_id]
        quantity = [each for part in self._parts for each in part.quantity]
        basis = [each for part in self._parts for each in part.cost_basis]
        keys = list(map("\0".join, zip(security_id, acquired, lot_id, strict=True)))  # no id holds a NUL
        order = sorted(range(len(keys)), key=keys.__getitem__)
        in_order = itemgetter(*order) if len(order) > 1 else tuple
        return LotColumns(
            lot_id=list(in_order(lot_id)),
            security_id=list(in_order(security_id)),
            quantity=list(in_order(quantity)),
            cost_basis=list(in_order(basis)),
            acquired=[day or None for day in in_order(acquired)],
            provisional=[False] * len(order),
        )


def good_lots(run: str, account_id: str, known: Collection[str], are_dates: Callable[[set[str]], bool]) -> GoodLots | None:
    """The lots of a run; None unless each is without fault and of this account.

    `known` are the account's lot ids so far, `are_dates` tells whether texts are dates up to the business date.
    """
    lines = run.replace("\r\n", "\n") if "\r" in run else run
    text = ("\n" + lines[:-1]).replace(f"\nL,{account_id},", ",")
    if "\n" in text:
        return None
    fields = text.split(",")
    lot_id, security_id, quantity, basis, acquired = (fields[1 + i :: FIELDS_OF_A_LOT] for i in range(FIELDS_OF_A_LOT))
    ids, days = set(lot_id), set(acquired)
    days.discard("")
    if len(ids) != len(lot_id) or not ids.isdisjoint(known) or not are_dates(days):
        return None
    if "." in "".join(quantity):
        shares, quantity = sum(map(Decimal, quantity), Decimal(0)), _without_last_zeros(quantity)
    else:
        shares = Decimal(sum(map(int, quantity)))
    if "0" in quantity:
        return None
    return GoodLots(security_id, acquired, lot_id, quantity, [each or None for each in _without_last_zeros(basis)], shares)


def _without_last_zeros(column: Sequence[str]) -> list[str]:
    """Numbers as `money.plain` writes them: no zeros at the end of a fraction."""
    return [each.rstrip("0").rstrip(".") if each[-1:] == "0" and "." in each else each for each in column]
