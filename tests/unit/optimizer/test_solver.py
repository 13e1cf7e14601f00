"""PDLP on one branch against the conditions of optimality, the dual against PDLP, and the chain against every choice of sides."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ortools.pdlp import solve_log_pb2

from services.optimizer.core import chain
from services.optimizer.core.arrays import Bools, Floats
from services.optimizer.core.branch import Branch, Multipliers, SolveStatus, buyable, forced, sellable
from services.optimizer.core.build import build_problem
from services.optimizer.core.chain import FIRST, HARDER, Method, Solution, SolveState, solve_chain
from services.optimizer.core.decline import Decline
from services.optimizer.core.dual.model import Model
from services.optimizer.core.dual.solve import Certified, Effort, solve
from services.optimizer.core.dual_programme import dual_programme
from services.optimizer.core.evaluate import active_weights, cash_after, priced, risk_gradient, violation, way_out_missed
from services.optimizer.core.inputs import join
from services.optimizer.core.market import prepare
from services.optimizer.core.pdlp import STATUS, PdlpSolver
from services.optimizer.core.policy import DEFAULT_POLICY
from services.optimizer.core.problem import Problem
from services.optimizer.core.programme import dominance
from services.optimizer.core.sides import SOLD_WHOLE, better_sides, sale_price
from tests.unit.optimizer.samples import random_world

SMALL = 1e-6  # weight: below it a lot counts as untouched
STEEP = 2e-4  # objective per weight: two basis points for each per cent of the account


def problem_of(seed: int) -> Problem | None:
    given_world = random_world(seed)
    snapshot = prepare(given_world.market)
    assert not isinstance(snapshot, Decline)
    case = join(given_world.account, given_world.screen, given_world.ledger, snapshot, given_world.run, given_world.earlier, DEFAULT_POLICY)
    return None if isinstance(case, Decline) else build_problem(case)


def lossy_sides(problem: Problem) -> Bools:
    """Groups that sell losses for want of anything to give up."""
    sides: Bools = ~np.isin(np.arange(problem.group.max() + 1), contested_groups(problem))
    return sides


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_a_branch_is_solved_to_its_conditions_of_optimality(seed: int) -> None:
    problem = problem_of(seed)
    if problem is None:
        return
    branch = Branch(lossy_sides(problem), np.zeros(len(problem.held), dtype=np.bool_))
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


def test_the_chain_is_as_good_as_the_best_sides_of_all_and_its_bound_below_every_one() -> None:
    compared = 0
    for seed in range(60):
        problem = problem_of(seed)
        contested = [] if problem is None else contested_groups(problem)
        if problem is not None and 1 <= len(contested) <= 4:
            compared += 1
            penalty = dominance(problem)
            solution = solve_chain(problem, penalty, none(problem), DEFAULT_POLICY)
            assert isinstance(solution, Solution)
            assert solution.state is SolveState.CERTIFIED
            assert violation(problem, solution.chosen.branch, solution.chosen.answer.plan) < 1e-7
            assert solution.objective == priced(problem, solution.chosen.answer.plan, penalty)
            best = best_of_all_sides(problem, contested, penalty)
            assert solution.objective < best + 1e-6
            assert solution.lower_bound < best + 1e-6
            assert solution.gap <= 5e-5
    assert compared > 20


def none(problem: Problem) -> Floats:
    """No smallest trade."""
    return np.zeros(len(problem.held))


def contested_groups(problem: Problem) -> list[int]:
    lossy = np.bincount(problem.group[problem.name], problem.may_sell & problem.loss, problem.group.max() + 1) > 0
    bought = np.bincount(problem.group, problem.may_buy, problem.group.max() + 1) > 0
    return np.flatnonzero(lossy & bought).tolist()


def best_of_all_sides(problem: Problem, contested: list[int], penalty: float) -> float:
    """The least objective over every choice of sides, by PDLP."""
    hold, solver, best = np.zeros(len(problem.held), dtype=np.bool_), PdlpSolver(problem, 50_000), float("inf")
    for sides in product((False, True), repeat=len(contested)):
        harvest = np.ones(problem.group.max() + 1, dtype=np.bool_)
        harvest[problem.group[problem.may_buy]] = False
        harvest[contested] = sides
        branch = Branch(harvest, hold)
        plan = solver.solve(branch, 1e-8).plan
        if not way_out_missed(problem, branch, plan, SOLD_WHOLE).any() and violation(problem, branch, plan) < 1e-7:
            best = min(best, priced(problem, plan, penalty))
    return best


@pytest.mark.parametrize("seed", [1052, 1079, 1384])
def test_what_must_be_sold_leaves_although_its_group_could_be_bought(seed: int) -> None:
    problem = problem_of(seed)
    assert problem is not None
    must = problem.may_sell & problem.must_sell
    assert (must & problem.loss & (np.bincount(problem.group)[problem.group] > 1)[problem.name]).any()
    solution = solve_chain(problem, dominance(problem), none(problem), DEFAULT_POLICY)
    assert isinstance(solution, Solution)
    assert solution.state is SolveState.CERTIFIED
    assert solution.chosen.answer.plan.sold[must] == pytest.approx(problem.size[must], abs=1e-12)


def test_the_dual_and_pdlp_agree_on_a_branch() -> None:
    for seed in range(20):
        problem = problem_of(seed)
        if problem is None:
            continue
        penalty = dominance(problem)
        branch = Branch(better_sides(problem, np.zeros(len(problem.held)), Multipliers()), np.zeros(len(problem.held), dtype=np.bool_))
        programme = dual_programme(problem, branch.hold, penalty, none(problem), branch.harvest)
        trades = solve(programme.model).trades
        assert trades is not None
        plan = programme.plan(problem, trades)
        reference = PdlpSolver(problem, 50_000).solve(branch, 1e-8)
        assert violation(problem, branch, plan) < 1e-8
        assert priced(problem, plan, penalty) < priced(problem, reference.plan, penalty) + 1e-6


def test_without_a_dual_plan_pdlp_answers_and_the_state_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problem_of(5)
    assert problem is not None

    def no_plan(*arguments: object) -> Certified:
        return replace(solve(*arguments), trades=None)  # type: ignore[arg-type]

    monkeypatch.setattr(chain, "solve", no_plan)
    solution = solve_chain(problem, dominance(problem), none(problem), DEFAULT_POLICY)
    assert isinstance(solution, Solution)
    assert (solution.state, solution.method) == (SolveState.FALLBACK, Method.PDLP)
    assert solution.lower_bound <= solution.objective
    assert violation(problem, solution.chosen.branch, solution.chosen.answer.plan) < 1e-5


def test_a_gap_that_stays_wide_is_tried_harder_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problem_of(5)
    assert problem is not None
    efforts: list[Effort] = []

    def loose(model: Model, effort: Effort, start: Floats | None) -> Certified:
        efforts.append(effort)
        solved = solve(model, effort, start)
        return replace(solved, lower_bound=solved.lower_bound - 1e-3)

    monkeypatch.setattr(chain, "solve", loose)
    solution = solve_chain(problem, dominance(problem), none(problem), DEFAULT_POLICY)
    assert isinstance(solution, Solution)
    assert solution.state is SolveState.GAP_TOO_WIDE
    assert set(efforts) == {FIRST, HARDER}


def test_a_solve_is_the_same_whenever_it_is_repeated() -> None:
    problem = problem_of(5)
    assert problem is not None
    branch = Branch(lossy_sides(problem), np.zeros(len(problem.held), dtype=np.bool_))
    first, second = (PdlpSolver(problem, 20_000).solve(branch, 1e-6) for _ in range(2))
    assert first.plan.sold.tobytes() == second.plan.sold.tobytes()
    assert first.plan.bought.tobytes() == second.plan.bought.tobytes()


@pytest.mark.parametrize("reason", solve_log_pb2.TerminationReason.values())
def test_every_status_of_pdlp_is_translated(reason: int) -> None:
    assert isinstance(STATUS[reason], SolveStatus)


def test_too_few_iterations_are_said() -> None:
    problem = problem_of(5)
    assert problem is not None
    branch = Branch(lossy_sides(problem), np.zeros(len(problem.held), dtype=np.bool_))
    assert PdlpSolver(problem, 3).solve(branch, 1e-9).status is SolveStatus.ITERATION_LIMIT


def test_the_arrays_of_a_problem_are_read_only() -> None:
    problem = problem_of(5)
    assert problem is not None
    with pytest.raises(ValueError, match="read-only"):
        problem.held[0] = 1.0
