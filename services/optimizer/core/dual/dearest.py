"""More than any plan could cost that keeps the hard rules: a bound above it proves that there is none.

Purchases are limited by what a hard row that all of them draw on leaves (cash), names by what they hold and may buy.
"""

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.dual.compiled import compiled
from services.optimizer.core.dual.model import Model


def dearest(model: Model) -> float:
    """A cost that no plan of the model reaches."""
    names, lots, rows, weights, options = model.names, model.lots, model.rows, model.weights, model.options
    buy_max = _may_buy(options.name, options.buys, names.buy_max)
    bought = min(float(buy_max.sum()), _most_bought(rows.buy, rows.sell, rows.bound, rows.ceiling, rows.uses, buy_max, lots.size))
    buy_max = np.minimum(buy_max, bought)
    variance = _most_variance(names.held, names.target, names.exposures, names.specific_var, bought)
    paid = float(np.abs(lots.sell_price) @ lots.size) + float(np.abs(names.buy_price).max(initial=0.0)) * bought
    paid += float(names.impact @ names.held**2) + float(names.impact.max(initial=0.0)) * bought**2
    paid += float(np.abs(options.price).sum())
    soft = np.isfinite(rows.ceiling)
    if soft.any():
        reach = np.abs(rows.sell[:, soft]).T @ lots.size + np.abs(rows.buy[:, soft]).T @ buy_max + np.abs(rows.bound[soft])
        paid += float(rows.ceiling[soft] @ (reach + np.abs(rows.uses[:, soft]).sum(axis=0)))
    soft = np.isfinite(weights.ceiling)
    if soft.any():
        reach = np.abs(weights.coefficient[:, soft]).T @ (names.held + buy_max) + np.abs(weights.bound[soft])
        paid += float(weights.ceiling[soft] @ reach)
    risk = model.risk + (model.te_ceiling if model.capped and np.isfinite(model.te_ceiling) else 0.0)
    return 1.0 + 0.5 * risk * variance + paid


@compiled
def _may_buy(name: Ints, buys: Bools, buy_max: Floats) -> Floats:
    """By name, the most that an option of it buys."""
    most = np.zeros(len(buy_max))
    for o in range(len(name)):
        if buys[o]:
            most[name[o]] = buy_max[name[o]]
    return most


@compiled
def _most_bought(buy: Floats, sell: Floats, bound: Floats, ceiling: Floats, uses: Floats, buy_max: Floats, size: Floats) -> float:
    """The most that can be bought in all: the least that any hard row which every purchase draws on leaves."""
    most = np.inf
    for r in range(len(bound)):
        draw, left = np.inf, bound[r]
        for i in range(len(buy_max)):
            if buy_max[i] > 0:
                draw = min(draw, buy[i, r])
        for o in range(len(uses)):
            if uses[o, r] < 0:
                draw = 0.0
        for lot in range(len(size)):
            left += max(-sell[lot, r], 0.0) * size[lot]
        if draw > 0 and not np.isfinite(ceiling[r]):
            most = min(most, max(left, 0.0) / draw)
    return most


@compiled
def _most_variance(held: Floats, target: Floats, exposures: Floats, specific_var: Floats, bought: float) -> float:
    """The most variance that holdings and the target, with `bought` wherever it does most, could have."""
    own_common, most_norm, specific, most_specific = 0.0, 0.0, 0.0, 0.0
    for i in range(len(held)):
        own, square = abs(held[i] - target[i]) + held[i], 0.0
        for f in range(exposures.shape[1]):
            square += exposures[i, f] * exposures[i, f]
        own_common += own * np.sqrt(square)
        most_norm = max(most_norm, np.sqrt(square))
        specific += own * own * specific_var[i]
        most_specific = max(most_specific, specific_var[i])
    common = own_common + bought * most_norm
    return common * common + 2.0 * specific + 2.0 * bought * bought * most_specific
