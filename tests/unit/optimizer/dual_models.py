"""Small random models for the dual method, plans that keep their rules, and PDLP on one choice of options as an independent answer."""

from typing import Any

import numpy as np
from ortools.linear_solver import linear_solver_pb2
from ortools.pdlp import solve_log_pb2, solvers_pb2
from ortools.pdlp.python import pdlp

from services.optimizer.core.dual.model import Lots, Model, Names, Options, Rows, Trades, validated

INF = float("inf")


def random_model(seed: int, names: int = 7, budget: bool = False, one_option: bool = False) -> Model:
    """A cash row and, with `budget`, a hard tax budget and an elastic row on what is traded; `one_option`: convex, one option a name."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 4, names)
    lot_name = np.repeat(np.arange(names), counts)
    size = rng.uniform(0.01, 0.1, len(lot_name))
    size /= max(size.sum(), 1.0)
    tax = rng.choice([0.238, 0.408], len(size)) * rng.uniform(-0.5, 0.5, len(size))
    spread = rng.uniform(1e-4, 8e-4, names)
    target = rng.uniform(0.2, 1, names) / (0.6 * names)
    held = np.bincount(lot_name, size, names).astype(np.float64)
    cash = rng.uniform(0, 0.05)
    sell_rows, buy_rows, bounds, ceilings = [-(1 - spread[lot_name])], [1 + spread], [cash], [INF]
    if budget:
        sell_rows += [tax, np.ones(len(size))]
        buy_rows += [np.zeros(names), np.ones(names)]
        bounds += [rng.uniform(-0.3, 0.3) * float(np.abs(tax) @ size) * 0.2, rng.uniform(0.0, 0.5)]
        bounds[1] = max(bounds[1], 0.0)
        ceilings += [INF, 0.01]
    model = Model(
        risk=float(rng.choice([2.0, 40.0, 200.0])),
        names=Names(
            held,
            target,
            rng.normal(0, 0.1, (names, 3)),
            rng.uniform(0.02, 0.16, names),
            spread,
            np.where(rng.random(names) < 0.8, 2.0, 0.0),
        ),
        lots=Lots(lot_name, size, tax + spread[lot_name]),
        options=_options(rng, lot_name, names, one_option),
        rows=Rows(
            np.column_stack(sell_rows).reshape(len(size), len(sell_rows)),
            np.column_stack(buy_rows),
            np.array(bounds),
            np.zeros(len(bounds)),
            np.array(ceilings),
        ),
    )
    return validated(model)


def _options(rng: np.random.Generator, lot_name: Any, names: int, one_option: bool) -> Options:
    option_name, buys, slots = [], [], []
    for i in range(names):
        own = np.flatnonzero(lot_name == i)
        kinds: list[tuple[bool, Any]] = [(True, []), (False, [(lot, False) for lot in own])]
        if len(own) > 1 and rng.random() < 0.3:
            kinds.append((False, [(lot, bool(k == 0)) for k, lot in enumerate(own)]))
        if one_option:
            kinds = [kinds[int(rng.integers(2))]]
        for does_buy, lots in kinds:
            slots += [(len(option_name), lot, forced) for lot, forced in lots]
            option_name.append(i)
            buys.append(does_buy)
    columns = list(zip(*slots, strict=True)) or [(), (), ()]
    return Options(
        np.array(option_name, dtype=np.intp),
        np.array(buys),
        np.array(columns[0], dtype=np.intp),
        np.array(columns[1], dtype=np.intp),
        np.array(columns[2], dtype=np.bool_),
    )


def choices(model: Model) -> list[list[int]]:
    """Every choice of one side a group and of one option a name, in order of name."""
    options, made = model.options, [dict[int, int]()]
    for group in np.unique(options.group):
        own: list[dict[int, int]] = []
        for side in np.unique(options.side[options.group == group]):
            chosen = [dict[int, int]()]
            inside = np.flatnonzero((options.side == side) & (options.group == group))
            for i in np.unique(options.name[inside]):
                chosen = [{**each, int(i): int(o)} for each in chosen for o in inside[options.name[inside] == i]]
            own += chosen
        made = [{**each, **more} for each in made for more in own]
    return [[each[i] for i in range(len(model.names.held))] for each in made]


def limits(model: Model, chosen: list[int]) -> tuple[Any, Any, Any]:
    """Least and most sold by lot, most bought by name, where these options are chosen; ranges of options aside."""
    low, high = np.zeros(len(model.lots.size)), np.zeros(len(model.lots.size))
    inside = np.isin(model.options.slot_option, chosen)
    high[model.options.slot_lot[inside]] = model.lots.size[model.options.slot_lot[inside]]
    forced = model.options.slot_lot[inside & model.options.slot_forced]
    low[forced] = model.lots.size[forced]
    return low, high, np.where(model.options.buys[chosen], model.names.buy_max, 0.0)


def pdlp_objective(model: Model, chosen: list[int], tolerance: float = 1e-10) -> tuple[float, Trades] | None:
    """The least elastic objective with these options, by PDLP; None where it finds none.  The tracking-error cap is left out.

    Columns: active weight by name, sold by lot, bought by name, factors, excess by elastic row, traded by name.
    """
    names, lots = model.names, model.lots
    rows = _joined(model, chosen)
    m, n, k, r = len(names.held), len(lots.size), model.factors, len(rows.bound)
    low, high, most = limits(model, chosen)
    soft = np.isfinite(rows.ceiling)
    least, cap = model.options.least[chosen], np.maximum(model.options.most[chosen], model.options.least[chosen])
    lower = np.concatenate([np.full(m, -INF), low, np.zeros(m), np.full(k, -INF), np.zeros(r), least])
    upper = np.concatenate([np.full(m, INF), high, most, np.full(k, INF), np.where(soft, INF, 0.0), cap])
    cost = np.concatenate([np.zeros(m), lots.sell_price, names.buy_price, np.zeros(k), np.where(soft, rows.ceiling, 0.0), np.zeros(m)])
    curve = np.concatenate(
        [model.risk / 2 * names.specific_var, np.zeros(n + m), np.full(k, model.risk / 2), np.zeros(r), names.impact / 2]
    )
    proto = linear_solver_pb2.MPModelProto()
    for lo, hi, c in zip(lower, upper, cost, strict=True):
        proto.variable.add(lower_bound=lo, upper_bound=hi, objective_coefficient=c)
    for i in range(m):
        own = np.flatnonzero(lots.name == i)
        at = [i, *(m + own).tolist(), m + n + i]
        level = float(names.held[i] - names.target[i])
        proto.constraint.add(var_index=at, coefficient=[1.0] * (1 + len(own)) + [-1.0], lower_bound=level, upper_bound=level)
        traded = [*(m + own).tolist(), m + n + i, m + n + m + k + r + i]
        proto.constraint.add(var_index=traded, coefficient=[1.0] * (len(own) + 1) + [-1.0], lower_bound=0.0, upper_bound=0.0)
    for f in range(k):
        at = [*range(m), m + n + m + f]
        proto.constraint.add(var_index=at, coefficient=[*names.exposures[:, f], -1.0], lower_bound=0.0, upper_bound=0.0)
    for j in range(r):
        at = [*range(m, m + n + m), m + n + m + k + j]
        proto.constraint.add(
            var_index=at, coefficient=[*rows.sell[:, j], *rows.buy[:, j], -1.0], lower_bound=-INF, upper_bound=float(rows.bound[j])
        )
    curved = np.flatnonzero(curve)
    proto.quadratic_objective.qvar1_index.extend(curved.tolist())
    proto.quadratic_objective.qvar2_index.extend(curved.tolist())
    proto.quadratic_objective.coefficient.extend(curve[curved].tolist())
    parameters = solvers_pb2.PrimalDualHybridGradientParams(num_threads=1, verbosity_level=0)
    criteria = parameters.termination_criteria
    criteria.iteration_limit = 100_000
    criteria.simple_optimality_criteria.eps_optimal_absolute = tolerance
    criteria.simple_optimality_criteria.eps_optimal_relative = tolerance
    result = pdlp.primal_dual_hybrid_gradient(pdlp.qp_from_mpmodel_proto(proto, relax_integer_variables=True), parameters)
    if result.solve_log.termination_reason != solve_log_pb2.TERMINATION_REASON_OPTIMAL:
        return None
    x = np.array(result.primal_solution)
    fixed = float(model.options.price[chosen].sum())
    return float(cost @ x + curve @ x**2) + fixed, Trades(x[m : m + n], x[m + n : m + n + m], np.array(chosen))


def _joined(model: Model, chosen: list[int]) -> Rows:
    """Rows and weight rows together, as rows on trades once these options are chosen."""
    rows, weights = model.rows, model.weights
    return Rows(
        np.hstack([rows.sell, -weights.coefficient[model.lots.name]]),
        np.hstack([rows.buy, weights.coefficient]),
        np.append(rows.bound - rows.uses[chosen].sum(axis=0), weights.bound - weights.coefficient.T @ model.names.held),
        np.append(rows.floor, weights.floor),
        np.append(rows.ceiling, weights.ceiling),
    )
