"""The tax on a year's income and gains: section 6.4 (0/15/20 stacked), 6.5 (NIIT), 6.6 (a state's, as a plug).

Each tax is rounded once, to the cent, ties to even.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct

from libs.common.money import ZERO, cents_half_even
from services.wash_sale.core.tax_year.netting import Netting
from services.wash_sale.core.tax_year.tables import GAIN_RATES, NIIT_RATE, NIIT_THRESHOLDS, ORDINARY_RATES, FilingStatus, YearTable


class StackedGain(Struct, frozen=True):
    """The gain's dollars in each bracket, and the tax on them.  Their sum is less than the gain where deductions take some of it."""

    at_0: Decimal
    at_15: Decimal
    at_20: Decimal
    tax: Decimal


def stack_gain(table: YearTable, status: FilingStatus, ordinary_income: Decimal, gain: Decimal) -> StackedGain:
    """Tax a preferential gain on top of ordinary taxable income; where that is negative, the gain makes it up first."""
    zero_until, fifteen_until = table.gain[status]
    floor, top = max(ZERO, ordinary_income), max(ZERO, ordinary_income + gain)
    at_0, at_15, at_20 = _in_brackets(floor, max(floor, top), (zero_until, fifteen_until))
    return StackedGain(at_0, at_15, at_20, cents_half_even(at_15 * GAIN_RATES[1] + at_20 * GAIN_RATES[2]))


def ordinary_tax(table: YearTable, status: FilingStatus, income: Decimal) -> Decimal:
    """The tax on ordinary taxable income by the rate schedule (IRC 1(j)); nothing where it is negative."""
    parts = _in_brackets(ZERO, max(ZERO, income), table.ordinary[status])
    return cents_half_even(sum((part * rate for part, rate in zip(parts, ORDINARY_RATES, strict=True)), ZERO))


def _in_brackets(floor: Decimal, top: Decimal, ends: Sequence[Decimal]) -> list[Decimal]:
    """The dollars between `floor` and `top` in each bracket; the last one is open."""
    bounds = [ZERO, *ends, max(top, ends[-1])]
    return [max(ZERO, min(top, upper) - max(floor, lower)) for lower, upper in pairwise(bounds)]


def niit(status: FilingStatus, magi: Decimal, investment_income: Decimal) -> Decimal:
    """Net investment income tax: 3.8 of a hundred on the lesser of net investment income and MAGI above the threshold."""
    base = min(investment_income, magi - NIIT_THRESHOLDS[status])
    return cents_half_even(NIIT_RATE * max(ZERO, base))


StateTax = Callable[[Decimal, Netting], Decimal]
"""A state's tax: from the federal ordinary taxable income without capital gains, and the year's netting, to dollars."""


def state_at_rates(short_frac: Decimal, long_frac: Decimal) -> StateTax:
    """A state that taxes net gains at two given rates: a net short gain and, at its own, the net capital gain; it gives nothing back
    for a loss."""

    def tax(_: Decimal, year: Netting) -> Decimal:
        return cents_half_even(short_frac * year.ordinary_gain + long_frac * year.preferential_gain)

    return tax


def no_state_tax(_: Decimal, __: Netting) -> Decimal:
    """A state without a tax on gains."""
    return ZERO
