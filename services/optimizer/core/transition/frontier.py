"""The frontier: the least tracking error for every tax bill now, each point certified.

Every point is the best plan at one aversion to risk; the duals of one start the next, from the most averse to the least.  Where two
neighbours lie far apart, a point is traced between them.  A plan that another one beats in both tax and tracking error gives its place
to that one, so the frontier is in order by construction.

Any solve bounds every plan: cost >= bound - lam TE², so together the bounds say how much lower the tracking error of a point's cost could
be at most (transition-method.md, section 2).

Invariants
1. From one point to the next tax does not fall, tax less the worth of losses carried on neither, and tracking error does not rise.
2. A point's gap is at least what the best plan could be better by in its objective; its TE gap likewise in tracking error at its cost.
3. There are at least `POINTS` points; where there is nothing to trade off they are the same.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from libs.common.money import cents_from_float_half_even
from services.optimizer.core.branch import Plan
from services.optimizer.core.dual.netting import NettedStart
from services.optimizer.core.evaluate import evaluate, sold_by_name
from services.optimizer.core.problem import Problem
from services.optimizer.core.transition.case import TransitionCase
from services.optimizer.core.transition.one_period import EFFORT, Goal, YearPlan, solve_year
from services.optimizer.core.transition.result import FrontierPoint

POINTS = 20
TRACED = 22
MOST_TRACED = 34
MOST_AVERSE, LEAST_AVERSE = 2e4, 0.5

CERTIFIED = 5e-5  # of the account: a plan with a wider gap is no point where any has a narrower one
ALIKE = 1e-6  # of the account, and of tracking error
BPS = 1e4
DIGITS = 10


@dataclass(frozen=True, slots=True)
class Traced:
    """One solve: its lam, plan and gains; tax, tax less the worth of losses carried, and that with trade cost; its bound and gap; TE."""

    risk_aversion: float
    plan: Plan
    gains: tuple[float, float]
    tax: float
    after_carry: float
    cost: float
    bound: float
    gap: float
    te: float
    start: NettedStart


@dataclass(frozen=True, slots=True)
class Frontier:
    """Points in order of tax, the bend's position, and the plan of every point in weights."""

    points: list[FrontierPoint]
    knee: int | None
    traced: list[Traced]

    def best_within(self, tax: float) -> Traced | None:
        """The point of least tracking error whose tax is at most this (a fraction of account value)."""
        fits = [each for each in self.traced if each.tax <= tax]
        return fits[-1] if fits else None


def trace(case: TransitionCase, problem: Problem, end: YearPlan | None = None) -> Frontier:
    """The frontier of the first year; `end` is the way to the target, if it was solved already."""
    found = [_traced(end)] if end is not None and end.reached else []
    if found and _nothing_to_trade_off(case, problem, found):
        return _frontier(case, problem, found)
    start = found[0].start if found else None
    for lam in np.geomspace(MOST_AVERSE, LEAST_AVERSE, TRACED - len(found) + 1)[: None if len(found) < 2 else -1].tolist():
        solved = solve_year(case, problem, Goal(lam), EFFORT, start)
        if solved.reached:
            found.append(_traced(solved))
            start = solved.start
    found = [each for each in found if each.gap <= CERTIFIED] or found
    _fill(case, problem, found)
    return _frontier(case, problem, found)


def _nothing_to_trade_off(case: TransitionCase, problem: Problem, found: list[Traced]) -> bool:
    """Whether the way to the target costs no more tax than the plan that hardly minds risk, which is kept for the frontier."""
    lowest = solve_year(case, problem, Goal(LEAST_AVERSE), EFFORT, found[0].start)
    if not lowest.reached:
        return False
    found.append(_traced(lowest))
    return found[0].after_carry <= found[1].after_carry + ALIKE and found[0].gap <= CERTIFIED


def _traced(solved: YearPlan) -> Traced:
    problem, plan, te = solved.problem, solved.trades, solved.te
    value = evaluate(problem, plan)
    after_carry = problem.standing.added(solved.gains) if problem.standing is not None else value.tax
    return Traced(
        risk_aversion=problem.risk_aversion,
        plan=plan,
        gains=solved.gains,
        tax=solved.tax,
        after_carry=after_carry,
        cost=after_carry + value.cost,
        bound=solved.lower_bound,
        gap=solved.gap,
        te=te,
        start=solved.start,
    )


def _fill(case: TransitionCase, problem: Problem, found: list[Traced]) -> None:
    """Points between those that lie farthest apart, until there are enough that differ."""
    tried: set[float] = set()
    while len(found) < MOST_TRACED:
        kept = in_order(found)
        if len(kept) >= POINTS:
            return
        span = _span(kept)
        wide = sorted(
            (-_distance(low, high, span), high.risk_aversion, low.risk_aversion, high)
            for low, high in itertools.pairwise(kept)
            if high.risk_aversion / low.risk_aversion > 1.02
        )
        middle = next((((low * high) ** 0.5, at) for _, high, low, at in wide if (low * high) ** 0.5 not in tried), None)
        if middle is None:
            return
        tried.add(middle[0])
        solved = solve_year(case, problem, Goal(middle[0]), EFFORT, middle[1].start)
        if solved.reached and solved.gap <= CERTIFIED:
            found.append(_traced(solved))


def in_order(found: Sequence[Traced]) -> list[Traced]:
    """Those that no other beats, by tax; of several alike the one of least tracking error."""
    kept: list[Traced] = []
    for each in sorted(found, key=lambda at: (at.te, at.after_carry)):  # from the least tracking error on tax must fall
        if not kept or (each.after_carry < kept[-1].after_carry - ALIKE and each.tax <= kept[-1].tax and each.te > kept[-1].te + ALIKE):
            kept.append(each)
    return kept[::-1]


def _span(points: Sequence[Traced]) -> tuple[float, float]:
    return max(points[-1].after_carry - points[0].after_carry, ALIKE), max(points[0].te - points[-1].te, ALIKE)


def _distance(one: Traced, other: Traced, span: tuple[float, float]) -> float:
    return abs(one.after_carry - other.after_carry) / span[0] + abs(one.te - other.te) / span[1]


def _frontier(case: TransitionCase, problem: Problem, found: list[Traced]) -> Frontier:
    kept = in_order(found)
    bend = _knee(kept)
    while kept and len(kept) < POINTS:  # nothing to trade off: the best plan along
        kept.append(kept[-1])
    bounds = [(each.bound, each.risk_aversion) for each in found]
    return Frontier([_point(problem, each, bounds) for each in kept], bend, kept)


def _point(problem: Problem, each: Traced, bounds: Sequence[tuple[float, float]]) -> FrontierPoint:
    least = max((max(bound - each.cost, 0.0) / lam for bound, lam in bounds), default=0.0) ** 0.5
    dollars = [cents_from_float_half_even(part * problem.invested_usd) for part in (each.tax, *each.gains, each.after_carry)]
    traded = float(sold_by_name(problem, each.plan).sum() + each.plan.bought.sum())
    return FrontierPoint(
        tax_usd=dollars[0],
        te_frac=round(each.te, DIGITS),
        gap_bps=round(each.gap * BPS, 6),
        gap_te_frac=round(max(each.te - least, 0.0), DIGITS),
        short_gain_usd=dollars[1],
        long_gain_usd=dollars[2],
        turnover_frac=round(traded / 2, DIGITS),
        tax_after_carry_usd=dollars[3],
        risk_aversion=float(f"{each.risk_aversion:.6g}"),
    )


def _knee(points: Sequence[Traced]) -> int | None:
    """The point farthest below the line between the ends, both axes measured by their spans; None where there is no bend."""
    if len(points) < 3:
        return None
    tax, te = _span(points)
    below = [1.0 - (each.after_carry - points[0].after_carry) / tax - (each.te - points[-1].te) / te for each in points]
    best = int(np.argmax(below))
    return best if below[best] > 0 else None
