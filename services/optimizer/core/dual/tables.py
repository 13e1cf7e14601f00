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
    root: Floats  # [f, f], lower half: of `assembled`
    assembled: Floats  # by name, the diagonal that `root` was made with
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
    free = ~options.slot_forced
    option, lot = options.slot_option[free], options.slot_lot[free]
    order = np.lexsort((lots.sell_price[lot], option))
    option, lot = option[order], lot[order]
    exposures = np.hstack([names.exposures, weights.coefficient]) if len(weights.bound) else names.exposures
    unbounded, cap = np.full(model.factors, np.inf), np.full(int(model.capped), model.te_ceiling)
    tables = Tables(
        risk=float(model.risk),
        factors=model.factors,
        capped=int(model.capped),
        half_cap_sq=0.5 * model.te_cap**2 if model.capped else 0.0,
        exposures=exposures,
        specific_var=names.specific_var,
        bound=np.append(weights.bound - weights.coefficient.T @ names.target, model.rows.bound),
        low=np.concatenate([-unbounded, weights.floor, model.rows.floor, np.zeros(int(model.capped))]),
        high=np.concatenate([unbounded, weights.ceiling, model.rows.ceiling, cap]),
        **_by_option(model),
        reorders=_reorders(option, model.rows.sell[lot], len(options.name)),
        slot_first=np.searchsorted(option, np.arange(len(options.name) + 1)),
        size=lots.size[lot],
        price=lots.sell_price[lot],
        rows=np.ascontiguousarray(model.rows.sell[lot]),
        **_blocks(model),
    )
    values: list[Any] = [_kept(value) if isinstance(value, np.ndarray) else value for value in tables]
    return Prepared(model, Tables(*values), _scratch(tables), lot)


def _kept(array: NDArray[Any]) -> NDArray[Any]:
    """In one layout, of one of three types and unchangeable, so that one compiled kernel serves every model."""
    kind = {"b": np.bool_, "i": np.intp, "u": np.intp}.get(array.dtype.kind, np.float64)
    return frozen(np.ascontiguousarray(array, dtype=kind))


def _by_option(model: Model) -> dict[str, Any]:
    """The fields of Tables by option: forced lots and fixed prices summed, ranges less what is forced."""
    options, lots, names = model.options, model.lots, model.names
    count, gone = len(options.name), options.slot_option[options.slot_forced]
    gone_lot = options.slot_lot[options.slot_forced]
    size = lots.size[gone_lot]
    forced = np.bincount(gone, size, count).astype(np.float64)  # of integers where none is forced
    fixed_rows = model.rows.uses.copy()
    np.add.at(fixed_rows, gone, size[:, None] * model.rows.sell[gone_lot])
    return {
        "name": options.name,
        "start": (names.held - names.target)[options.name] - forced,
        "impact": names.impact[options.name],
        "forced": forced,
        "fixed_price": options.price + np.bincount(gone, size * lots.sell_price[gone_lot], count),
        "fixed_rows": fixed_rows,
        "least": (options.least - forced).clip(min=0.0),
        "most": np.minimum((options.most - forced).clip(min=0.0), np.where(options.buys, names.buy_max[options.name], np.inf)),
        "buys": options.buys,
        "buy_price": names.buy_price[options.name],
        "buy_rows": model.rows.buy[options.name],
    }


def _blocks(model: Model) -> dict[str, Any]:
    """Where blocks, sides and groups begin; options are sorted by group, side and name."""
    options = model.options
    new_side = _begins(options.side)
    first = np.flatnonzero(new_side | _begins(options.name))
    side = np.flatnonzero(new_side[first])
    group = np.flatnonzero(_begins(options.group[first][side]))
    ends = len(options.name), len(first), len(side)
    return {
        "block_first": np.append(first, ends[0]),
        "side_first": np.append(side, ends[1]),
        "group_first": np.append(group, ends[2]),
    }


def _begins(number: Ints) -> Bools:
    """Where the number differs from the one before; true at the first."""
    begins = np.ones(len(number), dtype=np.bool_)
    begins[1:] = number[1:] != number[:-1]
    return begins


def _reorders(option: Ints, rows: Floats, count: int) -> Bools:
    """By option, whether two of its free lots differ in a row's coefficient."""
    reorders = np.zeros(count, dtype=np.bool_)
    differ = (option[1:] == option[:-1]) & (rows[1:] != rows[:-1]).any(axis=1)  # slots of an option are neighbours
    reorders[option[1:][differ]] = True
    return reorders


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
        root=np.zeros((wide, wide)),
        assembled=np.zeros(names),
        system=np.zeros((whole, whole)),
        step=np.zeros(whole),
    )
