"""The certified solve: a plan, a bound that no plan can beat, and the gap between them.

1. Climb the smoothed dual (soft minimum over options): the multipliers of the relaxation.
2. Round every name to the option with the largest share, and solve that convex problem exactly: a plan.  Where lots tie, they are
   softened (dual/ties.py), less and less.
3. One exact evaluation over all options at those multipliers: often the best bound.  The names whose best option there is not the one
   chosen are exactly the gap; change them, and solve again while that helps.
4. Where the gap is still too wide, branch and bound on the worst of those names, best bound first.

The plan's objective is evaluated by `model.objective`, which shares nothing with the dual.

Invariants
1. lower_bound <= objective of any plan that keeps the rules; lower_bound <= objective of the plan returned, to rounding.
2. A plan is CERTIFIED only if it keeps every hard row to FEASIBLE and its gap is at most `certified`.
3. The same arguments give the same bytes: no clock, no random.
"""

from dataclasses import dataclass
from enum import StrEnum
from heapq import heappop, heappush
from itertools import count

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.dual.model import Model, Trades
from services.optimizer.core.dual.newton import Climb, climb
from services.optimizer.core.dual.primal import dearest, elastic_objective, excess
from services.optimizer.core.dual.value import Prepared, evaluate, prepare, trades_of

FEASIBLE = 1e-8  # of account value: what a row may be broken by
EXACT = 1e-11
SMOOTHED = 1e-7
SETTLED = 1e-7  # a convex solve whose plan costs this much more than its dual value has met tied lots
KINKED = 1e-5  # a smoothed climb that ends above this, in weight, has met tied lots
STEPS_TO_A_TIE = 12  # of a convex solve, once ties were met
TIES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


class Outcome(StrEnum):
    """How a solve ended; a closed list."""

    CERTIFIED = "certified"
    GAP_TOO_WIDE = "gap_too_wide"
    INFEASIBLE = "infeasible"  # proved: the bound exceeds what any plan could cost
    NO_PLAN = "no_plan"  # none found, and none excluded


@dataclass(frozen=True, slots=True)
class Effort:
    """What a solve may spend; gaps are fractions of account value.

    The temperature is `heat` over the number of names.  Options are changed, in at most `repairs` rounds, until the gap is `tight` or a
    round gains little; above a gap of `enough`, at most `nodes` of branch and bound follow; a plan counts as certified up to `certified`.
    A climb takes at most `steps` of Newton.
    """

    heat: float = 3e-4
    enough: float = 5e-6
    certified: float = 5e-5
    tight: float = 1e-6
    nodes: int = 60
    repairs: int = 8
    steps: int = 60


@dataclass(frozen=True, slots=True)
class Certified:
    """The best plan, its objective and bound in fractions of account value.

    `multipliers` (nu, z) belong to the plan: shadow prices.  `root_bound` is the dual's value at `bound_multipliers`, which anyone can
    recompute; `lower_bound` is at least that, branch and bound having raised it.  `start` warms a later solve.
    """

    outcome: Outcome
    trades: Trades | None
    objective: float
    lower_bound: float
    multipliers: Floats
    root_bound: float
    bound_multipliers: Floats
    start: Floats
    chosen: Ints
    newton_steps: int
    nodes: int

    @property
    def gap(self) -> float:
        return self.objective - self.lower_bound


DEFAULT_EFFORT = Effort()


def solve(model: Model, effort: Effort = DEFAULT_EFFORT, start: Floats | None = None) -> Certified:
    """Solve from `start` (multipliers of an earlier solve; a pinned input of the answer) or from zero."""
    return _Search(prepare(model), effort).run(start)


class _Search:
    """Best plan so far over the nodes of one search."""

    def __init__(self, ready: Prepared, effort: Effort) -> None:
        self.ready, self.effort = ready, effort
        self.temperature = effort.heat / max(len(ready.first), 1)
        self.ceiling = dearest(ready.model)
        self.best: Trades | None = None
        self.objective = float("inf")
        self.multipliers = np.zeros(ready.model.factors + len(ready.model.rows.bound))
        self.chosen = ready.first
        self.steps, self.ties = 0, False

    def run(self, start: Floats | None) -> Certified:
        every = np.ones(len(self.ready.model.options.name), dtype=np.bool_)
        number, nodes = count(), 1
        bound, where, worst, x = self._node(every, self.multipliers if start is None else start)
        root = (bound, where, x)
        heap: list[tuple[float, int, Bools, int, Floats]] = [(bound, next(number), every, worst, x)]
        lower = bound
        while heap:
            bound, _, allowed, worst, x = heappop(heap)
            lower = min(bound, self.objective)
            if self.objective - lower <= self.effort.enough or nodes >= self.effort.nodes or worst < 0:
                break
            for option in self._options_of(worst, allowed):
                child = allowed & ((self.ready.model.options.name != worst) | (np.arange(len(allowed)) == option))
                child_bound, _, child_worst, child_x = self._node(child, x)
                nodes += 1
                if child_bound < self.objective:
                    heappush(heap, (max(child_bound, bound), next(number), child, child_worst, child_x))
        else:
            lower = self.objective
        outcome = Outcome.INFEASIBLE if lower > self.ceiling else Outcome.NO_PLAN
        if self.best is not None:
            outcome = Outcome.CERTIFIED if self.objective - lower <= self.effort.certified else Outcome.GAP_TOO_WIDE
        return Certified(outcome, self.best, self.objective, lower, self.multipliers, *root, self.chosen, self.steps, nodes)

    def _node(self, allowed: Bools, start: Floats) -> tuple[float, Floats, int, Floats]:
        """Bound of the node, the multipliers it comes from, the name to branch on (-1: none) and where children start."""
        ready = self.ready
        smooth = climb(ready, start, self.temperature, allowed, SMOOTHED, self.effort.steps, enough=self.ceiling)
        self.steps += smooth.steps
        if smooth.residual > KINKED and smooth.point.value <= self.ceiling:
            for tie in TIES[1:4]:
                smooth = climb(ready, smooth.multipliers, self.temperature, allowed, SMOOTHED, self.effort.steps, tie, self.ceiling)
                self.steps += smooth.steps
        bound, where = evaluate(ready, smooth.multipliers, 0.0, allowed).value, smooth.multipliers
        name = ready.model.options.name
        share = np.where(allowed, smooth.point.share, -1.0)
        chosen = _argbest(-share, ready.first, name)
        if bound > self.ceiling:
            return bound, where, -1, where
        x, lag, seen = smooth.multipliers, np.zeros(len(ready.first)), set[bytes]()
        for _ in range(self.effort.repairs):
            if chosen.tobytes() in seen:
                break
            seen.add(chosen.tobytes())
            before = self.objective
            x = self._try(chosen, x)
            exact = evaluate(ready, x, 0.0, allowed)
            if exact.value > bound:
                bound, where = exact.value, x
            cost = np.where(allowed, exact.inner.value, np.inf)
            least = _argbest(cost, ready.first, name)
            lag = cost[chosen] - cost[least]
            if self.objective - bound <= self.effort.tight or before - self.objective < self.effort.tight / 10:
                break
            chosen = np.where(lag > 1e-12, least, chosen)
        mixed = 1.0 - np.maximum.reduceat(share, ready.first)
        several = np.add.reduceat(allowed.astype(np.intp), ready.first) > 1
        score = np.where(several, lag + 1e-9 * mixed, -1.0)
        worst = int(np.argmax(score))
        return bound, where, worst if score[worst] >= 0 else -1, smooth.multipliers

    def _try(self, chosen: Ints, start: Floats) -> Floats:
        """Solve the convex problem of these options and keep the plan if it is the best so far; the multipliers at its end."""
        ready = self.ready
        fixed = np.zeros(len(ready.model.options.name), dtype=np.bool_)
        fixed[chosen] = True
        end = climb(ready, start, 0.0, fixed, EXACT, STEPS_TO_A_TIE if self.ties else self.effort.steps, enough=self.ceiling)
        self.steps += end.steps
        if self._keep(end, chosen) - end.point.value > SETTLED and end.point.value <= self.ceiling:
            self.ties = True
            for tie in TIES:
                end = climb(ready, end.multipliers, 0.0, fixed, EXACT, self.effort.steps, tie)
                self.steps += end.steps
            self._keep(end, chosen)
        return end.multipliers

    def _keep(self, end: Climb, chosen: Ints) -> float:
        """What the plan there costs, infinite where it breaks a hard row; the best plan so far is kept."""
        trades = trades_of(self.ready, end.point)
        hard = ~np.isfinite(self.ready.model.rows.ceiling)
        if float(np.max(excess(self.ready.model, trades)[hard], initial=0.0)) > FEASIBLE:
            return float("inf")
        objective = elastic_objective(self.ready.model, trades)
        if objective < self.objective - 1e-15:
            self.best, self.objective, self.multipliers, self.chosen = trades, objective, end.multipliers, chosen
        return objective

    def _options_of(self, name: int, allowed: Bools) -> Ints:
        return np.flatnonzero((self.ready.model.options.name == name) & allowed)


def _argbest(cost: Floats, first: Ints, name: Ints) -> Ints:
    """The first option of each name whose cost is least."""
    least = np.minimum.reduceat(cost, first)
    index = np.where(cost == least[name], np.arange(len(cost)), len(cost))
    best: Ints = np.minimum.reduceat(index, first)
    return best
