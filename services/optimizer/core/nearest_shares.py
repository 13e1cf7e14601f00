"""Kernels: each name in turn to the whole shares that cost least, and sale curves cumulated and read.

Names come one after the other.  What a name's shares leave of common risk and of cash against the plan changes what the next ones cost.

Invariants
1. A sale is nothing, what must go, the whole position, or whole shares that leave enough; a purchase is nothing or large enough.
2. The same arguments give the same shares: sums are taken in the order of the names.
"""

from typing import NamedTuple

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.dual.compiled import compiled

ROUNDING = 1e-6  # shares: float64 sums of lots against whole numbers
CENT_USD = 0.01  # dollars of each trade and each lot's gain are rounded to the cent, here taken against us
OPTIONS = 5  # at most, for a name
KINDS = 4


class Turn(NamedTuple):
    """The names in turn: by name, unless said."""

    sells: Bools
    planned: Floats  # shares
    per_share: Floats  # weight
    price_usd: Floats
    held: Floats
    weight_max: Floats
    cost_frac: Floats
    gradient: Floats  # of the objective's risk at the plan
    own: Floats  # the objective's risk of a unit alone
    buy_price: Floats
    most_bought: Floats  # shares
    exposures: Floats  # [names, factors]
    curve: Ints  # number of the name's sale curve; any where it is bought


class Curves(NamedTuple):
    """Sale curves: cumulated shares and prices, one entry more than its tranches for each; the rest by curve, in shares."""

    first: Ints  # [curves + 1] of the entries
    shares: Floats
    price: Floats
    least: Floats
    most: Floats
    whole: Floats  # nan where not all may go
    wanted: Floats


class Terms(NamedTuple):
    """Of the account: risk aversion, the own risk of cash as if it were a stock, and the least trade and holding."""

    risk_aversion: float
    cash_own: float
    min_trade_usd: float
    min_holding: float
    invested_usd: float


@compiled
def nearest_shares(turn: Turn, curves: Curves, terms: Terms) -> tuple[Floats, float]:
    """Shares by name, and what cash gains by all of them, as a weight."""
    names, factors = turn.exposures.shape
    shares, exposure, near = np.zeros(names), np.zeros(factors), np.zeros(OPTIONS)
    spilt, gained = 0.0, 0.0
    for i in range(names):
        common = 0.0
        for f in range(factors):
            common += turn.exposures[i, f] * exposure[f]
        slope = turn.gradient[i] + 2 * terms.risk_aversion * common
        count = _sales_near(turn, curves, terms, i, near) if turn.sells[i] else _buys_near(turn, terms, i, near)
        best, least = 0.0, np.inf
        for k in range(count):
            regret = _regret(turn, curves, terms, i, near[k], slope, spilt)
            if regret < least or (regret == least and near[k] < best):
                best, least = near[k], regret
        shares[i] = best
        sign = -1.0 if turn.sells[i] else 1.0
        change = sign * (best - turn.planned[i]) * turn.per_share[i]
        for f in range(factors):
            exposure[f] += change * turn.exposures[i, f]
        spilt -= change
        if best != 0.0:
            gained -= sign * best * turn.per_share[i] * (1 + sign * turn.cost_frac[i]) + CENT_USD / terms.invested_usd
    return shares, gained


@compiled
def _regret(turn: Turn, curves: Curves, terms: Terms, i: int, shares: float, slope: float, spilt: float) -> float:
    """What these shares lose against the plan's, given what was spilt before."""
    change = (shares - turn.planned[i]) * turn.per_share[i]
    if turn.sells[i]:
        change = -change
        first, last = curves.first[turn.curve[i]], curves.first[turn.curve[i] + 1]
        linear = _at(curves.shares, curves.price, first, last, shares) - _at(curves.shares, curves.price, first, last, turn.planned[i])
    else:
        linear = turn.buy_price[i] * change
    regret: float = slope * change + turn.own[i] * change**2 + linear + terms.cash_own * change * (change - 2 * spilt)
    return regret


@compiled
def _at(shares: Floats, what: Floats, first: int, last: int, sold: float) -> float:
    """The cumulated `what` of a curve after this many shares; linear within a tranche."""
    k = first
    while k < last and shares[k] < sold:
        k += 1
    found: float = what[min(max(k - 1, first), last - 1)]
    if first < k < last:
        found += (what[k] - what[k - 1]) * (sold - shares[k - 1]) / (shares[k] - shares[k - 1])
    return found


@compiled
def _allows(curves: Curves, c: int, shares: float) -> bool:
    """Whether this many shares may leave."""
    if shares <= ROUNDING:
        return True
    everything = abs(shares - curves.whole[c]) <= ROUNDING and curves.whole[c] >= 1
    fits = abs(shares - np.rint(shares)) <= ROUNDING or everything
    within: bool = curves.least[c] - ROUNDING <= shares <= curves.most[c] + ROUNDING
    return fits and within


@compiled
def _sales_near(turn: Turn, curves: Curves, terms: Terms, i: int, near: Floats) -> int:
    """Fills `near` with what may be sold next to the plan's, and says how many those are; of a name above its maximum weight not fewer
    than the plan sells for it, but for a share."""
    c, planned = turn.curve[i], turn.planned[i]
    count = _candidates(curves, c, planned, near)
    stand = 0
    for k in range(count):
        shares = near[k]
        enough = shares == curves.whole[c] or turn.held[i] - shares * turn.per_share[i] >= terms.min_holding
        must = shares == curves.whole[c] or curves.least[c] > 0 or curves.wanted[c] > 0
        if shares == 0 or (enough and (must or shares * turn.price_usd[i] >= terms.min_trade_usd)):
            near[stand] = shares
            stand += 1
    floor = min((turn.held[i] - turn.weight_max[i]) / turn.per_share[i], planned) - 1
    heavy = 0
    for k in range(stand):
        heavy += near[k] > floor
    if heavy == 0:
        return stand
    kept = 0
    for k in range(stand):
        if near[k] > floor:
            near[kept] = near[k]
            kept += 1
    return kept


@compiled
def _candidates(curves: Curves, c: int, planned: float, near: Floats) -> int:
    """Fills `near` with the whole numbers next to the plan's, the least, nothing, and the whole position where it is as near, as far as
    they are allowed.  A whole position stays whole; of what must go, the most."""
    whole, below = curves.whole[c], np.floor(planned + ROUNDING)
    if planned >= whole - ROUNDING and _allows(curves, c, whole):
        near[0] = whole
        return 1
    count, most = 1, 0.0
    near[0] = 0.0
    for k in range(KINDS):
        each = below if k == 0 else below + 1 if k == 1 else np.ceil(curves.least[c] - ROUNDING) if k == 2 else whole
        if k == KINDS - 1 and not whole - planned < 1:
            continue
        if each == 0 or not _allows(curves, c, each):
            continue
        if each <= curves.wanted[c] + ROUNDING:
            most = max(most, each)
        near[count] = each
        count += 1
    if curves.wanted[c] != 0:
        near[0] = most
        return 1
    return count


@compiled
def _buys_near(turn: Turn, terms: Terms, i: int, near: Floats) -> int:
    """Fills `near` with nothing, the whole numbers next to the plan's, and the least that is worth making."""
    planned, below = turn.planned[i], np.floor(turn.planned[i])
    least = np.ceil(terms.min_trade_usd / turn.price_usd[i])
    near[0], count = 0.0, 1
    for k in range(3):
        each = below if k == 0 else below + 1 if k == 1 else least
        large = each * turn.price_usd[i] >= terms.min_trade_usd
        enough = turn.held[i] + each * turn.per_share[i] >= terms.min_holding
        if 0 < each <= turn.most_bought[i] and large and enough and (k < 2 or planned >= least / 2):
            near[count] = each
            count += 1
    return count


@compiled
def cumulated(amounts: Floats, first: Ints) -> Floats:
    """[rows, entries] of amounts [rows, tranches]: each curve's running sums, from nothing; `first` [curves + 1] of the tranches."""
    rows, curves = amounts.shape[0], len(first) - 1
    found = np.zeros((rows, amounts.shape[1] + curves))
    for r in range(rows):
        for c in range(curves):
            total = 0.0
            for t in range(first[c], first[c + 1]):
                total += amounts[r, t]
                found[r, t + c + 1] = total
    return found


@compiled
def used(curves: Curves, what: Floats, sold: Floats) -> float:
    """The sum over all curves of `what` after `sold` [curves] shares."""
    total = 0.0
    for c in range(len(sold)):
        total += _at(curves.shares, what, curves.first[c], curves.first[c + 1], sold[c])
    return total
