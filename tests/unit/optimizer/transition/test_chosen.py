"""An approach as the plan that the account follows."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from msgspec.structs import replace as changed

from libs.common.schemas.account import Budgets, LossPolicy, TaxOpening, TransitionPlan
from services.optimizer.core.dual.tax_law import Nets
from services.optimizer.core.transition.analysis import analyse
from services.optimizer.core.transition.case import Restriction, RestrictionKind, TransitionCase, WindDown
from services.optimizer.core.transition.chosen import account_of, plan_of
from services.optimizer.core.transition.one_period import ALL_THE_WAY
from services.optimizer.core.transition.result import Analysis, Approach
from tests.unit.optimizer.transition.cases import AS_OF, small_case

D = Decimal
RULES = (
    Restriction("exclude-tobacco", RestrictionKind.NEVER_OWN, "No tobacco", (1, 2), "tobacco"),
    Restriction("never-sell-N003", RestrictionKind.NEVER_SELL, "Keep N003", (3,)),
)


@pytest.fixture(scope="module")
def case() -> TransitionCase:
    base = small_case(7, restrictions=RULES)
    wishes = replace(base.wishes, te_target_frac=0.05, wind_downs=(WindDown(4, 0.03, 3),), timelines=(3,))
    tax = replace(base.tax, tax_budget_usd=D(40_000), short_budget_usd=D(5_000), long_budget_usd=D(90_000), year=Nets(D(-700), D(250)))
    return replace(base, wishes=wishes, tax=tax)


@pytest.fixture(scope="module")
def analysis(case: TransitionCase) -> Analysis:
    return analyse(case)


def approach(analysis: Analysis, approach_id: str) -> Approach:
    return next(each for each in analysis.approaches if each.approach_id == approach_id)


def plan(case: TransitionCase, analysis: Analysis, approach_id: str) -> TransitionPlan:
    found = plan_of(case, approach(analysis, approach_id), "p1", AS_OF)
    assert isinstance(found, TransitionPlan), found
    return found


def test_a_timeline_may_not_fall_behind_and_goes_all_the_way_in_its_last_year(case: TransitionCase, analysis: Analysis) -> None:
    outcomes, found = approach(analysis, "timeline_3").years, plan(case, analysis, "timeline_3")
    assert [year.year for year in found.years] == [2026, 2027, 2028]
    assert [year.expected_tax for year in found.years] == [outcome.realised.tax_usd for outcome in outcomes]
    *before, last = found.years
    assert all(0 <= year.te_cap_frac - year.expected_te_frac <= D("0.0011") for year in before if year.te_cap_frac is not None)
    assert all(year.te_cap_frac is not None and year.risk_aversion is not None and year.risk_aversion < 1000 for year in before)
    assert (last.te_cap_frac, last.risk_aversion) == (None, D(ALL_THE_WAY))
    assert [year.budgets for year in found.years] == [Budgets()] * 3


def test_yearly_budgets_are_the_plans(case: TransitionCase, analysis: Analysis) -> None:
    assert {year.budgets for year in plan(case, analysis, "tax_budget").years} == {Budgets(tax=D(40_000))}
    assert {year.budgets for year in plan(case, analysis, "gain_budget").years} == {Budgets(short_gain=D(5_000), long_gain=D(90_000))}


def test_at_once_and_to_a_tracking_error(case: TransitionCase, analysis: Analysis) -> None:
    (now,), (near,) = plan(case, analysis, "immediate").years, plan(case, analysis, "te_target").years
    assert (now.risk_aversion, now.te_cap_frac) == (D(ALL_THE_WAY), None)
    assert (near.risk_aversion, near.te_cap_frac) == (D(1), D("0.05"))


def test_restrictions_become_wishes_by_category_or_by_security(case: TransitionCase, analysis: Analysis) -> None:
    found = plan(case, analysis, "immediate")
    assert [(wish.kind, wish.by, wish.target) for wish in found.wishes] == [
        ("never_buy", "category", "tobacco"),
        ("must_sell", "category", "tobacco"),
        ("never_sell", "security", "N003"),
    ]
    assert len({wish.wish_id for wish in found.wishes}) == 3
    assert found.strategy_id == case.strategy_id


@pytest.mark.parametrize(("approach_id", "why"), [("keep", "leave the account as it is"), ("sell_all", "choose to go all the way now")])
def test_what_no_daily_decision_could_follow_is_refused(case: TransitionCase, analysis: Analysis, approach_id: str, why: str) -> None:
    refused = plan_of(case, approach(analysis, approach_id), "p1", AS_OF)
    assert isinstance(refused, str)
    assert why in refused


def test_what_is_out_of_reach_is_refused_with_its_reason(case: TransitionCase, analysis: Analysis) -> None:
    out = changed(approach(analysis, "immediate"), status="out_of_reach", reason="a budget of $1 is needed")
    assert plan_of(case, out, "p1", date(2026, 3, 2)) == "a budget of $1 is needed"


def test_an_account_is_taken_on_with_the_cases_tax(case: TransitionCase) -> None:
    found = account_of(case, "T1", "north")
    assert found.losses == LossPolicy("netted", D(0), D(0), D(3000))
    assert found.tax_opening == TaxOpening(2026, D(0), D(700), D(250), D(0), D(0), D(0))
    assert (found.rates.short_frac, found.rates.long_frac, found.rates.ordinary_frac) == (D("0.408"), D("0.238"), D("0.37"))
