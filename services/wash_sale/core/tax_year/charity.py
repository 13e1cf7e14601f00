"""A return's donations of stock as the ledger booked them, and what they deduct (section 7)."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from msgspec import Struct

from services.wash_sale.core.holding_period import Term
from services.wash_sale.core.sale_rows import Gift
from services.wash_sale.core.tax_year.giving import Donation, GiftCarryover, GiftYear, benefit, deduct
from services.wash_sale.core.tax_year.tables import TaxRefusal


class StatedCharity(Struct, frozen=True, forbid_unknown_fields=True):
    """What a return says of its year for gifts: adjusted gross income with everything in it, and what earlier years' limits kept back.

    `elect_basis` deducts long-term stock at its basis, under the limit of half.  `marginal_rate_frac` is what a dollar deducted saves.
    """

    agi: Decimal
    carried: list[GiftCarryover] = []
    elect_basis: bool = False
    marginal_rate_frac: Decimal | None = None


class DonatedLot(Struct, frozen=True):
    """Shares of one layer given to a donee; `value` and `basis` are None where nobody knows them."""

    event_id: str
    day: date
    account_id: str
    security_id: str
    lot_id: str
    quantity: Decimal
    basis: Decimal | None
    value: Decimal | None
    term: Term
    donee: str


class CharityYear(Struct, frozen=True):
    """`deducted` is None where it can't be said: `not_deducted_because`.  `saves` at the stated marginal rate, under its year's cap."""

    lots: list[DonatedLot]
    deducted: GiftYear | None
    saves: Decimal | None
    not_deducted_because: str | None


def donated_lots(gifts: Iterable[Gift], accounts: Iterable[str], year: int) -> list[DonatedLot]:
    """The year's gifts to a named donee out of the given accounts; a gift to a person is no deduction."""
    wanted = frozenset(accounts)
    return [
        DonatedLot(
            gift.event_id,
            gift.day,
            gift.account_id,
            gift.security_id,
            gift.lot_id,
            gift.quantity,
            gift.basis,
            gift.value,
            gift.term,
            gift.donee,
        )
        for gift in gifts
        if gift.donee is not None and gift.account_id in wanted and gift.day.year == year
    ]


def charity_year(lots: Sequence[DonatedLot], stated: StatedCharity | None, year: int) -> CharityYear | None:
    """The deduction; None where nothing was given and nothing is carried."""
    if not lots and (stated is None or not stated.carried):
        return None
    if stated is None:
        return CharityYear(list(lots), None, None, "adjusted gross income not stated")
    donations: list[Donation] = []
    for lot in lots:
        if lot.value is None or lot.basis is None:
            return CharityYear(
                list(lots), None, None, f"{'value' if lot.value is None else 'basis'} of {lot.event_id} {lot.lot_id} not known"
            )
        donations.append(Donation(lot.basis, lot.value, lot.term, stated.elect_basis, lot.donee))
    found = deduct(year, stated.agi, donations, stated.carried)
    if isinstance(found, TaxRefusal):
        return CharityYear(list(lots), None, None, found.text())
    rate = stated.marginal_rate_frac
    return CharityYear(list(lots), found, None if rate is None else benefit(year, found.deduction, rate), None)
