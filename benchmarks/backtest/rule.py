"""The simple rule, as a baseline: sell every lot below its basis less a threshold, put the proceeds into the sector.

With the wash-sale rule a name with a loss in the last 30 days is not bought: its weight goes to the other names of its sector in
proportion, up to three times their own weight, and what is left to all names.  A name bought in the last 30 days is not sold at a loss
unless all its lots go; and at most half of a sector (a setting; 1 sells every loss) is closed at a time, largest losses first, so that
substitutes are left.  Without the rule what was sold is bought back at once.  Names that leave the index are sold; winners never are.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.backtest.books import HeldLots
from services.optimizer.core.arrays import Bools, Floats, Ints

WINDOW_DAYS = 30
MOST_OF_TARGET = 3.0  # a substitute's weight over its own target
LEAST_BUY = 1e-4  # of account value: smaller shortfalls wait


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """An account at one date, by name: price, whether it is still a member, target weights, sectors, names that may not be bought;
    its lots with days since each was bought; cash and value in dollars; what is short- and long-term tax.
    """

    price: Floats
    member: Bools
    target: Floats
    sector: Ints
    barred: set[int]
    held: HeldLots
    bought_days: Ints
    cash: float
    value: float
    rates: tuple[float, float]
    wash_rule: bool


def sold_by_rule(state: State, threshold: float, most_of_sector: float) -> Floats:
    """Shares sold of each lot; with the wash-sale rule at most `most_of_sector` of a sector is closed, largest losses first."""
    held = state.held
    price = state.price[held.name]
    losing = price < held.basis * (1 - threshold)
    if state.wash_rule:
        recent = np.bincount(held.name, state.bought_days <= WINDOW_DAYS, len(state.price)) > 0
        kept = np.bincount(held.name, ~losing, len(state.price)) > 0
        losing &= ~(recent & kept)[held.name]
        losing &= _with_substitutes(state, held.shares * (held.basis - price) * losing, most_of_sector)[held.name]
    return np.where(losing | ~state.member[held.name], held.shares, 0.0)


def _with_substitutes(state: State, loss: Floats, most_of_sector: float) -> Bools:
    """Names whose loss may be taken while enough of their sector stays open to take their weight."""
    by_name = np.bincount(state.held.name, loss, len(state.price))
    closed = np.zeros(len(state.price), dtype=np.bool_)
    closed[list(state.barred)] = True
    taken = np.bincount(state.sector, state.target * closed)
    room = most_of_sector * np.bincount(state.sector, state.target, len(taken))
    chosen = by_name > 0
    for name in np.argsort(-by_name, kind="stable")[: int(chosen.sum())]:
        sector = state.sector[name]
        chosen[name] = closed[name] or taken[sector] + state.target[name] <= room[sector]
        taken[sector] += state.target[name] if chosen[name] and not closed[name] else 0.0
    return chosen


def bought_by_shortfall(state: State, weight: Floats, cash: float, barred: set[int]) -> Floats:
    """Dollars by name: cash over what each name lacks to its target, barred names' targets being spread over their sectors."""
    closed = np.zeros(len(state.price), dtype=np.bool_)
    closed[list(barred)] = True
    open_target = np.where(closed, 0.0, state.target)
    by_sector = np.bincount(state.sector, open_target)
    lost = np.bincount(state.sector, np.where(closed, (state.target - weight).clip(min=0.0), 0.0), len(by_sector))
    share = np.divide(lost, by_sector, out=np.zeros_like(lost), where=by_sector > 0).clip(max=MOST_OF_TARGET - 1)
    rest = (lost.sum() - float(share @ by_sector)) / max(float(open_target.sum()), 1e-9)  # what a sector can't take goes everywhere
    wanted = (open_target * (1 + share[state.sector] + rest) - weight).clip(min=0.0)
    wanted[closed] = 0.0
    wanted[wanted < LEAST_BUY] = 0.0
    if cash <= 0 or not (wanted.sum() > 0 or open_target.sum() > 0):
        return np.zeros(len(state.price))
    short = wanted.sum() * state.value
    if short >= cash:
        return cash * wanted / wanted.sum()
    return wanted * state.value + (cash - short) * open_target / open_target.sum()
