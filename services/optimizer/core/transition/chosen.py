"""An approach of an analysis as the plan that the account follows from the day it is chosen.

The daily decision follows a plan by its year: budgets are hard, what risk counts for is that of the plan over years (years.py), a timeline
may not fall behind the tracking error expected of its year, and its last year goes all the way, as the immediate approach does.

Invariants
1. An approach that trades by no rule that a daily decision knows is refused, with what to choose instead.
2. The plan holds nothing of a person's name; its wishes are the restrictions that the approach was computed with.
"""

from datetime import date
from decimal import Decimal

from libs.common.money import ZERO, float_from_decimal
from libs.common.schemas.account import (
    Budgets,
    LossPolicy,
    PlanYear,
    TaxOpening,
    TaxRates,
    TransitionPlan,
    WeightBound,
    Wish,
    WishKind,
)
from libs.common.schemas.plan import NewAccount
from services.optimizer.core.transition.case import ApproachKind, Restriction, RestrictionKind, TransitionCase
from services.optimizer.core.transition.one_period import ALL_THE_WAY
from services.optimizer.core.transition.result import Approach, YearOutcome
from services.optimizer.core.transition.years import risk_years

STEP = Decimal("0.000001")
BEHIND_FRAC = 0.001  # of tracking error: how far a year of a timeline may fall behind what was expected of it
CEILING_SLACK = 1.02  # prices move between the plan and its trades
TO_A_TRACKING_ERROR = 1.0  # lam below a tracking error that was asked for: the rest is for tax and cost to say
NOTHING_TO_FOLLOW = {
    ApproachKind.KEEP: "keeping everything asks for no plan: leave the account as it is",
    ApproachKind.SELL_ALL: "selling what the target buys back at once is never traded: choose to go all the way now",
}
WISHES: dict[RestrictionKind, tuple[WishKind, ...]] = {
    RestrictionKind.NEVER_OWN: ("never_buy", "must_sell"),
    RestrictionKind.NEVER_BUY: ("never_buy",),
    RestrictionKind.NEVER_SELL: ("never_sell",),
    RestrictionKind.LOCKED: ("hold",),
}


def plan_of(case: TransitionCase, approach: Approach, plan_id: str, chosen_on: date) -> TransitionPlan | str:
    """The plan, or in words why this approach is none to follow."""
    kind = ApproachKind(approach.kind)
    if approach.status != "planned":
        return approach.reason or "the approach has no plan"
    if kind in NOTHING_TO_FOLLOW:
        return NOTHING_TO_FOLLOW[kind]
    years = [_year(case, approach, kind, outcome) for outcome in approach.years]
    wishes = [wish for restriction in case.restrictions for wish in _wishes(case, restriction)]
    return TransitionPlan(plan_id, case.strategy_id, approach.approach_id, chosen_on, years, wishes)


def account_of(case: TransitionCase, taxpayer_id: str, custodian: str) -> NewAccount:
    """What takes the account on: the case's rates and losses, its year so far netted by term (losses carried into it among them)."""
    law, year = case.tax.law, case.tax.year
    opening = TaxOpening(
        year=case.as_of.year,
        short_gain=max(year.short, ZERO),
        short_loss=max(-year.short, ZERO),
        long_gain=max(year.long, ZERO),
        long_loss=max(-year.long, ZERO),
        carried_short_loss=ZERO,
        carried_long_loss=ZERO,
    )
    return NewAccount(
        taxpayer_id=taxpayer_id,
        custodian=custodian,
        account_type="taxable",
        rates=TaxRates(law.short_frac, law.long_frac, law.ordinary_frac),
        losses=LossPolicy("netted", law.carried_short_frac, law.carried_long_frac, law.ordinary_limit),
        tax_opening=opening,
    )


def _year(case: TransitionCase, approach: Approach, kind: ApproachKind, outcome: YearOutcome) -> PlanYear:
    deadline = len(approach.years) if kind is ApproachKind.TIMELINE else None
    last = outcome.number == len(approach.years)
    all_the_way = kind is ApproachKind.IMMEDIATE or (kind is ApproachKind.TIMELINE and last)
    risk = ALL_THE_WAY if all_the_way else case.outlook.risk_aversion * risk_years(case.outlook, outcome.number, deadline)
    cap = None
    if kind is ApproachKind.TE_TARGET:
        risk, cap = TO_A_TRACKING_ERROR, case.wishes.te_target_frac
    elif kind is ApproachKind.TIMELINE and not last:
        cap = outcome.te_frac + BEHIND_FRAC
    return PlanYear(
        year=outcome.on.year,
        expected_tax=outcome.realised.tax_usd,
        expected_te_frac=_decimal(outcome.te_frac),
        risk_aversion=_decimal(risk),
        budgets=_budgets(case, kind),
        te_cap_frac=None if cap is None else _decimal(cap),
        ceilings=_ceilings(case, approach, outcome.number) if kind is ApproachKind.WIND_DOWN else [],
    )


def _budgets(case: TransitionCase, kind: ApproachKind) -> Budgets:
    if kind is ApproachKind.TAX_BUDGET:
        return Budgets(tax=case.tax.tax_budget_usd)
    if kind is ApproachKind.GAIN_BUDGET:
        return Budgets(short_gain=case.tax.short_budget_usd, long_gain=case.tax.long_budget_usd)
    return Budgets()


def _ceilings(case: TransitionCase, approach: Approach, number: int) -> list[WeightBound]:
    """What may be left of each position that is wound down after a year, as a fraction of the account."""
    found = []
    for wish in case.wishes.wind_downs:
        security_id, price = case.names.security_id[wish.name], case.names.price_usd[wish.name]
        before = sum((shares for name, shares in zip(case.lots.name, case.lots.shares, strict=True) if name == wish.name), ZERO)
        sold = sum((trade.shares for trade in approach.plan if trade.security_id == security_id and trade.year <= number), ZERO)
        left = float_from_decimal((before + sold) * price / case.value_usd) * CEILING_SLACK
        found.append(WeightBound("security", security_id, most_frac=_decimal(max(left, wish.ceiling_frac))))
    return found


def _wishes(case: TransitionCase, restriction: Restriction) -> list[Wish]:
    """A restriction as wishes: by its category where it has one, else by each of its securities."""
    if restriction.category is not None:
        return [Wish(f"{restriction.restriction_id}-{kind}", kind, "category", restriction.category) for kind in WISHES[restriction.kind]]
    securities = [case.names.security_id[name] for name in restriction.names]
    return [
        Wish(f"{restriction.restriction_id}-{security}-{kind}", kind, "security", security)
        for security in securities
        for kind in WISHES[restriction.kind]
    ]


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value)).quantize(STEP)
