"""The least cost over every branch of a small model, each a dense quadratic programme in what is sold and bought.

By an interior-point method; shares nothing with the dual: the programme is made from the model's own fields, ranges, uses, impact, rows
on weights and elastic rows included.  The cap on tracking error is not.
"""

from typing import Any

import numpy as np
import piqp

from services.optimizer.core.dual.model import Model
from tests.unit.optimizer.dual_models import choices, limits

SOLVED = "PIQP_SOLVED"


def least_over_branches(model: Model, most: int) -> float:
    """The least objective of all; infinite where no branch has a plan.  Raises AssertionError for more branches than `most`."""
    every = choices(model)
    assert len(every) <= most, len(every)
    return min(branch_objective(model, chosen) for chosen in every)


def branch_objective(model: Model, chosen: list[int]) -> float:
    """The least objective with these options; infinite where none keeps the rules."""
    names, lots, rows, weights = model.names, model.lots, model.rows, model.weights
    low, high, most = limits(model, chosen)
    least, cap = model.options.least[chosen], model.options.most[chosen]
    fixed = float(model.options.price[chosen].sum())
    soft, loose = np.flatnonzero(np.isfinite(rows.ceiling)), np.flatnonzero(np.isfinite(weights.ceiling))
    free = np.flatnonzero(high > low)
    buys = np.flatnonzero(most > 0)
    n, b, e = len(free), len(buys), len(soft) + len(loose)
    sold_of = np.zeros((len(names.held), n))
    sold_of[lots.name[free], np.arange(n)] = 1.0
    bought_of = np.zeros((len(names.held), b))
    bought_of[buys, np.arange(b)] = 1.0
    gone = np.bincount(lots.name, low, len(names.held))
    active = names.held - gone - names.target
    moves = np.hstack([-sold_of, bought_of])  # of active weights
    trades = np.hstack([sold_of, bought_of])  # of what is traded, beside forced sales
    covariance = names.exposures @ names.exposures.T + np.diag(names.specific_var)
    curve = np.zeros((n + b + e, n + b + e))
    curve[: n + b, : n + b] = model.risk * moves.T @ covariance @ moves + trades.T @ (names.impact[:, None] * trades)
    cost = np.concatenate([lots.sell_price[free], names.buy_price[buys], rows.ceiling[soft], weights.ceiling[loose]])
    cost[: n + b] += model.risk * moves.T @ covariance @ active + trades.T @ (names.impact * gone)
    constant = fixed + float(lots.sell_price @ low) + 0.5 * model.risk * float(active @ covariance @ active)
    constant += 0.5 * float(names.impact @ gone**2)
    table, bound = _rows(model, chosen, low, free, buys, moves)
    ranged = np.flatnonzero((least > 0) | np.isfinite(cap))
    table = np.vstack([table, np.hstack([trades[ranged], np.zeros((len(ranged), e))])])
    under = np.concatenate([np.full(len(bound), -np.inf), least[ranged] - gone[ranged]])
    over = np.concatenate([bound, np.maximum(cap[ranged], least[ranged]) - gone[ranged]])
    lower = np.zeros(n + b + e)
    upper = np.concatenate([high[free], most[buys], np.full(e, np.inf)])
    return constant + _solved(curve, cost, table, under, over, lower, upper)


def _rows(model: Model, chosen: list[int], low: Any, free: Any, buys: Any, moves: Any) -> tuple[Any, Any]:
    """Rows and rows on weights over sold, bought and excesses."""
    rows, weights, names = model.rows, model.weights, model.names
    soft, loose = np.flatnonzero(np.isfinite(rows.ceiling)), np.flatnonzero(np.isfinite(weights.ceiling))
    n, b, e = len(free), len(buys), len(soft) + len(loose)
    first = np.zeros((len(rows.bound), n + b + e))
    first[:, :n], first[:, n : n + b] = rows.sell[free].T, rows.buy[buys].T
    first[soft, n + b + np.arange(len(soft))] = -1.0
    second = np.zeros((len(weights.bound), n + b + e))
    second[:, : n + b] = weights.coefficient.T @ moves
    second[loose, n + b + len(soft) + np.arange(len(loose))] = -1.0
    held = names.held - np.bincount(model.lots.name, low, len(names.held))
    bound = np.concatenate([rows.bound - rows.sell.T @ low - rows.uses[chosen].sum(axis=0), weights.bound - weights.coefficient.T @ held])
    return np.vstack([first, second]), bound


def _solved(curve: Any, cost: Any, table: Any, under: Any, over: Any, lower: Any, upper: Any) -> float:
    """The least of the programme; infinite where it has no point, or not by the solver's tolerance."""
    if len(cost) == 0:
        return 0.0 if (under <= 1e-9).all() and (over >= -1e-9).all() else float("inf")
    solver = piqp.DenseSolver()
    solver.settings.eps_abs = solver.settings.eps_rel = 1e-9
    solver.setup(curve, cost, np.zeros((0, len(cost))), np.zeros(0), table, under, over, lower, upper)
    if str(solver.solve()).rpartition(".")[2] != SOLVED:
        return float("inf")
    x = np.asarray(solver.result.x)
    return float(0.5 * x @ curve @ x + cost @ x)
