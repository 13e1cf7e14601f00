"""A plan's years added up to one approach: what is compared with keeping all and with selling all.

Invariants
1. Every sum is of the years' exact figures; nothing is taken from the solver but proofs and shadow prices.
2. An approach that is out of reach or not offered has a reason and no figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from libs.common.money import ZERO, cents_half_even, float_from_decimal
from services.optimizer.core.transition.case import ApproachKind, TransitionCase
from services.optimizer.core.transition.one_period import YearPlan
from services.optimizer.core.transition.outcome import Carried
from services.optimizer.core.transition.result import Approach, Certificate, Realised, ShadowPrice

BPS = 1e4
HALF_PERCENT = 0.005
DIGITS = 10
CERTIFIED = 5e-5  # of account value
ONE_YEAR = "dual solve of one year, its bound exact; before rounding to whole shares"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What approaches are compared with: tracking error and concentrated weight today, and the tax of selling all."""

    te_frac: float
    sell_all_tax_usd: Decimal


def approach_of(
    case: TransitionCase,
    base: Baseline,
    approach_id: str,
    kind: ApproachKind,
    label: str,
    years: Sequence[Carried],
    certificate: Certificate,
    shadow_prices: Sequence[ShadowPrice] = (),
    notes: Sequence[str] = (),
) -> Approach:
    """The approach whose years were carried out as `years`."""
    outcomes = [each.outcome for each in years]
    first, last = outcomes[0], outcomes[-1]
    tax = sum((each.realised.tax_usd for each in outcomes), ZERO)
    cost = sum((each.cost_usd for each in outcomes), ZERO)
    after_carry = tax - carried_worth(case, years)
    return Approach(
        approach_id=approach_id,
        kind=kind.value,
        label=label,
        status="planned",
        te_before_frac=base.te_frac,
        te_after_frac=last.te_frac,
        realised=_sum([each.realised for each in outcomes]),
        tax_now_usd=first.realised.tax_usd,
        tax_usd=tax,
        tax_frac=round(float_from_decimal(first.realised.tax_usd / case.value_usd), DIGITS),
        saved_usd=base.sell_all_tax_usd - tax,
        unrealised_usd=last.unrealised_usd,
        turnover_frac=round(sum(each.turnover_frac for each in outcomes), DIGITS),
        trades=sum(each.trades for each in outcomes),
        cost_usd=cost,
        concentrated_frac=last.concentrated_frac,
        names_restricted=names_restricted(case),
        years_to_half_percent=next((each.number - 1 for each in outcomes if each.te_frac <= HALF_PERCENT), None),
        break_even_years=break_even_years(case, base.te_frac, last.te_frac, after_carry + cost),
        years=outcomes,
        certificate=certificate,
        shadow_prices=list(shadow_prices),
        plan=[trade for each in years for trade in each.trades],
        tax_after_carry_usd=after_carry,
        notes=list(notes),
    )


def not_planned(approach_id: str, kind: ApproachKind, label: str, status: str, reason: str) -> Approach:
    """An approach that is out of reach or not offered."""
    return Approach(approach_id, kind.value, label, "not_offered" if status == "not_offered" else "out_of_reach", reason)


def names_restricted(case: TransitionCase) -> int:
    """Names that the client holds or the strategy wants, and a restriction keeps from being traded freely."""
    concerned = case.names.target > 0
    concerned = concerned | (np.bincount(case.lots.name, minlength=len(concerned)) > 0)
    return len({i for each in case.restrictions for i in each.names if concerned[i]})


def carried_worth(case: TransitionCase, years: Sequence[Carried]) -> Decimal:
    """What the losses carried out of the last year are worth by the law, beyond those of the case without a plan."""
    law, last, first = case.tax.law, years[-1].tax.with_plan, years[0].tax.without
    short, long = last.carried_short - first.carried_short, last.carried_long - first.carried_long
    return cents_half_even(law.carried_short_frac * short + law.carried_long_frac * long)


def break_even_years(case: TransitionCase, before: float, after: float, paid_usd: Decimal) -> float | None:
    """Years for which the lower risk must be worth lam x TE² a year to make up for tax and cost; None: never, or nothing paid."""
    yearly = case.outlook.risk_aversion * (before**2 - after**2) * float_from_decimal(case.value_usd)
    paid = float_from_decimal(paid_usd)
    return round(paid / yearly, 4) if paid > 0 and yearly > 0 else None


def certificate_of(solved: YearPlan, priced: float) -> Certificate:
    """The proof of a year's plan; `priced` is what of its objective is tax and cost, as a fraction of account value.

    A bound too far off proves nothing in money; what it says of tracking error is put into words instead.
    """
    if solved.gap <= CERTIFIED:
        cost, gap = round(priced * BPS, 6), round(solved.gap * BPS, 6)
        return Certificate("certified", cost, round(cost - gap, 6), gap, ONE_YEAR)
    least = max(solved.lower_bound - priced, 0.0) / solved.problem.risk_aversion
    words = f"no plan of this tax and cost has a tracking error below {100 * least**0.5:.3f} %"
    return Certificate("none", round(priced * BPS, 6), None, None, f"{ONE_YEAR}: {words}")


def _sum(parts: Sequence[Realised]) -> Realised:
    return Realised(
        *(
            sum((getattr(each, field) for each in parts), ZERO)
            for field in ("short_gain_usd", "short_loss_usd", "long_gain_usd", "long_loss_usd", "tax_usd")
        )
    )
