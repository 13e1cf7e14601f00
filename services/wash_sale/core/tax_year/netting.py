"""Netting, the deduction and the carryovers: sections 6.1 to 6.3 (IRC 1211(b), 1212(b); Schedule D, Capital Loss Carryover Worksheet).

Short items net with the short carryover, long items with the long one, then the two nets combine.  Losses, deductions and carryovers are
positive numbers; a net is signed.
"""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from libs.common.money import ZERO
from services.wash_sale.core.tax_year.tables import LOSS_LIMITS, FilingStatus


class YearItems(Struct, frozen=True):
    """A year's realised items in dollars by term, denied losses left out; all four are positive or zero."""

    short_gain: Decimal = ZERO
    short_loss: Decimal = ZERO
    long_gain: Decimal = ZERO
    long_loss: Decimal = ZERO

    def __add__(self, other: "YearItems") -> "YearItems":
        """Both together."""
        return YearItems(
            self.short_gain + other.short_gain,
            self.short_loss + other.short_loss,
            self.long_gain + other.long_gain,
            self.long_loss + other.long_loss,
        )


class Carryover(Struct, frozen=True):
    """Losses of earlier years by character, in dollars."""

    short: Decimal = ZERO
    long: Decimal = ZERO


class Netting(Struct, frozen=True):
    """A year netted.  `total` is Schedule D's line 16, `deduction` line 21; `used` is what the worksheet takes as used of it.

    `preferential_gain` is the net capital gain (section 6.4), taxed at 0/15/20; the rest of a gain, `ordinary_gain`, as ordinary income.
    """

    net_short: Decimal
    net_long: Decimal
    total: Decimal
    deduction: Decimal
    used: Decimal
    carryover: Carryover
    preferential_gain: Decimal

    @property
    def ordinary_gain(self) -> Decimal:
        """The part of a net gain that is taxed as ordinary income."""
        return max(ZERO, self.total) - self.preferential_gain

    @property
    def taxable_amount(self) -> Decimal:
        """What the year adds to taxable income: its net gain, or less the deduction."""
        return self.total if self.total > 0 else -self.deduction


def items_of(gains: Iterable[tuple[str, Decimal]]) -> YearItems:
    """Allowed gains (negative: losses), each with its term, short or long, as items."""
    items = YearItems()
    for term, gain in gains:
        gained, lost = max(gain, ZERO), max(-gain, ZERO)
        items += YearItems(gained, lost) if term == "short" else YearItems(ZERO, ZERO, gained, lost)
    return items


def loss_deduction(total: Decimal, status: FilingStatus) -> Decimal:
    """Line 21: the loss of line 16 up to 3,000, or 1,500 where married and filing separately."""
    return min(LOSS_LIMITS[status], max(ZERO, -total))


def net(items: YearItems, carried: Carryover, status: FilingStatus, income_before_loss: Decimal | None = None) -> Netting:
    """Net a year.

    `income_before_loss` is taxable income without the deduction of the capital loss (it may be negative): where it is less than the
    deduction, only that much counts as used (section 6.3).  None takes the deduction as used in full.
    """
    net_short = items.short_gain - items.short_loss - carried.short
    net_long = items.long_gain - items.long_loss - carried.long
    total = net_short + net_long
    deduction = loss_deduction(total, status)
    used = deduction if income_before_loss is None else min(deduction, max(ZERO, income_before_loss))
    preferential = max(ZERO, net_long - max(ZERO, -net_short))
    return Netting(net_short, net_long, total, deduction, used, _carry(net_short, net_long, used), preferential)


def _carry(net_short: Decimal, net_long: Decimal, used: Decimal) -> Carryover:
    """What goes into the next year (section 6.2): the deduction uses short losses first; the other term's net gain goes against a loss."""
    short_loss, long_loss = max(ZERO, -net_short), max(ZERO, -net_long)
    short = max(ZERO, short_loss - used - max(ZERO, net_long))
    long = max(ZERO, long_loss - max(ZERO, used - short_loss) - max(ZERO, net_short))
    return Carryover(short, long)


def expired_at_death(final_year: Netting) -> Decimal:
    """The carryover out of a final return, which dies with the taxpayer (section 6.2)."""
    return final_year.carryover.short + final_year.carryover.long


def net_investment_income(other_income: Decimal, year: Netting) -> Decimal:
    """Interest, dividends and so on with the year's net gain, or less its allowed loss (section 6.5, Reg. 1.1411-4(d))."""
    return other_income + year.taxable_amount
