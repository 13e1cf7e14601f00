"""The transition plan that an account follows: what its year asks of a decision, and how the account stands against it.

Invariants
1. A plan only tightens budgets and limits that the owner set; of two the smaller holds.
2. Before its first year a plan asks what its first asks, after its last what its last does.
"""

from datetime import date
from decimal import Decimal

from msgspec.structs import replace

from libs.common.money import cents_half_even
from libs.common.schemas.account import AccountChanged, Budgets, PlanYear, TransitionPlan
from libs.common.schemas.proposal import PlanProgress, ProposalCreated, ProposalDeclined
from services.optimizer.core.dual.tax_law import Nets, year_tax
from services.optimizer.core.inputs import Case
from services.optimizer.core.tax_position import tax_position


def year_in_force(plan: TransitionPlan, as_of: date) -> PlanYear:
    """The plan's year for a decision of this day."""
    begun = [year for year in plan.years if year.year <= as_of.year]
    return begun[-1] if begun else plan.years[0]


def as_planned(account: AccountChanged, as_of: date) -> AccountChanged:
    """The account as its plan wants it decided on this day: budgets, limits and what risk counts."""
    if account.transition is None or not account.transition.years:
        return account
    year = year_in_force(account.transition, as_of)
    own = account.limits
    limits = replace(own, tracking_error_frac=least(own.tracking_error_frac, year.te_cap_frac), weights=[*own.weights, *year.ceilings])
    budgets = Budgets(
        tax=least(account.budgets.tax, year.budgets.tax),
        short_gain=least(account.budgets.short_gain, year.budgets.short_gain),
        long_gain=least(account.budgets.long_gain, year.budgets.long_gain),
    )
    risk_aversion = account.risk_aversion if year.risk_aversion is None else year.risk_aversion
    return replace(account, budgets=budgets, limits=limits, risk_aversion=risk_aversion)


def least(*limits: Decimal | None) -> Decimal | None:
    """The tightest of limits, of which None is none."""
    return min((limit for limit in limits if limit is not None), default=None)


def progress_of(case: Case, decided: ProposalCreated | ProposalDeclined) -> PlanProgress | None:
    """How the account stands with this decision; None where it follows no plan or its tracking error is not known."""
    plan = case.account.transition
    te = decided.te_after_frac if isinstance(decided, ProposalCreated) else decided.te_before_frac
    if plan is None or not plan.years or te is None:
        return None
    year = year_in_force(plan, case.run.as_of)
    return PlanProgress(plan.plan_id, plan.approach, year.year, _tax(case, decided), year.expected_tax, te, year.expected_te_frac)


def _tax(case: Case, decided: ProposalCreated | ProposalDeclined) -> Decimal:
    """The account's tax of the year with the decision, in dollars: netted where its losses are, else at its rates."""
    gains = _gains(decided) if isinstance(decided, ProposalCreated) else Nets()
    position = tax_position(case)
    if position is not None:
        return year_tax(position.law, position.budget_year + gains).tax
    rates, year = case.account.rates, case.year
    return cents_half_even(rates.short_frac * (year.short_net + gains.short) + rates.long_frac * (year.long_net + gains.long))


def _gains(proposal: ProposalCreated) -> Nets:
    tax = proposal.tax
    return Nets(tax.short_gain - tax.short_loss, tax.long_gain - tax.long_loss)
