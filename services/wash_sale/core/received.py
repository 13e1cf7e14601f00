"""The basis of shares that were not bought: given, or inherited (sections 4.2 and 4.3).

Invariants
1. The basis for a gain is never less than the basis for a loss; they differ only where the gift was worth less than it had cost.
2. Gift tax raises the basis for a gain by no more than the appreciation's part of it, and never where there was none.
"""

from decimal import Decimal

from msgspec import Struct

from libs.common.money import ZERO, cents_half_even

RETURNED_WITHIN_MONTHS = 12


class GiftBasis(Struct, frozen=True):
    """The two bases of a gift in dollars; between them a sale makes neither gain nor loss."""

    for_gain: Decimal
    for_loss: Decimal


def gift_basis(donor_basis: Decimal, value: Decimal, gift_tax_on_appreciation: Decimal = ZERO) -> GiftBasis:
    """The donor's basis, for a loss the value on the day of the gift where that is lower; gift tax on appreciation raises it (IRC 1015)."""
    if value < donor_basis:
        return GiftBasis(donor_basis, value)
    raised = donor_basis + (gift_tax_on_appreciation if value > donor_basis else ZERO)
    return GiftBasis(raised, raised)


def gift_tax_on_appreciation(donor_basis: Decimal, value: Decimal, gift_tax: Decimal, taxable_gift: Decimal) -> Decimal:
    """The part of the gift tax that falls on the appreciation (IRC 1015(d)(6)), to the cent, the ratio not rounded.

    `taxable_gift` is the gift less its annual exclusion, in dollars.
    """
    if taxable_gift <= 0:
        return ZERO
    appreciation = max(ZERO, value - donor_basis)
    return cents_half_even(gift_tax * min(appreciation, taxable_gift) / taxable_gift)


def inherited_basis(value_at_death: Decimal, decedent_basis: Decimal, returned_within_year: bool, appreciated_when_given: bool) -> Decimal:
    """The value at death, up or down; but what the heir gave the decedent, appreciated, within a year before comes back at the
    decedent's basis (IRC 1014(a), (e))."""
    return decedent_basis if returned_within_year and appreciated_when_given else value_at_death
