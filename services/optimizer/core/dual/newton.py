"""Projected semismooth Newton on the dual: the multipliers that raise the bound as far as it goes.

g is concave and piecewise quadratic (smooth where a temperature is used), the rows' multipliers have boxes.  A step solves the Newton
system over the multipliers that are free; one that would leave its box the wrong way is fixed and the system solved again; the step is cut
until g rises enough (Armijo), and where no cut helps the system is damped, more each time.

Invariants
1. The multipliers returned lie in their boxes, and g there is at least g at the start.
2. The same arguments give the same bytes.
"""

from dataclasses import dataclass

import numpy as np

from services.optimizer.core.arrays import Bools, Floats
from services.optimizer.core.dual.value import DualPoint, Prepared, curvature, evaluate

ARMIJO = 1e-4
CUTS = 14
DAMPING_STEP = 30.0
RIDGE = 1e-12  # of the largest curvature; always there
FIRST_DAMPING = 1e-6
MOST_DAMPING = 10.0
CRAWL = 1e-10  # of account value: a step that gains less, or is cut below SHORT, crawls;
SHORT = 1 / 16
CRAWLS = 4  # so many in a row have stalled at a kink


@dataclass(frozen=True, slots=True)
class Climb:
    """Where Newton ended: multipliers (nu, z), g there, the largest projected derivative, and how many steps it took."""

    multipliers: Floats
    point: DualPoint
    residual: float
    steps: int


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
    """Raise g from `start` until no free derivative exceeds `tolerance` (in weight), until no step raises it, or g passes `enough`."""
    low, high = box(ready)
    x = start.clip(low, high)
    point = evaluate(ready, x, temperature, allowed, tie)
    damping, steps, crawls = 0.0, 0, 0
    while steps < most_steps and crawls < CRAWLS and _residual(x, point.gradient, low, high) > tolerance:
        steps += 1
        matrix = curvature(ready, point, temperature)
        steepest = float(matrix.diagonal().max())
        moved = None
        while moved is None and damping <= MOST_DAMPING:
            step = _step(matrix, point.gradient, x, low, high, (damping + RIDGE) * steepest)
            moved = _line_search(ready, x, point, step, temperature, allowed, tie)
            if moved is None:
                damping = max(damping * DAMPING_STEP, FIRST_DAMPING)
        if moved is None:
            break
        short = float(np.abs(moved[0] - x).max()) < SHORT * float(np.abs(step).max())
        crawls = crawls + 1 if short or moved[1].value - point.value < CRAWL else 0
        x, point = moved
        damping = damping / DAMPING_STEP if damping > FIRST_DAMPING else 0.0
        if point.value > enough:
            break
    return Climb(x, point, _residual(x, point.gradient, low, high), steps)


def box(ready: Prepared) -> tuple[Floats, Floats]:
    """The box of (nu, z); factor multipliers are free."""
    rows = ready.model.rows
    free = np.full(ready.model.factors, np.inf)
    return np.append(-free, rows.floor), np.append(free, rows.ceiling)


def _residual(x: Floats, gradient: Floats, low: Floats, high: Floats) -> float:
    return float(np.max(np.abs((x + gradient).clip(low, high) - x), initial=0.0))


def _step(matrix: Floats, gradient: Floats, x: Floats, low: Floats, high: Floats, ridge: float) -> Floats:
    """The Newton step over the free multipliers, ending inside the box."""
    free = ~(((x <= low) & (gradient <= 0)) | ((x >= high) & (gradient >= 0)))
    step = np.zeros_like(x)
    for _ in range(4):
        index = np.flatnonzero(free)
        system = matrix[np.ix_(index, index)]
        system[np.arange(len(index)), np.arange(len(index))] += ridge
        fixed = np.flatnonzero(~free & (step != 0))
        right = gradient[index] - matrix[np.ix_(index, fixed)] @ step[fixed]
        step[index] = np.linalg.solve(system, right)
        beyond = free & ((x + step < low) | (x + step > high))
        if not beyond.any():
            break
        step[beyond] = (x + step).clip(low, high)[beyond] - x[beyond]
        free &= ~beyond
    ended: Floats = (x + step).clip(low, high) - x
    return ended


def _line_search(
    ready: Prepared, x: Floats, point: DualPoint, step: Floats, temperature: float, allowed: Bools, tie: float
) -> tuple[Floats, DualPoint] | None:
    """The first halving of the step that raises g enough; None where none does."""
    slope = float(point.gradient @ step)
    if slope <= 0:
        return None
    size, noise = 1.0, 4e-16 * (1.0 + abs(point.value))
    for _ in range(CUTS):
        there = x + size * step
        tried = evaluate(ready, there, temperature, allowed, tie)
        if tried.value >= point.value + ARMIJO * size * slope - noise:
            return there, tried
        size /= 2
    return None
