"""Approaches that take years: timelines and yearly budgets, year by year, as one answer each."""

from services.optimizer.core.dual.tax_law import Budgets
from services.optimizer.core.transition.approaches import LABELS, Today
from services.optimizer.core.transition.case import ApproachKind
from services.optimizer.core.transition.result import Approach, Certificate
from services.optimizer.core.transition.summary import approach_of, not_planned
from services.optimizer.core.transition.years import Rules, YearsPlan, plan_years

BPS = 1e4
YEAR_BY_YEAR = Certificate("none", method="year by year, each year certified; the joint bound follows")


def timeline(now: Today, years: int) -> Approach:
    """To the target within so many years."""
    approach_id, label = f"timeline_{years}", f"Over {years} years"
    plan = plan_years(now.case, Rules(years, deadline=True))
    return _of(now, plan, approach_id, ApproachKind.TIMELINE, label)


def budget_plan(now: Today, kind: ApproachKind) -> Approach:
    """As near to the target as yearly budgets of tax, or of gain, allow."""
    rules = Rules(now.case.wishes.budget_years, budgets=(budgets_of(now, kind),))
    return _of(now, plan_years(now.case, rules), kind.value, kind, LABELS[kind])


def budgets_of(now: Today, kind: ApproachKind) -> Budgets:
    """The case's yearly budgets of that kind."""
    tax = now.case.tax
    if kind is ApproachKind.TAX_BUDGET:
        return Budgets(tax=tax.tax_budget_usd)
    return Budgets(short_gain=tax.short_budget_usd, long_gain=tax.long_budget_usd)


def _of(now: Today, plan: YearsPlan, approach_id: str, kind: ApproachKind, label: str) -> Approach:
    if not plan.reached:
        return not_planned(approach_id, kind, label, "out_of_reach", "A year of the plan has no solution within its budgets.")
    return approach_of(now.case, now.base, approach_id, kind, label, plan.carried, YEAR_BY_YEAR)
