"""The model as flat arrays that kernels walk, sorted and summed once, and the scratch they write into.

Sizes: names n, options o, free slots s, factors and weight rows together f, rows r, and r1 = r + 1 where tracking error is capped, else r.
The cap is one more row: its coefficient of an option is 1/2 D v^2.

Invariants
1. Nothing writes into Tables; what kernels write lies in Scratch, and no result depends on what was there before.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.optimizer.core.arrays import Bools, Floats, Ints, frozen
from services.optimizer.core.dual.layout import blocks_laid_out, forced_sums, slots_laid_out
from services.optimizer.core.dual.model import Model


class Tables(NamedTuple):
    """What doesn't change between evaluations; slots are the free lots of selling options, sorted by option and then price."""

    risk: float
    factors: int
    capped: int  # 1 or 0
    half_cap_sq: float
    exposures: Floats  # [n, f]: factors, then weight rows
    specific_var: Floats
    bound: Floats  # [f - factors + r]: of weight rows on active weights, then of rows
    low: Floats  # [f + r1]
    high: Floats
    name: Ints  # by option, as the next ten
    start: Floats  # active weight before free trades
    impact: Floats
    forced: Floats  # weight of lots sold in full
    fixed_price: Floats
    fixed_rows: Floats  # [o, r]: forced lots and uses
    least: Floats  # of free trades
    most: Floats
    buys: Bools
    buy_price: Floats
    buy_rows: Floats
    reorders: Bools  # whether multipliers can change the order of the option's lots
    slot_first: Ints  # [o + 1]
    size: Floats
    price: Floats
    rows: Floats
    block_first: Ints  # a block is a name within a side: first option of each, and the end
    side_first: Ints  # first block of each side, and the end
    group_first: Ints  # first side of each group, and the end


class Scratch(NamedTuple):
    """The minimisers at one point: by option, slot, name; `moves` and `move_rows` are how the active weight moves with its price."""

    pull: Floats
    cost: Floats
    active: Floats
    activity: Floats  # [o, r1]
    moves: Floats
    move_rows: Floats  # [o, r1]
    share: Floats
    bought: Floats
    sold: Floats
    now: Floats  # by slot, price at the multipliers
    order: Ints
    swaps: Floats  # by slot, where lots are softened: how sales move between the lots of one option
    block_cost: Floats
    side_cost: Floats
    mean: Floats  # by name, active weight
    diagonal: Floats  # by name
    cross: Floats  # [n, r1]
    gradient: Floats
    matrix: Floats  # [f + r1, f + r1], lower half
    root: Floats  # [2, f, f], lower half: the part by factors of the last point without a temperature, and of the last with one
    assembled: Floats  # [2, n]: the diagonals that these were made with
    system: Floats
    step: Floats


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model ready to be solved; `slot_lot` says which lot each free slot is."""

    model: Model
    tables: Tables
    scratch: Scratch
    slot_lot: Ints


def prepare(model: Model) -> Prepared:
    """Sort and sum once what every evaluation needs."""
    options, lots, names, weights = model.options, model.lots, model.names, model.weights
    slots = _kept(options.slot_option), _kept(options.slot_lot), _kept(options.slot_forced)
    of_lots = _kept(lots.size), _kept(lots.sell_price), _kept(model.rows.sell)
    lot, slot_first, size, price, rows, reorders = slots_laid_out(len(options.name), *slots, *of_lots)
    forced, forced_price, fixed_rows = forced_sums(*slots, *of_lots, _kept(model.rows.uses))
    block_first, side_first, group_first = blocks_laid_out(_kept(options.name), _kept(options.side), _kept(options.group))
    unbounded, cap = np.full(model.factors, np.inf), np.full(int(model.capped), model.te_ceiling)
    least, most = _ranges(model, forced)
    tables = Tables(
        risk=float(model.risk),
        factors=model.factors,
        capped=int(model.capped),
        half_cap_sq=0.5 * model.te_cap**2 if model.capped else 0.0,
        exposures=np.hstack([names.exposures, weights.coefficient]) if len(weights.bound) else names.exposures,
        specific_var=names.specific_var,
        bound=np.append(weights.bound - weights.coefficient.T @ names.target, model.rows.bound),
        low=np.concatenate([-unbounded, weights.floor, model.rows.floor, np.zeros(int(model.capped))]),
        high=np.concatenate([unbounded, weights.ceiling, model.rows.ceiling, cap]),
        name=options.name,
        start=(names.held - names.target)[options.name] - forced,
        impact=names.impact[options.name],
        forced=forced,
        fixed_price=options.price + forced_price,
        fixed_rows=fixed_rows,
        least=least,
        most=most,
        buys=options.buys,
        buy_price=names.buy_price[options.name],
        buy_rows=model.rows.buy[options.name],
        reorders=reorders,
        slot_first=slot_first,
        size=size,
        price=price,
        rows=rows,
        block_first=block_first,
        side_first=side_first,
        group_first=group_first,
    )
    values: list[Any] = [_kept(value) if isinstance(value, np.ndarray) else value for value in tables]
    return Prepared(model, Tables(*values), _scratch(tables), lot)


def _kept(array: NDArray[Any]) -> NDArray[Any]:
    """In one layout, of one of three types and unchangeable, so that one compiled kernel serves every model."""
    kind = {"b": np.bool_, "i": np.intp, "u": np.intp}.get(array.dtype.kind, np.float64)
    return frozen(np.ascontiguousarray(array, dtype=kind))


def _ranges(model: Model, forced: Floats) -> tuple[Floats, Floats]:
    """By option, the least and the most of its free trades: its range less what is forced, and of a purchase what may be bought."""
    options = model.options
    most = np.minimum((options.most - forced).clip(min=0.0), np.where(options.buys, model.names.buy_max[options.name], np.inf))
    return (options.least - forced).clip(min=0.0), most


def _scratch(t: Tables) -> Scratch:
    names, wide = t.exposures.shape
    options, slots, rows = len(t.name), len(t.size), t.rows.shape[1] + t.capped
    whole = wide + rows
    return Scratch(
        pull=np.zeros(names),
        cost=np.zeros(options),
        active=np.zeros(options),
        activity=np.zeros((options, rows)),
        moves=np.zeros(options),
        move_rows=np.zeros((options, rows)),
        share=np.zeros(options),
        bought=np.zeros(options),
        sold=np.zeros(slots),
        now=np.zeros(slots),
        order=np.arange(slots),
        swaps=np.zeros(slots),
        block_cost=np.zeros(len(t.block_first) - 1),
        side_cost=np.zeros(len(t.side_first) - 1),
        mean=np.zeros(names),
        diagonal=np.zeros(names),
        cross=np.zeros((names, rows)),
        gradient=np.zeros(whole),
        matrix=np.zeros((whole, whole)),
        root=np.zeros((2, wide, wide)),
        assembled=np.zeros((2, names)),
        system=np.zeros((whole, whole)),
        step=np.zeros(whole),
    )
