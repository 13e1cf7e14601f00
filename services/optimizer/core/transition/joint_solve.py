"""PIQP on a joint problem, and a bound and a point that do not depend on what it says of itself.

For any multipliers y and z >= 0, and any x^ at which the quadratic part is linearised, the least of the Lagrangian over the boxes,

    -1/2 x^'Px^ - b'y - h'z + sum_j min over [low_j, high_j] of (Px^ + c + A'y + G'z)_j x_j,

is below the problem's least value.  It is evaluated here, in floating point, from the solver's multipliers: a numerical bound.
"""

from dataclasses import dataclass

import numpy as np
import piqp  # type: ignore[import-untyped]  # has no stubs

from services.optimizer.core.arrays import Floats
from services.optimizer.core.transition.joint_model import Quadratic

TOLERANCE = 1e-6  # bp of account value
OPEN = 1e-3  # bp: the solver's own duality gap
STEPS = 80
CLAIMED = 1e-14  # how sure the solver has to be that nothing keeps the rules: something always does
FIXED = 1e-3  # bp: a variable with less room is taken at its lower bound
BROKEN = 1e-3  # bp: a point that breaks a rule by more is none
FAR = 2e4  # bp: a bound of a tax or a factor beyond this is there for the bound alone, not for the solver


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
        np.where(problem.low[free] < -FAR, -np.inf, problem.low[free]),
        np.where(problem.high[free] > FAR, np.inf, problem.high[free]),
    )
    status = solver.solve()
    found = solver.result
    x[free] = found.x
    y, z = np.zeros(len(problem.b)), np.zeros(len(problem.h))
    y[equal], z[atmost] = found.y, np.array(found.z_u).clip(min=0.0)
    return Point(x, str(status).partition("PIQP_")[2].lower(), value(problem, x), lower_bound(problem, x, y, z), worst(problem, x))


def value(problem: Quadratic, x: Floats) -> float:
    """The objective of a point."""
    return float(0.5 * x @ (problem.p @ x) + problem.c @ x) + problem.constant


def worst(problem: Quadratic, x: Floats) -> float:
    """The most by which a point breaks a row or a bound."""
    over = [np.abs(problem.a @ x - problem.b), problem.g @ x - problem.h, problem.low - x, x - problem.high]
    return max(float(each.max(initial=0.0)) for each in over)


def lower_bound(problem: Quadratic, x: Floats, y: Floats, z: Floats) -> float:
    """What no point of the problem is below; minus infinity where the multipliers are no numbers."""
    if not (np.isfinite(x).all() and np.isfinite(y).all() and np.isfinite(z).all()):
        return -np.inf
    curved = problem.p @ x
    slope = curved + problem.c + problem.a.T @ y + problem.g.T @ z
    least = np.where(slope > 0, slope * problem.low, slope * problem.high)
    return float(-0.5 * x @ curved - problem.b @ y - problem.h @ z + least.sum()) + problem.constant
