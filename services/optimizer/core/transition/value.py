"""What a plan over years costs, in one number: the measure that plans are compared in and joint bounds are for.

    sum over years of the discounted tax, trade cost and lam TE² (the last year's for all years to the horizon), less what the losses
    carried out of the last year are worth, in basis points of today's account value

Invariants
1. Only exact outcomes count: taxes as netted, costs and tracking errors as carried out.
"""

import numpy as np

from libs.common.money import float_from_decimal
from services.optimizer.core.arrays import Floats
from services.optimizer.core.transition.case import TransitionCase
from services.optimizer.core.transition.years import YearsPlan, annuity

BPS = 1e4


def risk_weights(case: TransitionCase, years: int) -> Floats:
    """[years] What a year's lam TE² counts: the last one's stands for all years to the horizon."""
    discount = (1.0 + case.outlook.discount_frac) ** -np.arange(years, dtype=np.float64)
    discount[-1] *= annuity(case.outlook, max(case.outlook.horizon_years - years + 1, 1))
    return discount


def plan_value(case: TransitionCase, plan: YearsPlan) -> float:
    """What a plan costs."""
    value, weights, total = float_from_decimal(case.value_usd), risk_weights(case, len(plan.carried)), 0.0
    for t, year in enumerate(plan.carried):
        discount = (1.0 + case.outlook.discount_frac) ** -t
        dollars = float_from_decimal(year.tax.with_plan.tax + year.outcome.cost_usd)
        total += discount * dollars / value + case.outlook.risk_aversion * float(weights[t]) * year.outcome.te_frac**2
    law, last = case.tax.law, plan.carried[-1].tax.with_plan
    worth = law.carried_short_frac * last.carried_short + law.carried_long_frac * last.carried_long
    return BPS * (total - (1.0 + case.outlook.discount_frac) ** -(len(plan.carried) - 1) * float_from_decimal(worth) / value)
