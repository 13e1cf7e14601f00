"""Approaches that take years: timelines and yearly budgets, year by year, as one answer each.

Invariants
1. What a plan says of its proof is what was shown: each year certified by itself until the joint bound has followed.
"""

from collections.abc import Sequence
from decimal import Decimal

from libs.common.money import cents_from_float_half_even, float_from_decimal
from services.optimizer.core.dual.tax_law import Budgets
from services.optimizer.core.transition.approaches import LABELS, Today
from services.optimizer.core.transition.case import ApproachKind
from services.optimizer.core.transition.one_period import NO_BUDGETS
from services.optimizer.core.transition.result import Approach, Certificate, ShadowPrice
from services.optimizer.core.transition.split import Split, best_split
from services.optimizer.core.transition.summary import approach_of, not_planned
from services.optimizer.core.transition.value import plan_value
from services.optimizer.core.transition.words import budget_price, dollars
from services.optimizer.core.transition.years import Rules, YearsPlan, most_held, plan_years

BPS = 1e4
WORTH_SAYING = 0.5  # bp of account value
YEAR_BY_YEAR = "year by year, each year's gap certified (largest {gap:.3f} bp); how far all years together are from the best follows"


def timeline(now: Today, years: int) -> Approach:
    """To the target within so many years."""
    plan = plan_years(now.case, timeline_rules(years), most_held(now.case, now.problem, now.end))
    outlook = now.case.outlook
    notes = []
    if outlook.growth_frac > outlook.discount_frac and years > 1:
        notes.append(
            f"Prices are taken to grow {outlook.growth_frac:.1%} a year and money to be worth {outlook.discount_frac:.1%}: "
            "waiting alone makes no tax cheaper, so years are used to let lots become long term and to use losses."
        )
    return answer_of(now, plan, f"timeline_{years}", ApproachKind.TIMELINE, timeline_label(years), notes=notes)


def timeline_rules(years: int) -> Rules:
    """What a timeline keeps."""
    return Rules(years, deadline=True)


def timeline_label(years: int) -> str:
    """What people call it."""
    return f"Over {years} years" if years > 1 else "Within a year"


def budget_plan(now: Today, kind: ApproachKind) -> Approach:
    """As near to the target as yearly budgets of tax, or of gain, allow and risk is worth."""
    rules = budget_rules(now, kind)
    most = most_held(now.case, now.problem, now.end)
    plan = plan_years(now.case, rules, most)
    if not plan.reached:
        return answer_of(now, plan, kind.value, kind, LABELS[kind])
    split = best_split(now.case, rules, plan, most) if rules.years > 1 and _binds(plan) else None
    return answer_of(
        now, plan, kind.value, kind, LABELS[kind], _prices(now, plan), [*_stopped(plan), *_split_words(now, rules, plan, split)]
    )


def budget_rules(now: Today, kind: ApproachKind) -> Rules:
    """What a plan of yearly budgets keeps."""
    tax = now.case.tax
    gains = Budgets(short_gain=tax.short_budget_usd, long_gain=tax.long_budget_usd)
    budgets = Budgets(tax=tax.tax_budget_usd) if kind is ApproachKind.TAX_BUDGET else gains
    return Rules(max(now.case.wishes.budget_years, 1), budgets=(budgets if budgets != Budgets() else NO_BUDGETS,))


def answer_of(
    now: Today,
    plan: YearsPlan,
    approach_id: str,
    kind: ApproachKind,
    label: str,
    prices: Sequence[ShadowPrice] = (),
    notes: Sequence[str] = (),
) -> Approach:
    """The approach of a plan over years."""
    if not plan.reached:
        year = len(plan.carried) + 1
        return not_planned(approach_id, kind, label, "out_of_reach", f"Year {year} of the plan has no solution that keeps its rules.")
    cost = round(plan_value(now.case, plan), 6)
    certificate = Certificate("none", cost, method=YEAR_BY_YEAR.format(gap=plan.gap * BPS))
    return approach_of(now.case, now.base, approach_id, kind, label, plan.carried, certificate, prices, notes)


def _binds(plan: YearsPlan) -> bool:
    """Whether a budget binds in some year."""
    return any(price > 1e-9 for year in plan.solved for price in year.netted.shadow.values())


def _prices(now: Today, plan: YearsPlan) -> list[ShadowPrice]:
    """What a little more of the first year's budgets is worth."""
    first = plan.solved[0]
    return [budget_price(now.case, rule, price, first) for rule, price in sorted(first.netted.shadow.items()) if price > 1e-9]


def _stopped(plan: YearsPlan) -> list[str]:
    """Said where the plan stops by itself."""
    last = plan.solved[-1]
    if any(price > 1e-9 for price in last.netted.shadow.values()):
        return []
    return ["In the last year the budget is not what limits the plan: more tax would cost more than the risk it takes away is worth."]


def _split_words(now: Today, rules: Rules, plan: YearsPlan, split: Split | None) -> list[str]:
    """How much worse equal yearly budgets are than a better spread of the same total, and in what."""
    if split is None:
        return []
    dearer = plan_value(now.case, plan) - split.cost_bps
    if dearer < WORTH_SAYING:
        return ["Spreading the same total of budgets otherwise over the years was tried and gains next to nothing."]
    usd = cents_from_float_half_even(dearer / BPS * float_from_decimal(now.case.value_usd))
    spread = ", ".join(_amount(budget) for budget in split.budgets)
    return [
        f"The same total of budgets would serve better spread over the {rules.years} years as {spread}: counting tax, trading cost and "
        f"the risk borne over {now.case.outlook.horizon_years} years together, equal budgets come out worse by {dollars(usd)} "
        f"({dearer:.1f} bp of the account). That sum is no tax bill: it prices the risk that stays while budgets hold sales back."
    ]


def _amount(budget: Budgets) -> str:
    amounts = [each for each in (budget.tax, budget.short_gain, budget.long_gain) if each is not None]
    return " and ".join(dollars(Decimal(each)) for each in amounts)
