"""The few names whose whole shares are chosen again together, and what each of them may trade instead.

In the neighbourhood are, in this order, the trades that rounding left out or moved by more than a share, those in a limit that whole
shares broke, the largest that cash can be taken from or put into, and those that are cheapest to leave.  A trade has the numbers of
shares next to the plan's, none, the least worth making, the whole position, and steps from the plan's, each three times the one before.

Invariants
1. Every choice is allowed by the branch, the least trade and the least holding, or is what rounding chose.
2. What must be sold, and a way out of a window, is in no neighbourhood.
"""

from dataclasses import dataclass

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.branch import Plan
from services.optimizer.core.evaluate import active_weights, traded_by_name
from services.optimizer.core.kept import Excess
from services.optimizer.core.nearest_shares import CENT_USD
from services.optimizer.core.problem import Problem
from services.optimizer.core.share_book import Book
from services.optimizer.core.shares import LONG, SHORT, TAX

MOST_NAMES = 16
MOVED_NAMES = 8
RULE_NAMES = 4
STEPS, STRIDE = 5, 3
A_SHARE = 1.0
NOTHING = 1e-9


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """By name `first` [names + 1] of its choices; by choice, all in fractions of invested value but `shares`: `weight` traded (sales
    negative), `linear` tax, policy and spread, `cash` gained, and what it uses of the budgets.  `active` [all names] is what the names
    outside leave, those inside untraded.  `moved`: whether a trade is not next to the plan's."""

    names: Ints
    first: Ints
    shares: Floats
    weight: Floats
    linear: Floats
    cash: Floats
    used: dict[str, Floats]
    now: Ints
    active: Floats
    moved: bool

    @property
    def name(self) -> Ints:
        """By choice, its name's number among all."""
        return np.repeat(self.names, np.diff(self.first))


def neighbourhood(problem: Problem, book: Book, planned: Plan, rounded: Plan, over: Excess, most: int = MOST_NAMES) -> Neighbourhood:
    """At most so many names to choose again around a rounded plan, with `book`'s rules of what may stand."""
    per_share = problem.price_usd / problem.invested_usd
    wanted, now = traded_by_name(problem, planned) / per_share, book.bought.copy()
    for name, sold in book.sold.items():
        now[name] -= sold
    names = np.sort(_names(problem, book, wanted, now, over)[:most])
    reach = float(np.max(np.abs((wanted - now) * problem.price_usd)[names], initial=0.0))
    choices = [_choices(book, i, float(wanted[i]), float(now[i]), reach) for i in names.tolist()]
    first = np.cumsum([0, *(len(each) for each in choices)])
    traded = [(i, shares) for i, of_name in zip(names.tolist(), choices, strict=True) for shares in of_name]
    by_choice, shares = np.repeat(names, np.diff(first)), np.array([each for _, each in traded])
    weight = shares * per_share[by_choice]
    used = {what: np.array([_used(book, what, *each) for each in traded]) for what in (TAX, SHORT, LONG)}
    policy = np.array([_policy(problem, book, *each) for each in traded])
    spread = problem.cost_frac[by_choice] * np.abs(weight)
    active = active_weights(problem, rounded)
    active[names] = (problem.held - problem.target)[names]
    chosen = np.array([first[k] + of_name.index(float(now[names[k]])) for k, of_name in enumerate(choices)], dtype=np.intp)
    cents = np.where(shares != 0, CENT_USD / problem.invested_usd, 0.0)
    moved = bool((np.abs(wanted - now)[names] > A_SHARE).any())
    return Neighbourhood(names, first, shares, weight, used[TAX] + policy + spread, -weight - spread - cents, used, chosen, active, moved)


def _names(problem: Problem, book: Book, wanted: Floats, now: Floats, over: Excess) -> Ints:
    """At most MOST_NAMES of the plan's trades, most pressing first."""
    free = (np.abs(wanted) > NOTHING) & np.isfinite(problem.price_usd)
    for name in book.curves:
        curve = book.curves[name]
        free[name] &= curve.wanted == 0 and curve.least == 0
    traded = np.abs(wanted) * problem.price_usd
    moved = np.abs(wanted - now)
    spare = traded - np.maximum(book.min_trade_usd, problem.price_usd / 2)
    lists = (
        _largest(moved * problem.price_usd, free & (moved > A_SHARE), MOVED_NAMES),
        _largest(traded, free & _in_broken_rows(problem, over), RULE_NAMES),
        _largest(spare, free & ~_sold_out(problem, book, now), (MOST_NAMES - MOVED_NAMES) // 2),
        _largest(-traded, free & (np.abs(now) > NOTHING), MOST_NAMES),
    )
    found = list(dict.fromkeys(int(i) for each in lists for i in each))
    return np.array(found[:MOST_NAMES], dtype=np.intp)


def _largest(score: Floats, among: Bools, most: int) -> Ints:
    names = np.flatnonzero(among)
    return names[np.argsort(-score[names], kind="stable")[:most]]


def _in_broken_rows(problem: Problem, over: Excess) -> Bools:
    """[names] Whether a bound on weights that is broken counts the name."""
    found = np.zeros(len(problem.held), dtype=np.bool_)
    for row, beyond in zip(problem.rules.weights, over.weights, strict=True):
        if beyond > 0:
            found |= row.coefficient != 0
    return found


def _sold_out(problem: Problem, book: Book, now: Floats) -> Bools:
    """[names] Whether the whole position goes: cash can't be taken from such a sale in parts."""
    found = np.zeros(len(problem.held), dtype=np.bool_)
    for name in book.curves:
        whole = book.curves[name].whole
        found[name] = whole is not None and -now[name] >= whole - NOTHING
    return found


def _choices(book: Book, name: int, wanted: float, now: float, reach_usd: float) -> list[float]:
    """Shares that may be traded, sales negative, ascending."""
    sells, below = wanted < 0, float(np.floor(abs(wanted)))
    price = float(book.problem.price_usd[name])
    steps = [float(STRIDE**k) for k in range(STEPS) if k == 0 or STRIDE**k * price <= reach_usd]
    sizes = {0.0, below, below + 1, float(np.ceil(book.min_trade_usd / price))}
    sizes |= {below - step for step in steps} | {below + 1 + step for step in steps}
    if sells and book.curves[name].whole is not None:
        sizes.add(float(book.curves[name].whole or 0.0))
    stands = _sale_stands if sells else _buy_stands
    sign = -1.0 if sells else 1.0
    return sorted({now} | {sign * size for size in sizes if size == 0 or (size > 0 and stands(book, name, size))})


def _buy_stands(book: Book, name: int, shares: float) -> bool:
    return shares <= book.most_bought[name] and book.worth_making(name, shares)


def _sale_stands(book: Book, name: int, shares: float) -> bool:
    problem = book.problem
    left = float(problem.held[name]) - shares * book.per_share(name)
    least = min(float(problem.weight_min[name]), float(problem.held[name]))
    return book.sale_stands(name, shares) and left >= least - NOTHING


def _used(book: Book, what: str, name: int, shares: float) -> float:
    """What a sale uses of a budget."""
    if shares >= 0:
        return 0.0
    curve = book.curves[name]
    return curve.at(getattr(curve, what), -shares)


def _policy(problem: Problem, book: Book, name: int, shares: float) -> float:
    """What the harvest policy counts on a sale."""
    if shares >= 0:
        return 0.0
    curve = book.curves[name]
    counted = np.cumsum(problem.policy_frac[curve.tranches] * problem.size[curve.tranches])
    return float(np.interp(-shares, curve.shares, np.append(0.0, counted)))
