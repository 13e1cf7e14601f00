"""A model with specific variances raised to a floor, for names whose own risk is next to nothing.

Without curvature of its own a name's purchase is all or nothing at a price, the dual is nearly piecewise linear there and Newton stalls.
With more specific variance it converges; the plans that it finds then are plans of the model all the same, and its multipliers give bounds
of the model where they are evaluated without the floor.
"""

from dataclasses import replace

import numpy as np

from services.optimizer.core.arrays import frozen
from services.optimizer.core.dual.tables import Prepared

FLOORS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)  # annual variances: 3 % of volatility, 1 %, ...


def floors_above(ready: Prepared) -> tuple[float, ...]:
    """The floors that raise a specific variance of the model, highest first, and the least one of its own; none where none does."""
    least = float(ready.tables.specific_var.min(initial=np.inf))
    raising = tuple(floor for floor in FLOORS if floor > least)
    return (*raising, least) if raising else ()


def stiffened(ready: Prepared, floor: float) -> Prepared:
    """The same model with every specific variance at least `floor`; its scratch is shared."""
    return replace(ready, tables=ready.tables._replace(specific_var=frozen(np.maximum(ready.tables.specific_var, floor))))
