"""What sales take of lots: lots whole, in the plan's selling order, the last as far as the sale goes.

Invariants
1. The shares taken of a sale's lots sum to the sale, and no lot gives more than it has.
2. Numbers are written as subtraction in decimals writes them, whether they are worked out in whole units or one by one.
"""

from dataclasses import dataclass
from decimal import Decimal
from itertools import chain

import numpy as np

from libs.common.money import ZERO
from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.lots import Lots
from services.optimizer.core.nearest_shares import ROUNDING
from services.optimizer.core.problem import Problem
from services.optimizer.core.rounding import Shares

MOST_UNITS = 2.0**53


@dataclass(frozen=True, slots=True)
class Taken:
    """By sale, in the order of names, its shares, and the first of its entries (and the end); by entry the lot and the shares of it.

    `rest`: what stays in a lot that is taken in part.
    """

    name: Ints
    quantity: list[Decimal]
    first: Ints
    lot: Ints
    shares: list[Decimal]
    rest: dict[int, Decimal]


@dataclass(frozen=True, slots=True)
class Asked:
    """By sale its name, the shares asked for (all there are where `whole`); by entry its lot and sale, in selling order."""

    name: Ints
    shares: Floats
    whole: Bools
    lot: Ints
    sale: Ints


def taken_of(lots: Lots, problem: Problem, shares: Shares) -> Taken:
    """The lots that the plan's sales take."""
    asked = _asked(problem, shares, len(lots))
    total = np.bincount(asked.sale, lots.shares.units[asked.lot], len(asked.name))
    exact = lots.shares.exact and float(np.max(total, initial=0.0)) < MOST_UNITS
    return by_units(lots, asked) if exact else one_by_one(lots, asked)


def _asked(problem: Problem, shares: Shares, count: int) -> Asked:
    curves = shares.curves
    sold = np.array([shares.sold.get(name, 0.0) for name in curves.number], dtype=np.float64)
    selling = sold > 0
    curve = np.repeat(np.arange(len(sold)), np.diff(curves.first))
    kept = selling[curve]
    lots_of, tranche = np.fromiter(chain.from_iterable(problem.lots), np.intp, count), curves.tranche[kept]
    begins = np.arange(count + 1) if len(problem.lots) == count else np.append(0, np.cumsum([len(each) for each in problem.lots]))
    sizes = np.diff(begins)[tranche]
    sale = np.repeat((np.cumsum(selling) - 1)[curve[kept]], sizes)
    within = np.arange(len(sale)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    whole = np.abs(sold - curves.arrays.whole) <= ROUNDING  # not where the whole may not go: that is no number
    lot = lots_of[np.repeat(begins[:-1][tranche], sizes) + within]
    return Asked(curves.name[selling], sold[selling], whole[selling], lot, sale)


def by_units(lots: Lots, asked: Asked) -> Taken:
    """In whole numbers of the column's unit."""
    held, sale = lots.shares.units[asked.lot].astype(np.int64), asked.sale
    before = np.cumsum(held) - held
    begins = np.searchsorted(sale, np.arange(len(asked.name) + 1))
    before -= np.append(before, 0)[begins[:-1]][sale]
    total = np.bincount(sale, held, len(asked.name)).astype(np.int64)
    wanted = np.where(asked.whole, total, np.rint(asked.shares).astype(np.int64) * 10**lots.shares.places)
    if (wanted > total).any():
        raise AssertionError(f"{int((wanted - total).max())} units of shares more than the lots hold")
    taken = before < wanted[sale]
    lot, sale = asked.lot[taken], sale[taken]
    units = np.minimum(held, wanted[asked.sale] - before)[taken]
    first = np.searchsorted(sale, np.arange(len(asked.name) + 1))
    places = _places(lots.shares.own_places[lot], asked.whole, first)
    last = first[1:] - 1
    rest = held[taken][last] - units[last]
    partly = np.flatnonzero(rest).tolist()
    written = _written(rest[partly], np.full(len(partly), lots.shares.places), lots.shares.places)
    return Taken(
        name=asked.name,
        quantity=_written(
            wanted, np.where(asked.whole, np.maximum.reduceat(places, first[:-1]) if len(places) else 0, 0), lots.shares.places
        ),
        first=first,
        lot=lot,
        shares=_written(units, places, lots.shares.places),
        rest=dict(zip(lot[last][partly].tolist(), written, strict=True)),
    )


def _places(own: Ints, whole: Bools, first: Ints) -> Ints:
    """[entries] The places that each is written with: a lot's own, but the last of a sale what is left of the sale after the others."""
    if not len(own):
        return own
    last = first[1:] - 1
    earlier = own.copy()
    earlier[last] = np.where(whole, own[last], 0)
    places = own.copy()
    places[last] = np.maximum.reduceat(earlier, first[:-1])
    return places


def _written(units: Ints, places: Ints, of_units: int) -> list[Decimal]:
    """Units of 10**-`of_units` as decimals with so many places."""
    steps = [Decimal(1).scaleb(-place) for place in range(of_units + 1)]
    scaled = units // 10 ** (of_units - places)
    return [steps[place] * number for place, number in zip(places.tolist(), scaled.tolist(), strict=True)]


def one_by_one(lots: Lots, asked: Asked) -> Taken:
    """Lot by lot, where shares have more digits than a unit carries."""
    quantities, first, taken, parts, rest = list[Decimal](), [0], list[int](), list[Decimal](), dict[int, Decimal]()
    begins = np.searchsorted(asked.sale, np.arange(len(asked.name) + 1)).tolist()
    for sale, (wanted, whole) in enumerate(zip(asked.shares.tolist(), asked.whole.tolist(), strict=True)):
        numbers = asked.lot[begins[sale] : begins[sale + 1]].tolist()
        quantity = left = sum([lots.quantity(n) for n in numbers], ZERO) if whole else Decimal(round(wanted))
        for n in numbers:
            held = lots.quantity(n)
            taken.append(n)
            if held >= left:
                parts.append(left)
                if held > left:
                    rest[n] = held - left
                break
            parts.append(held)
            left -= held
        else:
            raise AssertionError(f"{left} shares more than the lots hold")
        quantities.append(quantity)
        first.append(len(taken))
    return Taken(asked.name, quantities, np.array(first, dtype=np.intp), np.array(taken, dtype=np.intp), parts, rest)
