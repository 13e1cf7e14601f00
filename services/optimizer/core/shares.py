"""How many shares of each name may be traded, and in which order its lots go.

Lots of a name are sold in the order of what selling them costs at the plan's shadow prices: a way out first, then what must go, then
the cheapest.
A sale is whole shares, or the whole position with its fraction; a position below one share can't be traded.
"""

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, floor

import numpy as np

from services.optimizer.core.arrays import Floats, Ints
from services.optimizer.core.branch import Answer, Branch, buyable, forced, sellable
from services.optimizer.core.evaluate import sold_by_name
from services.optimizer.core.problem import Problem
from services.optimizer.core.sides import SOLD_WHOLE, sale_price

ROUNDING = 1e-6  # shares: float64 sums of lots against whole numbers


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

    def candidates(self, shares: float) -> list[float]:
        """The whole numbers next to `shares`, nothing, and the whole position where it is as near; the allowed ones among them.  A whole
        position stays whole."""
        below = float(floor(shares + ROUNDING))
        near = {0.0, below, below + 1, float(ceil(self.least - ROUNDING))}
        if self.whole is not None and self.whole - shares < 1:
            near.add(self.whole)
        if self.whole is not None and shares >= self.whole - ROUNDING and self.allows(self.whole):
            return [self.whole]
        allowed = sorted(each for each in near if self.allows(each))
        return allowed if self.wanted == 0 else [max(each for each in allowed if each <= self.wanted + ROUNDING)]


def sale_curves(problem: Problem, branch: Branch, answer: Answer) -> dict[int, SaleCurve]:
    """The curve of every name that the plan sells."""
    allowed, must = sellable(problem, branch), forced(problem, branch)
    price = sale_price(problem, answer.multipliers)
    sold = sold_by_name(problem, answer.plan)
    chosen = np.flatnonzero(allowed & (sold[problem.name] > 0))
    order = chosen[np.lexsort((price[chosen], ~must[chosen], ~problem.way_out[chosen], problem.name[chosen]))]
    names = problem.name[order]
    starts = np.flatnonzero(np.diff(names, prepend=-1)).tolist()
    size, gain = problem.size[order], problem.gain_frac[order]
    per_share = problem.price_usd[names] / problem.invested_usd
    rates = [1 / per_share, problem.tax_frac[order], price[order], gain * problem.is_short[order], gain * problem.is_long[order]]
    columns = [(rate * size).tolist() for rate in rates]
    curves = {}
    for start, end in zip(starts, [*starts[1:], len(order)][: len(starts)], strict=True):
        name, tranches = int(names[start]), order[start:end]
        shares, tax, paid, short, long = (_cumulated(column[start:end]) for column in columns)
        position = float(problem.held[name] / per_share[start])
        whole = position if position - shares[-1] <= ROUNDING else None
        most = shares[-1] if whole is not None else float(floor(shares[-1] + ROUNDING))
        goes_whole = float(problem.size[tranches][must[tranches] & problem.way_out[tranches]].sum() / per_share[start])
        wanted = _wanted(problem, answer, tranches[must[tranches] & problem.must_sell[tranches]], float(per_share[start]), whole)
        curves[name] = SaleCurve(tranches.tolist(), shares, tax, paid, short, long, goes_whole, most, whole, wanted)
    return curves


def _cumulated(amounts: list[float]) -> list[float]:
    return [0.0, *accumulate(amounts)]


def _wanted(problem: Problem, answer: Answer, tranches: Ints, per_share: float, whole: float | None) -> float:
    """Shares that must go, as far as the plan could sell them."""
    planned = float(answer.plan.sold[tranches].sum() / per_share)
    return whole if whole is not None and planned >= whole * (1 - SOLD_WHOLE) else planned


def most_bought(problem: Problem, branch: Branch) -> Floats:
    """[names] Whole shares that may be bought at most."""
    room = (problem.weight_max - problem.held).clip(min=0.0) * problem.invested_usd / problem.price_usd
    most: Floats = np.where(buyable(problem, branch), np.floor(room + ROUNDING), 0.0)
    return most
