"""What a plan costs and which rules it breaks, by plain sums over lots and names; shares nothing with the dual's evaluation.

Invariants
1. `objective` and `excess` take the plan as it is: no tolerance, no rounding.
"""

from dataclasses import dataclass
from math import isfinite

import numpy as np

from services.optimizer.core.arrays import Floats, Ints
from services.optimizer.core.dual.model import Model, Trades


def sold_by_name(model: Model, trades: Trades) -> Floats:
    """Weight sold of each name."""
    return np.bincount(model.lots.name, trades.sold, len(model.names.held)).astype(np.float64, copy=False)


def weights_after(model: Model, trades: Trades) -> Floats:
    """Final weights by name."""
    after: Floats = model.names.held - sold_by_name(model, trades) + trades.bought
    return after


def tracking_error(model: Model, trades: Trades) -> float:
    """The plan's tracking error: an annual standard deviation."""
    return _deviation(model, weights_after(model, trades))


def excess(model: Model, trades: Trades) -> Floats:
    """By row, how far the plan lies beyond the row's bound; negative inside it."""
    over: Floats = model.rows.sell.T @ trades.sold + model.rows.buy.T @ trades.bought - model.rows.bound
    if model.rows.uses.any():
        over = over + model.rows.uses[_chosen(model, trades)].sum(axis=0)
    return over


def weight_excess(model: Model, trades: Trades) -> Floats:
    """By weight row, how far the final weights lie beyond its bound; negative inside it."""
    over: Floats = model.weights.coefficient.T @ weights_after(model, trades) - model.weights.bound
    return over


@dataclass(frozen=True, slots=True)
class Judged:
    """`objective`: risk, tax, cost, impact and fixed prices.  `elastic_objective`: that with what elastic rules charge for being broken.
    `hard_excess`: the most that any hard row, weight row or cap is broken by, 0 where all are kept; a floor below zero makes a row an
    equality."""

    objective: float
    elastic_objective: float
    hard_excess: float


def judged(model: Model, trades: Trades) -> Judged:
    """All three, from one pass over the plan."""
    names, sold = model.names, sold_by_name(model, trades)
    after = names.held - sold + trades.bought
    deviation = _deviation(model, after)
    cost = 0.5 * model.risk * deviation**2 + float(trades.sold @ model.lots.sell_price) + float(trades.bought @ names.buy_price)
    if names.impact.any():
        cost += 0.5 * float(names.impact @ (sold + trades.bought) ** 2)
    if model.options.price.any():
        cost += float(model.options.price[_chosen(model, trades)].sum())
    charged, worst = 0.0, 0.0
    weight_over = model.weights.coefficient.T @ after - model.weights.bound
    for over, part in ((excess(model, trades), model.rows), (weight_over, model.weights)):
        for each, floor, ceiling in zip(over.tolist(), part.floor.tolist(), part.ceiling.tolist(), strict=True):
            if isfinite(ceiling):
                charged += ceiling * max(each, 0.0)
            worst = max(worst, 0.0 if isfinite(ceiling) else each, 0.0 if isfinite(floor) else -each)
    if model.capped and isfinite(model.te_ceiling):
        charged += model.te_ceiling * 0.5 * max(deviation**2 - model.te_cap**2, 0.0)
    elif model.capped:
        worst = max(worst, deviation - model.te_cap)
    return Judged(cost, cost + charged, worst)


def objective(model: Model, trades: Trades) -> float:
    """The plan's risk, tax, cost, impact and fixed prices."""
    return judged(model, trades).objective


def elastic_objective(model: Model, trades: Trades) -> float:
    """The objective plus what elastic rules charge for being broken; infinite nowhere, hard ones being judged by `hard_excess`."""
    return judged(model, trades).elastic_objective


def hard_excess(model: Model, trades: Trades) -> float:
    """The most that any hard row, weight row or cap is broken by."""
    return judged(model, trades).hard_excess


def _deviation(model: Model, after: Floats) -> float:
    """Tracking error of the final weights."""
    active = after - model.names.target
    common = model.names.exposures.T @ active
    return float(np.sqrt(float(common @ common) + float(active @ (model.names.specific_var * active))))


def option_excess(model: Model, trades: Trades) -> float:
    """The most that the plan strays from the options it says it chose: lots, forced lots, ranges, one side a group; 0 where it doesn't."""
    options, lots, names = model.options, model.lots, model.names
    chosen = _chosen(model, trades)
    inside = np.isin(options.slot_option, chosen)
    high, low = np.zeros(len(lots.size)), np.zeros(len(lots.size))
    high[options.slot_lot[inside]] = lots.size[options.slot_lot[inside]]
    forced = options.slot_lot[inside & options.slot_forced]
    low[forced] = lots.size[forced]
    traded = sold_by_name(model, trades) + trades.bought
    most = np.where(options.buys[chosen], names.buy_max, 0.0)
    side = np.full(int(options.group.max(initial=0)) + 1, -1)
    side[options.group[chosen]] = options.side[chosen]
    split = float((side[options.group[chosen]] != options.side[chosen]).any())
    over = [low - trades.sold, trades.sold - high, -trades.bought, trades.bought - most]
    over += [options.least[chosen] - traded, traded - options.most[chosen]]
    return max([split, 0.0, *(float(np.max(each, initial=0.0)) for each in over)])


def _chosen(model: Model, trades: Trades) -> Ints:
    if len(trades.chosen) != len(model.names.held):
        raise ValueError("a plan of options with prices, uses or ranges must say which it chose")
    return trades.chosen
