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
from typing import TypeVar

from libs.common.schemas.account import LotColumns

Column = TypeVar("Column")

NUMBER = r"(?:[1-9][0-9]{0,14}+|0)(?:\.[0-9]{1,6}+)?+"
SHARES = r"(?:[1-9][0-9]{0,14}+(?:\.[0-9]{1,6}+)?+|0\.[0-9]{1,6}+)"
PLAIN_ID = r"[!#-+\--~]{1,64}+"  # printable ASCII but the comma and the quote, which csv has to read
LOT_RUN = re.compile(rf"(?:L,[A-Za-z0-9_-]{{1,40}}+,{PLAIN_ID},{PLAIN_ID},{SHARES},(?:{NUMBER})?+,[0-9-]*+\r?+\n)++")
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

    def add(self, lots: GoodLots) -> bool:
        """Take lots without a fault; False, and nothing is taken, where an id comes twice."""
        before = len(self.ids)
        self.ids.update(lots.lot_id)
        if len(self.ids) != before + len(lots.lot_id):
            self.ids = {each for part in self._parts for each in part.lot_id}
            return False
        self._parts.append(lots)
        return True

    def columns(self) -> LotColumns:
        """The lots in the book's order: security, date acquired (unknown first), lot id."""
        if not self._parts:
            return LotColumns([], [], [], [], [], [])
        security_id = _in_one(part.security_id for part in self._parts)
        acquired = _in_one(part.acquired for part in self._parts)
        lot_id = _in_one(part.lot_id for part in self._parts)
        quantity = _in_one(part.quantity for part in self._parts)
        basis = _in_one(part.cost_basis for part in self._parts)
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


def _in_one(parts: Iterable[Sequence[Column]]) -> list[Column]:
    joined: list[Column] = []
    for part in parts:
        joined += part
    return joined


def good_lots(run: str, account_id: str, are_dates: Callable[[Collection[str]], bool]) -> GoodLots | None:
    """The lots of a run; None unless each is without fault and of this account, except that an id may come twice.

    `are_dates` tells whether texts are empty or dates up to the business date.
    """
    lines = run.replace("\r\n", "\n") if "\r" in run else run
    text = ("\n" + lines[:-1]).replace(f"\nL,{account_id},", ",")
    if "\n" in text:
        return None
    fields = text.split(",")
    lot_id, security_id, quantity, basis, acquired = (fields[1 + i :: FIELDS_OF_A_LOT] for i in range(FIELDS_OF_A_LOT))
    if not are_dates(acquired):
        return None
    try:
        shares = Decimal(sum(map(int, quantity)))
    except ValueError:  # a fraction; its form has been looked at
        shares, quantity = sum(map(Decimal, quantity), Decimal(0)), [_without_last_zeros(each) for each in quantity]
        if "0" in quantity:
            return None
    plain_basis = [(each if each[-1:] != "0" else _without_last_zeros(each)) or None for each in basis]
    return GoodLots(security_id, acquired, lot_id, quantity, plain_basis, shares)


def _without_last_zeros(number: str) -> str:
    """A number as `money.plain` writes it: no zeros at the end of a fraction."""
    return number.rstrip("0").rstrip(".") if number[-1:] == "0" and "." in number else number
