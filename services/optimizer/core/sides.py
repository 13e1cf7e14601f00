"""Buy or harvest: the side that each identity group takes.

The naive convex programme sells every loss and buys it back the same day; that is a wash sale, and its benefit does not exist.  So
each group takes one side.  The certified solve chooses sides itself; here is what sides a plan has taken, and the sides that are better
for each group at given shadow prices, where the solve has none: the best each name can do on either side is a closed form (its lots in
order of cost, then its own risk).

Reference: the per-name minimum over branches is the inner problem of Moehle, Kochenderfer, Boyd and Ang, Tax-Aware Portfolio
Construction via Convex Optimization, arXiv 2008.04985.
"""

from dataclasses import dataclass

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.branch import Answer, Branch, Multipliers, Plan, SolveStatus
from services.optimizer.core.problem import Problem

TURNOVER = "turnover_frac"
SOLD_WHOLE = 1e-5  # of a lot: what a solver's tolerance leaves
USABLE = (SolveStatus.OPTIMAL, SolveStatus.ITERATION_LIMIT)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The branch found best, and the solver's answer on it."""

    branch: Branch
    answer: Answer


def harvesting(problem: Problem, plan: Plan) -> Bools:
    """[groups] Where the plan sells what could be a loss."""
    return _in_group(problem, problem.group[problem.name], problem.loss & (plan.sold > 0))


def better_sides(problem: Problem, common: Floats, multipliers: Multipliers) -> Bools:
    """[groups] Where harvesting is better at this gradient of common risk [names] and these shadow prices, or there is nothing to give
    up for it.  A group that must sell, or holds too much of a name, does not give up its losses."""
    by_tranche = problem.group[problem.name]
    lossy = _in_group(problem, by_tranche, problem.may_sell & problem.loss)
    bought = _in_group(problem, problem.group, problem.may_buy)
    way_out = _in_group(problem, by_tranche, problem.way_out & problem.may_sell)
    pressed = problem.must_sell | (problem.held > problem.weight_max)[problem.name]
    must = _in_group(problem, by_tranche, problem.may_sell & problem.loss & pressed)
    contested = lossy & ~must & (bought | way_out)
    better: Bools = (lossy & ~contested) | (contested & (gain_of_harvest(problem, common, multipliers) > 0))
    return better


def _in_group(problem: Problem, group: Ints, flags: Bools) -> Bools:
    found: Bools = np.bincount(group, flags, int(problem.group.max(initial=-1)) + 1) > 0
    return found


def gain_of_harvest(problem: Problem, common: Floats, multipliers: Multipliers) -> Floats:
    """[groups] How much better a group's names do when harvesting than when buying, at a given gradient `common` [names] of common
    risk and given shadow prices."""
    price = sale_price(problem, multipliers)
    must = problem.may_sell & problem.must_sell
    harvesting = _best_sale(problem, common, price, problem.may_sell, must | (problem.may_sell & problem.way_out))
    keeping = _best_sale(problem, common, price, problem.may_sell & ~problem.loss, must & ~problem.loss)
    buying = np.minimum(keeping, np.where(problem.may_buy, _best_buy(problem, common, multipliers), np.inf))
    gain: Floats = np.bincount(problem.group, buying - harvesting).astype(np.float64)
    return gain


def sale_price(problem: Problem, multipliers: Multipliers) -> Floats:
    """[tranches] What selling a unit costs: tax, spread, and its use of cash and budgets at their shadow prices."""
    cost = problem.cost_frac[problem.name]
    use = multipliers.tax * problem.tax_frac
    use = use + (multipliers.short * problem.is_short + multipliers.long * problem.is_long) * problem.gain_frac
    use = use + multipliers.of(TURNOVER) - limit_price(problem, multipliers)[problem.name]
    price: Floats = problem.sale_frac + cost + use - multipliers.cash * (1 - cost)
    return price


def buy_price(problem: Problem, multipliers: Multipliers) -> Floats:
    """[names] What buying a unit costs: spread, and its use of cash and limits at their shadow prices."""
    cost = problem.cost_frac
    price: Floats = cost + multipliers.cash * (1 + cost) + multipliers.of(TURNOVER) + limit_price(problem, multipliers)
    return price


def limit_price(problem: Problem, multipliers: Multipliers) -> Floats:
    """[names] What a unit more of weight costs at the shadow prices of the bounds on weights and exposures."""
    total = np.zeros(len(problem.held))
    for row, (_, price) in zip(problem.rules.weights, multipliers.rules, strict=False):  # none where a solver has no prices of rules
        total += price * row.coefficient
    return total


def _best_sale(problem: Problem, common: Floats, price: Floats, allowed: Bools, must: Bools) -> Floats:
    """[names] Least cost of each name by selling `allowed` tranches (`must` ones whole), cheapest first."""
    curve = 2 * problem.risk_aversion * problem.specific_var
    active = problem.held - problem.target
    floor = np.minimum(problem.weight_min, problem.held) - problem.target
    total = np.zeros(len(active))
    chosen = np.flatnonzero(allowed)
    order = chosen[np.lexsort((price[chosen], ~must[chosen], problem.name[chosen]))]
    names = problem.name[order]
    rank = np.arange(len(order)) - np.searchsorted(names, names)
    for step in range(int(rank.max(initial=-1)) + 1):
        tranche, name = order[rank == step], names[rank == step]
        stop = np.maximum((price[tranche] - common[name]) / curve[name], floor[name])
        sold = np.where(must[tranche], problem.size[tranche], (active[name] - stop).clip(0.0, problem.size[tranche]))
        active[name] -= sold
        total[name] += price[tranche] * sold
    best: Floats = total + 0.5 * curve * active**2 + common * active
    return best


def _best_buy(problem: Problem, common: Floats, multipliers: Multipliers) -> Floats:
    """[names] Least cost of each name by buying it."""
    curve = 2 * problem.risk_aversion * problem.specific_var
    price = buy_price(problem, multipliers)
    before = problem.held - problem.target
    top = np.maximum(problem.weight_max - problem.target, before)
    active = np.clip(-(price + common) / curve, before, top)
    best: Floats = 0.5 * curve * active**2 + common * active + price * (active - before)
    return best
