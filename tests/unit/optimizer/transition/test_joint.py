"""The joint problem over years: its bound is below every plan, its plans keep the rules, and losses can't be gamed."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from services.optimizer.core.dual.tax_law import Budgets, Nets
from services.optimizer.core.transition.analysis import analyse
from services.optimizer.core.transition.book import opening
from services.optimizer.core.transition.case import TransitionCase, WindDown
from services.optimizer.core.transition.joint import JointAnswer, judge
from services.optimizer.core.transition.joint_solve import lower_bound, solve_quadratic, value, worst
from services.optimizer.core.transition.joint_update import joint_update
from services.optimizer.core.transition.one_period import book_problem
from services.optimizer.core.transition.quadratic import Quadratic
from services.optimizer.core.transition.value import plan_value
from services.optimizer.core.transition.years import Rules, YearsPlan, most_held, plan_years
from tests.unit.optimizer.transition.cases import small_case

SEEDS = st.integers(0, 10_000)
GAINS = st.sampled_from([-0.2, 0.0, 0.35])
ROUNDED = 1.0  # bp: whole shares of a small account, and costs that move its value


def judged(case: TransitionCase, rules: Rules) -> tuple[YearsPlan, JointAnswer]:
    most = most_held(case, book_problem(case, opening(case), 1))
    plan = plan_years(case, rules, most)
    return plan, judge(case, rules, plan, most)


@settings(max_examples=12, deadline=None)
@given(SEEDS, GAINS, st.sampled_from([2, 3]), st.booleans(), st.integers(-60_000, 20_000))
def test_the_bound_is_below_the_plan_and_the_answer_no_dearer(seed: int, gain: float, years: int, deadline: bool, long: int) -> None:
    case = small_case(seed, gain=gain)
    case = replace(case, tax=replace(case.tax, year=Nets(Decimal(0), Decimal(long))))
    plan, answer = judged(case, Rules(years, deadline))
    assert answer.lower_bound_bps <= answer.objective_bps <= plan_value(case, plan) + 1e-9
    assert answer.objective_bps == pytest.approx(plan_value(case, answer.plan))
    assert answer.lower_bound_bps > -1e6  # a bound was found
    assert all(year.book.cash_usd >= min(0, case.cash_usd) for year in answer.plan.carried)


@settings(max_examples=8, deadline=None)
@given(SEEDS, st.sampled_from([1, 2]), st.integers(5_000, 60_000))
def test_more_years_are_never_worse(seed: int, years: int, budget: int) -> None:
    """A plan of fewer years is one of more years that does nothing in the last: the longer bound is below its cost."""
    case, budgets = small_case(seed), (Budgets(tax=Decimal(budget)),)
    shorter = plan_years(case, Rules(years, budgets=budgets))
    _, longer = judged(case, Rules(years + 1, budgets=budgets))
    assert longer.lower_bound_bps <= plan_value(case, shorter) + ROUNDED


@settings(max_examples=8, deadline=None)
@given(SEEDS, st.floats(0.0, 1.0))
def test_the_bound_is_below_plans_of_other_rules_of_thumb(seed: int, ratio: float) -> None:
    """Any way to carry out years under the same rules costs at least the bound: here with risk counted for less, or for more."""
    case, rules = small_case(seed), Rules(3)
    _, answer = judged(case, rules)
    other = replace(case, outlook=replace(case.outlook, risk_aversion=case.outlook.risk_aversion * (0.2 + 4 * ratio)))
    assert answer.lower_bound_bps <= plan_value(case, plan_years(other, rules)) + ROUNDED


@settings(max_examples=8, deadline=None)
@given(SEEDS, st.integers(5_000, 60_000))
def test_losses_are_not_gamed_where_budgets_are_unequal(seed: int, budget: int) -> None:
    """Tax may be paid in the first year alone: paying it there while losses are kept for the second is not what netting does."""
    case = small_case(seed, gain=0.1)
    rules = Rules(2, budgets=(Budgets(tax=Decimal(budget)), Budgets(tax=Decimal(0))))
    _, answer = judged(case, rules)
    first, second = answer.plan.carried
    assert first.tax.with_plan.tax <= budget
    assert second.tax.with_plan.tax <= 0
    assert answer.lower_bound_bps <= answer.objective_bps


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_any_multipliers_bound_any_point(seed: int) -> None:
    """Nothing of the solver's own is needed: random multipliers bound random points that keep the rules."""
    draw = np.random.default_rng(seed)
    n, equal, atmost = 6, 2, 3
    x = draw.uniform(0.0, 1.0, n)
    a, g = draw.normal(size=(equal, n)), draw.normal(size=(atmost, n))
    curve = np.where(draw.random(n) < 0.5, draw.uniform(0.0, 2.0, n), 0.0)
    problem = Quadratic(
        p=sp.diags(curve, format="csc"),
        c=draw.normal(size=n),
        constant=float(draw.normal()),
        a=sp.csc_matrix(a),
        b=a @ x,
        g=sp.csc_matrix(g),
        h=g @ x + draw.uniform(0.0, 1.0, atmost),
        low=np.zeros(n),
        high=np.ones(n),
    )
    assert worst(problem, x) < 1e-12
    assert lower_bound(problem, draw.normal(size=equal), draw.uniform(0.0, 2.0, atmost)) <= value(problem, x) + 1e-9
    solved = solve_quadratic(problem)
    assert solved.kept
    assert solved.bound <= value(problem, x) + 1e-6
    assert solved.value == pytest.approx(solved.bound, abs=1e-2)


def test_multipliers_that_are_no_numbers_bound_nothing() -> None:
    nothing = sp.csc_matrix((0, 1))
    problem = Quadratic(
        sp.csc_matrix((1, 1)), np.ones(1), 0.0, sp.csc_matrix(np.ones((1, 1))), np.zeros(1), nothing, np.zeros(0), np.zeros(1), np.ones(1)
    )
    assert lower_bound(problem, np.array([np.nan]), np.zeros(0)) == -np.inf


def test_the_update_proves_every_plan_over_years_and_nothing_else() -> None:
    case = small_case(4)
    case = replace(case, tax=replace(case.tax, tax_budget_usd=Decimal(20_000)), wishes=replace(case.wishes, timelines=(2,), budget_years=2))
    before = analyse(case)
    after = joint_update(case, before)
    assert before.joint == "pending"
    assert after.joint == "done"
    for old, new in zip(before.approaches, after.approaches, strict=True):
        if len(old.years) < 2:
            assert new == old
            continue
        proof = new.certificate
        assert proof.proof == "numerical"
        assert proof.objective_bps is not None
        assert proof.lower_bound_bps is not None
        assert proof.gap_bps == pytest.approx(proof.objective_bps - proof.lower_bound_bps, abs=2e-6)
        assert proof.objective_bps <= (old.certificate.objective_bps or 0.0) + 1e-6


def test_what_is_said_of_a_better_staged_sale_is_of_the_plan_that_is_shown() -> None:
    case = small_case(9)
    name = int(np.argmax(book_problem(case, opening(case), 1).held - case.names.target))
    case = replace(case, wishes=replace(case.wishes, timelines=(), wind_downs=(WindDown(name, 0.05, 3, 0.05),)))
    after = joint_update(case, analyse(case))
    (plan,) = (each for each in after.approaches if each.approach_id == "wind_down")
    path = ", ".join(f"{year.concentrated_frac:.1%}" for year in plan.years)
    assert plan.notes[0] == f"Name {name}: {path} of the account after each year."
