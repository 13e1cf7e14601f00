"""OR-Tools PDLP (direct API) on the programme of one branch: validate, bound, solve, translate every status.

Rows and matrix are built once an account; a branch only moves bounds and rewards, and each solve starts from the last one's answer.
Single thread, no time limit, so that the answer is a function of the arguments and of the solves before.
Reference: Applegate et al., Practical Large-Scale Linear Programming using Primal-Dual Hybrid Gradient, NeurIPS 2021.
"""

from typing import Any

import numpy as np
from ortools.linear_solver import linear_solver_pb2
from ortools.pdlp import solve_log_pb2, solvers_pb2
from ortools.pdlp.python import pdlp

from services.optimizer.core.arrays import Bools, Floats
from services.optimizer.core.branch import Answer, Branch, Multipliers, SolveStatus, forced
from services.optimizer.core.evaluate import no_trade
from services.optimizer.core.problem import Problem
from services.optimizer.core.programme import (
    INF,
    Row,
    base_cost,
    bounds,
    coupling_rows,
    dominance,
    layout_of,
    plan_of,
    quadratic,
    separable_rows,
)

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


class PdlpSolver:
    """One account's programme, built once; keeps `branch.BranchSolver`."""

    def __init__(self, problem: Problem, iteration_limit: int, hold: Bools | None = None) -> None:
        self._problem = problem
        self._iteration_limit = iteration_limit
        self._layout = layout_of(problem, np.zeros(len(problem.held), dtype=np.bool_) if hold is None else hold)
        self._penalty = dominance(problem)
        self._start: Any = None
        self._cost = base_cost(problem, self._layout, self._penalty)
        separable, coupling = separable_rows(problem, self._layout), coupling_rows(problem, self._layout)
        self._first_coupling = len(separable)
        self._programme = _programme(self._layout.columns, [*separable, *coupling], quadratic(problem, self._layout))

    def solve(self, branch: Branch, tolerance: float) -> Answer:
        """Validate, bound, solve, translate."""
        problem, layout = self._problem, self._layout
        if len(layout.names) == 0:
            return Answer(SolveStatus.OPTIMAL, no_trade(problem), Multipliers(), 0)
        low, high = bounds(problem, layout, branch)
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
        plan = plan_of(problem, layout, np.clip(primal, low, high))
        return Answer(status, plan, self._multipliers(dual), int(result.solve_log.iteration_count))

    def narrowed(self, hold: Bools) -> "PdlpSolver":
        """A new programme without the names that stay as they are."""
        return PdlpSolver(self._problem, self._iteration_limit, hold)

    def _multipliers(self, dual: Floats) -> Multipliers:
        """PDLP's dual of a row is positive where the lower bound holds it and negative where the upper one does."""
        cash, short, long, tax = (float(each) for each in dual[self._first_coupling :])
        return Multipliers(cash, max(-tax, 0.0), max(-short, 0.0), max(-long, 0.0))


def _programme(columns: int, rows: list[Row], diagonal: Floats) -> Any:
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
