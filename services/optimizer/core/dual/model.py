"""The account's problem as the dual method sees it: names, options, lots and coupling rows, validated and read-only.

    minimise   1/2 risk TE² + sum_l sold_l sell_price_l + sum_i bought_i buy_price_i + sum_i 1/2 impact_i traded_i² + sum_o price_o chosen_o
               TE² = v'BB'v + v'Dv    v = held - sold + bought - target    traded_i = bought_i + what is sold of the name
    subject to one option per name, of one side per group; least_o <= traded <= most_o, 0 <= sold_l <= size_l, 0 <= bought_i <= buy_max_i
               each row r:         sum_l sold_l sell_row_lr + sum_i bought_i buy_row_ir + sum_o uses_or chosen_o <= bound_r
               each weight row e:  sum_i coefficient_ie (held - sold + bought)_i <= bound_e
               1/2 TE² <= 1/2 te_cap²
               multipliers in [floor, ceiling]; the cap's in [0, te_ceiling]

Symbols: v [names] active weights; B [names, factors] exposures whose factors have unit variance; D [names] specific variance, annual;
`risk` twice the account's risk aversion lam; te_cap an annual standard deviation.  Everything else is a fraction of account value.

A name does one thing: one of its *options*.  An option holds, buys (`buys`), or sells from a list of lots, some of which are sold in
full (`forced`: what has to leave before a loss of the name may be taken).  What it trades, forced lots included, lies in [least, most], has
a fixed `price`, and takes a fixed use of rows: 1 of a row of trades, or of a row of names for a name that stays held.  So a least trade, a
least holding, a cap on sales and bounds on a final weight are all ranges of options; one that sells every lot in full is free of them.

A *group* is names that are decided together (securities substantially identical): it takes one of its *sides*, and every name of it one of
its options of that side.  A name alone is a group with one side.

A ceiling of infinity makes a row hard; a finite one makes it elastic with that penalty a unit.  A two-sided rule is two rows.

Invariants
1. Arrays can't be written to; those left out (`unset`) are filled in by `validated`.
2. Options are sorted by group, side and name, slots (an option's lots) by option; every name has an option in each side of its group.
3. No number is NaN; sizes and specific variances are positive; boxes contain zero; an option's lots reach its least.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.optimizer.core.arrays import Bools, Floats, Ints, frozen

REACH = 1e-12  # of account value: by this much an option's lots may fall short of its least


class ModelError(ValueError):
    """A model that can't be solved; says which field and which entry."""


def unset() -> NDArray[Any]:
    """Stands for a field left out: no entries."""
    return frozen(np.zeros(0))


@dataclass(frozen=True, slots=True)
class Names:
    """By name: weights, unit-variance factor exposures, annual specific variance, price of buying and its largest amount, impact."""

    held: Floats
    target: Floats
    exposures: Floats
    specific_var: Floats
    buy_price: Floats
    buy_max: Floats
    impact: Floats = field(default_factory=unset)  # 1/2 impact x traded^2; 0 unless given


@dataclass(frozen=True, slots=True)
class Lots:
    """By lot: its name, its size in weight, and what a unit sold costs (tax and spread; negative where a loss is worth more)."""

    name: Ints
    size: Floats
    sell_price: Floats


@dataclass(frozen=True, slots=True)
class Options:
    """By option: its name and whether it buys.  By slot: option, lot, and whether the option sells that lot in full.

    By option besides, with its default: the range of what it trades (0, infinity), its fixed price (0), its side and that side's group,
    numbered from 0 (the name is both).
    """

    name: Ints
    buys: Bools
    slot_option: Ints
    slot_lot: Ints
    slot_forced: Bools
    least: Floats = field(default_factory=unset)
    most: Floats = field(default_factory=unset)
    price: Floats = field(default_factory=unset)
    side: Ints = field(default_factory=unset)
    group: Ints = field(default_factory=unset)


@dataclass(frozen=True, slots=True)
class Rows:
    """Coupling rows: coefficients of lots [lots, rows] and of buys [names, rows], bound and the box of the multiplier [rows].

    `uses` [options, rows] is what an option takes of a row by being chosen, 0 unless given.
    """

    sell: Floats
    buy: Floats
    bound: Floats
    floor: Floats
    ceiling: Floats
    uses: Floats = field(default_factory=unset)


@dataclass(frozen=True, slots=True)
class WeightRows:
    """Rows on final weights (sector, industry, factor): coefficients [names, rows], bound and the box of the multiplier [rows].

    Cheaper than the same rule as a row on trades: each is one more column beside the factors.
    """

    coefficient: Floats = field(default_factory=unset)
    bound: Floats = field(default_factory=unset)
    floor: Floats = field(default_factory=unset)
    ceiling: Floats = field(default_factory=unset)


@dataclass(frozen=True, slots=True)
class Model:
    """One account, complete; see the head of the file."""

    risk: float
    names: Names
    lots: Lots
    options: Options
    rows: Rows
    weights: WeightRows = field(default_factory=WeightRows)
    te_cap: float = float("inf")
    te_ceiling: float = float("inf")

    @property
    def factors(self) -> int:
        return int(self.names.exposures.shape[1])

    @property
    def capped(self) -> bool:
        return bool(np.isfinite(self.te_cap))


@dataclass(frozen=True, slots=True)
class Trades:
    """A plan: weight sold by lot, weight bought by name, and by name the option chosen (where options have prices, uses or ranges)."""

    sold: Floats
    bought: Floats
    chosen: Ints = field(default_factory=unset)


def validated(model: Model) -> Model:
    """The same model, complete and frozen.  Raises ModelError naming the field and the first entry at fault."""
    model = _complete(model)
    for part in (model.names, model.lots, model.options, model.rows, model.weights):
        for each in fields(part):
            array = getattr(part, each.name)
            if array.dtype == np.float64 and np.isnan(array).any():
                raise ModelError(f"{each.name} is not a number at {int(np.argmax(np.isnan(array).ravel()))}")
            frozen(array)
    names, rows, weights = model.names, model.rows, model.weights
    _require("specific_var must be positive", names.specific_var > 0)
    _require("impact must not be negative", names.impact >= 0)
    _require("size must be positive", model.lots.size > 0)
    _require("buy_max must not be negative", names.buy_max >= 0)
    _require("a multiplier's box must contain zero", (rows.floor <= 0) & (rows.ceiling >= 0))
    _require("a weight row's box must contain zero", (weights.floor <= 0) & (weights.ceiling >= 0))
    if not (np.isfinite(model.risk) and model.risk > 0):
        raise ModelError(f"risk must be positive, not {model.risk}")
    if not (model.te_cap > 0 and model.te_ceiling > 0):
        raise ModelError(f"te_cap and te_ceiling must be positive, not {model.te_cap} and {model.te_ceiling}")
    _require_options(model)
    return model


def _complete(model: Model) -> Model:
    """With every field that was left out filled in."""
    options, count, names, rows = model.options, len(model.options.name), len(model.names.held), len(model.rows.bound)
    weights = model.weights if len(model.weights.bound) else WeightRows(np.zeros((names, 0)), np.zeros(0), np.zeros(0), np.zeros(0))
    return replace(
        model,
        names=replace(model.names, impact=_or(model.names.impact, np.zeros(names))),
        options=replace(
            options,
            least=_or(options.least, np.zeros(count)),
            most=_or(options.most, np.full(count, np.inf)),
            price=_or(options.price, np.zeros(count)),
            side=_or(options.side, options.name.copy()),
            group=_or(options.group, options.name.copy()),
        ),
        rows=replace(model.rows, uses=_or(model.rows.uses, np.zeros((count, rows)))),
        weights=weights,
    )


def _require_options(model: Model) -> None:
    """Options in order, every name in each side of its group, slots of the option's own name, ranges that can be kept."""
    options, count = model.options, len(model.names.held)
    _require("every name needs an option", np.bincount(options.name, minlength=count) > 0)
    same_side, same_group = np.diff(options.side) == 0, np.diff(options.group) == 0
    _require("options must be sorted by group", np.diff(options.group, prepend=0) >= 0)
    next_side = np.diff(options.side)
    _require("options must be sorted by side", np.append(True, np.where(same_group, next_side >= 0, next_side > 0)))
    _require("options must be sorted by name", np.append(True, ~same_side | (np.diff(options.name) >= 0)))
    group = np.zeros(count, dtype=np.intp)
    group[options.name] = options.group
    _require("a name must be of one group", group[options.name] == options.group)
    first_of_side = np.append(True, ~same_side)[: len(options.side)]
    first_of_name = np.append(True, ~same_side | (np.diff(options.name) > 0))[: len(options.side)]
    sides = np.bincount(options.group[first_of_side], minlength=int(group.max(initial=0)) + 1)
    there = np.bincount(options.name[first_of_name], minlength=count)
    _require("every name needs an option in each side of its group", there == sides[group])
    _require("slots must be sorted by option", np.diff(options.slot_option) >= 0)
    _require("a slot's lot must be its option's name's", model.lots.name[options.slot_lot] == options.name[options.slot_option])
    _require("least must be finite and at most most", np.isfinite(options.least) & (options.least <= options.most))
    size = model.lots.size[options.slot_lot]
    lots = np.bincount(options.slot_option, size, len(options.name))
    forced = np.bincount(options.slot_option, size * options.slot_forced, len(options.name))
    reach = np.where(options.buys, model.names.buy_max[options.name], lots)
    _require("an option's lots, or what may be bought, must reach its least", options.least <= reach + REACH)
    _require("an option's forced lots must keep its most", forced <= options.most + REACH)
    _require("an option that buys must not sell", ~(options.buys & (lots > 0)))


ArrayT = TypeVar("ArrayT", bound=NDArray[Any])


def _or(given: ArrayT, default: ArrayT) -> ArrayT:
    return given if len(given) else default


def _require(message: str, holds: Bools) -> None:
    if not holds.all():
        raise ModelError(f"{message}, at {int(np.argmin(holds))}")
