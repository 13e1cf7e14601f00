"""PIQP on a joint problem, and a bound and a point that do not depend on what it says of itself.

P is diagonal, so for any multipliers y and z >= 0 the least of the Lagrangian over the boxes is a sum over variables,

    -b'y - h'z + sum_j min over [low_j, high_j] of 1/2 p_j x_j² + (c + A'y + G'z)_j x_j,

and below the problem's least value.  It is evaluated here, in floating point, from the solver's multipliers: a numerical bound.
"""

from dataclasses import dataclass

import numpy as np
import piqp  # type: ignore[import-untyped]  # has no stubs

from services.optimizer.core.arrays import Floats
from services.optimizer.core.transition.quadratic import Quadratic

TOLERANCE = 1e-6  # bp of account value
OPEN = 1e-4  # bp: the solver's own duality gap
STEPS = 80
CLAIMED = 1e-14  # how sure the solver has to be that nothing keeps the rules: something always does
FIXED = 1e-3  # bp: a variable with less room is taken at its lower bound
BROKEN = 1e-3  # bp: a point that breaks a rule by more is none


@dataclass(frozen=True, slots=True)
class Point:
    """A solver's answer, judged by plain sums: `bound` in bp holds whatever the status; `kept`: x keeps the rules."""

    x: Floats
    status: str
    value: float
    bound: float
    worst: float

    @property
    def kept(self) -> bool:
        """Whether x keeps every rule, nearly."""
        return self.worst <= BROKEN


def solve_quadratic(problem: Quadratic) -> Point:
    """Solve it; an answer of any status is judged for what it is."""
    x = problem.low.copy()
    free = problem.high - problem.low > FIXED
    fixed = np.where(free, 0.0, x)
    a, g = problem.a[:, free], problem.g[:, free]
    equal, atmost = a.getnnz(axis=1) > 0, g.getnnz(axis=1) > 0
    solver = piqp.SparseSolver()
    settings = solver.settings
    settings.eps_abs, settings.eps_rel, settings.eps_primal_inf = TOLERANCE, TOLERANCE, CLAIMED
    settings.eps_duality_gap_abs, settings.max_iter = OPEN, STEPS
    solver.setup(
        problem.p[free][:, free],
        problem.c[free],
        a[equal],
        (problem.b - problem.a @ fixed)[equal],
        g[atmost],
        None,
        (problem.h - problem.g @ fixed)[atmost],
        problem.low[free],
        problem.high[free],
    )
    status = solver.solve()
    found = solver.result
    x[free] = found.x
    y, z = np.zeros(len(problem.b)), np.zeros(len(problem.h))
    y[equal], z[atmost] = found.y, np.array(found.z_u).clip(min=0.0)
    return Point(x, str(status).partition("PIQP_")[2].lower(), value(problem, x), lower_bound(problem, y, z), worst(problem, x))


def value(problem: Quadratic, x: Floats) -> float:
    """The objective of a point."""
    return float(0.5 * x @ (problem.p @ x) + problem.c @ x) + problem.constant


def worst(problem: Quadratic, x: Floats) -> float:
    """The most by which a point breaks a row or a bound."""
    over = [np.abs(problem.a @ x - problem.b), problem.g @ x - problem.h, problem.low - x, x - problem.high]
    return max(float(each.max(initial=0.0)) for each in over)


def lower_bound(problem: Quadratic, y: Floats, z: Floats) -> float:
    """What no point of the problem is below; minus infinity where the multipliers are no numbers."""
    if not (np.isfinite(y).all() and np.isfinite(z).all()):
        return -np.inf
    slope = problem.c + problem.a.T @ y + problem.g.T @ z
    curve = problem.p.diagonal()
    bottom = np.divide(-slope, curve, out=np.where(slope > 0, problem.low, problem.high), where=curve > 0)
    at = np.clip(bottom, problem.low, problem.high)
    return float((0.5 * curve * at + slope) @ at - problem.b @ y - problem.h @ z) + problem.constant
