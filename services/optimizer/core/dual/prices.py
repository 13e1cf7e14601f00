"""Shadow prices: what a unit more of each rule's bound would save, with the plan's options as they are.

A rule's price is its multiplier in the convex problem that the chosen options leave, so it holds for small changes of the bound that change
no option.  A count (a row that only options use) has no price there, since it takes another option to use more of it: `relaxed_prices` has
the relaxation's, which spreads the change over options.  A multiplier at its finite ceiling is the penalty, not a price.
"""

from dataclasses import dataclass

from services.optimizer.core.arrays import Floats
from services.optimizer.core.dual.model import Model
from services.optimizer.core.dual.solve import Certified


@dataclass(frozen=True, slots=True)
class Prices:
    """Fraction of account value saved by one unit more of the bound: by weight row, by row, and by the cap (a unit of annual deviation)."""

    weights: Floats
    rows: Floats
    te_cap: float


def shadow_prices(model: Model, answer: Certified) -> Prices:
    """Of the plan, its options fixed."""
    return _prices(model, answer.multipliers)


def relaxed_prices(model: Model, answer: Certified) -> Prices:
    """Of the relaxation that the bound at the root comes from."""
    return _prices(model, answer.bound_multipliers)


def _prices(model: Model, multipliers: Floats) -> Prices:
    first = model.factors + len(model.weights.bound)
    end = first + len(model.rows.bound)
    cap = float(multipliers[end]) * model.te_cap if model.capped else 0.0
    return Prices(multipliers[model.factors : first], multipliers[first:end], cap)
