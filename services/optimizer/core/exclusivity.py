"""Buy or harvest: which identity groups may sell what could be a loss, and which may be bought.

The naive convex programme sells every loss and buys it back the same day; that is a wash sale, and its benefit does not exist.  So
each group takes one side.  Given the gradient of common risk and the shadow prices of cash and budgets, the best each name can do on
either side is a closed form (its lots in order of cost, then its own risk).  Groups that would gain most by changing sides change, the
programme is solved again on the new branch, and what did not improve is taken back by halves.

Reference: the per-name minimum over branches is the inner problem of Moehle, Kochenderfer, Boyd and Ang, Tax-Aware Portfolio
Construction via Convex Optimization, arXiv 2008.04985.
"""

from dataclasses import dataclass

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.branch import Answer, Branch, BranchSolver, Multipliers, SolveStatus, forced
from services.optimizer.core.evaluate import active_weights, cash_after, evaluate, way_out_missed
from services.optimizer.core.policy import Policy
from services.optimizer.core.problem import Problem

WORTH_CHANGING = 1e-7  # a thousandth of a basis point of invested value
WORTH_SOLVING = 5e-6  # five hundredths of a basis point: less is lost in whole shares
SOLD_WHOLE = 1e-5  # of a lot: what a solver's tolerance leaves
USABLE = (SolveStatus.OPTIMAL, SolveStatus.ITERATION_LIMIT)


@dataclass(frozen=True, slots=True)
class Sides:
    """[groups] `contested`: both sides are open; `harvest_only`: what could be a loss may be sold and there is nothing to give up."""

    contested: Bools
    harvest_only: Bools


@dataclass(frozen=True, slots=True)
class Chosen:
    """The branch found best, and the solver's answer on it."""

    branch: Branch
    answer: Answer


def sides_of(problem: Problem) -> Sides:
    """Where there is a choice to make.  A group that must sell, or holds too much of a name, does not give up its losses."""
    groups = int(problem.group.max(initial=-1)) + 1
    by_tranche = problem.group[problem.name]

    def any_in_group(flags: Bools, group: Ints) -> Bools:
        found: Bools = np.bincount(group, flags, groups) > 0
        return found

    lossy = any_in_group(problem.may_sell & problem.loss, by_tranche)
    bought = any_in_group(problem.may_buy, problem.group)
    way_out = any_in_group(problem.way_out & problem.may_sell, by_tranche)
    pressed = problem.must_sell | (problem.held > problem.weight_max)[problem.name]
    must = any_in_group(problem.may_sell & problem.loss & pressed, by_tranche)
    contested = lossy & ~must & (bought | way_out)
    return Sides(contested, lossy & ~contested)


def rounds_of(problem: Problem, policy: Policy) -> int:
    """How many solves the search may take: more where they are cheap."""
    columns = len(problem.held) + len(problem.size)
    return max(policy.side_rounds, min(policy.most_side_rounds, policy.side_work // max(columns, 1)))


def choose_sides(problem: Problem, solver: BranchSolver, policy: Policy, penalty: float) -> Chosen:
    """The best branch found in a bounded number of solves; `penalty` is the price of a unit of soft breach."""
    search = _Search(problem, sides_of(problem), penalty)
    branch = search.first()
    for _ in range(rounds_of(problem, policy)):
        found = Chosen(branch, solver.solve(branch, policy.search_tolerance))
        if found.answer.status not in USABLE:
            return search.best or found
        search.judge(found)
        following = search.following()
        if following is None:
            break
        branch = following
    return search.best or found


class _Search:
    """The best branch so far, what changing each group's side promises there, and how many changes to dare at once."""

    def __init__(self, problem: Problem, sides: Sides, penalty: float) -> None:
        self._problem, self._sides, self._penalty = problem, sides, penalty
        self._hold = np.zeros(len(problem.held), dtype=np.bool_)
        self._barred = np.zeros(len(sides.contested), dtype=np.bool_)
        self._gains = np.zeros(len(sides.contested))
        self._changing: Ints = np.zeros(0, dtype=np.intp)
        self._share, self._best_score = 1.0, float("inf")
        self.best: Chosen | None = None

    def first(self) -> Branch:
        """Every group on the side that is better for it alone, common risk and shadow prices aside."""
        alone = gain_of_harvest(self._problem, np.zeros(len(self._problem.held)), Multipliers())
        return Branch(self._sides.harvest_only | (self._sides.contested & (alone > 0)), self._hold)

    def judge(self, found: Chosen) -> None:
        """Take an improvement; otherwise dare half as many changes, and after a single one that failed not that one again."""
        missed = way_out_missed(self._problem, found.branch, found.answer.plan, SOLD_WHOLE) > 0
        self._barred |= found.branch.harvest & missed
        score = branch_score(self._problem, found, self._penalty)
        if score < self._best_score - WORTH_CHANGING:
            self.best, self._best_score = found, score
            self._gains = _gain_of_change(self._problem, found, self._sides, self._barred)
            return
        self._share /= 2
        if len(self._changing) == 1:
            self._gains[self._changing] = 0.0

    def following(self) -> Branch | None:
        """The branch to try next; None where nothing promises enough."""
        wanted = np.flatnonzero(self._gains > WORTH_CHANGING)
        if self.best is None or self._gains[wanted].sum() < WORTH_SOLVING:
            return None
        count = max(1, int(self._share * len(wanted)))
        self._changing = wanted[np.argsort(-self._gains[wanted], kind="stable")[:count]]
        harvest = self.best.branch.harvest.copy()
        harvest[self._changing] ^= True
        return Branch(harvest & ~self._barred, self._hold)


def branch_score(problem: Problem, found: Chosen, penalty: float) -> float:
    """The objective with what soft rules are broken by: cash outside its band, must-sell left over, weight above its maximum."""
    plan = found.answer.plan
    cash = cash_after(problem, plan)
    outside = max(problem.cash_min - cash, cash - problem.cash_max, 0.0)
    left = float(np.sum(np.where(forced(problem, found.branch), problem.size - plan.sold, 0.0)))
    weight = active_weights(problem, plan) + problem.target
    heavy = float(np.sum((weight - problem.weight_max).clip(min=0.0)))
    return evaluate(problem, plan).objective + penalty * (outside + left + heavy)


def _gain_of_change(problem: Problem, found: Chosen, sides: Sides, barred: Bools) -> Floats:
    """[groups] What changing sides would gain at the answer's gradient and shadow prices; zero where there is no choice."""
    active = active_weights(problem, found.answer.plan)
    common = 2 * problem.risk_aversion * (problem.exposures @ (problem.exposures.T @ active))
    gain = gain_of_harvest(problem, common, found.answer.multipliers)
    gain = np.where(found.branch.harvest, -gain, gain)
    allowed = sides.contested & ~(barred & ~found.branch.harvest)
    return np.where(allowed, gain, 0.0)


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
    price: Floats = problem.tax_frac + cost + use - multipliers.cash * (1 - cost)
    return price


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
    price = problem.cost_frac + multipliers.cash * (1 + problem.cost_frac)
    before = problem.held - problem.target
    top = np.maximum(problem.weight_max - problem.target, before)
    active = np.clip(-(price + common) / curve, before, top)
    best: Floats = 0.5 * curve * active**2 + common * active + price * (active - before)
    return best
