"""Which tax the first picture shows, and whether its curve has a bend worth speaking of.

Invariants
1. Where a bend is named, the drawn tax and the tracking error both change along the curve, and the bend lies clearly below the line
   between its ends.
"""

from dataclasses import dataclass
from decimal import Decimal

from libs.common.money import ZERO, float_from_decimal
from services.optimizer.core.transition.result import Analysis, Approach, FrontierPoint

LEAST_BEND = 0.08  # how far below the straight line between the ends, both axes measured by their spans


@dataclass(frozen=True, slots=True)
class DrawnTax:
    """Which tax the picture shows, and what its axis is called."""

    title: str
    after_carry: bool

    def of_point(self, point: FrontierPoint) -> Decimal:
        """The tax of a point of the frontier."""
        return point.tax_after_carry_usd if self.after_carry else point.tax_usd

    def of_approach(self, each: Approach) -> Decimal:
        """The tax of an approach over all its years."""
        if self.after_carry and each.tax_after_carry_usd is not None:
            return each.tax_after_carry_usd
        return each.tax_usd or ZERO


def drawn_tax(analysis: Analysis) -> DrawnTax:
    """The tax bill; where losses make it the same along the whole frontier, the bill less what the losses left over are worth."""
    ends = analysis.frontier[:1] + analysis.frontier[-1:]
    same = len(ends) == 2 and ends[0].tax_usd == ends[1].tax_usd and ends[0].tax_after_carry_usd != ends[1].tax_after_carry_usd
    return DrawnTax("Tax over all years, less the worth of losses carried on" if same else "Tax over all years of the plan", same)


def bend_of(analysis: Analysis) -> int | None:
    """The position of the frontier's knee; None where the drawn tax doesn't change, or the curve is nearly straight."""
    if analysis.knee is None:
        return None
    tax = drawn_tax(analysis)
    first, knee, last = (analysis.frontier[place] for place in (0, analysis.knee, -1))
    span = float_from_decimal(tax.of_point(last) - tax.of_point(first))
    fall = first.te_frac - last.te_frac
    if span <= 0 or fall <= 0:
        return None
    along = float_from_decimal(tax.of_point(knee) - tax.of_point(first)) / span
    return analysis.knee if (first.te_frac - knee.te_frac) / fall - along >= LEAST_BEND else None
