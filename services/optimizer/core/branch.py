"""A branch of the programme, and what a solver answers on it.

Buy-or-harvest makes the programme non-convex: in one identity group either names are bought or lots are sold that could be a loss.
A branch fixes that choice for every group, and which names are not traded at all; on a branch the programme is convex.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from services.optimizer.core.arrays import Bools, Floats
from services.optimizer.core.problem import Problem


@dataclass(frozen=True, slots=True)
class Branch:
    """`harvest` [groups]: lots that could be a loss may be sold and nothing bought; `hold` [names]: not traded."""

    harvest: Bools
    hold: Bools


def sellable(problem: Problem, branch: Branch) -> Bools:
    """[tranches] What may be sold on the branch."""
    harvest = branch.harvest[problem.group[problem.name]]
    allowed: Bools = problem.may_sell & ~branch.hold[problem.name] & (~problem.loss | harvest)
    return allowed


def forced(problem: Problem, branch: Branch) -> Bools:
    """[tranches] What must be sold whole on the branch: the screen's must-sell, and the way out of a window that harvesting needs."""
    harvest = branch.harvest[problem.group[problem.name]]
    must: Bools = sellable(problem, branch) & (problem.must_sell | (problem.way_out & harvest))
    return must


def buyable(problem: Problem, branch: Branch) -> Bools:
    """[names] What may be bought on the branch."""
    allowed: Bools = problem.may_buy & ~branch.hold & ~branch.harvest[problem.group]
    return allowed


class SolveStatus(StrEnum):
    """How a solve ended; the closed list that every solver's own statuses are translated to."""

    OPTIMAL = "optimal"
    ITERATION_LIMIT = "iteration_limit"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    NUMERICAL_ERROR = "numerical_error"
    INVALID_PROBLEM = "invalid_problem"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Multipliers:
    """Shadow prices, in objective per unit of invested value: what a dollar more of cash, or less of budget, is worth.

    `cash` is positive where cash is short and negative where it must be invested; budgets are never negative.  `rules` are the other
    rows' by name: weight rows in the problem's order, turnover_frac, and tracking_error_frac per unit of half the cap's square.
    """

    cash: float = 0.0
    tax: float = 0.0
    short: float = 0.0
    long: float = 0.0
    rules: tuple[tuple[str, float], ...] = ()

    def of(self, rule: str) -> float:
        """The shadow price of a rule by name; 0 where it has none."""
        return next((price for name, price in self.rules if name == rule), 0.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to trade, in weights: `sold` [tranches] and `bought` [names], never both in one name."""

    sold: Floats
    bought: Floats


@dataclass(frozen=True, slots=True)
class Answer:
    """A solver's answer on a branch: usable only where `status` is OPTIMAL, or ITERATION_LIMIT with a small violation."""

    status: SolveStatus
    plan: Plan
    multipliers: Multipliers
    iterations: int


class BranchSolver(Protocol):
    """Solves the convex programme of one branch, as often as asked; the answer depends on the arguments and earlier calls alone."""

    def solve(self, branch: Branch, tolerance: float) -> Answer: ...

    def narrowed(self, hold: Bools) -> "BranchSolver":
        """A solver for branches that hold at least these names [names]; faster where they are many."""
        ...
