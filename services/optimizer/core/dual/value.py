"""The separable dual and its derivatives at given multipliers; each option's inner minimum in closed form.

    g(nu, z) = sum_i min over the options o of name i of  m_o(B_i nu, z)  -  |nu|^2 / (2 risk)  -  bound'z

m_o is the least of 1/2 risk D_i v^2 + (B_i nu) v + prices over the option's trades, prices including z times the rows' coefficients.  For
a sale the option's lots in order of price are filled until the next would cost more than it saves, which is one clip a lot.

g is a lower bound of the *non-convex* problem for every nu and every z in its box.  With a temperature T > 0 the minimum over options is
the soft minimum -T log sum exp(-m_o/T), which lies below the minimum and is smooth.

Invariants
1. Weak duality: `value` at any multipliers in their boxes is at most the objective of any plan that keeps the rules.
2. `gradient` is the derivative of `value` where that exists.
3. `curvature` is positive semidefinite: minus the second derivative where that exists.
"""

from dataclasses import dataclass

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.dual.model import Model, Trades
from services.optimizer.core.dual.ties import softened_sales


@dataclass(frozen=True, slots=True)
class Prepared:
    """What doesn't change between evaluations.  Slots are the free lots of selling options, sorted by option and then price."""

    model: Model
    stiffness: Floats  # risk x specific variance, by option
    most: Floats  # that can be bought, by option
    buy_price: Floats
    buy_rows: Floats  # [options, rows]
    first: Ints  # first option of each name
    start: Floats  # active weight of the option before free trades, by option
    fixed_price: Floats  # of forced sales, by option
    fixed_rows: Floats  # rows of forced sales [options, rows]
    option: Ints
    lot: Ints
    size: Floats
    price: Floats
    rows: Floats
    opens: Ints  # by slot, the first slot of its option
    before: Floats  # by slot, the size of its option's earlier slots
    same_order: bool  # whether no multiplier can change the order of an option's lots


@dataclass(frozen=True, slots=True)
class Inner:
    """The minimisers at one point, by option: value, active weight, rows' activity; the moving direction; sales by slot; buys.

    `swaps` and `swap_rows` by slot: where lots are softened against ties, how sales move between the lots of one option.
    """

    value: Floats
    active: Floats
    rows: Floats
    moves: Floats  # how the active weight moves with its price; 1 / stiffness, or 0 at an end of its range
    move_rows: Floats  # coefficients of what moves [options, rows]
    slot_lot: Ints
    slot_option: Ints
    sold: Floats
    bought: Floats
    swaps: Floats
    swap_rows: Floats


@dataclass(frozen=True, slots=True)
class DualPoint:
    """g and its derivatives in (nu, z); `share` is the weight of each option in the soft minimum, `inner` the minimisers."""

    value: float
    gradient: Floats
    share: Floats
    inner: Inner


def prepare(model: Model) -> Prepared:
    """Sort and sum once what every evaluation needs."""
    options, lots, names = model.options, model.lots, model.names
    forced, count = options.slot_forced, len(options.name)
    gone, gone_lot = options.slot_option[forced], options.slot_lot[forced]
    size = lots.size[gone_lot]
    fixed_rows = np.zeros((count, len(model.rows.bound)))
    np.add.at(fixed_rows, gone, size[:, None] * model.rows.sell[gone_lot])
    option, lot = options.slot_option[~forced], options.slot_lot[~forced]
    order = np.lexsort((lots.sell_price[lot], option))
    option, lot = option[order], lot[order]
    rows = model.rows.sell[lot]
    same = option[1:] == option[:-1]
    opens = np.searchsorted(option, option)
    before = np.cumsum(lots.size[lot]) - lots.size[lot]
    return Prepared(
        model=model,
        stiffness=(model.risk * names.specific_var)[options.name],
        most=np.where(options.buys, names.buy_max[options.name], 0.0),
        buy_price=names.buy_price[options.name],
        buy_rows=model.rows.buy[options.name],
        first=np.searchsorted(options.name, np.arange(len(names.held))),
        start=(names.held - names.target)[options.name] - _summed(gone, size, count),
        fixed_price=_summed(gone, size * lots.sell_price[gone_lot], count),
        fixed_rows=fixed_rows,
        option=option,
        lot=lot,
        size=lots.size[lot],
        price=lots.sell_price[lot],
        rows=rows,
        opens=opens,
        before=before - before[opens],
        same_order=not (rows[1:] != rows[:-1])[same].any(),
    )


@dataclass(frozen=True, slots=True)
class _Sales:
    """Sales by slot, in the order that the prices give; `moves`, `move_rows` by option; `swaps`, `swap_rows` by slot."""

    option: Ints
    lot: Ints
    rows: Floats
    price: Floats
    sold: Floats
    moves: Floats
    move_rows: Floats
    swaps: Floats
    swap_rows: Floats
    softening: Floats


def inner_minima(ready: Prepared, nu: Floats, z: Floats, tie: float = 0.0) -> Inner:
    """Every option's best trades at these multipliers; `tie` softens lots against ties (dual/ties.py)."""
    model = ready.model
    name, count = model.options.name, len(model.options.name)
    pull = (model.names.exposures @ nu)[name]
    stiff = ready.stiffness
    sales = _softened(ready, pull, stiff, z, tie) if tie > 0 else _sharp(ready, pull, stiff, z)

    buy_price, most = ready.buy_price + ready.buy_rows @ z, ready.most
    bought = (-(pull + buy_price) / stiff - ready.start).clip(0.0, most)
    buying = (bought > 0) & (bought < most)
    active = ready.start - _summed(sales.option, sales.sold, count) + bought
    paid = sales.sold * sales.price + sales.softening
    value = 0.5 * stiff * active**2 + pull * active + bought * buy_price + _summed(sales.option, paid, count)
    value += ready.fixed_price + ready.fixed_rows @ z
    activity = ready.fixed_rows + bought[:, None] * ready.buy_rows
    for r in range(len(z)):
        activity[:, r] += _summed(sales.option, sales.sold * sales.rows[:, r], count)
    moves = buying / stiff + sales.moves
    move_rows = buying[:, None] * ready.buy_rows + sales.move_rows
    return Inner(value, active, activity, moves, move_rows, sales.lot, sales.option, sales.sold, bought, sales.swaps, sales.swap_rows)


def _sharp(ready: Prepared, pull: Floats, stiff: Floats, z: Floats) -> _Sales:
    """Lots in order of price, each full before the next; at most one lot of an option is sold in part."""
    option, lot, size, price, rows = ready.option, ready.lot, ready.size, ready.price + ready.rows @ z, ready.rows
    before = ready.before
    if not ready.same_order:
        order = np.lexsort((price, option))
        option, lot, size, price, rows = option[order], lot[order], size[order], price[order], rows[order]
        before = np.cumsum(size) - size
        before -= before[ready.opens]
    wanted = ready.start[option] + (pull[option] - price) / stiff[option]
    sold = (wanted - before).clip(0.0, size)
    partial = (sold > 0) & (sold < size)
    moves, move_rows = np.zeros(len(stiff)), np.zeros((len(stiff), rows.shape[1]))
    moves[option[partial]] = 1.0 / stiff[option[partial]]
    move_rows[option[partial]] = -rows[partial]
    return _Sales(option, lot, rows, price, sold, moves, move_rows, np.zeros(0), np.zeros((0, rows.shape[1])), np.zeros(len(sold)))


def _softened(ready: Prepared, pull: Floats, stiff: Floats, z: Floats, tie: float) -> _Sales:
    """As `_sharp`, with several lots of an option sold in part."""
    option, rows, price = ready.option, ready.rows, ready.price + ready.rows @ z
    soft = softened_sales(option, price, ready.size, ready.start, pull, stiff, tie)
    total = _summed(option, soft.moves, len(stiff))
    mean = np.zeros((len(stiff), rows.shape[1]))
    np.add.at(mean, option, soft.moves[:, None] * rows)
    mean /= np.where(total > 0, total, 1.0)[:, None]
    softening = 0.5 * tie * soft.sold**2 / ready.size
    moves = total / (1 + stiff * total)
    return _Sales(option, ready.lot, rows, price, soft.sold, moves, -mean, soft.moves, rows - mean[option], softening)


def evaluate(ready: Prepared, multipliers: Floats, temperature: float, allowed: Bools, tie: float = 0.0) -> DualPoint:
    """g with only the `allowed` options at `multipliers` = (nu, z); the plain minimum where `temperature` is 0."""
    model, factors = ready.model, ready.model.factors
    nu, z = multipliers[:factors], multipliers[factors:]
    inner = inner_minima(ready, nu, z, tie)
    name = model.options.name
    cost = np.where(allowed, inner.value, np.inf)
    least = np.minimum.reduceat(cost, ready.first)
    if temperature > 0:
        raw = np.exp((least[name] - cost) / temperature)
        total = np.add.reduceat(raw, ready.first)
        share = raw / total[name]
        value = float(np.sum(least - temperature * np.log(total)))
    else:
        share = _first_least(cost == least[name], ready.first, name)
        value = float(np.sum(least))
    value -= float(nu @ nu) / (2 * model.risk) + float(model.rows.bound @ z)
    active = np.add.reduceat(share * inner.active, ready.first)
    gradient = np.append(model.names.exposures.T @ active - nu / model.risk, inner.rows.T @ share - model.rows.bound)
    return DualPoint(value, gradient, share, inner)


def curvature(ready: Prepared, point: DualPoint, temperature: float) -> Floats:
    """Minus the second derivative of g at the point, [factors + rows] square."""
    model, inner, share = ready.model, point.inner, point.share
    first, name, exposures, factors = ready.first, model.options.name, model.names.exposures, model.factors
    weight = share * inner.moves
    diagonal = np.add.reduceat(weight, first)
    cross = np.add.reduceat(weight[:, None] * inner.move_rows, first)
    corner = inner.move_rows.T @ (weight[:, None] * inner.move_rows)
    if len(inner.swaps):
        corner = corner + inner.swap_rows.T @ ((share[inner.slot_option] * inner.swaps)[:, None] * inner.swap_rows)
    if temperature > 0:
        mean = np.add.reduceat(share * inner.active, first)
        mean_rows = np.add.reduceat(share[:, None] * inner.rows, first)
        off, off_rows = inner.active - mean[name], inner.rows - mean_rows[name]
        spread = share / temperature
        diagonal = diagonal + np.add.reduceat(spread * off**2, first)
        cross = cross + np.add.reduceat((spread * off)[:, None] * off_rows, first)
        corner = corner + off_rows.T @ (spread[:, None] * off_rows)
    full = np.empty((factors + corner.shape[0],) * 2)
    moving = np.flatnonzero(diagonal)
    rooted = np.sqrt(diagonal[moving])[:, None] * exposures[moving]
    full[:factors, :factors] = rooted.T @ rooted
    full[np.arange(factors), np.arange(factors)] += 1.0 / model.risk
    full[:factors, factors:] = exposures.T @ cross
    full[factors:, :factors] = full[:factors, factors:].T
    full[factors:, factors:] = corner
    return full


def trades_of(ready: Prepared, point: DualPoint) -> Trades:
    """The plan that the chosen options (share 1) make; forced lots included."""
    model, inner = ready.model, point.inner
    chosen = point.share > 0.5
    sold = _summed(inner.slot_lot, inner.sold * chosen[inner.slot_option], len(model.lots.size))
    options = model.options
    forced = options.slot_lot[options.slot_forced & chosen[options.slot_option]]
    sold[forced] = model.lots.size[forced]
    return Trades(sold, _summed(options.name, inner.bought * chosen, len(model.names.held)))


def _summed(index: Ints, weight: Floats, count: int) -> Floats:
    """The sums of `weight` by `index`, from 0 to `count`."""
    return np.bincount(index, weight, count).astype(np.float64, copy=False)


def _first_least(least: Bools, first: Ints, name: Ints) -> Floats:
    """One for the first option of each name that is least, else zero."""
    rank: Ints = np.cumsum(least)
    share: Floats = (least & (rank == (rank[first] - least[first] + 1)[name])).astype(np.float64)
    return share
