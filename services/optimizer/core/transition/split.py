"""How a total of yearly budgets would better be spread over the years: equal budgets are a wish, not an optimum.

Every split tried is a whole plan, year by year and in whole shares: budgets that fall from year to year by one ratio (all at once at
ratio 0), then ratios between the best one and its neighbours.  All optimal splits measured were front-loaded (transition-method.md, 3).

Invariants
1. A split's budgets add up to at most the total of equal ones, each in whole dollars.
2. The best split costs no more than equal budgets do: they are among those tried.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from libs.common.money import whole_shares_down
from services.optimizer.core.arrays import Floats
from services.optimizer.core.dual.tax_law import Budgets
from services.optimizer.core.transition.case import TransitionCase
from services.optimizer.core.transition.one_period import EFFORT
from services.optimizer.core.transition.value import plan_value
from services.optimizer.core.transition.years import Rules, YearsPlan, plan_years

RATIOS = (0.0, 0.3, 0.6)
ROUNDS = 1
QUICK = replace(EFFORT, nodes=20)  # of a plan that is only compared


@dataclass(frozen=True, slots=True)
class Split:
    """Budgets by year, the plan within them, and what it costs in bp of today's account value."""

    ratio: float
    budgets: tuple[Budgets, ...]
    plan: YearsPlan
    cost_bps: float


def falling(budget: Budgets, years: int, ratio: float) -> tuple[Budgets, ...]:
    """`years` budgets of the same total as equal ones, each `ratio` of the one before it, in whole dollars."""
    powers = [Decimal(repr(ratio)) ** t if t else Decimal(1) for t in range(years)]
    total = sum(powers, Decimal(0))

    def part(amount: Decimal | None, power: Decimal) -> Decimal | None:
        return None if amount is None else whole_shares_down(amount * years * power / total)

    return tuple(Budgets(part(budget.tax, p), part(budget.short_gain, p), part(budget.long_gain, p)) for p in powers)


def best_split(case: TransitionCase, rules: Rules, equal: YearsPlan, most: Floats) -> Split:
    """The cheapest split found of the total that `rules` spreads equally, in the plan `equal`."""
    budget = rules.budget(1)
    tried = {1.0: Split(1.0, rules.budgets, equal, plan_value(case, equal))}

    def attempt(ratio: float) -> None:
        budgets = falling(budget, rules.years, ratio)
        plan = plan_years(case, replace(rules, budgets=budgets), most, effort=QUICK)
        if plan.reached:
            tried[ratio] = Split(ratio, budgets, plan, plan_value(case, plan))

    for ratio in RATIOS:
        attempt(ratio)
    for _ in range(ROUNDS):
        ratios = sorted(tried)
        best = min(ratios, key=lambda ratio: tried[ratio].cost_bps)
        at = ratios.index(best)
        for neighbour in {max(at - 1, 0), min(at + 1, len(ratios) - 1)} - {at}:
            attempt(round((best + ratios[neighbour]) / 2, 4))
    return min(tried.values(), key=lambda split: (split.cost_bps, -split.ratio))
