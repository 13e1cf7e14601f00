"""Whether budgets leave an approach within reach, and the smallest change that would.

What the client must not own has to leave, as far as the wash-sale rule lets it.  A budget below what that realises, losses taken beside
it, is out of reach; what it would have to be is the least by which any plan exceeds it, the budgets together.
"""

from dataclasses import replace
from decimal import ROUND_UP, Decimal

import numpy as np

from libs.common.money import cents_from_float_half_even
from services.optimizer.core.dual.netting import solve_netted
from services.optimizer.core.dual.tax_law import Budgets, Nets, YearTax, budgets_in_force, year_tax
from services.optimizer.core.dual_programme import dual_programme
from services.optimizer.core.evaluate import net_gain
from services.optimizer.core.netted_programme import netted_account
from services.optimizer.core.problem import Problem
from services.optimizer.core.programme import dominance
from services.optimizer.core.transition.case import TransitionCase
from services.optimizer.core.transition.one_period import EFFORT, Goal, within
from services.optimizer.core.transition.words import BUDGETS, dollars

RISK_HARDLY = 0.01  # lam: what decides is what exceeds a budget
EXCEEDED = 1.5  # objective per unit: below what leaves something unsold that must go costs, above all else
NOTHING = 1e-7  # of the account
DOLLAR = Decimal(1)


def out_of_reach(case: TransitionCase, problem: Problem, budgets: Budgets) -> str | None:
    """Why the budgets can't be kept in the first year and what they would have to be; None where they can."""
    if not problem.must_sell.any() or budgets == Budgets():
        return None
    asked = within(case, problem, Goal(RISK_HARDLY, budgets=budgets))
    if asked.position is None:
        raise AssertionError("a transition's year is netted")
    programme = dual_programme(asked, np.zeros(len(asked.held), dtype=np.bool_), dominance(asked), np.zeros(len(asked.held)))
    account = replace(netted_account(asked, programme), budget_price=EXCEEDED)
    solved = solve_netted(account, asked.position, EFFORT)
    if solved.trades is None:
        return None
    gains = net_gain(asked, programme.plan(asked, solved.trades))
    short, long = (cents_from_float_half_even(each * asked.invested_usd) for each in gains)
    year = year_tax(asked.position.law, asked.position.budget_year + Nets(short, long))
    changes = _changes(budgets, budgets_in_force(asked.position), year, cents_from_float_half_even(NOTHING * asked.invested_usd))
    if not changes:
        return None
    sold = sorted({case.names.label[i] for i in asked.name[asked.must_sell].tolist()})
    what = ", ".join(sold[:3]) + (f" and {len(sold) - 3} more" if len(sold) > 3 else "")
    return f"What must be sold ({what}) does not fit. The smallest change: {' and '.join(changes)}."


def _changes(given: Budgets, in_force: Budgets, year: YearTax, nothing: Decimal) -> list[str]:
    """What each budget would have to be, in words; whole dollars, rounded up."""
    rows = (
        ("tax", given.tax, in_force.tax, year.tax),
        ("short_gain", given.short_gain, in_force.short_gain, year.ordinary_gain),
        ("long_gain", given.long_gain, in_force.long_gain, year.preferential_gain),
    )
    found = []
    for rule, budget, limit, used in rows:
        if budget is not None and limit is not None and used > limit + max(nothing, DOLLAR):
            needed = (budget + used - limit).quantize(DOLLAR, rounding=ROUND_UP)
            found.append(f"a {BUDGETS[rule]} of {dollars(needed)} instead of {dollars(budget)}")
    return found
