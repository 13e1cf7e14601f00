"""A lot that must leave by a deadline anyway: what selling it now saves of its tax at the end.

By name the lots that cost least, now or at the end, are taken to be the ones that leave, up to the forced amount; the lot at its edge is
split there.  Without the split the credit would pay for selling more than must leave.

Invariants
1. The parts of a lot add up to it; by name what has a credit adds up to at most the forced amount.
2. A credit is never negative and never more than the lot's tax now at its own rate.
"""

from collections.abc import Mapping
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
    """Holdings whose lots may be split: `parent` is each part's lot of the book, `beyond` those past a year's cap on their name."""

    holdings: Holdings
    parent: Ints
    beyond: Bools

    def merged(self, sold: Floats, lots: int) -> Floats:
        """[lots of the book] What is sold of each."""
        total: Floats = np.bincount(self.parent, sold, lots).astype(np.float64)
        return total


def unsplit(holdings: Holdings) -> Parts:
    """The lots as they are."""
    return Parts(holdings, np.arange(len(holdings.size), dtype=np.intp), np.zeros(len(holdings.size), dtype=np.bool_))


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
    leaving = _leaving(holdings, np.minimum(now, then), np.where(may_leave, forced[holdings.name], 0.0))
    parent, size, stays = _split(holdings, leaving, credit > 0)
    credited = np.where(stays, 0.0, credit[parent])
    return Parts(_parts(holdings, parent, size, -credited), parent, np.zeros(len(parent), dtype=np.bool_))


def cut_at(law: TaxLaw, parts: Parts, caps: Mapping[int, float]) -> Parts:
    """The parts with those of capped names split where what may be sold of them in a year ends, the least taxed first."""
    holdings = parts.holdings
    most = np.full(len(holdings.size), np.inf)
    for name, cap in caps.items():
        most[holdings.name == name] = max(cap, WHOLE)
    price = _tax(law, holdings.gain_frac, holdings.is_long)
    leaving = np.where(np.isfinite(most), _leaving(holdings, price, np.where(np.isfinite(most), most, 0.0)), holdings.size)
    parent, size, stays = _split(holdings, leaving, np.isfinite(most))
    return Parts(_parts(holdings, parent, size, holdings.credit_frac[parent]), parts.parent[parent], stays)


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


def _split(holdings: Holdings, leaving: Floats, wanted: Bools) -> tuple[Ints, Floats, Bools]:
    """Each `wanted` lot as what leaves and the rest, in the lots' order: parent, size, and whether the part is (of) what stays."""
    rest = holdings.size - leaving
    both = (leaving > WHOLE) & (rest > WHOLE) & wanted
    parent = np.repeat(np.arange(len(both), dtype=np.intp), 1 + both)
    second = np.append(False, parent[1:] == parent[:-1])
    size: Floats = np.where(both[parent], np.where(second, rest[parent], leaving[parent]), holdings.size[parent])
    return parent, size, second | (leaving[parent] <= WHOLE)


def _parts(holdings: Holdings, parent: Ints, size: Floats, credit: Floats) -> Holdings:
    return replace(
        holdings,
        lot=frozen(holdings.lot[parent]),
        name=frozen(holdings.name[parent]),
        size=frozen(size),
        gain_frac=frozen(holdings.gain_frac[parent]),
        is_long=frozen(holdings.is_long[parent]),
        recent=frozen(holdings.recent[parent]),
        credit_frac=frozen(credit),
    )
