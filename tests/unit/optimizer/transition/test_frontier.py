"""The frontier: in order, proved, at least twenty points; more budget never leaves more tracking error."""

import itertools
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.transition_cases import KINDS, transition_case
from services.optimizer.core.dual.tax_law import Budgets
from services.optimizer.core.transition.book import opening
from services.optimizer.core.transition.frontier import POINTS, Frontier, trace
from services.optimizer.core.transition.one_period import Goal, all_the_way, book_problem, solve_year
from services.optimizer.core.transition.result import FrontierPoint
from tests.unit.optimizer.transition.odd_cases import odd_case

NEAR_TE = 2e-5  # what a certified gap of half a basis point leaves at the aversion used below


def traced(kind: str, names: int = 60, seed: int = 1) -> Frontier:
    case = transition_case(kind, names, 4 * names, seed, 2_000_000)
    problem = book_problem(case, opening(case), 1)
    return trace(case, problem, all_the_way(case, problem))


def in_order(points: list[FrontierPoint]) -> bool:
    """Tax never falls and tracking error never rises from one point to the next."""
    pairs = list(itertools.pairwise(points))
    taxes = all(one.tax_usd <= two.tax_usd and one.tax_after_carry_usd <= two.tax_after_carry_usd for one, two in pairs)
    return taxes and all(one.te_frac >= two.te_frac for one, two in pairs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_frontier_has_twenty_points_in_order_each_proved(kind: str, seed: int) -> None:
    found = traced(kind, seed=seed)
    assert len(found.points) >= POINTS
    assert in_order(found.points)
    assert max(point.gap_bps for point in found.points) <= 0.5
    assert all(0.0 <= point.gap_te_frac <= point.te_frac for point in found.points)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100_000))
def test_odd_accounts_have_a_frontier_in_order(seed: int) -> None:
    case = odd_case(seed)
    problem = book_problem(case, opening(case), 1)
    found = trace(case, problem, all_the_way(case, problem))
    assert len(found.points) >= POINTS
    assert in_order(found.points)


def test_the_knee_lies_below_the_line_between_the_ends() -> None:
    found = traced("concentrated")
    assert found.knee is not None
    first, knee, last = found.points[0], found.points[found.knee], found.points[-1]
    part = float((knee.tax_after_carry_usd - first.tax_after_carry_usd) / (last.tax_after_carry_usd - first.tax_after_carry_usd))
    assert knee.te_frac < first.te_frac + part * (last.te_frac - first.te_frac)


def test_cash_alone_has_nothing_to_trade_off() -> None:
    found = traced("cash")
    assert found.knee is None
    assert {point.tax_usd for point in found.points} == {Decimal(0)}
    assert len({point.te_frac for point in found.points}) == 1


def test_no_point_beats_the_bound_that_others_prove() -> None:
    """The certified least tracking error at a point's cost is not above what any other plan of that cost reaches."""
    found = traced("legacy")
    for one, said in zip(found.traced, found.points, strict=True):
        reached = [each.te for each in found.traced if each.cost <= one.cost]
        assert one.te - said.gap_te_frac <= min(reached) + 1e-9


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 1000), st.sampled_from(["legacy", "concentrated", "seasoned"]))
def test_tracking_error_never_rises_as_the_budget_grows(seed: int, kind: str) -> None:
    case = transition_case(kind, 40, 160, seed, 2_000_000)
    case = replace(case, restrictions=())
    problem = book_problem(case, opening(case), 1)
    start, found = None, []
    for budget in (0, 1000, 5000, 20_000, 80_000, 320_000):
        solved = solve_year(case, problem, Goal(1000.0, budgets=Budgets(tax=Decimal(budget))), start=start)
        assert solved.tax * problem.invested_usd <= budget + 0.5
        start = solved.start
        found.append(solved.te)
    assert all(np.diff(found) <= NEAR_TE)
