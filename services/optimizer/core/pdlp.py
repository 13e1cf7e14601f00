"""The convex programme of one branch by OR-Tools PDLP (direct API), in factor form.

Variables, all fractions of invested value but y:
    u [active names]  weight less target          s [tranches that may be sold]        p [names with s that may be bought]
    y [factors]       B'(w - target)              over [names above their maximum]     lack, spare   cash below, above its band
    minimise   lam (u'Du + y'y) + s'(tax + cost - reward) + p'cost + u'cost (names without s) + M (over + lack + spare)
    rows       u_i + sum s - p = held_i - target_i (names with s)     B'u - y = -B'(names that can't trade)
               cash in its band     net short, net long gain and tax within budgets     u_i - over_i <= weight_max_i - target_i
A name without s has its buy in u itself: u_i >= held_i - target_i.  M exceeds any gain that breaking a soft rule could bring; what
must be sold is rewarded with M instead of fixed, so that hard budgets never make the programme infeasible.

Rows and matrix are built once an account; a branch only moves bounds and rewards, and each solve starts from the last one's answer.
Single thread, no time limit, so that the answer is a function of the arguments and of the solves before.
Reference: Applegate et al., Practical Large-Scale Linear Programming using Primal-Dual Hybrid Gradient, NeurIPS 2021.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import ortools
from ortools.linear_solver import linear_solver_pb2
from ortools.pdlp import solve_log_pb2, solvers_pb2
from ortools.pdlp.python import pdlp

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.branch import Answer, Branch, Multipliers, Plan, SolveStatus, buyable, forced, sellable
from services.optimizer.core.evaluate import no_trade, risk_gradient
from services.optimizer.core.problem import Problem

SOLVER_VERSION = f"pdlp-1 ortools-{ortools.__version__}"
INF = float("inf")

_REASON = solve_log_pb2.TerminationReason
STATUS = {
    solve_log_pb2.TERMINATION_REASON_OPTIMAL: SolveStatus.OPTIMAL,
    solve_log_pb2.TERMINATION_REASON_ITERATION_LIMIT: SolveStatus.ITERATION_LIMIT,
    solve_log_pb2.TERMINATION_REASON_KKT_MATRIX_PASS_LIMIT: SolveStatus.ITERATION_LIMIT,
    solve_log_pb2.TERMINATION_REASON_TIME_LIMIT: SolveStatus.ITERATION_LIMIT,
    solve_log_pb2.TERMINATION_REASON_INTERRUPTED_BY_USER: SolveStatus.ITERATION_LIMIT,
    solve_log_pb2.TERMINATION_REASON_PRIMAL_INFEASIBLE: SolveStatus.INFEASIBLE,
    solve_log_pb2.TERMINATION_REASON_PRIMAL_OR_DUAL_INFEASIBLE: SolveStatus.INFEASIBLE,
    solve_log_pb2.TERMINATION_REASON_DUAL_INFEASIBLE: SolveStatus.UNBOUNDED,
    solve_log_pb2.TERMINATION_REASON_NUMERICAL_ERROR: SolveStatus.NUMERICAL_ERROR,
    solve_log_pb2.TERMINATION_REASON_INVALID_PROBLEM: SolveStatus.INVALID_PROBLEM,
    solve_log_pb2.TERMINATION_REASON_INVALID_INITIAL_SOLUTION: SolveStatus.INVALID_PROBLEM,
    solve_log_pb2.TERMINATION_REASON_INVALID_PARAMETER: SolveStatus.INVALID_PROBLEM,
    solve_log_pb2.TERMINATION_REASON_OTHER: SolveStatus.UNKNOWN,
    solve_log_pb2.TERMINATION_REASON_UNSPECIFIED: SolveStatus.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class _Row:
    """One linear row: `low` <= coefficients over columns <= `high`."""

    columns: Ints
    coefficients: Floats
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which columns are what.  `names`, `tranches`, `pairs`, `heavy` list the problem's own numbers; the rest are column offsets."""

    names: Ints
    tranches: Ints
    pairs: Ints
    heavy: Ints
    first_s: int
    first_p: int
    first_y: int
    first_over: int
    lack: int
    spare: int
    column_of_name: Ints
    single: Bools

    @property
    def columns(self) -> int:
        return self.spare + 1


def _layout(problem: Problem) -> _Layout:
    """Number the columns: only what can trade has one."""
    tranches = np.flatnonzero(problem.may_sell)
    with_s = np.zeros(len(problem.held), dtype=np.bool_)
    with_s[problem.name[tranches]] = True
    names = np.flatnonzero(problem.may_buy | with_s)
    pairs = np.flatnonzero(problem.may_buy & with_s)
    heavy = np.flatnonzero(with_s & (problem.held > problem.weight_max))
    column_of_name = np.full(len(problem.held), -1, dtype=np.intp)
    column_of_name[names] = np.arange(len(names))
    first_s = len(names)
    first_p = first_s + len(tranches)
    first_y = first_p + len(pairs)
    first_over = first_y + problem.exposures.shape[1]
    lack = first_over + len(heavy)
    single = (problem.may_buy & ~with_s)[names]
    return _Layout(names, tranches, pairs, heavy, first_s, first_p, first_y, first_over, lack, lack + 1, column_of_name, single)


def dominance(problem: Problem) -> float:
    """M: more than what breaking a soft rule by one unit could gain in tax, cost and risk together."""
    steepest = float(np.max(np.abs(risk_gradient(problem, problem.held - problem.target)), initial=0.0))
    dearest = float(np.max(np.abs(problem.tax_frac), initial=0.0)) + float(np.max(problem.cost_frac, initial=0.0))
    return 1.0 + 2.0 * (steepest + dearest)


class PdlpSolver:
    """One account's programme, built once; keeps `branch.BranchSolver`."""

    def __init__(self, problem: Problem, iteration_limit: int) -> None:
        self._problem = problem
        self._iteration_limit = iteration_limit
        self._layout = _layout(problem)
        self._penalty = dominance(problem)
        self._start: Any = None
        self._cost = _base_cost(problem, self._layout, self._penalty)
        rows = [*_link_rows(problem, self._layout), *_factor_rows(problem, self._layout), *_weight_rows(problem, self._layout)]
        coupling = [_cash_row(problem, self._layout), *_budget_rows(problem, self._layout)]
        self._first_coupling = len(rows)
        self._programme = _programme(self._layout.columns, [*rows, *coupling], _quadratic(problem, self._layout))

    def solve(self, branch: Branch, tolerance: float) -> Answer:
        """Validate, bound, solve, translate."""
        problem, layout = self._problem, self._layout
        if len(layout.names) == 0:
            return Answer(SolveStatus.OPTIMAL, no_trade(problem), Multipliers(), 0)
        low, high = _bounds(problem, layout, branch)
        cost = self._cost.copy()
        cost[layout.first_s : layout.first_p] -= self._penalty * forced(problem, branch)[layout.tranches]
        self._programme.variable_lower_bounds = low
        self._programme.variable_upper_bounds = high
        self._programme.objective_vector = cost
        result = pdlp.primal_dual_hybrid_gradient(self._programme, _parameters(tolerance, self._iteration_limit), self._start)
        status = STATUS.get(result.solve_log.termination_reason, SolveStatus.UNKNOWN)
        primal, dual = np.array(result.primal_solution), np.array(result.dual_solution)
        if status not in (SolveStatus.OPTIMAL, SolveStatus.ITERATION_LIMIT) or not (np.isfinite(primal).all() and np.isfinite(dual).all()):
            self._start = None
            return Answer(SolveStatus.NUMERICAL_ERROR if status is SolveStatus.OPTIMAL else status, no_trade(problem), Multipliers(), 0)
        self._start = pdlp.PrimalAndDualSolution()
        self._start.primal_solution, self._start.dual_solution = primal, dual
        plan = _plan(problem, layout, np.clip(primal, low, high))
        return Answer(status, plan, self._multipliers(dual), int(result.solve_log.iteration_count))

    def _multipliers(self, dual: Floats) -> Multipliers:
        """PDLP's dual of a row is positive where the lower bound holds it and negative where the upper one does."""
        cash, short, long, tax = (float(each) for each in dual[self._first_coupling :])
        return Multipliers(cash, max(-tax, 0.0), max(-short, 0.0), max(-long, 0.0))


def _bounds(problem: Problem, layout: _Layout, branch: Branch) -> tuple[Floats, Floats]:
    """Column bounds on a branch."""
    low, high = np.zeros(layout.columns), np.full(layout.columns, INF)
    names, may_buy = layout.names, buyable(problem, branch)
    active = (problem.held - problem.target)[names]
    top = np.maximum(problem.weight_max - problem.target, problem.held - problem.target)[names]
    bottom = (np.minimum(problem.weight_min, problem.held) - problem.target)[names]
    low[: layout.first_s] = np.where(layout.single, active, bottom)
    high[: layout.first_s] = np.where(layout.single & ~may_buy[names], active, top)
    high[layout.first_s : layout.first_p] = np.where(sellable(problem, branch), problem.size, 0.0)[layout.tranches]
    high[layout.first_p : layout.first_y] = np.where(may_buy[layout.pairs], INF, 0.0)
    low[layout.first_y : layout.first_over] = -INF
    return low, high


def _base_cost(problem: Problem, layout: _Layout, penalty: float) -> Floats:
    """The linear objective without a branch's rewards."""
    cost = np.zeros(layout.columns)
    cost[: layout.first_s] = np.where(layout.single, problem.cost_frac[layout.names], 0.0)
    cost[layout.first_s : layout.first_p] = (problem.tax_frac + problem.cost_frac[problem.name])[layout.tranches]
    cost[layout.first_p : layout.first_y] = problem.cost_frac[layout.pairs]
    cost[layout.first_over :] = penalty
    return cost


def _quadratic(problem: Problem, layout: _Layout) -> Floats:
    """The diagonal of the quadratic objective, without the half: column squared times this."""
    diagonal = np.zeros(layout.columns)
    diagonal[: layout.first_s] = problem.risk_aversion * problem.specific_var[layout.names]
    diagonal[layout.first_y : layout.first_over] = problem.risk_aversion
    return diagonal


def _link_rows(problem: Problem, layout: _Layout) -> list[_Row]:
    """u + sales - purchase = what is held less target, for names with tranches that may be sold."""
    sold: dict[int, list[int]] = {}
    for column, tranche in enumerate(layout.tranches, start=layout.first_s):
        sold.setdefault(int(problem.name[tranche]), []).append(column)
    bought = {int(name): column for column, name in enumerate(layout.pairs, start=layout.first_p)}
    rows = []
    for name, columns in sold.items():
        own = [int(layout.column_of_name[name]), *columns]
        signs = np.ones(len(own) + (name in bought))
        if name in bought:
            own.append(bought[name])
            signs[-1] = -1.0
        active = float(problem.held[name] - problem.target[name])
        rows.append(_Row(np.array(own), signs, active, active))
    return rows


def _factor_rows(problem: Problem, layout: _Layout) -> list[_Row]:
    """B'u - y = -B'(active weights of names that can't trade)."""
    still = np.ones(len(problem.held), dtype=np.bool_)
    still[layout.names] = False
    offset = problem.exposures[still].T @ (problem.held - problem.target)[still]
    rows = []
    for k in range(problem.exposures.shape[1]):
        columns = np.append(np.arange(layout.first_s), layout.first_y + k)
        rows.append(_Row(columns, np.append(problem.exposures[layout.names, k], -1.0), -float(offset[k]), -float(offset[k])))
    return rows


def _weight_rows(problem: Problem, layout: _Layout) -> list[_Row]:
    """u - over <= maximum less target, for names that begin above their maximum."""
    rows = []
    for column, name in enumerate(layout.heavy, start=layout.first_over):
        columns = np.array([int(layout.column_of_name[name]), column])
        rows.append(_Row(columns, np.array([1.0, -1.0]), -INF, float(problem.weight_max[name] - problem.target[name])))
    return rows


def _cash_row(problem: Problem, layout: _Layout) -> _Row:
    """Cash after trades and costs, less what is spare and plus what is lacking, lies in its band."""
    coefficients = np.zeros(layout.columns)
    spend = 1 + problem.cost_frac
    names = layout.names[layout.single]
    coefficients[: layout.first_s][layout.single] = -spend[names]
    coefficients[layout.first_s : layout.first_p] = 1 - problem.cost_frac[problem.name[layout.tranches]]
    coefficients[layout.first_p : layout.first_y] = -spend[layout.pairs]
    coefficients[layout.lack], coefficients[layout.spare] = 1.0, -1.0
    constant = problem.cash + float(spend[names] @ (problem.held - problem.target)[names])
    columns = np.flatnonzero(coefficients)
    return _Row(columns, coefficients[columns], problem.cash_min - constant, problem.cash_max - constant)


def _budget_rows(problem: Problem, layout: _Layout) -> list[_Row]:
    """Net short gain, net long gain and net tax of the sales, each at most what its budget leaves; always three rows."""
    columns = np.arange(layout.first_s, layout.first_p)
    gain = problem.gain_frac[layout.tranches]
    weights = (problem.is_short[layout.tranches] * gain, problem.is_long[layout.tranches] * gain, problem.tax_frac[layout.tranches])
    rooms = (problem.short_room, problem.long_room, problem.tax_room)
    return [_Row(columns[w != 0], w[w != 0], -INF, room) for w, room in zip(weights, rooms, strict=True)]


def _programme(columns: int, rows: list[_Row], diagonal: Floats) -> Any:
    """PDLP's programme with these rows.  Bounds and costs of columns are set at every solve."""
    model = linear_solver_pb2.MPModelProto()
    column = linear_solver_pb2.MPVariableProto(lower_bound=0.0, upper_bound=INF)
    model.variable.extend([column] * columns)
    for row in rows:
        model.constraint.add(
            var_index=row.columns.tolist(), coefficient=row.coefficients.tolist(), lower_bound=row.low, upper_bound=row.high
        )
    curved = np.flatnonzero(diagonal)
    model.quadratic_objective.qvar1_index.extend(curved.tolist())
    model.quadratic_objective.qvar2_index.extend(curved.tolist())
    model.quadratic_objective.coefficient.extend(diagonal[curved].tolist())
    return pdlp.qp_from_mpmodel_proto(model, relax_integer_variables=True)


def _parameters(tolerance: float, iteration_limit: int) -> Any:
    """Relative and absolute tolerance alike; the primal weight starts at one, which halves the iterations of these programmes."""
    parameters = solvers_pb2.PrimalDualHybridGradientParams()
    parameters.num_threads = 1
    parameters.verbosity_level = 0
    parameters.initial_primal_weight = 1.0
    criteria = parameters.termination_criteria
    criteria.iteration_limit = iteration_limit
    criteria.simple_optimality_criteria.eps_optimal_absolute = tolerance
    criteria.simple_optimality_criteria.eps_optimal_relative = tolerance
    return parameters


def _plan(problem: Problem, layout: _Layout, columns: Floats) -> Plan:
    """The trades; where a name is both sold and bought (without tax or cost nothing forbids it) only the net is kept."""
    sold, bought = np.zeros(len(problem.size)), np.zeros(len(problem.held))
    sold[layout.tranches] = columns[layout.first_s : layout.first_p]
    bought[layout.pairs] = columns[layout.first_p : layout.first_y]
    names = layout.names[layout.single]
    bought[names] = (columns[: layout.first_s][layout.single] - (problem.held - problem.target)[names]).clip(min=0.0)
    by_name = np.bincount(problem.name, sold, len(bought))
    both = np.minimum(by_name, bought)
    share = np.divide(both, by_name, out=np.zeros_like(both), where=by_name > 0)
    return Plan(sold * (1 - share[problem.name]), bought - both)
