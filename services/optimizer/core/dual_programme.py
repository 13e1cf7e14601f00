"""The account's problem as the dual method's model: options of each name, and every rule that couples names as a row.

A name buys, or sells what can't be a loss, or sells anything (and the way out of its window whole).  On a branch only what its group's
side allows is left.  Hard rows: budgets, minimum weights.  Elastic rows, at the price that exceeds whatever breaking them could gain: the
cash band and maximum weights of what is held above them.  What must be sold is forced; where a hard budget could forbid that, it is
rewarded instead with twice that price, and the reward is taken out of the objective and its bound again (`reward`).

Invariants
1. A plan of the model is a plan of the problem at the same objective, `reward` and elastic breaches aside.
2. The rows are the same for every branch and every list of names held, so that multipliers of one start another.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.branch import Multipliers, Plan
from services.optimizer.core.dual.model import Lots, Model, Names, Options, Rows, Trades, validated
from services.optimizer.core.problem import NO_LIMIT, Problem

INF = float("inf")
CASH_LEAST, CASH_MOST = "cash_min_usd", "cash_max_usd"
TAX, SHORT, LONG = "tax_budget_usd", "short_gain_budget_usd", "long_gain_budget_usd"


class Kind(IntEnum):
    """What an option does, in the order in which a name's options stand.  BUY stands for doing nothing where nothing may be bought."""

    BUY = 0
    SELL_NO_LOSS = 1
    SELL_ANY = 2


@dataclass(frozen=True, slots=True)
class DualProgramme:
    """The model, the problem's number of each of its lots, what must-sell rewards would add up to if all were sold, and what each of
    the model's rows is about."""

    model: Model
    tranches: Ints
    reward: float
    row_names: tuple[str, ...]

    def plan(self, problem: Problem, trades: Trades) -> Plan:
        """The model's trades as the problem's."""
        sold = np.zeros(len(problem.size))
        sold[self.tranches] = trades.sold
        return Plan(sold, trades.bought.copy())


def dual_programme(problem: Problem, hold: Bools, penalty: float, harvest: Bools | None = None) -> DualProgramme:
    """The model without the names in `hold` [names]; on the sides of `harvest` [groups], or with sides free.  `penalty` is the
    price of a unit of soft breach."""
    tranches = np.flatnonzero(problem.may_sell & ~hold[problem.name])
    rewarded = min(problem.tax_room, problem.short_room, problem.long_room) < NO_LIMIT
    must = problem.must_sell[tranches]
    reward = np.where(must & rewarded, 2 * penalty, 0.0)
    name, cost = problem.name[tranches], problem.cost_frac
    rows = _rows(problem, tranches, penalty)
    model = Model(
        risk=2 * problem.risk_aversion,
        names=Names(
            held=problem.held,
            target=problem.target,
            exposures=problem.exposures,
            specific_var=problem.specific_var,
            buy_price=cost,
            buy_max=_most_bought(problem, hold),
        ),
        lots=Lots(name, problem.size[tranches], problem.tax_frac[tranches] + cost[name] - reward),
        options=_options(problem, tranches, problem.may_buy & ~hold, must & (not rewarded), harvest),
        rows=_stacked(rows, len(tranches)),
    )
    return DualProgramme(validated(model), tranches, float(reward @ problem.size[tranches]), tuple(row.name for row in rows))


def _most_bought(problem: Problem, hold: Bools) -> Floats:
    """[names] Weight that may be bought: up to the maximum weight, and never beyond what cash and all sales could pay for."""
    pays = max(1.0, problem.cash) + float(problem.held.sum())
    room = np.minimum(problem.weight_max - problem.held, pays).clip(min=0.0)
    most: Floats = np.where(problem.may_buy & ~hold, room, 0.0)
    return most


def _options(problem: Problem, tranches: Ints, may_buy: Bools, forced: Bools, harvest: Bools | None) -> Options:
    """The options that each name has, and their lots; what a name must sell is in its only option."""
    name, loss = problem.name[tranches], problem.loss[tranches]
    way_out = problem.way_out[tranches]
    count = len(problem.held)

    def named(flags: Bools) -> Bools:
        found: Bools = np.bincount(name[flags], minlength=count) > 0
        return found

    lossy, plain, must = named(loss), named(~loss), named(forced)
    leads_out = named(way_out) & lossy
    has = np.zeros((count, len(Kind)), dtype=np.bool_)
    if harvest is None:
        several = np.bincount(problem.group)[problem.group] > 1
        has[:, Kind.SELL_ANY] = lossy
        has[:, Kind.SELL_NO_LOSS] = plain & ~(must & lossy) & (~lossy | leads_out | several)
        has[:, Kind.BUY] = (may_buy | ~(has[:, Kind.SELL_NO_LOSS] | (lossy & ~leads_out))) & ~must
    else:
        selling = harvest[problem.group]
        may_buy = may_buy & ~selling
        has[:, Kind.SELL_ANY] = lossy & selling
        has[:, Kind.SELL_NO_LOSS] = plain & ~(lossy & selling)
        has[:, Kind.BUY] = ~must & (may_buy | ~has.any(axis=1))
        has[~has.any(axis=1), Kind.BUY] = True  # must be sold, but not on this side
    number = np.cumsum(has).reshape(has.shape) - 1
    any_slot, plain_slot = np.flatnonzero(has[name, Kind.SELL_ANY]), np.flatnonzero(has[name, Kind.SELL_NO_LOSS] & ~loss)
    slot_option = np.concatenate([number[name[any_slot], Kind.SELL_ANY], number[name[plain_slot], Kind.SELL_NO_LOSS]])
    slot_lot = np.concatenate([any_slot, plain_slot])
    slot_forced = np.concatenate([forced[any_slot] | way_out[any_slot], forced[plain_slot]])
    order = np.lexsort((slot_lot, slot_option))
    option_name, kind = np.nonzero(has)
    buys = (kind == Kind.BUY) & may_buy[option_name]
    return Options(option_name, buys, slot_option[order], slot_lot[order], slot_forced[order])


@dataclass(frozen=True, slots=True)
class _Row:
    """One rule: coefficients of lots and of buys, what they may add up to, and the price of breaking it (infinite: never)."""

    name: str
    sell: Floats
    buy: Floats
    bound: float
    price: float


def _rows(problem: Problem, tranches: Ints, penalty: float) -> list[_Row]:
    """The cash band, the three budgets, then maximum and minimum weights by the name's number; rules without a limit are left out."""
    name, cost, gain = problem.name[tranches], problem.cost_frac, problem.gain_frac[tranches]
    spends, pays = 1 + cost, 1 - cost[name]
    nothing = np.zeros(len(cost))
    rows = [
        _Row(CASH_LEAST, -pays, spends, problem.cash - problem.cash_min, penalty),
        _Row(CASH_MOST, pays, -spends, problem.cash_max - problem.cash, penalty),
        _Row(SHORT, problem.is_short[tranches] * gain, nothing, problem.short_room, INF),
        _Row(LONG, problem.is_long[tranches] * gain, nothing, problem.long_room, INF),
        _Row(TAX, problem.tax_frac[tranches], nothing, problem.tax_room, INF),
    ]
    for i in np.flatnonzero(problem.held > problem.weight_max).tolist():
        own = (name == i).astype(np.float64)
        rows.append(_Row(f"weight_most:{i}", -own, nothing, float(problem.weight_max[i] - problem.held[i]), penalty))
    for i in np.flatnonzero((problem.weight_min > 0) & (problem.held > 0)).tolist():
        own = (name == i).astype(np.float64)
        rows.append(_Row(f"weight_least:{i}", own, nothing, max(0.0, float(problem.held[i] - problem.weight_min[i])), INF))
    return [row for row in rows if row.bound < NO_LIMIT]


def _stacked(rows: list[_Row], lots: int) -> Rows:
    return Rows(
        sell=np.column_stack([row.sell for row in rows]).reshape(lots, len(rows)),
        buy=np.column_stack([row.buy for row in rows]),
        bound=np.array([row.bound for row in rows]),
        floor=np.zeros(len(rows)),
        ceiling=np.array([row.price for row in rows]),
    )


def multipliers_of(programme: DualProgramme, z: Floats) -> Multipliers:
    """The rows' multipliers as shadow prices."""
    price = dict(zip(programme.row_names, z.tolist(), strict=True))
    cash = price.get(CASH_LEAST, 0.0) - price.get(CASH_MOST, 0.0)
    return Multipliers(cash, price.get(TAX, 0.0), price.get(SHORT, 0.0), price.get(LONG, 0.0))
