"""The account's problem as the dual method sees it: names, options, lots and coupling rows, validated and read-only.

    minimise   1/2 risk (v'BB'v + v'Dv) + sum_l sold_l sell_price_l + sum_i bought_i buy_price_i         v = held - sold + bought - target
    subject to one option per name; 0 <= sold_l <= size_l, 0 <= bought_i <= buy_max_i
               each row r:  sum_l sold_l sell_row_lr + sum_i bought_i buy_row_ir <= bound_r,  multiplier in [floor_r, ceiling_r]

Symbols: v [names] active weights; B [names, factors] exposures whose factors have unit variance; D [names] specific variance, annual;
`risk` twice the account's risk aversion lam.  Everything else is a fraction of account value.

A name does one thing: one of its *options*.  Every option holds, buys or sells from a list of lots; some of its lots may be sold in full
(`forced`: what has to leave before a loss of the name may be taken).  A ceiling of infinity makes a row hard; a finite one makes it elastic
with that penalty a unit.  A two-sided rule is two rows.

Invariants
1. Arrays can't be written to.
2. Options are sorted by name, slots (an option's lots) by option; every name has an option.
3. No number is NaN; sizes are positive, specific variances are positive, boxes contain zero.
"""

from dataclasses import dataclass, fields

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints, frozen


class ModelError(ValueError):
    """A model that can't be solved; says which field and which entry."""


@dataclass(frozen=True, slots=True)
class Names:
    """By name: weights, unit-variance factor exposures, annual specific variance, price of buying and its largest amount."""

    held: Floats
    target: Floats
    exposures: Floats
    specific_var: Floats
    buy_price: Floats
    buy_max: Floats


@dataclass(frozen=True, slots=True)
class Lots:
    """By lot: its name, its size in weight, and what a unit sold costs (tax and spread; negative where a loss is worth more)."""

    name: Ints
    size: Floats
    sell_price: Floats


@dataclass(frozen=True, slots=True)
class Options:
    """By option: its name and whether it buys.  By slot: option, lot, and whether the option sells that lot in full."""

    name: Ints
    buys: Bools
    slot_option: Ints
    slot_lot: Ints
    slot_forced: Bools


@dataclass(frozen=True, slots=True)
class Rows:
    """Coupling rows: coefficients of lots [lots, rows] and of buys [names, rows], bound and the box of the multiplier [rows]."""

    sell: Floats
    buy: Floats
    bound: Floats
    floor: Floats
    ceiling: Floats


@dataclass(frozen=True, slots=True)
class Model:
    """One account, complete; see the head of the file."""

    risk: float
    names: Names
    lots: Lots
    options: Options
    rows: Rows

    @property
    def factors(self) -> int:
        return int(self.names.exposures.shape[1])


@dataclass(frozen=True, slots=True)
class Trades:
    """A plan: weight sold by lot, weight bought by name."""

    sold: Floats
    bought: Floats


def validated(model: Model) -> Model:
    """The same model, frozen.  Raises ModelError naming the field and the first entry at fault."""
    for part in (model.names, model.lots, model.options, model.rows):
        for field in fields(part):
            array = getattr(part, field.name)
            if array.dtype == np.float64 and np.isnan(array).any():
                raise ModelError(f"{field.name} is not a number at {int(np.argmax(np.isnan(array).ravel()))}")
            frozen(array)
    _require("specific_var must be positive", model.names.specific_var > 0)
    _require("size must be positive", model.lots.size > 0)
    _require("buy_max must not be negative", model.names.buy_max >= 0)
    _require("a multiplier's box must contain zero", (model.rows.floor <= 0) & (model.rows.ceiling >= 0))
    options, count = model.options, len(model.names.held)
    _require("every name needs an option", np.bincount(options.name, minlength=count) > 0)
    _require("options must be sorted by name", np.diff(options.name) >= 0)
    _require("slots must be sorted by option", np.diff(options.slot_option) >= 0)
    _require("a slot's lot must be its option's name's", model.lots.name[options.slot_lot] == options.name[options.slot_option])
    if not (np.isfinite(model.risk) and model.risk > 0):
        raise ModelError(f"risk must be positive, not {model.risk}")
    return model


def objective(model: Model, trades: Trades) -> float:
    """The plan's risk, tax and cost, by plain sums over lots and names; shares nothing with the dual's evaluation."""
    names = model.names
    active = names.held - np.bincount(model.lots.name, trades.sold, len(names.held)) + trades.bought - names.target
    common = names.exposures.T @ active
    risk = float(common @ common) + float(active @ (names.specific_var * active))
    return 0.5 * model.risk * risk + float(trades.sold @ model.lots.sell_price) + float(trades.bought @ names.buy_price)


def excess(model: Model, trades: Trades) -> Floats:
    """By row, how far the plan lies beyond the row's bound; negative inside it."""
    over: Floats = model.rows.sell.T @ trades.sold + model.rows.buy.T @ trades.bought - model.rows.bound
    return over


def elastic_objective(model: Model, trades: Trades) -> float:
    """The objective plus what elastic rows charge for being broken; infinite nowhere, hard rows being judged by `excess`."""
    over = excess(model, trades)
    soft = np.isfinite(model.rows.ceiling)
    return objective(model, trades) + float(over[soft].clip(min=0.0) @ model.rows.ceiling[soft])


def dearest(model: Model) -> float:
    """More than any plan could cost, rules on rows aside: a bound above it proves that no plan keeps the hard rows."""
    names, lots, rows = model.names, model.lots, model.rows
    most = np.abs(names.held - names.target) + names.held + names.buy_max
    common = float(most @ np.sqrt((names.exposures**2).sum(axis=1)))
    risk = common**2 + float(most @ (names.specific_var * most))
    paid = float(np.abs(lots.sell_price) @ lots.size) + float(np.abs(names.buy_price) @ names.buy_max)
    soft = np.isfinite(rows.ceiling)
    reach = np.abs(rows.sell[:, soft]).T @ lots.size + np.abs(rows.buy[:, soft]).T @ names.buy_max + np.abs(rows.bound[soft])
    return 1.0 + 0.5 * model.risk * risk + paid + float(rows.ceiling[soft] @ reach)


def _require(message: str, holds: Bools) -> None:
    if not holds.all():
        raise ModelError(f"{message}, at {int(np.argmin(holds))}")
