"""What a plan costs and whether it keeps the rules, computed from the problem alone: shares no code with any solver."""

from dataclasses import dataclass

import numpy as np

from services.optimizer.core.arrays import Floats
from services.optimizer.core.branch import Branch, Plan, buyable, forced, sellable
from services.optimizer.core.problem import Problem


@dataclass(frozen=True, slots=True)
class Value:
    """The terms of the objective, as fractions of invested value (1e4 of them are basis points); `tax` as the harvest policy counts it."""

    risk: float
    tax: float
    cost: float

    @property
    def objective(self) -> float:
        return self.risk + self.tax + self.cost


def sold_by_name(problem: Problem, plan: Plan) -> Floats:
    """[names] Weight sold."""
    sold: Floats = np.bincount(problem.name, plan.sold, len(problem.held)).astype(np.float64)
    return sold


def traded_by_name(problem: Problem, plan: Plan) -> Floats:
    """[names] Weight bought less weight sold."""
    traded: Floats = plan.bought - sold_by_name(problem, plan)
    return traded


def active_weights(problem: Problem, plan: Plan) -> Floats:
    """[names] Weight after the plan less target."""
    active: Floats = problem.held - sold_by_name(problem, plan) + plan.bought - problem.target
    return active


def variance(problem: Problem, active: Floats) -> float:
    """Annual variance of the active weights; its root is the tracking error."""
    factors = problem.exposures.T @ active
    return float(factors @ factors + active @ (problem.specific_var * active))


def risk_gradient(problem: Problem, active: Floats) -> Floats:
    """[names] What one unit more of weight adds to the objective's risk term."""
    gradient: Floats = 2 * problem.risk_aversion * (problem.exposures @ (problem.exposures.T @ active) + problem.specific_var * active)
    return gradient


def no_trade(problem: Problem) -> Plan:
    """The plan that leaves everything as it is."""
    return Plan(np.zeros(len(problem.size)), np.zeros(len(problem.held)))


def evaluate(problem: Problem, plan: Plan) -> Value:
    """The objective's terms of a plan."""
    sold = sold_by_name(problem, plan)
    if problem.standing is None:
        tax = float(problem.sale_frac @ plan.sold)
    else:
        tax = float(problem.policy_frac @ plan.sold) + problem.standing.added(net_gain(problem, plan))
    return Value(
        risk=problem.risk_aversion * variance(problem, active_weights(problem, plan)),
        tax=tax,
        cost=float(problem.cost_frac @ (sold + plan.bought)) + impact_cost(problem, sold + plan.bought),
    )


def impact_cost(problem: Problem, traded: Floats) -> float:
    """What trades [names] cost by moving their own prices."""
    return 0.0 if problem.impact is None else float(problem.impact @ traded**2)


def cash_after(problem: Problem, plan: Plan) -> float:
    """Cash after the plan and its costs, as a fraction of invested value."""
    sold = sold_by_name(problem, plan)
    return float(problem.cash + (1 - problem.cost_frac) @ sold - (1 + problem.cost_frac) @ plan.bought)


def net_gain(problem: Problem, plan: Plan) -> tuple[float, float]:
    """(short, long) net gains of the plan, as fractions of invested value."""
    gain = problem.gain_frac * plan.sold
    return float(gain @ problem.is_short), float(gain @ problem.is_long)


def budget_excess(problem: Problem, plan: Plan) -> float:
    """The most by which the plan exceeds a budget, as a fraction of invested value; zero where it keeps all."""
    short, long = net_gain(problem, plan)
    if problem.standing is not None:
        return max(0.0, problem.standing.excess((short, long)))
    tax = float(problem.tax_frac @ plan.sold)
    return max(0.0, tax - problem.tax_room, short - problem.short_room, long - problem.long_room)


def priced(problem: Problem, plan: Plan, penalty: float) -> float:
    """The objective with `penalty` for each unit of a soft rule broken: cash outside its band, weight above its maximum, and twice that
    for what must be sold and is not."""
    cash = cash_after(problem, plan)
    outside = max(problem.cash_min - cash, cash - problem.cash_max, 0.0)
    weight = active_weights(problem, plan) + problem.target
    heavy = float(np.sum((weight - problem.weight_max)[problem.held > problem.weight_max].clip(min=0.0)))
    left = float(np.sum((problem.size - plan.sold)[problem.may_sell & problem.must_sell]))
    return evaluate(problem, plan).objective + penalty * (outside + heavy + 2 * left)


def violation(problem: Problem, branch: Branch, plan: Plan) -> float:
    """The most by which a plan breaks a hard rule of its branch, in weight.  Cash and forced sales are soft and not in it."""
    limits = np.where(sellable(problem, branch), problem.size, 0.0)
    oversold = float(np.max(plan.sold - limits, initial=0.0))
    bought = float(np.max(np.where(buyable(problem, branch), 0.0, plan.bought), initial=0.0))
    negative = -min(float(np.min(plan.sold, initial=0.0)), float(np.min(plan.bought, initial=0.0)))
    heavy = active_weights(problem, plan) + problem.target - np.maximum(problem.weight_max, problem.held)
    return max(oversold, bought, negative, float(np.max(heavy, initial=0.0)), budget_excess(problem, plan))


def way_out_missed(problem: Problem, branch: Branch, plan: Plan, tolerance: float) -> Floats:
    """[groups] Weight of a way-out lot that harvesting needs sold and the plan leaves: such a group may not harvest."""
    lacking = np.where(forced(problem, branch) & problem.way_out, problem.size - plan.sold, 0.0)
    missed = np.zeros(len(branch.harvest))
    np.maximum.at(missed, problem.group[problem.name], np.where(lacking > tolerance, lacking, 0.0))
    return missed
