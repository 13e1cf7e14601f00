"""Trades that come from elsewhere than the year's own solve, cut down to what the year's rules allow.

Invariants
1. What is left sells only lots that may be sold and buys only names that may be bought, within their sizes and largest weights.
2. No identity group is both sold at a loss and bought, and no name is both sold and bought.
3. Purchases are paid for: cash does not fall below its least.
4. A loss of a name with lots bought lately is taken only where those leave whole.
"""

import numpy as np

from services.optimizer.core.arrays import Floats
from services.optimizer.core.branch import Plan
from services.optimizer.core.problem import Problem
from services.optimizer.core.transition.book import Book
from services.optimizer.core.transition.case import TransitionCase

WHOLE = 1 - 1e-9  # of a lot
HALF = 0.5  # of a name's losses: taking more is worth letting go of what was bought lately


def sales_of(case: TransitionCase, book: Book, sold: Floats) -> Floats:
    """[lots of the book] Sales [lots of the case], each found by its id."""
    at = {lot_id: n for n, lot_id in enumerate(case.lots.lot_id)}
    place = np.array([at.get(lot_id, -1) for lot_id in book.lots.lot_id], dtype=np.intp)
    wanted = np.zeros(len(place))
    wanted[place >= 0] = sold[place[place >= 0]]
    return wanted


def kept(problem: Problem, sold: Floats, bought: Floats) -> Plan:
    """The trades, in weights of the problem, less what its rules forbid."""
    count, name = len(problem.held), problem.name
    out = np.where(problem.may_sell, np.minimum(sold, problem.size), 0.0)
    losses = np.bincount(name, problem.size * problem.loss, count)
    harvests = np.bincount(name, out * problem.loss, count) > HALF * losses
    out = np.where(problem.way_out & (losses[name] > 0) & harvests[name], problem.size, out)
    stays = problem.way_out & (out < problem.size * WHOLE)
    barred = np.bincount(name[stays], minlength=count) > 0
    out = np.where(problem.loss & barred[name], 0.0, out)
    sells = np.bincount(name, out, count) > 0
    harvested = np.unique(problem.group[name[(out > 0) & problem.loss]])
    may_buy = problem.may_buy & ~sells & ~np.isin(problem.group, harvested)
    room = (problem.weight_max - problem.held).clip(min=0.0)
    buys = np.where(may_buy, np.minimum(bought, room), 0.0)
    spent, there = float(buys @ (1 + problem.cost_frac)), problem.cash - problem.cash_min + float(out @ (1 - problem.cost_frac[name]))
    return Plan(out, buys * min(1.0, max(there, 0.0) / spent) if spent > 0 else buys)
