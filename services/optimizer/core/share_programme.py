"""OR-Tools CP-SAT's programme of one neighbourhood: which of its choices each name takes.

    minimise   sum of the choices' own costs  +  lam |exposures|^2  +  a price for what each rule is broken by
    subject to one choice a name; cash, budgets, turnover, bounds on weights, tracking error, counts

Own risk, impact, tax, policy and spread are numbers of a choice.  Common risk is convex in the choices and stands behind its tangents
(outer approximation: Duran and Grossmann, Mathematical Programming 36, 1986): the first in the choices' costs, any other as a row of what
the risk is more than the first.  Rows carry the shadow prices of the plan in fractional shares into the choices' costs, and their slack
carries them back: the same optimum, with costs so near to zero that CP-SAT's bounds bite.

Invariants
1. The same arguments give the same choices: one worker, a fixed seed, a deadline in deterministic work.
2. Rows are rounded against the plan: choices that keep them in whole numbers keep them, to the tangents of the risk.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ortools.sat.python import cp_model_helper as cp_sat

from services.optimizer.core.arrays import Floats, Ints
from services.optimizer.core.branch import Multipliers, Plan
from services.optimizer.core.evaluate import traded_by_name
from services.optimizer.core.kept import HELD
from services.optimizer.core.neighbourhood import Neighbourhood
from services.optimizer.core.problem import NO_LIMIT, Problem
from services.optimizer.core.share_book import Book
from services.optimizer.core.shares import LONG, SHORT, TAX
from services.optimizer.core.sides import TURNOVER

DETERMINISTIC_WORK = 0.01  # of CP-SAT's deterministic seconds
UNIT = 1e9  # whole numbers in invested value, of rows
FINE = 1_000  # of costs in that of rows
NEAR = 2e-6  # of invested value: a fiftieth of a basis point from its bound is near enough
FAR = 10**11
HARD = 100.0  # times what a unit of soft breach costs
A_COUNT = 0.1  # of invested value: what a trade or a name too many costs
SETTLED = 1e-6  # of invested value: tangents this near to the risk itself
Terms = Sequence[tuple[int, int]]
FOUND = (cp_sat.CpSolverStatus.OPTIMAL, cp_sat.CpSolverStatus.FEASIBLE)


@dataclass(frozen=True, slots=True)
class Rounded:
    """What the choices start from: the plan's exposures [factors] in fractional shares and its shadow prices, and the plan in whole
    shares with the book that it was made in."""

    exposure: Floats
    prices: Multipliers
    plan: Plan
    book: Book


class ShareProgramme:
    """One neighbourhood's programme; solved again after each tangent."""

    def __init__(self, problem: Problem, around: Neighbourhood, rounded: Rounded, penalty: float) -> None:
        self._problem, self._around, self._rounded = problem, around, rounded
        self._lam, self._soft, self._hard = problem.risk_aversion, penalty, HARD * penalty
        self._model = cp_sat.CpModelProto()
        self._own = problem.specific_var[around.name] * (around.active[around.name] + around.weight) ** 2
        self._first = self._tangent(rounded.exposure)
        impact = 0.0 if problem.impact is None else problem.impact[around.name] * around.weight**2
        self._cost = around.linear + impact + self._lam * self._own + penalty * self._heavy() + self._first[1]
        self._dear: dict[int, int] = {}
        for _ in around.shares:
            self._variable(1)
        for first, last in zip(around.first[:-1].tolist(), around.first[1:].tolist(), strict=True):
            self._model.constraints.add().exactly_one.literals.extend(range(first, last))
        self._more = self._variable(FAR, FINE)
        self._hint(around.now)
        self._sums()
        self._rules()

    def common(self, chosen: Ints) -> Floats:
        """[factors] Active exposures with these choices."""
        active = self._around.active.copy()
        active[self._around.names] += self._around.weight[chosen]
        exposure: Floats = self._problem.exposures.T @ active
        return exposure

    def touch(self, chosen: Ints) -> bool:
        """Another tangent, at these choices; False where the tangents so far are as near as need be."""
        exposure = self.common(chosen)
        still, slope = self._tangent(exposure)
        first_still, first_slope = self._first
        lacks = self._lam * float(exposure @ exposure) - first_still - float(first_slope[chosen].sum())
        terms = [*enumerate(_whole(first_slope - slope, np.floor)), (self._more, 1)]
        self._row(terms, int(np.floor((still - first_still) * UNIT)), FAR * FINE)
        return lacks - self._stands_at / UNIT > SETTLED

    def solve(self) -> Ints | None:
        """By name the choice that costs least; None where none was found in time."""
        self._model.clear_objective()
        objective, costs = self._model.objective, _whole(self._cost * FINE)
        objective.vars.extend([*range(len(costs)), *self._dear])
        objective.coeffs.extend([*costs, *self._dear.values()])
        solver: Any = cp_sat.SolveWrapper()
        solver.set_parameters(_parameters())
        response = solver.solve(self._model)
        if response.status not in FOUND:
            return None
        values = np.array(response.solution)
        self._stands_at = int(values[self._more])
        chosen = np.flatnonzero(values[: len(self._around.shares)]).astype(np.intp)
        self._hint(chosen)
        return chosen

    def _tangent(self, exposure: Floats) -> tuple[float, Floats]:
        """Common risk's tangent at an exposure: of the names outside, and by choice."""
        problem, around = self._problem, self._around
        still = float(exposure @ (2 * (problem.exposures.T @ around.active) - exposure))
        slope: Floats = 2 * self._lam * (problem.exposures[around.name] @ exposure) * around.weight
        return self._lam * still, slope

    def _heavy(self) -> Floats:
        """By choice, weight above the maximum of a name that begins above it."""
        problem, name = self._problem, self._around.name
        over = (problem.held[name] + self._around.weight - problem.weight_max[name]).clip(min=0.0)
        return np.where(problem.held[name] > problem.weight_max[name], over, 0.0)

    def _sums(self) -> None:
        """Cash in its band, budgets and turnover; what the names outside use of them is a constant."""
        problem, around, prices, book = self._problem, self._around, self._rounded.prices, self._rounded.book
        cash = book.cash - float(around.cash[around.now].sum())
        self._at_most(-around.cash, cash - book.cash_least, self._soft, max(prices.cash, 0.0))
        self._at_most(around.cash, book.cash_most - cash, self._soft, max(-prices.cash, 0.0))
        rooms = ((TAX, problem.tax_room, prices.tax), (SHORT, problem.short_room, prices.short), (LONG, problem.long_room, prices.long))
        for what, room, price in rooms:
            used = book.curves.used(what, book.sold) - float(around.used[what][around.now].sum())
            self._at_most(around.used[what], max(room - book.cents, min(room, 0.0)) - used, self._hard, price)
        traded = np.abs(np.delete(traded_by_name(problem, self._rounded.plan), around.names)).sum()
        self._at_most(np.abs(around.weight), problem.rules.turnover - float(traded), self._hard, prices.of(TURNOVER))

    def _rules(self) -> None:
        """Bounds on weights, tracking error and counts."""
        problem, around, rules = self._problem, self._around, self._problem.rules
        weight = around.active + problem.target
        for n, row in enumerate(rules.weights):
            price = self._rounded.prices.rules[n][1] if n < len(self._rounded.prices.rules) else 0.0
            self._at_most(row.coefficient[around.name] * around.weight, row.bound - float(row.coefficient @ weight), self._hard, price)
        outside = np.ones(len(weight), dtype=np.bool_)
        outside[around.names] = False
        if rules.tracking_error < NO_LIMIT:
            room = rules.tracking_error**2 - float((problem.specific_var * around.active**2)[outside].sum())
            self._at_most(self._lam * self._own + self._first[1], self._lam * room - self._first[0], self._hard, more=[(self._more, 1)])
        if rules.trades is not None:
            traded = np.abs(traded_by_name(problem, self._rounded.plan)) > HELD
            self._count(around.shares != 0, rules.trades - int(traded[outside].sum()))
        if rules.names is not None:
            stays = problem.held[around.name] + around.weight > HELD
            self._count(stays, rules.names - int((weight > HELD)[outside].sum()))

    def _at_most(self, coefficients: Floats, bound: float, breach: float, price: float = 0.0, more: Terms = ()) -> None:
        """A row over the choices, a unit of `breach` costing that, and more than the shadow `price`, which goes into the choices' costs."""
        if bound >= NO_LIMIT:
            return
        rate = int(np.rint(price * FINE))
        self._cost = self._cost + coefficients * (rate / FINE)
        slack, over = self._variable(FAR, rate), self._variable(FAR, max(int(breach * FINE) - rate, rate))
        terms = [*enumerate(_whole(coefficients, np.ceil)), *more, (slack, 1), (over, -1)]
        room = int(np.floor(bound * UNIT))
        self._row(terms, room, room)

    def _count(self, counts: Any, bound: int) -> None:
        over = self._variable(len(self._problem.held), int(A_COUNT * UNIT) * FINE)
        self._row([*enumerate(counts.astype(int).tolist()), (over, -1)], -FAR, bound)

    def _variable(self, most: int, cost: int = 0) -> int:
        self._model.variables.add().domain.extend([0, most])
        number = len(self._model.variables) - 1
        if cost:
            self._dear[number] = cost
        return number

    def _row(self, terms: Terms, low: int, high: int) -> None:
        linear = self._model.constraints.add().linear
        given = [term for term in terms if term[1]]
        linear.vars.extend([number for number, _ in given])
        linear.coeffs.extend([coefficient for _, coefficient in given])
        linear.domain.extend([low, high])

    def _hint(self, chosen: Ints) -> None:
        self._model.clear_solution_hint()
        hint = self._model.solution_hint
        hint.vars.extend(chosen.tolist())
        hint.values.extend([1] * len(chosen))


def _parameters() -> Any:
    parameters: Any = cp_sat.SatParameters()
    parameters.num_workers = 1
    parameters.random_seed = 1
    parameters.keep_all_feasible_solutions_in_presolve = True  # its dual reductions have cut off the best choice (ortools 9.15)
    parameters.max_deterministic_time = DETERMINISTIC_WORK
    parameters.absolute_gap_limit = NEAR * UNIT * FINE
    return parameters


def _whole(values: Floats, direction: Any = np.rint) -> list[int]:
    """The programme's whole numbers."""
    found: list[int] = direction(values * UNIT).astype(np.int64).tolist()
    return found
