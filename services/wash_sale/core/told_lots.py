"""What a person tells of a lot that the custodian's file brought: a basis or date that was unknown or wrong, that it was no purchase, or
that shares of it left without a trade.

The lot's fact changes, so everything is derived again from the day it came: past sales, windows, the basis of what replaced them.  What
was told beats the file until something else is told.
"""

from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from libs.common.schemas.ledger import LotTold
from services.wash_sale.core.books import group_book, shares_held
from services.wash_sale.core.household import AccountFacts, Departure, HouseholdLedger
from services.wash_sale.core.lots import How
from services.wash_sale.core.new_names import with_new_names
from services.wash_sale.core.received import gift_basis
from services.wash_sale.core.refusals import Refusal, RefusalCode
from services.wash_sale.core.securities import SecurityFacts


def take_told(ledger: HouseholdLedger, told: LotTold, securities: SecurityFacts) -> HouseholdLedger | Refusal:
    """The facts with what was told; the same told again changes nothing."""
    account_id, lot_id = told.account_id, told.lot_id
    if told.origin is not None:
        o = told.origin
        lot = ToldLot(account_id, lot_id, o.how, o.acquired, o.cost, o.held_since, o.loss_cost, o.loss_since)
        return tell_lot(ledger, lot, told.actor, told.told_at, securities)
    assert told.departure is not None, "an origin or a departure is told"
    d = told.departure
    gone = Departure(lot_id, d.security_id, d.quantity, d.day, d.why, told.actor, told.told_at, d.value, d.donee)
    return tell_departure(ledger, account_id, gone, securities)


class ToldLot(Struct, frozen=True):
    """A lot's basis (dollars of the whole lot as the file brought it) and dates; `acquired` is the day it came into the account."""

    account_id: str
    lot_id: str
    how: How
    acquired: date
    cost: Decimal | None
    held_since: date | None
    loss_cost: Decimal | None = None
    loss_since: date | None = None


def bought(account_id: str, lot_id: str, acquired: date, cost: Decimal) -> ToldLot:
    """A purchase (section 4.1)."""
    return ToldLot(account_id, lot_id, "purchase", acquired, cost, acquired)


def given(
    account_id: str, lot_id: str, received: date, donor_basis: Decimal, donor_acquired: date, value: Decimal, gift_tax: Decimal
) -> ToldLot:
    """A gift: the donor's basis and period, where it had lost value another for a loss (3.3, 4.2); `gift_tax`: on appreciation."""
    basis = gift_basis(donor_basis, value, gift_tax)
    lost_value = basis.for_loss < basis.for_gain
    second = (basis.for_loss, received) if lost_value else (None, None)
    return ToldLot(account_id, lot_id, "gift", received, basis.for_gain, donor_acquired, *second)


def inherited(account_id: str, lot_id: str, died_on: date, value: Decimal) -> ToldLot:
    """An inheritance: value at death, always long (sections 3.4, 4.3)."""
    return ToldLot(account_id, lot_id, "inheritance", died_on, value, died_on)


def from_spouse(account_id: str, lot_id: str, received: date, basis: Decimal, acquired: date) -> ToldLot:
    """A transfer from a spouse: basis and period carry over (section 3.5)."""
    return ToldLot(account_id, lot_id, "spouse", received, basis, acquired)


def tell_lot(ledger: HouseholdLedger, told: ToldLot, by: str, known_at: datetime, securities: SecurityFacts) -> HouseholdLedger | Refusal:
    """The facts with the lot as told; a refusal where it is not a lot of the file, or what was told contradicts what is booked."""
    account = ledger.accounts.get(told.account_id)
    if account is None:
        return Refusal(RefusalCode.UNKNOWN_ACCOUNT, told.account_id, "told lot", told.lot_id, field="account_id")
    own = _of_the_file(account, told.lot_id)
    if own is not None and (source := _came_from(ledger, account, own, securities)) is not None:
        where = f"it is what an action made of {source}: tell that lot's basis from before"
        return Refusal(RefusalCode.UNKNOWN_LOT, told.account_id, f"told lot, {where}", told.lot_id, field="lot_id")
    if own is None:
        return Refusal(RefusalCode.UNKNOWN_LOT, told.account_id, "told lot", told.lot_id, field="lot_id")
    lot = replace(
        account.starting[own],
        how=told.how,
        acquired=told.acquired,
        cost=told.cost,
        held_since=told.held_since,
        loss_cost=told.loss_cost,
        loss_since=told.loss_since,
        told_by=by,
        told_at=known_at,
        was=(),
    )
    changed = ledger.with_account(replace(account, starting={**account.starting, own: lot}))
    return _fitting(changed, securities, lot.security_id, told.lot_id, "acquired")


def tell_departure(ledger: HouseholdLedger, account_id: str, gone: Departure, securities: SecurityFacts) -> HouseholdLedger | Refusal:
    """The facts with shares that left without a trade; the same told again changes nothing but a gift's value and donee.

    A refusal where they were not held.
    """
    account = ledger.accounts.get(account_id)
    if account is None:
        return Refusal(RefusalCode.UNKNOWN_ACCOUNT, account_id, "told departure", gone.lot_id, field="account_id")
    others = [told for told in account.departures if _left(told) != _left(gone)]
    if any((told.value, told.donee) == (gone.value, gone.donee) for told in account.departures if told not in others):
        return ledger
    changed = ledger.with_account(replace(account, departures=[*others, gone]))
    return _fitting(changed, securities, gone.security_id, gone.lot_id, "quantity")


def _left(gone: Departure) -> tuple[str, date, Decimal, str]:
    return (gone.lot_id, gone.day, gone.quantity, gone.why)


def security_of_lot(ledger: HouseholdLedger, account_id: str, lot_id: str, securities: SecurityFacts) -> str | None:
    """The security of a lot that the account has or had; None where it knows none of that name."""
    account = with_new_names(ledger, securities).accounts.get(account_id)
    held = {} if account is None else shares_held(ledger, account, securities)
    lot = held.get(lot_id if account is None else account.lot_named(lot_id))
    return None if lot is None else lot.security_id


def _came_from(ledger: HouseholdLedger, account: AccountFacts, lot_id: str, securities: SecurityFacts) -> str | None:
    """The lot that a merger or spin-off made into this one of the file."""
    named = with_new_names(ledger, securities).accounts[account.account_id]
    if lot_id in named.starting:
        return None
    return next((source for source, name in named.aliases.items() if name == lot_id and account.aliases.get(source) != name), None)


def _of_the_file(account: AccountFacts, lot_id: str) -> str | None:
    name = account.lot_named(lot_id)
    return next((own for own in account.starting if account.lot_named(own) == name), None)


def _fitting(ledger: HouseholdLedger, securities: SecurityFacts, security_id: str, lot_id: str, field: str) -> HouseholdLedger | Refusal:
    """The changed facts, where they make books."""
    book = group_book(ledger, securities, securities.cluster(security_id))
    return replace(book, lot_id=lot_id, field=field) if isinstance(book, Refusal) else ledger
