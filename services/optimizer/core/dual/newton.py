"""Projected semismooth Newton on the dual: the multipliers that raise the bound as far as it goes.  Compiled as one whole.

g is concave and piecewise quadratic (smooth where a temperature is used), the rows' multipliers have boxes.  A step solves the Newton
system over the multipliers that are free; one that would leave its box the wrong way is fixed and the system solved again; the step is cut
until g rises enough (Armijo), and where no cut helps the system is damped, more each time.  The tracking-error cap's multiplier is solved
jointly; risk + x changes by at most LEAP a step.

Invariants
1. The multipliers returned lie in their boxes, and g there is at least g at the start.
2. The same arguments give the same bytes.
"""

from dataclasses import dataclass

import numpy as np

from services.optimizer.core.arrays import Bools, Floats
from services.optimizer.core.dual.compiled import compiled
from services.optimizer.core.dual.curvature import assemble
from services.optimizer.core.dual.linear import factorized, solved
from services.optimizer.core.dual.tables import Prepared, Scratch, Tables
from services.optimizer.core.dual.value import dual_gradient, dual_value

ARMIJO = 1e-4
SHY = 0.4  # of what the slope promises: a step that gains less is cut again,
KEEN = 10  # steps of a climb in which that is done; a climb without end (no plan) goes faster without
LITTLE = 1e-7  # unless it promises less than this
LEAST_CUT, MOST_CUT = 0.2, 0.7
CUTS = 14
DAMPING_STEP = 30.0
RIDGE = 1e-12  # of the largest curvature; always there
FIRST_DAMPING = 1e-6
MOST_DAMPING = 10.0
CRAWL = 1e-10  # of account value: a step that gains less, or is cut below SHORT, crawls;
SHORT = 1 / 16
CRAWLS = 4  # so many in a row have stalled at a kink
CLOSE = 2e-7  # of account value: a whole step that gains less, and what it promised to TRUE of it, leaves nothing worth a step to gain
TRUE = 0.25
LEAP = 3.0
FIXINGS = 4
KINKED = 1e-5  # a climb that ends above this, in weight, has met tied lots


@dataclass(frozen=True, slots=True)
class Climb:
    """Where Newton ended: multipliers, g there, the largest projected derivative, how many steps it took, and whether it stalled.

    The scratch then holds the minimisers there; `share` is a copy of each option's.
    """

    multipliers: Floats
    value: float
    residual: float
    steps: int
    stalled: bool


def climb(
    ready: Prepared,
    start: Floats,
    temperature: float,
    allowed: Bools,
    tolerance: float,
    most_steps: int,
    tie: float = 0.0,
    enough: float = np.inf,
) -> Climb:
    """Raise g from `start` until no free derivative exceeds `tolerance` (in weight), until no step raises it, or g passes `enough`.

    With a temperature it ends before where the next step would gain next to nothing.
    """
    x = start.clip(ready.tables.low, ready.tables.high)
    value, residual, steps, close = _climb(ready.tables, ready.scratch, x, temperature, allowed, tolerance, most_steps, tie, enough)
    return Climb(x, value, residual, steps, residual > KINKED and not close and value <= enough)


def box(ready: Prepared) -> tuple[Floats, Floats]:
    """The box of the multipliers; those of factors are free."""
    return ready.tables.low, ready.tables.high


@compiled
def _climb(
    t: Tables, w: Scratch, x: Floats, temperature: float, allowed: Bools, tolerance: float, most_steps: int, tie: float, enough: float
) -> tuple[float, float, int, bool]:
    """Moves x; see `climb`.  The value, the residual, the steps taken and whether the last came close."""
    value = dual_value(t, w, x, temperature, allowed, tie)
    dual_gradient(t, w, x)
    damping, steps, crawls, lost, close = 0.0, 0, 0, False, False
    there = np.empty_like(x)
    while not close and steps < most_steps and crawls < CRAWLS and value <= enough and _residual(t, w, x) > tolerance:
        assemble(t, w, x, temperature, tie, False)
        steps += 1
        steepest = 0.0
        for p in range(len(x)):
            steepest = max(steepest, w.matrix[p, p])
        cut, gained, slope = 0.0, value, 0.0
        while cut == 0.0 and damping <= MOST_DAMPING:
            if newton_step(t, w, x, (damping + RIDGE) * steepest):
                slope = _slope(w)
                cut, gained = _line_search(t, w, x, there, value, slope, temperature, allowed, tie, steps <= KEEN)
            if cut == 0.0:
                damping = max(damping * DAMPING_STEP, FIRST_DAMPING)
        if cut == 0.0:
            lost = True
            break
        close = temperature > 0 and cut == 1.0 and gained - value < CLOSE and abs(gained - value - slope / 2) < TRUE * slope / 2
        crawls = crawls + 1 if cut < SHORT or gained - value < CRAWL else 0
        x[:] = there
        value = gained
        dual_gradient(t, w, x)
        damping = damping / DAMPING_STEP if damping > FIRST_DAMPING else 0.0
    if lost:
        value = dual_value(t, w, x, temperature, allowed, tie)  # a search that found nothing has left the scratch elsewhere
        dual_gradient(t, w, x)
    return value, _residual(t, w, x), steps, close


@compiled
def _residual(t: Tables, w: Scratch, x: Floats) -> float:
    worst = 0.0
    for p in range(len(x)):
        worst = max(worst, abs(min(max(x[p] + w.gradient[p], t.low[p]), t.high[p]) - x[p]))
    return worst


@compiled
def newton_step(t: Tables, w: Scratch, x: Floats, ridge: float) -> bool:
    """Fill `w.step` with the Newton step over the free multipliers, ending inside the box; whether the system could be factorized."""
    size = len(x)
    low, high = t.low - x, t.high - x
    if t.capped:
        risk = t.risk + x[size - 1]
        low[size - 1] = max(low[size - 1], risk / LEAP - risk)
        high[size - 1] = min(high[size - 1], risk * LEAP - risk)
    free = np.empty(size, np.bool_)
    for p in range(size):
        free[p] = not ((low[p] >= 0 and w.gradient[p] <= 0) or (high[p] <= 0 and w.gradient[p] >= 0))
        w.step[p] = 0.0
    for _ in range(FIXINGS):
        if not _solve_free(w, free, ridge):
            return False
        beyond = False
        for p in range(size):
            if free[p] and not low[p] <= w.step[p] <= high[p]:
                w.step[p] = min(max(w.step[p], low[p]), high[p])
                free[p] = False
                beyond = True
        if not beyond:
            break
    for p in range(size):
        w.step[p] = min(max(w.step[p], low[p]), high[p])
    return True


@compiled
def _solve_free(w: Scratch, free: Bools, ridge: float) -> bool:
    """Solve for the free entries of `w.step`, the others standing; false where the system isn't positive definite."""
    index = np.flatnonzero(free)
    right = np.empty(len(index))
    for a in range(len(index)):
        p = index[a]
        right[a] = w.gradient[p]
        for b in range(a, len(index)):
            w.system[a, b] = w.matrix[index[b], p]
        w.system[a, a] += ridge
    for q in range(len(free)):
        if not free[q] and w.step[q] != 0.0:
            for a in range(len(index)):
                right[a] -= w.matrix[max(index[a], q), min(index[a], q)] * w.step[q]
    if not factorized(w.system, len(index)):
        return False
    solved(w.system, right)
    for a in range(len(index)):
        w.step[index[a]] = right[a]
    return True


@compiled
def _slope(w: Scratch) -> float:
    """How fast g rises along the step."""
    slope = 0.0
    for p in range(len(w.step)):
        slope += w.gradient[p] * w.step[p]
    return slope


@compiled
def _line_search(
    t: Tables,
    w: Scratch,
    x: Floats,
    there: Floats,
    value: float,
    slope: float,
    temperature: float,
    allowed: Bools,
    tie: float,
    keen: bool,
) -> tuple[float, float]:
    """A cut of the step that raises g enough, `there` and g at it; 0 where none does.

    Of a smooth g, one that raises it by much less than the slope promises has gone too far: where `keen` it is cut again while that raises
    g more.
    """
    cut, noise, best, best_cut = 1.0, 4e-16 * (1.0 + abs(value)), value, 0.0
    if slope <= 0:
        return 0.0, value
    for _ in range(CUTS):
        tried = _value_after(t, w, x, there, cut, temperature, allowed, tie)
        if best_cut > 0.0 and tried <= best:
            return best_cut, _value_after(t, w, x, there, best_cut, temperature, allowed, tie)
        if tried >= value + ARMIJO * cut * slope - noise:
            if tried - value >= SHY * cut * slope or slope < LITTLE or temperature <= 0 or tie > 0 or not keen:
                return cut, tried
            best, best_cut = tried, cut
        peak = 0.5 * slope * cut / (slope * cut - (tried - value))  # of the parabola through both ends
        cut *= min(max(peak, LEAST_CUT), MOST_CUT) if best_cut > 0.0 else 0.5
    return best_cut, _value_after(t, w, x, there, best_cut, temperature, allowed, tie)


@compiled
def _value_after(t: Tables, w: Scratch, x: Floats, there: Floats, cut: float, temperature: float, allowed: Bools, tie: float) -> float:
    """g at `there`, which becomes the end of the cut step."""
    for p in range(len(x)):
        there[p] = min(max(x[p] + cut * w.step[p], t.low[p]), t.high[p])
    return dual_value(t, w, there, temperature, allowed, tie)
