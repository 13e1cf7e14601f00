"""A lot that must leave by a deadline anyway: what selling it now saves of its tax at the end.

By name the lots that cost least, now or at the end, are taken to be the ones that leave, up to the forced amount; the lot at its edge is
split there.  Without the split the credit would pay for selling more than must leave.

Invariants
1. The parts of a lot add up to it; by name what has a credit adds up to at most the forced amount.
2. A credit is never negative and never more than the lot's tax now at its own rate.
"""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from libs.common.money import float_from_decimal
from services.optimizer.core.arrays import Bools, Floats, Ints, frozen
from services.optimizer.core.dual.tax_law import TaxLaw
from services.optimizer.core.terms import is_long
from services.optimizer.core.transition.book import Book
from services.optimizer.core.transition.case import Outlook
from services.optimizer.core.transition.one_period import Holdings

WHOLE = 1e-12  # of account value: a part smaller than this is none


@dataclass(frozen=True, slots=True)
class Parts:
    """Holdings whose lots may be split: `parent` is each part's lot of the book."""

    holdings: Holdings
    parent: Ints

    def merged(self, sold: Floats, lots: int) -> Floats:
        """[lots of the book] What is sold of each."""
        total: Floats = np.bincount(self.parent, sold, lots).astype(np.float64)
        return total


def unsplit(holdings: Holdings) -> Parts:
    """The lots as they are."""
    return Parts(holdings, np.arange(len(holdings.size), dtype=np.intp))


def with_exit_credit(
    law: TaxLaw, outlook: Outlook, book: Book, holdings: Holdings, forced: Floats, may_leave: Bools, until: tuple[int, date]
) -> Parts:
    """Holdings of `book` with the credit of what must leave: `forced` [names] of lots that `may_leave`, within `until` (years, day)."""
    years, end = until
    now = _tax(law, holdings.gain_frac, holdings.is_long)
    grown, discount = (1.0 + outlook.growth_frac) ** years, (1.0 + outlook.discount_frac) ** -years
    long_then = np.array([is_long(day, end) for day in book.lots.acquired], dtype=np.bool_)
    then = discount * _tax(law, grown - 1.0 + holdings.gain_frac, long_then)
    credit = np.minimum(now, then).clip(min=0.0)
    return _split(holdings, _leaving(holdings, np.minimum(now, then), np.where(may_leave, forced[holdings.name], 0.0)), credit)


def _tax(law: TaxLaw, gain: Floats, long: Bools) -> Floats:
    taxed: Floats = np.where(long, float_from_decimal(law.long_frac), float_from_decimal(law.short_frac)) * gain
    return taxed


def _leaving(holdings: Holdings, price: Floats, forced: Floats) -> Floats:
    """[lots] How much of each is taken to leave: the cheapest of its name first, up to what is forced [lots: of its name]."""
    size = np.where(forced > 0, holdings.size, 0.0)
    order = np.lexsort((price, holdings.name))
    before = np.cumsum(size[order]) - size[order]
    first = np.searchsorted(holdings.name, holdings.name)  # lots are sorted by name, before and after
    before = before - before[first]
    part = np.zeros(len(size))
    part[order] = np.clip(forced[order] - before, 0.0, size[order])
    return part


def _split(holdings: Holdings, leaving: Floats, credit: Floats) -> Parts:
    """Each lot as what leaves, with its credit, and the rest, in the lots' order."""
    stays = holdings.size - leaving
    both = (leaving > WHOLE) & (stays > WHOLE) & (credit > 0)
    parent = np.repeat(np.arange(len(both), dtype=np.intp), 1 + both)
    second = np.append(False, parent[1:] == parent[:-1])
    rest = second & both[parent]
    size = np.where(both[parent], np.where(rest, stays[parent], leaving[parent]), holdings.size[parent])
    credited = np.where(rest | (leaving[parent] <= WHOLE), 0.0, credit[parent])
    parts = replace(
        holdings,
        lot=frozen(holdings.lot[parent]),
        name=frozen(holdings.name[parent]),
        size=frozen(size),
        gain_frac=frozen(holdings.gain_frac[parent]),
        is_long=frozen(holdings.is_long[parent]),
        recent=frozen(holdings.recent[parent]),
        credit_frac=frozen(-credited),
    )
    return Parts(parts, parent)
