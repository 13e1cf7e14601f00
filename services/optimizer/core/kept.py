"""Whether a plan keeps the owner's limits, from the problem alone, and how they are tightened for what whole shares add.

Rounding to whole shares moves a plan by up to half a share a name.  Where that takes it beyond a limit, the limit is tightened by what it
was exceeded by, and more, and the account solved again.

Invariants
1. A tightened problem's plans keep the problem's own limits.
2. Counts of trades and of names are never tightened: rounding does not raise them.
"""

from dataclasses import dataclass, replace

import numpy as np

from services.optimizer.core.arrays import Floats
from services.optimizer.core.branch import Plan
from services.optimizer.core.evaluate import active_weights, traded_by_name, variance
from services.optimizer.core.problem import Problem

TIGHTEN = 1.5  # times the excess
A_NAME = 1e-3
HELD = 1e-9  # of invested value: less is nothing


@dataclass(frozen=True, slots=True)
class Excess:
    """By how much a plan is beyond each limit; zero or less where it keeps it.  In annual standard deviation, weight and names."""

    tracking_error: float
    turnover: float
    trades: int
    names: int
    weights: Floats

    @property
    def size(self) -> float:
        """All that is exceeded, in one number: a name counts like a thousandth of the account's value."""
        parts = max(self.tracking_error, 0.0) + max(self.turnover, 0.0) + float(self.weights.clip(min=0.0).sum())
        return parts + A_NAME * (max(self.trades, 0) + max(self.names, 0))

    def beyond(self, tolerance: float) -> bool:
        """Whether a limit is broken by more than `tolerance`; counts have none."""
        most = max(self.tracking_error, self.turnover, float(np.max(self.weights, initial=0.0)))
        return most > tolerance or max(self.trades, self.names) > 0


def excess(problem: Problem, plan: Plan) -> Excess:
    """How the plan stands to the limits of its problem."""
    rules, active, traded = problem.rules, active_weights(problem, plan), traded_by_name(problem, plan)
    weight = active + problem.target
    return Excess(
        tracking_error=float(np.sqrt(variance(problem, active))) - rules.tracking_error,
        turnover=float(plan.bought.sum() + plan.sold.sum()) - rules.turnover,
        trades=0 if rules.trades is None else int((np.abs(traded) > HELD).sum()) - rules.trades,
        names=0 if rules.names is None else int((weight > HELD).sum()) - rules.names,
        weights=np.array([float(row.coefficient @ weight) - row.bound for row in rules.weights]),
    )


def tightened(problem: Problem, over: Excess) -> Problem:
    """The problem with every limit that was exceeded so much tighter, a cap on tracking error by half of itself at most."""
    rules = problem.rules
    weights = tuple(
        replace(row, bound=row.bound - TIGHTEN * max(float(beyond), 0.0)) for row, beyond in zip(rules.weights, over.weights, strict=True)
    )
    cap = max(rules.tracking_error - TIGHTEN * max(over.tracking_error, 0.0), rules.tracking_error / 2)  # a cap stays positive
    turnover = rules.turnover - TIGHTEN * max(over.turnover, 0.0)
    return replace(problem, rules=replace(rules, tracking_error=cap, turnover=turnover, weights=weights))


def loosened(problem: Problem, over: Excess, times: float) -> Problem:
    """The problem with every limit that was exceeded looser by so many times that; numbers of names by what they were exceeded by."""
    rules = problem.rules
    weights = tuple(
        replace(row, bound=row.bound + times * max(float(beyond), 0.0)) for row, beyond in zip(rules.weights, over.weights, strict=True)
    )
    return replace(
        problem,
        rules=replace(
            rules,
            tracking_error=rules.tracking_error + times * max(over.tracking_error, 0.0),
            turnover=rules.turnover + times * max(over.turnover, 0.0),
            trades=None if rules.trades is None else rules.trades + max(over.trades, 0),
            names=None if rules.names is None else rules.names + max(over.names, 0),
            weights=weights,
        ),
    )
