"""The convex core of an account, one option a name, as a quadratic programme, and the solvers that its users could pick instead.

    minimise 1/2 x'diag(curve)x + cost'x    subject to equal x = level, rows x <= bound, low <= x <= high

x = (active weight v by name, sold by free lot, bought by name that buys, factor y = B'v, excess of each elastic row).  With factors as
columns of their own the quadratic term is diagonal, which every solver here likes best.  Each is timed from these arrays to its answer, on
one thread, so that what a solver makes of its input counts as its own time; tolerances are 1e-8, and 1e-6 for the first-order PDLP.
"""

import io
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from services.optimizer.core.arrays import Floats, Ints
from services.optimizer.core.dual.model import Model

INF = float("inf")


@dataclass(frozen=True, slots=True, eq=False)
class Programme:
    """The arrays above; matrices as (row, column, value) triples.  `constant` is what forced sales cost, not part of the programme."""

    curve: Floats
    cost: Floats
    low: Floats
    high: Floats
    equal_row: Ints
    equal_column: Ints
    equal_value: Floats
    level: Floats
    rows_row: Ints
    rows_column: Ints
    rows_value: Floats
    bound: Floats
    constant: float


@dataclass(frozen=True, slots=True)
class Solved:
    """A solver's answer: its status in its own words, the objective in fractions of account value, CPU milliseconds."""

    status: str
    objective: float
    cpu_ms: float
    solver_ms: float | None = None


def programme_of(model: Model, chosen: Ints) -> Programme:
    """The convex programme that is left where every name does its `chosen` option."""
    names, lots, rows = model.names, model.lots, model.rows
    inside = np.isin(model.options.slot_option, chosen)
    free = np.sort(model.options.slot_lot[inside & ~model.options.slot_forced])
    forced = model.options.slot_lot[inside & model.options.slot_forced]
    buyers = np.flatnonzero(model.options.buys[chosen] & (names.buy_max > 0))
    gone = np.bincount(lots.name[forced], lots.size[forced], len(names.held))
    m, n, b, k = len(names.held), len(free), len(buyers), model.factors
    soft = np.flatnonzero(np.isfinite(rows.ceiling))
    factor = m + n + b + np.arange(k)
    columns = m + n + b + k + len(soft)
    name_at, factor_at = np.nonzero(names.exposures)
    equal = [
        (np.arange(m), np.arange(m), np.ones(m)),
        (lots.name[free], m + np.arange(n), np.ones(n)),
        (buyers, m + n + np.arange(b), -np.ones(b)),
        (m + factor_at, name_at, names.exposures[name_at, factor_at]),
        (m + np.arange(k), factor, -np.ones(k)),
    ]
    dense = np.zeros((len(rows.bound), columns))
    dense[:, m : m + n] = rows.sell[free].T
    dense[:, m + n : m + n + b] = rows.buy[buyers].T
    dense[soft, m + n + b + k + np.arange(len(soft))] = -1.0
    low, high = np.full(columns, -INF), np.full(columns, INF)
    low[m : m + n + b], high[m : m + n], high[m + n : m + n + b] = 0.0, lots.size[free], names.buy_max[buyers]
    low[m + n + b + k :] = 0.0
    return Programme(
        curve=np.concatenate([model.risk * names.specific_var, np.zeros(n + b), np.full(k, model.risk), np.zeros(len(soft))]),
        cost=np.concatenate([np.zeros(m), lots.sell_price[free], names.buy_price[buyers], np.zeros(k), rows.ceiling[soft]]),
        low=low,
        high=high,
        equal_row=np.concatenate([each[0] for each in equal]),
        equal_column=np.concatenate([each[1] for each in equal]),
        equal_value=np.concatenate([each[2] for each in equal]),
        level=np.concatenate([names.held - gone - names.target, np.zeros(k)]),
        rows_row=np.nonzero(dense)[0],
        rows_column=np.nonzero(dense)[1],
        rows_value=dense[np.nonzero(dense)],
        bound=rows.bound - rows.sell[forced].T @ lots.size[forced],
        constant=float(lots.size[forced] @ lots.sell_price[forced]),
    )


def _sparse(kind: str, programme: Programme) -> Any:
    from scipy import sparse  # noqa: PLC0415 (of the group that only benchmarks need)

    rows, columns, values = (getattr(programme, f"{kind}_{part}") for part in ("row", "column", "value"))
    height = len(programme.level if kind == "equal" else programme.bound)
    return sparse.csc_matrix((values, (rows, columns)), shape=(height, len(programme.cost)))


def _objective(programme: Programme, x: Any) -> float:
    found = np.asarray(x, dtype=np.float64)
    return float(0.5 * found @ (programme.curve * found) + programme.cost @ found) + programme.constant


def by_piqp(programme: Programme) -> tuple[str, float]:
    import piqp  # noqa: PLC0415
    from scipy import sparse  # noqa: PLC0415

    solver = piqp.SparseSolver()
    solver.settings.eps_abs = solver.settings.eps_rel = 1e-8
    curve = sparse.diags(programme.curve).tocsc()
    equal, rows = _sparse("equal", programme), _sparse("rows", programme)
    solver.setup(
        curve,
        programme.cost,
        equal,
        programme.level,
        rows,
        np.full(len(programme.bound), -INF),
        programme.bound,
        programme.low,
        programme.high,
    )
    status = solver.solve()
    return str(status).rpartition(".")[2], _objective(programme, solver.result.x)


def by_clarabel(programme: Programme) -> tuple[str, float]:
    import clarabel  # noqa: PLC0415
    from scipy import sparse  # noqa: PLC0415

    count = len(programme.cost)
    above, below = np.isfinite(programme.high), np.isfinite(programme.low)
    eye = sparse.identity(count, format="csr")
    matrix = sparse.vstack([_sparse("equal", programme), _sparse("rows", programme), eye[above], -eye[below]]).tocsc()
    right = np.concatenate([programme.level, programme.bound, programme.high[above], -programme.low[below]])
    cones = [clarabel.ZeroConeT(len(programme.level)), clarabel.NonnegativeConeT(len(right) - len(programme.level))]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    solver = clarabel.DefaultSolver(sparse.diags(programme.curve).tocsc(), programme.cost, matrix, right, cones, settings)
    answer = solver.solve()
    return str(answer.status), _objective(programme, answer.x)


def by_pdlp(programme: Programme) -> tuple[str, float]:
    from ortools.pdlp import solve_log_pb2, solvers_pb2  # noqa: PLC0415
    from ortools.pdlp.python import pdlp  # noqa: PLC0415
    from scipy import sparse  # noqa: PLC0415

    qp = pdlp.QuadraticProgram()
    qp.resize_and_initialize(len(programme.cost), len(programme.level) + len(programme.bound))
    qp.objective_vector = programme.cost
    qp.set_objective_matrix_diagonal(programme.curve)
    qp.constraint_matrix = sparse.vstack([_sparse("equal", programme), _sparse("rows", programme)]).tocsc()
    qp.constraint_lower_bounds = np.append(programme.level, np.full(len(programme.bound), -INF))
    qp.constraint_upper_bounds = np.append(programme.level, programme.bound)
    qp.variable_lower_bounds, qp.variable_upper_bounds = programme.low, programme.high
    parameters = solvers_pb2.PrimalDualHybridGradientParams(num_threads=1, verbosity_level=0, initial_primal_weight=1.0)
    criteria = parameters.termination_criteria
    criteria.iteration_limit = 100_000
    criteria.simple_optimality_criteria.eps_optimal_absolute = 1e-6
    criteria.simple_optimality_criteria.eps_optimal_relative = 1e-6
    result = pdlp.primal_dual_hybrid_gradient(qp, parameters)
    status = solve_log_pb2.TerminationReason.Name(result.solve_log.termination_reason).removeprefix("TERMINATION_REASON_")
    return status, _objective(programme, result.primal_solution)


SOLVERS: dict[str, Callable[[Programme], tuple[str, float]]] = {"pdlp": by_pdlp, "piqp": by_piqp, "clarabel": by_clarabel}


def solved_by(name: str, programme: Programme, repeat: int) -> Solved:
    """The answer of the solver of that name and its median time; cvxpy in a process of its own, since it imports highspy."""
    if name == "cvxpy":
        return _in_own_process(programme, repeat)
    SOLVERS[name](programme)  # its imports and first allocations don't count
    spent = []
    for _ in range(repeat):
        began = time.process_time()
        status, objective = SOLVERS[name](programme)
        spent.append(1e3 * (time.process_time() - began))
    return Solved(status, objective, round(statistics.median(spent), 2))


def _in_own_process(programme: Programme, repeat: int) -> Solved:
    sent = io.BytesIO()
    np.savez(sent, **{field.name: np.asarray(getattr(programme, field.name)) for field in fields(programme)}, repeat=np.asarray(repeat))
    command = [sys.executable, "-m", "benchmarks.optimizer_cvxpy"]
    done = subprocess.run(command, input=sent.getvalue(), stdout=subprocess.PIPE, check=True)
    return Solved(**json.loads(done.stdout))
