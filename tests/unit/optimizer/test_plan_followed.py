"""A decision of an account that follows a transition plan."""

from datetime import date
from decimal import Decimal

import pytest
from msgspec.structs import replace

from libs.common.schemas.account import Budgets, PlanLimits, PlanYear, TransitionPlan, WeightBound
from libs.common.schemas.proposal import ProposalCreated
from services.optimizer.core.plan_followed import as_planned, year_in_force
from tests.unit.optimizer.samples import AS_OF, Lot, Security, World, with_account, world

D = Decimal
CEILING = WeightBound("security", "AAA", most_frac=D("0.3"))
YEARS = [
    PlanYear(2026, D(500), D("0.03"), D(60), Budgets(tax=D(300)), None, [CEILING]),
    PlanYear(2028, D(900), D("0.01"), D(90), Budgets(tax=D(900), long_gain=D(10)), D("0.02")),
]
PLAN = TransitionPlan("p1", "S", "timeline_3", AS_OF, YEARS)


@pytest.mark.parametrize(
    ("day", "year"),
    [(date(2025, 6, 1), 2026), (date(2026, 1, 1), 2026), (date(2027, 12, 31), 2026), (date(2028, 1, 1), 2028), (date(2040, 1, 1), 2028)],
)
def test_the_year_in_force(day: date, year: int) -> None:
    assert year_in_force(PLAN, day).year == year


def base() -> World:
    lots = [Lot("a", "AAA", "800", "20"), Lot("b", "BBB", "200", "100")]
    securities = [Security("AAA", "100", "0.5"), Security("BBB", "100", "0.5")]
    return world(securities, lots, cash="0", min_trade=D(0), cash_min_frac=D(0))


def test_a_plan_tightens_what_the_owner_set_and_never_loosens_it() -> None:
    own = replace(
        base().account, budgets=Budgets(tax=D(400), short_gain=D(7)), limits=PlanLimits(tracking_error_frac=D("0.01")), transition=PLAN
    )
    first, last = as_planned(own, date(2026, 5, 1)), as_planned(own, date(2028, 5, 1))
    assert first.budgets == Budgets(tax=D(300), short_gain=D(7))
    assert last.budgets == Budgets(tax=D(400), short_gain=D(7), long_gain=D(10))
    assert (first.limits.tracking_error_frac, last.limits.tracking_error_frac) == (D("0.01"), D("0.01"))
    assert (first.limits.weights, last.limits.weights) == ([CEILING], [])
    assert (first.risk_aversion, last.risk_aversion) == (D(60), D(90))


def test_without_a_plan_nothing_changes() -> None:
    account = base().account
    assert as_planned(account, AS_OF) is account


def test_the_plans_budget_is_kept_and_the_decision_says_how_the_account_stands_against_it() -> None:
    budget = D(200)
    plan = replace(PLAN, years=[PlanYear(2026, budget, D("0.1"), D(20), Budgets(tax=budget))])
    free, followed = base().propose(), with_account(base(), transition=plan).propose()
    assert isinstance(free, ProposalCreated)
    assert isinstance(followed, ProposalCreated)
    assert free.progress is None
    assert followed.tax.tax <= budget < free.tax.tax
    progress = followed.progress
    assert progress is not None
    assert (progress.plan_id, progress.approach, progress.year) == ("p1", "timeline_3", 2026)
    assert (progress.tax, progress.expected_tax) == (followed.tax.tax, budget)
    assert (progress.te_frac, progress.expected_te_frac) == (followed.te_after_frac, D("0.1"))
    same = with_account(base(), budgets=Budgets(tax=budget)).propose()
    assert isinstance(same, ProposalCreated)
    assert [(t.security_id, t.quantity) for t in followed.trades] == [(t.security_id, t.quantity) for t in same.trades]


def test_an_account_that_waits_at_its_target_says_how_it_stands_too() -> None:
    at_rest = with_account(
        base(), transition=replace(PLAN, years=[PlanYear(2026, D(0), D("0.1"), None, Budgets(tax=D(0)))]), risk_aversion=D(1)
    ).propose()
    assert at_rest.progress is not None
    assert at_rest.progress.tax <= 0
