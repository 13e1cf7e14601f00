"""What a corporate action does to a basis: sections 4.4 to 4.7.  Numbers only, one lot at a time; the ledger applies them to its layers.

Dollars go to the cent: where a basis is shared out, by largest remainder, so that the parts sum to it.

Invariants
1. A basis shared out sums to what it was.
2. No basis falls below zero, and no gain that is recognised is negative.
3. What comes in = the part that lowers the basis + the dividend + the gain.
"""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from libs.common.money import SHARE_STEP, ZERO, split_largest_remainder

RIGHTS_DE_MINIMIS_FRAC = Decimal("0.15")
"""Rights worth less than this part of the stock have no basis unless the owner elects to allocate (IRC 307(b))."""


def allocate_by_value(basis: Decimal, values: Sequence[Decimal]) -> list[Decimal]:
    """A basis over what was held and what was received, by their market values (IRC 307(a), 358(b); section 4.4)."""
    return split_largest_remainder(basis, values)


class RightsBasis(Struct, frozen=True):
    """The basis of the stock and of the rights on it."""

    stock: Decimal
    rights: Decimal


def rights_basis(stock_basis: Decimal, stock_value: Decimal, rights_value: Decimal, elected: bool) -> RightsBasis:
    """Nontaxable rights: by value where they are worth 15 of a hundred of the stock or the owner elects, else none (section 4.4)."""
    if rights_value < RIGHTS_DE_MINIMIS_FRAC * stock_value and not elected:
        return RightsBasis(stock_basis, ZERO)
    return RightsBasis(*allocate_by_value(stock_basis, (stock_value, rights_value)))


class Exchange(Struct, frozen=True):
    """One lot through a reorganization with cash; the holding period carries over."""

    realised_gain: Decimal
    recognised_gain: Decimal
    new_basis: Decimal


def merger_with_boot(basis: Decimal, stock_value: Decimal, cash: Decimal) -> Exchange:
    """Stock and cash for one lot: the gain is recognised up to the cash, a loss never (IRC 356(a), (c), 358(a); section 4.5)."""
    realised = stock_value + cash - basis
    recognised = max(ZERO, min(realised, cash))
    return Exchange(realised, recognised, basis - cash + recognised)


class CapitalReturned(Struct, frozen=True):
    """A lot after a return of capital: what is left of its basis, and the gain beyond it, at the lot's term."""

    basis_after: Decimal
    gain: Decimal


def return_of_capital(basis: Decimal, amount: Decimal) -> CapitalReturned:
    """A distribution that is no dividend lowers the basis to zero; the rest is gain (IRC 301(c)(2), (3); section 4.6)."""
    return CapitalReturned(max(ZERO, basis - amount), max(ZERO, amount - basis))


class Distribution(Struct, frozen=True):
    """A distribution in its three parts."""

    dividend: Decimal
    basis_reduction: Decimal
    gain: Decimal
    basis_after: Decimal


def distribution(amount: Decimal, earnings: Decimal, basis: Decimal) -> Distribution:
    """A dividend as far as the lot's share of earnings goes, then basis, then gain (IRC 301(c))."""
    dividend = min(amount, max(ZERO, earnings))
    returned = return_of_capital(basis, amount - dividend)
    return Distribution(dividend, basis - returned.basis_after, returned.gain, returned.basis_after)


def return_over_blocks(amount: Decimal, quantities: Sequence[Decimal], bases: Sequence[Decimal]) -> list[CapitalReturned]:
    """A return of capital over several blocks: per share, block by block (Johnson v. US, 435 F.2d 1257; section 8's default)."""
    parts = split_largest_remainder(amount, quantities)
    return [return_of_capital(basis, part) for basis, part in zip(bases, parts, strict=True)]


class CashInLieu(Struct, frozen=True):
    """Whole shares that stay, and the fraction that was paid out: as received, then sold (section 4.7)."""

    quantity: Decimal
    basis: Decimal
    fraction: Decimal
    fraction_basis: Decimal
    gain: Decimal


def cash_in_lieu(quantity: Decimal, basis: Decimal, cash: Decimal) -> CashInLieu:
    """Pay out the fraction of a share; `quantity` is the shares after the action."""
    fraction = quantity % 1
    whole = quantity - fraction
    fraction_basis, whole_basis = split_largest_remainder(basis, (fraction, whole))
    return CashInLieu(whole, whole_basis, fraction.quantize(SHARE_STEP), fraction_basis, cash - fraction_basis)
