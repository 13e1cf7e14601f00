"""A solve starts where the account's last decision ended: a pinned input, by name, that leaves the plan as good as it is."""

from dataclasses import replace

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import structs

from libs.common.schemas.proposal import ProposalCreated
from services.optimizer.core.branch import SolveStatus
from services.optimizer.core.chain import CERTIFIED_GAP, Solution, solve_chain
from services.optimizer.core.dual_programme import dual_programme
from services.optimizer.core.policy import DEFAULT_POLICY
from services.optimizer.core.problem import Problem
from services.optimizer.core.programme import dominance
from services.optimizer.core.propose import propose
from services.optimizer.core.warm import LastDecision, said_of, started
from services.optimizer.pool import Decision, encode_decision
from tests.unit.optimizer.instances import load, world_of
from tests.unit.optimizer.samples import World, random_world
from tests.unit.optimizer.test_solver import problem_of

ROUNDING = 1e-9  # of invested value


def decided(made: World, last: LastDecision | None) -> Decision:
    return propose(made.account, made.screen, made.ledger, made.market, made.run, made.earlier, last)


def last_of(decision: Decision) -> LastDecision:
    return LastDecision(decision.proposal_id, decision.multipliers)


@given(st.integers(0, 400))
def test_a_start_is_pinned_and_the_same_start_gives_the_same_bytes(seed: int) -> None:
    made = random_world(seed)
    cold = decided(made, None)
    assert cold.pins is not None and cold.pins.start is None
    last = last_of(cold)
    warm = decided(made, last)
    assert warm.pins is not None and warm.pins.start == (cold.proposal_id if cold.multipliers else None)
    assert (warm.proposal_id == cold.proposal_id) == (not cold.multipliers)
    assert encode_decision(decided(made, last)) == encode_decision(warm)


@given(st.integers(0, 400))
def test_a_start_without_multipliers_is_none_and_names_that_are_gone_change_nothing(seed: int) -> None:
    made = random_world(seed)
    cold = decided(made, None)
    assert encode_decision(decided(made, LastDecision("earlier"))) == encode_decision(cold)
    gone = decided(made, LastDecision("earlier", {"factor:gone": 0.5}))
    assert structs.replace(gone, proposal_id=cold.proposal_id, pins=cold.pins) == cold


def test_an_account_that_starts_where_it_ended_takes_fewer_steps_to_a_plan_as_good() -> None:
    made = world_of(load("500_1"))
    cold = decided(made, None)
    warm = decided(made, last_of(cold))
    assert isinstance(cold, ProposalCreated) and isinstance(warm, ProposalCreated)
    assert cold.certificate is not None and warm.certificate is not None
    assert warm.certificate.newton_steps < cold.certificate.newton_steps
    assert abs(warm.certificate.objective_bps - cold.certificate.objective_bps) <= 1
    assert warm.solve_status == "certified"


@given(st.integers(0, 400), st.integers(0, 400))
def test_from_any_start_bounds_hold_for_all_plans(seed: int, other: int) -> None:
    problem, elsewhere = problem_of(seed), problem_of(other)
    assume(problem is not None and elsewhere is not None)
    assert problem is not None and elsewhere is not None
    cold, strange = solved(problem), solved(elsewhere)
    assume(isinstance(cold, Solution) and isinstance(strange, Solution))
    assert isinstance(cold, Solution) and isinstance(strange, Solution)
    for start in (strange.multipliers, dict.fromkeys(cold.multipliers, -5.0)):
        warm = solved(replace(problem, start=start))
        assert isinstance(warm, Solution)
        assert warm.gap <= max(CERTIFIED_GAP, cold.gap) + ROUNDING
        assert warm.objective >= cold.lower_bound - ROUNDING and cold.objective >= warm.lower_bound - ROUNDING


def solved(problem: Problem) -> Solution | SolveStatus:
    return solve_chain(problem, dominance(problem), np.zeros(len(problem.held)), DEFAULT_POLICY)


def test_multipliers_come_back_by_name() -> None:
    problem = problem_of(5)
    assert problem is not None
    programme = dual_programme(problem, np.zeros(len(problem.held), dtype=np.bool_), dominance(problem), np.zeros(len(problem.held)))
    count = programme.model.factors + len(programme.weight_names) + len(programme.row_names) + int(programme.model.capped)
    given_multipliers = np.linspace(0.0, 1.0, count)
    said = said_of(programme, problem, given_multipliers)
    assert len(said) == count - 1
    again = started(programme, problem, said)
    assert again is not None and np.allclose(again, given_multipliers, rtol=1e-5)
    assert started(programme, problem, {}) is None
