"""PDLP on one branch against the conditions of optimality, and the search for sides against exhaustive enumeration."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ortools.pdlp import solve_log_pb2

from services.optimizer.core.branch import Branch, SolveStatus, buyable, forced, sellable
from services.optimizer.core.build import build_problem
from services.optimizer.core.decline import Decline
from services.optimizer.core.evaluate import active_weights, cash_after, risk_gradient, violation, way_out_missed
from services.optimizer.core.exclusivity import SOLD_WHOLE, Chosen, branch_score, choose_sides, sale_price, sides_of
from services.optimizer.core.inputs import join
from services.optimizer.core.market import prepare
from services.optimizer.core.pdlp import STATUS, PdlpSolver
from services.optimizer.core.policy import DEFAULT_POLICY
from services.optimizer.core.problem import Problem
from services.optimizer.core.programme import dominance
from tests.unit.optimizer.samples import random_world

SMALL = 1e-6  # weight: below it a lot counts as untouched
STEEP = 2e-4  # objective per weight: two basis points for each per cent of the account


def problem_of(seed: int) -> Problem | None:
    given_world = random_world(seed)
    snapshot = prepare(given_world.market)
    assert not isinstance(snapshot, Decline)
    case = join(given_world.account, given_world.screen, given_world.ledger, snapshot, given_world.run, given_world.earlier, DEFAULT_POLICY)
    return None if isinstance(case, Decline) else build_problem(case)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_a_branch_is_solved_to_its_conditions_of_optimality(seed: int) -> None:
    problem = problem_of(seed)
    if problem is None:
        return
    branch = Branch(sides_of(problem).harvest_only, np.zeros(len(problem.held), dtype=np.bool_))
    answer = PdlpSolver(problem, 50_000).solve(branch, 1e-8)
    assert answer.status is SolveStatus.OPTIMAL
    plan, prices = answer.plan, answer.multipliers
    assert violation(problem, branch, plan) < 1e-6
    if prices.cash < -1:
        return  # spare cash so dear that buying and selling one name to burn it would pay: only the net of that is kept
    gradient = risk_gradient(problem, active_weights(problem, plan))
    free = problem.held <= problem.weight_max
    sold = sellable(problem, branch) & ~forced(problem, branch) & free[problem.name] & (problem.weight_min[problem.name] == 0)
    slope = sale_price(problem, prices) - gradient[problem.name]
    assert np.all(slope[sold & (plan.sold < problem.size - SMALL)] > -STEEP)
    assert np.all(slope[sold & (plan.sold > SMALL)] < STEEP)
    slope = problem.cost_frac + prices.cash * (1 + problem.cost_frac) + gradient
    weight = active_weights(problem, plan) + problem.target
    assert np.all(slope[buyable(problem, branch) & (weight < problem.weight_max - SMALL)] > -STEEP)
    assert np.all(slope[plan.bought > SMALL] < STEEP)
    if abs(prices.cash) > STEEP and problem.cash_min <= cash_after(problem, plan) <= problem.cash_max:
        assert min(cash_after(problem, plan) - problem.cash_min, problem.cash_max - cash_after(problem, plan)) < 1e-5


def test_the_chosen_sides_are_near_the_best_of_all() -> None:
    gaps = []
    for seed in range(60):
        problem = problem_of(seed)
        contested = [] if problem is None else np.flatnonzero(sides_of(problem).contested).tolist()
        if problem is not None and 1 <= len(contested) <= 5:
            gaps.append(_gap_bps(problem, contested))
    assert len(gaps) > 20
    assert np.quantile(gaps, 0.9) < 1.0
    assert max(gaps) < 10.0


def _gap_bps(problem: Problem, contested: list[int]) -> float:
    """How far the chosen sides are from the best branch of all, in basis points."""
    penalty, solver = dominance(problem), PdlpSolver(problem, 20_000)
    chosen = branch_score(problem, choose_sides(problem, solver, DEFAULT_POLICY, penalty), penalty)
    best, hold = chosen, np.zeros(len(problem.held), dtype=np.bool_)
    for sides in product((False, True), repeat=len(contested)):
        harvest = sides_of(problem).harvest_only.copy()
        harvest[contested] = sides
        found = Chosen(Branch(harvest, hold), solver.solve(Branch(harvest, hold), 1e-6))
        if not way_out_missed(problem, found.branch, found.answer.plan, SOLD_WHOLE).any():
            best = min(best, branch_score(problem, found, penalty))
    return 1e4 * (chosen - best)


def test_a_solve_is_the_same_whenever_it_is_repeated() -> None:
    problem = problem_of(5)
    assert problem is not None
    branch = Branch(sides_of(problem).harvest_only, np.zeros(len(problem.held), dtype=np.bool_))
    first, second = (PdlpSolver(problem, 20_000).solve(branch, 1e-6) for _ in range(2))
    assert first.plan.sold.tobytes() == second.plan.sold.tobytes()
    assert first.plan.bought.tobytes() == second.plan.bought.tobytes()


@pytest.mark.parametrize("reason", solve_log_pb2.TerminationReason.values())
def test_every_status_of_pdlp_is_translated(reason: int) -> None:
    assert isinstance(STATUS[reason], SolveStatus)


def test_too_few_iterations_are_said() -> None:
    problem = problem_of(5)
    assert problem is not None
    branch = Branch(sides_of(problem).harvest_only, np.zeros(len(problem.held), dtype=np.bool_))
    assert PdlpSolver(problem, 3).solve(branch, 1e-9).status is SolveStatus.ITERATION_LIMIT


def test_the_arrays_of_a_problem_are_read_only() -> None:
    problem = problem_of(5)
    assert problem is not None
    with pytest.raises(ValueError, match="read-only"):
        problem.held[0] = 1.0
