"""What each restriction costs: all the way to the target now, with and without it.

Invariants
1. Without a restriction the tracking error of the way to the target is never higher (beyond the solver's tolerance).
"""

from decimal import Decimal

from libs.common.money import cents_from_float_half_even
from services.optimizer.core.transition.approaches import Today
from services.optimizer.core.transition.one_period import YearPlan, all_the_way, book_problem
from services.optimizer.core.transition.result import RestrictionCost

DIGITS = 10


def restriction_costs(now: Today) -> list[RestrictionCost]:
    """Every restriction of the case, in its order."""
    case, found = now.case, []
    te, tax = _said(now.end)
    for each in case.restrictions:
        free = case.without(each.restriction_id)
        te_free, tax_free = _said(all_the_way(free, book_problem(free, now.book, 1), start=now.end.start))
        found.append(RestrictionCost(each.restriction_id, each.words, te, te_free, tax, tax_free))
    return found


def _said(solved: YearPlan) -> tuple[float, Decimal]:
    return round(solved.te, DIGITS), cents_from_float_half_even(solved.tax * solved.problem.invested_usd)
