"""The joint plan over all years: how far a year-by-year plan can be from the best, and a better plan where one is found.

1. Solve the relaxation (joint_model.py): a bound on every plan over these years.
2. Where it shares losses out as the netting function would not (it pays tax in a year that it carries losses out of, or meets short gains
   with long losses while it pays for long gains), branch on the first such year: one or the other is none.  The bound is the least over
   the leaves, or what the plan given costs.
3. Carry the relaxed plan out as a plan: years before the last in whole shares, sold or bought but not both, each within its budgets as
   the year is really netted; the last year is planned again.  The better of it and the plan year by year is kept.

Everything is labelled numerical: bounds come from floating-point multipliers, though they are evaluated apart from the solver.

Invariants
1. The plan answered costs no more than the one given, and the bound is at most what it costs.
2. Its trades keep every rule of a plan year by year: the same functions carry them out.
"""

from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count

import numpy as np

from libs.common.money import float_from_decimal
from services.optimizer.core.arrays import Floats, Ints, frozen
from services.optimizer.core.problem import Problem
from services.optimizer.core.transition.book import opening, view
from services.optimizer.core.transition.case import TransitionCase
from services.optimizer.core.transition.joint_model import (
    CL,
    CS,
    LS,
    PL,
    PS,
    SL,
    Columns,
    Envelope,
    Joint,
    growth,
    joint_model,
)
from services.optimizer.core.transition.joint_solve import Point, solve_quadratic
from services.optimizer.core.transition.one_period import CASH_ROOM, allowed, book_problem
from services.optimizer.core.transition.value import plan_value
from services.optimizer.core.transition.years import Rules, YearsPlan, plan_years, within_ceilings

BPS = 1e4
GAMED = 0.01  # bp of account value: of both at once
LITTLE = 0.1  # bp: a plan that gains less does not replace the one that is shown
NODES = 7
TRADED = 1e-3  # bp: a smaller trade of the relaxed plan is none


@dataclass(frozen=True, slots=True)
class JointAnswer:
    """The better plan, what it costs and the bound, in bp of today's account value; `found`: the plan is the joint one, not the given.

    `statuses`: how the solver ended, by node.
    """

    plan: YearsPlan
    objective_bps: float
    lower_bound_bps: float
    found: bool
    statuses: tuple[str, ...]

    @property
    def gap_bps(self) -> float:
        return self.objective_bps - self.lower_bound_bps


def judge(case: TransitionCase, rules: Rules, plan: YearsPlan, most: Floats) -> JointAnswer:
    """Bound a plan made year by year under `rules`, and better it where the joint plan does; `most` as in the plan."""
    first = book_problem(case, opening(case), 1)
    joint = joint_model(case, rules, first, _envelope(case, rules, first, most, plan))
    bound, point, statuses = _search(joint, plan_value(case, plan))
    best, objective, found = plan, plan_value(case, plan), False
    if point is not None:
        other = plan_years(case, rules, most, given=trades_by_year(joint, first, point))
        if other.reached and len(other.carried) == rules.years:
            cost = plan_value(case, other)
            if cost < objective - LITTLE and _as_near(plan, other, rules):
                best, objective, found = other, cost, True
    return JointAnswer(best, objective, min(bound, objective), found, statuses)


def _as_near(plan: YearsPlan, other: YearsPlan, rules: Rules) -> bool:
    """Whether the other plan ends as near to the target, where there is a deadline."""
    near = 1e-4
    return not rules.deadline or other.carried[-1].outcome.te_frac <= plan.carried[-1].outcome.te_frac + near


def _envelope(case: TransitionCase, rules: Rules, first: Problem, most: Floats, plan: YearsPlan) -> Envelope:
    """Bounds that the plan in whole shares is inside: purchases up to `most`, staged ceilings, the target's end, cash in its band."""
    years, names, most = rules.years, len(first.held), within_ceilings(rules, most)
    leaves = allowed(case).must_leave
    weight, cash = np.empty((years, names)), np.empty(years)
    for t, done in enumerate(plan.carried):
        scale = float_from_decimal(case.value_usd) * growth(case, t)
        seen = view(done.book)
        after = seen.held * float_from_decimal(seen.value_usd) / scale
        cash[t] = seen.cash * float_from_decimal(seen.value_usd) / scale
        end = rules.deadline and t == years - 1
        free = most if end else np.maximum(first.held, most)
        free = np.where(leaves, 0.0, free)
        for staged in rules.staged:
            free[staged.name] = staged.ceilings[min(t + 1, len(staged.ceilings)) - 1]
        weight[t] = np.maximum(free, after) * (1 + 1e-9)  # what has to be gone is exactly gone
    share = first.price_usd / first.invested_usd
    bought = np.where(first.held < most, weight.max(axis=0), most + share)
    target = case.target_cash_frac
    return Envelope(weight, frozen(bought), np.minimum(cash, target) - 1e-9, np.maximum(cash, target + CASH_ROOM) + 1e-9)


def _search(joint: Joint, enough: float) -> tuple[float, Point | None, tuple[str, ...]]:
    """Best first over what gamed years are forced to: the bound, the cheapest leaf that keeps the rules, how the solver ended."""
    number, statuses = count(), list[str]()
    point = solve_quadratic(joint.quadratic)
    statuses.append(point.status)
    heap: list[tuple[float, int, Joint, Point]] = [(point.bound, next(number), joint, point)]
    while heap:
        bound, _, node, point = heappop(heap)
        gamed = _gamed(node.columns, joint.years, point) if point.kept else None
        if gamed is None or bound >= enough or len(statuses) >= NODES:
            return bound, point if point.kept else None, tuple(statuses)
        for columns in gamed:
            high = node.quadratic.high.copy()
            high[columns] = 0.0
            child = replace(node, quadratic=replace(node.quadratic, high=high))
            answer = solve_quadratic(child.quadratic)
            statuses.append(answer.status)
            heappush(heap, (max(answer.bound, bound), next(number), child, answer))
    raise AssertionError("a search has at least one node")


def _gamed(columns: Columns, years: int, point: Point) -> tuple[Ints, Ints] | None:
    """The columns of the first year whose losses are shared out as the netting function would not; one or the other has to be none."""
    for t in range(years):
        tax = columns.block(t, "tax")
        last = t == years - 1
        for one, other in (([LS], [PL]), ([SL], [PS]), ([CS, CL], [PS, PL])):
            if last and CS in one:
                continue
            if min(float(point.x[tax[one]].sum()), float(point.x[tax[other]].sum())) > GAMED:
                return tax[one], tax[other]
    return None


def trades_by_year(joint: Joint, first: Problem, point: Point) -> tuple[tuple[Floats, Floats], ...]:
    """The relaxed plan, by year [lots of the case], [names] in today's weights: a name sells or buys, the cheaper lots first."""
    found, columns = [], joint.columns
    name = first.name[columns.lots]
    for t in range(joint.years):
        sold = point.x[columns.block(t, "sold")].clip(min=0.0)
        bought = np.zeros(columns.names)
        bought[columns.buys] = point.x[columns.block(t, "bought")].clip(min=0.0)
        out: Floats = np.bincount(name, sold, columns.names).astype(np.float64)
        net = bought - out
        bought = np.where(net > TRADED, net, 0.0)
        keep = np.where((net < -TRADED) & (out > 0), -net / np.maximum(out, 1e-300), 0.0)
        lots = np.zeros(len(first.size))
        lots[columns.lots] = np.where(sold * keep[name] > TRADED, sold * keep[name], 0.0)
        found.append((lots / BPS, bought / BPS))
    return tuple(found)
