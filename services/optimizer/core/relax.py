"""What would have to give for an account whose limits conflict: the smallest loosening under which a plan exists.

Every hard rule of the account's model becomes elastic, at a price far above anything the objective or a soft rule could gain by breaking
it, and the model is solved again.  What that plan exceeds a limit by is what the limit lacks.  The price is the same for a hundredth of
the account's value, of weight, of exposure and of tracking error, and for `NAMES_ALIKE` names: so the sum of what is loosened is smallest,
and it falls on few limits.

Invariants
1. The plan behind the answer keeps every rule of the account once each limit named is at `needed`, and all that is not named as it is.
2. A model that has a plan needs nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.optimizer.core.arrays import Floats
from services.optimizer.core.dual.model import Model, Trades, validated
from services.optimizer.core.dual.primal import excess, tracking_error, weight_excess
from services.optimizer.core.dual.solve import Certified, Effort

PRICE = 1e3  # objective per unit of breach
ABOVE_SOFT = 20.0  # times the dearest soft rule
NAMES_ALIKE = 10.0  # names that count like a hundredth of the account's value
NOTHING = 1e-7  # of account value, or of tracking error
EFFORT = Effort(heat=1e-4, nodes=200, repairs=16, steps=200)
TRACKING_ERROR = "tracking_error_frac"
COUNTS = frozenset({"trades", "names"})

Solver = Callable[[Model, Effort], Certified]


@dataclass(frozen=True, slots=True)
class Loosened:
    """One limit, from its bound to what the plan needs, in the model's units: fractions of value, standard deviation, names."""

    name: str
    bound: float
    needed: float


@dataclass(frozen=True, slots=True)
class Relaxed:
    """The limits to loosen, and the plan that then keeps all rules; `trades` is None where no solver found one."""

    limits: tuple[Loosened, ...]
    trades: Trades | None


def smallest_relaxation(model: Model, weight_names: Sequence[str], row_names: Sequence[str], solver: Solver) -> Relaxed:
    """The smallest loosening of the model's hard rules; names are those of its weight rows and rows."""
    made = elastic(model, row_names)
    trades = solver(made, EFFORT).trades
    if trades is None:
        return Relaxed((), None)
    found = [
        Loosened(name, bound, bound + over)
        for names, hard, bounds, overs in (
            (row_names, np.isinf(model.rows.ceiling), model.rows.bound, excess(made, trades)),
            (weight_names, np.isinf(model.weights.ceiling), model.weights.bound, weight_excess(made, trades)),
        )
        for name, is_hard, bound, over in zip(names, hard.tolist(), bounds.tolist(), overs.tolist(), strict=True)
        if is_hard and over > NOTHING
    ]
    te = tracking_error(made, trades)
    if model.capped and te > model.te_cap + NOTHING:
        found.append(Loosened(TRACKING_ERROR, model.te_cap, te))
    return Relaxed(tuple(found), trades)


def elastic(model: Model, row_names: Sequence[str]) -> Model:
    """The model with every hard rule at a price."""
    price = price_of(model)
    counted = np.array([name in COUNTS for name in row_names], dtype=np.bool_)
    by_row = np.where(counted, price / (100 * NAMES_ALIKE), price)
    return validated(
        replace(
            model,
            rows=replace(model.rows, ceiling=_priced(model.rows.ceiling, by_row)),
            weights=replace(model.weights, ceiling=_priced(model.weights.ceiling, np.full(len(model.weights.bound), price))),
            te_ceiling=price / model.te_cap if model.capped else model.te_ceiling,
        )
    )


def price_of(model: Model) -> float:
    """The price of a unit by which a hard rule is broken: far above every soft one."""
    soft = [part.ceiling[np.isfinite(part.ceiling)] for part in (model.rows, model.weights)]
    return max(PRICE, ABOVE_SOFT * max((float(each.max(initial=0.0)) for each in soft), default=0.0))


def _priced(ceiling: Floats, price: Floats) -> Floats:
    """Hard rows at their price; elastic ones stay as they are."""
    found: Floats = np.where(np.isinf(ceiling), price, ceiling)
    return found
