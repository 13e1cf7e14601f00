"""How many shares of each name may be traded, and in which order its lots go.

Lots of a name are sold in the order of what selling them costs at the plan's shadow prices: a way out first, then what must go, then
the cheapest.
A sale is whole shares, or the whole position with its fraction; a position below one share can't be traded.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isnan

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.branch import Answer, Branch, Plan, buyable, forced, sellable
from services.optimizer.core.evaluate import sold_by_name
from services.optimizer.core.nearest_shares import ROUNDING, Curves, cumulated, used
from services.optimizer.core.problem import Problem
from services.optimizer.core.sides import SOLD_WHOLE, sale_price

TAX, SHORT, LONG = "tax", "short", "long"
COLUMNS = {"shares": 0, TAX: 1, "price": 2, SHORT: 3, LONG: 4}


@dataclass(frozen=True, slots=True)
class SaleCurve:
    """One name's tranches in selling order, cumulated: after `shares[k]` sold, `tax[k]`, `price[k]`, `short[k]`, `long[k]` are what
    that cost and realised, as fractions of invested value (plain lists: they are short and looked up one by one).

    Nothing or at least `least` (a way out, which goes whole) and at most `most` may be sold; `whole` is the position if all of it
    may go; `wanted` is how much of it the plan sells because it must, none below which a sale is too small to make.
    """

    tranches: list[int]
    shares: list[float]
    tax: list[float]
    price: list[float]
    short: list[float]
    long: list[float]
    least: float
    most: float
    whole: float | None
    wanted: float

    def at(self, what: list[float], shares: float) -> float:
        """The cumulated `what` after this many shares; linear within a tranche."""
        k = bisect_left(self.shares, shares)
        if k == 0:
            return what[0]
        if k == len(self.shares):
            return what[-1]
        before, after = self.shares[k - 1], self.shares[k]
        return what[k - 1] + (what[k] - what[k - 1]) * (shares - before) / (after - before)

    def allows(self, shares: float) -> bool:
        """Whether this many shares may leave."""
        if shares <= ROUNDING:
            return True
        whole_shares = abs(shares - round(shares)) <= ROUNDING
        everything = self.whole is not None and abs(shares - self.whole) <= ROUNDING and self.whole >= 1
        return (whole_shares or everything) and self.least - ROUNDING <= shares <= self.most + ROUNDING


@dataclass(frozen=True, slots=True)
class SaleCurves:
    """The curves of all names that the plan sells, as arrays: `name` [curves] ascending; `tranche` in selling order, those of curve c
    from `first[c]`; `columns` [5, entries] cumulated as COLUMNS says, those of curve c from `first[c] + c`; `arrays` for the kernels.

    One name's curve is made where it is looked at.
    """

    name: Ints
    first: Ints
    tranche: Ints
    columns: Floats
    arrays: Curves
    number: dict[int, int]
    made: dict[int, SaleCurve] = field(default_factory=dict)

    def __iter__(self) -> Iterator[int]:
        return iter(self.number)

    def __getitem__(self, name: int) -> SaleCurve:
        if name not in self.made:
            self.made[name] = self._made(self.number[name])
        return self.made[name]

    def tranches(self) -> dict[int, list[int]]:
        """By name its tranches in selling order."""
        order, first = self.tranche.tolist(), self.first.tolist()
        return {name: order[first[c] : first[c + 1]] for name, c in self.number.items()}

    def wholes(self) -> dict[int, float]:
        """By name the shares of its position; nan where not all of it may go."""
        return dict(zip(self.number, self.arrays.whole.tolist(), strict=True))

    def used(self, what: str, sold: dict[int, float]) -> float:
        """What selling so many shares uses in all; `sold` by name, in order."""
        return used(self.arrays, self.columns[COLUMNS[what]], np.array(list(sold.values())))

    def plan(self, problem: Problem, bought: dict[int, int], sold: dict[int, float]) -> Plan:
        """The trades in weights again; `sold` may leave names out."""
        per_share = problem.price_usd / problem.invested_usd
        plan = Plan(np.zeros(len(problem.size)), np.zeros(len(problem.held)))
        names = list(bought)
        plan.bought[names] = np.array(list(bought.values()), dtype=np.float64) * per_share[names]
        shares = np.array([sold.get(name, 0.0) for name in self.number])
        curve = np.repeat(np.arange(len(self.name)), np.diff(self.first))
        entry = np.arange(len(self.tranche)) + curve
        before, after = self.columns[0][entry], self.columns[0][entry + 1]
        part = np.minimum(shares[curve], after) - before
        plan.sold[self.tranche] = part.clip(min=0.0) * per_share[self.name[curve]]
        return plan

    def _made(self, c: int) -> SaleCurve:
        first, last = int(self.first[c]), int(self.first[c + 1])
        shares, tax, price, short, long = self.columns[:, first + c : last + c + 1].tolist()
        arrays, whole = self.arrays, float(self.arrays.whole[c])
        ends = float(arrays.least[c]), float(arrays.most[c]), None if isnan(whole) else whole, float(arrays.wanted[c])
        return SaleCurve(self.tranche[first:last].tolist(), shares, tax, price, short, long, *ends)


def sale_curves(problem: Problem, branch: Branch, answer: Answer) -> SaleCurves:
    """The curve of every name that the plan sells."""
    allowed, must = sellable(problem, branch), forced(problem, branch)
    price = sale_price(problem, answer.multipliers)
    sold = sold_by_name(problem, answer.plan)
    chosen = np.flatnonzero(allowed & (sold[problem.name] > 0))
    order = chosen[np.lexsort((price[chosen], ~must[chosen], ~problem.way_out[chosen], problem.name[chosen]))]
    names = problem.name[order]
    starts = np.flatnonzero(np.diff(names, prepend=-1))
    first = np.append(starts, len(order)).astype(np.intp)
    size, gain = problem.size[order], problem.gain_frac[order]
    per_share = problem.price_usd[names] / problem.invested_usd
    rates = (1 / per_share, problem.tax_frac[order], price[order], gain * problem.is_short[order], gain * problem.is_long[order])
    columns = cumulated(np.array([rate * size for rate in rates]), first)
    name = names[starts]
    ends = _ends(problem, answer, order, must[order], first, columns[0])
    arrays = Curves(first + np.arange(len(first)), columns[0], columns[COLUMNS["price"]], *ends)
    return SaleCurves(name, first, order, columns, arrays, {each: c for c, each in enumerate(name.tolist())})


def _ends(problem: Problem, answer: Answer, order: Ints, must: Bools, first: Ints, shares: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """By curve in shares: the least sale, the most, the whole position (nan where not all of it may go), and what must go as far as the
    plan could sell it."""
    curves = len(first) - 1
    curve = np.repeat(np.arange(curves), np.diff(first))
    name = problem.name[order[first[:-1]]]
    per_share = problem.price_usd[name] / problem.invested_usd
    last, position = shares[first[1:] + np.arange(curves)], problem.held[name] / per_share
    whole = np.where(position - last <= ROUNDING, position, np.nan)
    most = np.where(np.isnan(whole), np.floor(last + ROUNDING), last)
    least = np.bincount(curve, np.where(must & problem.way_out[order], problem.size[order], 0.0), curves) / per_share
    planned = np.bincount(curve, np.where(must & problem.must_sell[order], answer.plan.sold[order], 0.0), curves) / per_share
    wanted = np.where(planned >= whole * (1 - SOLD_WHOLE), whole, planned)
    return least, most, whole, wanted


def most_bought(problem: Problem, branch: Branch) -> Floats:
    """[names] Whole shares that may be bought at most."""
    room = (problem.weight_max - problem.held).clip(min=0.0) * problem.invested_usd / problem.price_usd
    most: Floats = np.where(buyable(problem, branch), np.floor(room + ROUNDING), 0.0)
    return most
