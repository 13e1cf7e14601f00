"""A tax position in fractions of account value: what a plan's gains add to the year, and whether they keep its budgets.

Invariants
1. Tax and both gains of a netted year never fall as its short or its long net rises; so gains below `most_gains` of a plan that keeps the
   budgets keep them too.
"""

from dataclasses import dataclass
from decimal import Decimal

from libs.common.money import float_from_decimal
from services.optimizer.core.dual.tax_law import TaxPosition, budgets_in_force
from services.optimizer.core.dual.tax_pieces import Law, Limits, cost

Nets = tuple[float, float]  # short, long
NO_LIMIT = float("inf")
HALVINGS = 60
TOLERATED = 1e-7  # of account value: what a solver's plan may be beyond a budget by


@dataclass(frozen=True, slots=True)
class Standing:
    """The law, the nets that the cost and that the budgets start from, and the budgets in force."""

    law: Law
    net: Nets
    budget_net: Nets
    limits: Limits

    def added(self, gains: Nets) -> float:
        """What a plan's gains add to the cost of the year."""
        return cost(self.law, self.net[0] + gains[0], self.net[1] + gains[1]) - cost(self.law, *self.net)

    def excess(self, gains: Nets) -> float:
        """The most by which the gains exceed a budget; negative within all, minus infinity without any."""
        short, long = self.budget_net[0] + gains[0], self.budget_net[1] + gains[1]
        gain, loss = max(short + long, 0.0), max(-short - long, 0.0)
        ordinary = min(max(short, 0.0), gain)
        tax = self.law.short * ordinary + self.law.long * (gain - ordinary) - self.law.ordinary * min(loss, self.law.limit)
        used = ((self.limits.tax, tax), (self.limits.short_gain, ordinary), (self.limits.long_gain, gain - ordinary))
        return max((actual - limit for limit, actual in used if limit is not None), default=-NO_LIMIT)

    def most_gains(self, gains: Nets) -> Nets:
        """Short and long gains that a plan may reach beside these without leaving the budgets: both more, or less, by the same."""
        if self.excess((1.0, 1.0)) <= 0:
            return NO_LIMIT, NO_LIMIT
        low, high = -TOLERATED, 1.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            kept = self.excess((gains[0] + middle, gains[1] + middle)) <= 0
            low, high = (middle, high) if kept else (low, middle)
        return gains[0] + low, gains[1] + low


def standing(position: TaxPosition) -> Standing:
    """The crossing of a position's money into fractions of account value."""

    def part(dollars: Decimal) -> float:
        return float_from_decimal(dollars / position.value)

    rates = position.law
    law = Law(
        short=float_from_decimal(rates.short_frac),
        long=float_from_decimal(rates.long_frac),
        ordinary=float_from_decimal(rates.ordinary_frac),
        limit=part(rates.ordinary_limit),
        carried_short=float_from_decimal(rates.carried_short_frac),
        carried_long=float_from_decimal(rates.carried_long_frac),
    )
    given = budgets_in_force(position)
    tax, short, long = (None if each is None else part(each) for each in (given.tax, given.short_gain, given.long_gain))
    net = (part(position.year.short), part(position.year.long))
    budget_net = (part(position.budget_year.short), part(position.budget_year.long))
    return Standing(law, net, budget_net, Limits(tax, short, long))
