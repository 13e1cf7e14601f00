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

from heapq import heappop, heappush
from itertools import count

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.dual.answer import DEFAULT_EFFORT, NO_RIVAL, Certified, Effort, Outcome, Rival
from services.optimizer.core.dual.branching import children, mixing, open_choices
from services.optimizer.core.dual.choice import by_cost, by_share, keep_counts, lags
from services.optimizer.core.dual.dearest import dearest
from services.optimizer.core.dual.model import Model, Trades
from services.optimizer.core.dual.newton import Climb, climb
from services.optimizer.core.dual.primal import judged
from services.optimizer.core.dual.stiff import FLOORS, floors_above, stiffened
from services.optimizer.core.dual.tables import Prepared, prepare
from services.optimizer.core.dual.value import evaluate, least_costs, trades_of

__all__ = ["DEFAULT_EFFORT", "FEASIBLE", "NO_RIVAL", "SMOOTHED", "Certified", "Effort", "Outcome", "Rival", "solve"]
FEASIBLE = 1e-8  # of account value: what a row may be broken by
EXACT = 1e-11
SMOOTHED = 1e-6
SETTLED = 1e-7  # a convex solve whose plan costs this much more than its dual value has met tied lots
RAY = 8  # powers of ten that multipliers are stretched by, in search of a proof that no plan keeps the rules
GAINS_LITTLE = 1e-7  # of account value: a round of changed options that gains less is the last
STEPS_TO_A_TIE = 12  # of a convex solve, once ties were met
TIES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def solve(model: Model, effort: Effort = DEFAULT_EFFORT, start: Floats | None = None, rival: Rival = NO_RIVAL) -> Certified:
    """Solve from `start` (multipliers of an earlier solve; a pinned input of the answer) or from zero.

    Beside a rival, the search ends where its bound shows that this model lowers the rival's bound not at all, or its objective by no more
    than is enough; the answer then may have no plan, and its bound is what was shown.
    """
    return _Search(prepare(model), effort, rival).run(start)


class _Search:
    """Best plan so far over the nodes of one search."""

    def __init__(self, ready: Prepared, effort: Effort, rival: Rival) -> None:
        self.ready, self.effort, self.rival = ready, effort, rival
        self.temperature = effort.heat / max(len(ready.model.names.held), 1)
        self.ceiling = dearest(ready.model) if rival is NO_RIVAL else rival.objective + 1.0  # softened lots may cost more than their plan
        self.beyond = min(self.ceiling, rival.objective, rival.lower_bound)  # a node whose bound passes this needs no plan
        self.counts, self.floors = _counts(ready.model), floors_above(ready)
        self.enough = max(effort.enough, effort.counted) if len(self.counts) else effort.enough
        self.best: Trades | None = None
        self.objective = float("inf")
        self.multipliers = np.zeros(len(ready.tables.low))
        self.steps, self.work, self.ties = 0, effort.work, False

    def run(self, start: Floats | None) -> Certified:
        every = np.ones(len(self.ready.tables.name), dtype=np.bool_)
        number, nodes = count(), 1
        bound, where, worst, x = self._node(every, self.multipliers if start is None else start)
        root = (bound, where, x)
        heap: list[tuple[float, int, Bools, int, Floats]] = [(bound, next(number), every, worst, x)]
        lower = bound
        while heap:
            bound, _, allowed, worst, x = heappop(heap)
            lower = min(bound, self.objective)
            spent = nodes >= self.effort.nodes or self.steps >= self.work
            if self.known - lower <= self.enough or lower >= self.beyond or spent or worst < 0:
                break
            for child in children(self.ready.tables, allowed, worst):
                child_bound, _, child_worst, child_x = self._node(child, x)
                nodes += 1
                if child_bound < self.objective:
                    heappush(heap, (max(child_bound, bound), next(number), child, child_worst, child_x))
        else:
            lower = self.objective
        outcome = Outcome.INFEASIBLE if lower > self.ceiling and self.rival is NO_RIVAL else Outcome.NO_PLAN
        if self.best is not None:
            outcome = Outcome.CERTIFIED if self.objective - lower <= self.effort.certified else Outcome.GAP_TOO_WIDE
        return Certified(outcome, self.best, self.objective, lower, self.multipliers, *root, self.steps, nodes)

    def _node(self, allowed: Bools, start: Floats) -> tuple[float, Floats, int, Floats]:
        """Bound of the node, the multipliers it comes from, the group to branch on (-1: none) and where children start."""
        ready, t = self.ready, self.ready.tables
        undecided = open_choices(t, allowed)
        if not undecided.any():
            return self._decided(allowed, start)
        relaxed = self._relax(allowed, start)
        share = ready.scratch.share.copy()
        (bound, cost), where, x = least_costs(ready, relaxed, allowed), relaxed, relaxed
        if bound > self.beyond or self.known - bound <= self.enough:
            return bound, where, -1, where
        chosen = by_share(t, share, allowed)
        lag, seen = np.zeros(len(t.group_first) - 1), set[bytes]()
        for _ in range(self.effort.repairs):
            if len(self.counts):
                keep_counts(t, cost, x[self.rows], self.counts, allowed, chosen)
            if chosen.tobytes() in seen:
                break
            seen.add(chosen.tobytes())
            before = self.objective
            x = self._try(chosen, x)[1]
            x[self.rows][self.counts] = relaxed[self.rows][self.counts]
            value, cost = least_costs(ready, x, allowed)
            if value > bound:
                bound, where = value, x
            least = by_cost(t, cost)
            lag = lags(t, cost, chosen, least)
            if self.known - bound <= self.effort.tight or before - self.objective < GAINS_LITTLE:
                break
            chosen = least
        if self.best is None and bound <= self.ceiling:
            bound, where = self._along(allowed, (bound, where), relaxed, x)
        score = np.where(undecided, lag + 1e-9 * mixing(t, share), -1.0)
        return bound, where, int(np.argmax(score)), relaxed

    def _decided(self, allowed: Bools, start: Floats) -> tuple[float, Floats, int, Floats]:
        """A node that leaves nothing to decide: one convex problem, whose dual is the bound."""
        chosen = by_share(self.ready.tables, self.ready.scratch.share, allowed)
        bound, x = self._try(chosen, start)
        if self.best is None and bound <= self.ceiling:
            bound, x = self._along(allowed, (bound, x), x)
        return bound, x, -1, x

    def _relax(self, allowed: Bools, start: Floats) -> Floats:
        """The multipliers of the smoothed relaxation, softened where lots tie."""
        end = self._climb(start, self.temperature, allowed, SMOOTHED)
        if end.stalled and self.floors:
            return self._stiffen(allowed, start, end.multipliers)
        if end.stalled:
            end = self._soften(end, self.temperature, allowed, SMOOTHED, TIES[1:4])
        return end.multipliers

    def _soften(self, end: Climb, temperature: float, allowed: Bools, tolerance: float, ties: tuple[float, ...]) -> Climb:
        """Climbs with lots softened less and less, each begun where the two before it point: multipliers are near linear in the tie."""
        earlier: list[tuple[float, Floats]] = []
        for tie in ties:
            start = end.multipliers
            if len(earlier) > 1:
                (wide, at_wide), (narrow, at_narrow) = earlier[-2:]
                start = at_narrow + (at_narrow - at_wide) * ((tie - narrow) / (narrow - wide))
            end = self._climb(start, temperature, allowed, tolerance, tie)
            earlier.append((tie, end.multipliers))
        return end

    def _stiffen(self, allowed: Bools, *starts: Floats) -> Floats:
        """Of climbs with specific variances raised less and less, the multipliers of the best bound; the plans they round to are tried."""
        best, where, stiffest = -np.inf, starts[-1], self.floors[-1]
        for start in starts:
            at = start
            for floor in self.floors:
                end = climb(stiffened(self.ready, floor), at, self.temperature, allowed, SMOOTHED, self.effort.steps)
                self.steps += end.steps
                chosen, at = by_share(self.ready.tables, self.ready.scratch.share, allowed), end.multipliers
                plan = self._stiff_plan(chosen, at, floor)
                for found in (at, plan.multipliers):
                    bound = least_costs(self.ready, found, allowed)[0]
                    if bound > best:
                        best, where, stiffest = bound, found, floor
            if self.known - best <= self.enough:
                break
        self.work = self.effort.work // 4  # nodes gain little and take long
        self.floors = (stiffest,)  # where the nodes that follow begin
        evaluate(self.ready, where, self.temperature, allowed)  # for the shares
        return where

    def _stiff_plan(self, chosen: Ints, start: Floats, floor: float) -> Climb:
        """The convex problem of these options, specific variances raised: its plan is kept if it is the best so far."""
        end = climb(stiffened(self.ready, floor), start, 0.0, self._only(chosen), EXACT, self.effort.steps)
        self.steps += end.steps
        self._keep(end, chosen)
        return end

    def _along(self, allowed: Bools, found: tuple[float, Floats], *rays: Floats) -> tuple[float, Floats]:
        """The best bound far out along the multipliers: where no plan keeps the rules g rises there without end."""
        t = self.ready.tables
        for ray in rays:
            for power in range(1, RAY + 1):
                there = ray * 10.0**power
                there[: t.factors] = ray[: t.factors] * (10.0**power if t.capped else 1.0)  # alone, a factor's costs its square
                there = there.clip(t.low, t.high)
                value = least_costs(self.ready, there, allowed)[0]
                if value > found[0]:
                    found = value, there
                if value > self.ceiling:
                    return found
        return found

    @property
    def known(self) -> float:
        """The objective of the best plan there is, the rival's included."""
        return min(self.objective, self.rival.objective)

    @property
    def rows(self) -> slice:
        """Where the rows' multipliers lie."""
        first = self.ready.tables.exposures.shape[1]
        return slice(first, first + len(self.ready.model.rows.bound))

    def _climb(self, start: Floats, temperature: float, allowed: Bools, tolerance: float, tie: float = 0.0, steps: int = 0) -> Climb:
        enough = self.beyond if temperature > 0 and tie == 0 else self.ceiling
        end = climb(self.ready, start, temperature, allowed, tolerance, steps or self.effort.steps, tie, enough)
        self.steps += end.steps
        return end

    def _try(self, chosen: Ints, start: Floats) -> tuple[float, Floats]:
        """Solve the convex problem of these options and keep the plan if it is the best so far; its dual, and the multipliers there."""
        fixed = self._only(chosen)
        end = self._climb(start, 0.0, fixed, EXACT, steps=STEPS_TO_A_TIE if self.ties else 0)
        value = end.value
        lost = self._keep(end, chosen) - value > SETTLED and value <= self.ceiling
        if lost and self.floors:
            for floor in FLOORS:
                end = self._stiff_plan(chosen, end.multipliers, floor)
        elif lost:
            self.ties = True
            end = self._soften(end, 0.0, fixed, EXACT, TIES)
            self._keep(end, chosen)
            value = least_costs(self.ready, end.multipliers, fixed)[0]
        return value, end.multipliers

    def _only(self, chosen: Ints) -> Bools:
        """These options allowed."""
        fixed = np.zeros(len(self.ready.tables.name), dtype=np.bool_)
        fixed[chosen] = True
        return fixed

    def _keep(self, end: Climb, chosen: Ints) -> float:
        """What the plan there costs, infinite where it breaks a hard row; the best plan so far is kept."""
        trades = trades_of(self.ready, chosen)
        found = judged(self.ready.model, trades)
        if found.hard_excess > FEASIBLE:
            return float("inf")
        if found.elastic_objective < self.objective - 1e-15:
            self.best, self.objective, self.multipliers = trades, found.elastic_objective, end.multipliers.copy()
        return found.elastic_objective


def _counts(model: Model) -> Ints:
    """The hard rows that only the options' uses touch."""
    if not model.rows.uses.any():
        return np.zeros(0, dtype=np.intp)
    untouched = ~model.rows.sell.any(axis=0) & ~model.rows.buy.any(axis=0)
    return np.flatnonzero(untouched & model.rows.uses.any(axis=0) & ~np.isfinite(model.rows.ceiling))
