"""What a plan costs and which rules it breaks, by plain sums over lots and names; shares nothing with the dual's evaluation.

Invariants
1. `objective` and `excess` take the plan as it is: no tolerance, no rounding.
"""

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
    active = weights_after(model, trades) - model.names.target
    common = model.names.exposures.T @ active
    return float(np.sqrt(float(common @ common) + float(active @ (model.names.specific_var * active))))


def objective(model: Model, trades: Trades) -> float:
    """The plan's risk, tax, cost, impact and fixed prices."""
    names = model.names
    traded = sold_by_name(model, trades) + trades.bought
    impact = 0.5 * float(names.impact @ traded**2)
    fixed = float(model.options.price[_chosen(model, trades)].sum()) if model.options.price.any() else 0.0
    linear = float(trades.sold @ model.lots.sell_price) + float(trades.bought @ names.buy_price)
    return 0.5 * model.risk * tracking_error(model, trades) ** 2 + linear + impact + fixed


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


def cap_excess(model: Model, trades: Trades) -> float:
    """How far tracking error lies above its cap (annual standard deviation); negative below it, minus infinity without a cap."""
    return tracking_error(model, trades) - model.te_cap


def elastic_objective(model: Model, trades: Trades) -> float:
    """The objective plus what elastic rules charge for being broken; infinite nowhere, hard ones being judged by `hard_excess`."""
    charged = 0.0
    for over, ceiling in ((excess(model, trades), model.rows.ceiling), (weight_excess(model, trades), model.weights.ceiling)):
        soft = np.isfinite(ceiling)
        charged += float(over[soft].clip(min=0.0) @ ceiling[soft])
    if model.capped and np.isfinite(model.te_ceiling):
        charged += model.te_ceiling * 0.5 * max(tracking_error(model, trades) ** 2 - model.te_cap**2, 0.0)
    return objective(model, trades) + charged


def hard_excess(model: Model, trades: Trades) -> float:
    """The most that any hard row, weight row or cap is broken by; 0 where all are kept.  A floor below zero makes a row an equality."""
    worst = 0.0
    for over, part in ((excess(model, trades), model.rows), (weight_excess(model, trades), model.weights)):
        worst = max(worst, float(np.max(over[~np.isfinite(part.ceiling)], initial=0.0)))
        worst = max(worst, float(np.max(-over[~np.isfinite(part.floor)], initial=0.0)))
    if model.capped and not np.isfinite(model.te_ceiling):
        worst = max(worst, cap_excess(model, trades))
    return worst


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


def dearest(model: Model) -> float:
    """More than any plan could cost that keeps the hard rows: a bound above it proves that there is none."""
    names, lots, rows, weights = model.names, model.lots, model.rows, model.weights
    may_buy = np.zeros(len(names.held), dtype=np.bool_)
    may_buy[model.options.name[model.options.buys]] = True
    buy_max = np.where(may_buy, names.buy_max, 0.0)
    bought = _most_bought(model, buy_max)
    buy_max = np.minimum(buy_max, bought)
    own, norm = np.abs(names.held - names.target) + names.held, np.sqrt((names.exposures**2).sum(axis=1))
    common = float(own @ norm) + bought * float(norm.max(initial=0.0))
    variance = common**2 + 2.0 * float(own @ (names.specific_var * own)) + 2.0 * bought**2 * float(names.specific_var.max(initial=0.0))
    paid = float(np.abs(lots.sell_price) @ lots.size) + float(np.abs(names.buy_price).max(initial=0.0)) * bought
    paid += float(names.impact @ names.held**2) + float(names.impact.max(initial=0.0)) * bought**2
    paid += float(np.abs(model.options.price).sum())
    soft = np.isfinite(rows.ceiling)
    reach = np.abs(rows.sell[:, soft]).T @ lots.size + np.abs(rows.buy[:, soft]).T @ buy_max + np.abs(rows.bound[soft])
    paid += float(rows.ceiling[soft] @ (reach + np.abs(rows.uses[:, soft]).sum(axis=0)))
    soft = np.isfinite(weights.ceiling)
    reach = np.abs(weights.coefficient[:, soft]).T @ (names.held + buy_max) + np.abs(weights.bound[soft])
    paid += float(weights.ceiling[soft] @ reach)
    risk = model.risk + (model.te_ceiling if model.capped and np.isfinite(model.te_ceiling) else 0.0)
    return 1.0 + 0.5 * risk * variance + paid


def _most_bought(model: Model, buy_max: Floats) -> float:
    """The most that can be bought in all: what a hard row that every purchase draws on leaves (cash), or the sum of the largest amounts."""
    most, rows, buys = float(buy_max.sum()), model.rows, buy_max > 0
    for r in np.flatnonzero(~np.isfinite(rows.ceiling)):
        draw = float(rows.buy[buys, r].min(initial=np.inf))
        if draw > 0 and rows.uses[:, r].min(initial=0.0) >= 0:
            most = min(most, max(float(rows.bound[r]) + float((-rows.sell[:, r]).clip(min=0.0) @ model.lots.size), 0.0) / draw)
    return most


def _chosen(model: Model, trades: Trades) -> Ints:
    if len(trades.chosen) != len(model.names.held):
        raise ValueError("a plan of options with prices, uses or ranges must say which it chose")
    return trades.chosen
