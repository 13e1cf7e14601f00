"""A new version of an account meets the ledger: what is news of the custodian, and what is a difference nobody explains.

The file is the starting point, booked trades move it (DESIGN decisions 3 to 5).  Of what then still differs:
1. a lot that our own purchase turns out to be (its alias comes later than the lot) stops being a starting lot;
2. a starting lot that neither a trade nor a wash sale has touched follows the custodian's corrections: its basis and date, once known,
   while the quantity agrees, its quantity (or its vanishing) when the same business date is delivered again;
3. a lot that appears is a further starting point, and counts as a purchase on its date; but not while another lot of the same security
   has shrunk, which may be the same shares under a new id;
4. anything else stays as it is in the ledger and is listed as a disagreement, which keeps the account from being traded.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from msgspec.structs import replace

from libs.common.money import ZERO, cents_half_even
from libs.common.schemas.account import AccountChanged, Lot
from services.wash_sale.core.books import books_of, expected_by_lot, held_by_lot
from services.wash_sale.core.household import PROVISIONAL, AccountFacts, HouseholdLedger, StartingLot
from services.wash_sale.core.lots import Layer
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.securities import SecurityFacts


def starting_account(payload: AccountChanged) -> AccountFacts:
    """The facts of an account that is new here: all its lots are its starting point."""
    blank = AccountFacts(
        payload.account_id,
        payload.account_type,
        payload.taxpayer_id,
        payload.version,
        {},
        payload.trade_seq,
        payload.trade_seq,
        {},
        payload.business_date,
    )
    lots = {lot.lot_id: starting_lot(lot, payload) for lot in payload.lots.rows() if lot.quantity != 0}
    return replace(_told(blank, payload), starting=lots)


def starting_lot(lot: Lot, payload: AccountChanged) -> StartingLot:
    """A lot as the file has it, its basis to the cent."""
    return StartingLot(lot.lot_id, lot.security_id, lot.quantity, _cents(lot.cost_basis), lot.acquired, payload.business_date)


def _cents(basis: Decimal | None) -> Decimal | None:
    return None if basis is None else cents_half_even(basis)


def _told(account: AccountFacts, payload: AccountChanged) -> AccountFacts:
    """The facts with everything that the newer version simply says."""
    return replace(
        account,
        account_type=payload.account_type,
        taxpayer_id=payload.taxpayer_id,
        version=payload.version,
        reported=dict(zip(payload.lots.lot_id, map(Decimal, payload.lots.quantity), strict=True)),
        reported_seq=payload.trade_seq,
        aliases={**account.aliases, **payload.aliases},
        tax_opening=payload.tax_opening,
        past_sales=payload.past_sales,
    )


@dataclass(frozen=True)
class _Meeting:
    """The ledger so far, and the version that it meets: `reported` are its lots by their name here, `layers` what the ledger holds."""

    ledger: HouseholdLedger
    payload: AccountChanged
    reported: Mapping[str, Lot]
    layers: Collection[Layer]
    securities: SecurityFacts

    @property
    def account(self) -> AccountFacts:
        """The account's facts so far."""
        return self.ledger.accounts[self.payload.account_id]


def compare(ledger: HouseholdLedger, payload: AccountChanged, securities: SecurityFacts) -> HouseholdLedger:
    """Take a newer version of a known account, which holds no trade that has not come here."""
    account = _told(ledger.accounts[payload.account_id], payload)
    told = ledger.with_account(account)
    reported = {account.lot_named(lot.lot_id): lot for lot in payload.lots.rows()}
    settled = told
    layers = _layers(told, payload.account_id, securities)
    for case in (_without_own_purchases, _with_corrections, _with_new_lots):
        starting = case(_Meeting(settled, payload, reported, layers or [], securities))
        if starting != settled.accounts[payload.account_id].starting:
            settled = settled.with_account(replace(account, starting=starting))
            layers = _layers(settled, payload.account_id, securities)
    return told if layers is None else settled


def _layers(ledger: HouseholdLedger, account_id: str, securities: SecurityFacts) -> Sequence[Layer] | None:
    """What the account holds by the ledger; None where the facts contradict each other."""
    books = books_of(ledger, securities, [account_id])
    return None if isinstance(books, Refusal) else books.layers[account_id]


def _without_own_purchases(meeting: _Meeting) -> dict[str, StartingLot]:
    """Case 1: the custodian's file brought the lot before our trade came, so it stands here twice."""
    account = meeting.account
    aliased = account.starting.keys() & set(account.aliases.values())
    if not aliased:
        return account.starting
    held, expected = held_by_lot(meeting.layers), expected_by_lot(meeting.ledger, account)
    twice = set()
    for lot_id in aliased:
        lot = account.starting[lot_id]
        shares = lot.quantity * meeting.securities.split_factor(lot.security_id, lot.counted_on)
        if held.get(lot_id, ZERO) - shares == expected.get(lot_id, ZERO):
            twice.add(lot_id)
    return {lot_id: lot for lot_id, lot in account.starting.items() if lot_id not in twice}


def _with_corrections(meeting: _Meeting) -> dict[str, StartingLot]:
    """Case 2."""
    account, payload = meeting.account, meeting.payload
    touched = _touched(meeting.ledger, account) | {layer.lot_id for layer in meeting.layers if layer.replaces}
    held, expected = held_by_lot(meeting.layers), expected_by_lot(meeting.ledger, account)
    starting = {}
    for lot_id, lot in account.starting.items():
        name = account.lot_named(lot_id)
        now = meeting.reported.get(name)
        if name in touched:
            starting[lot_id] = lot
        elif payload.business_date <= lot.counted_on:
            if now is not None:
                starting[lot_id] = replace(starting_lot(now, payload), lot_id=lot_id)
        elif now is not None and held.get(name) == expected.get(name):
            cost = _cents(now.cost_basis)
            starting[lot_id] = replace(lot, cost=lot.cost if cost is None else cost, acquired=now.acquired or lot.acquired)
        else:
            starting[lot_id] = lot
    return starting


def _touched(ledger: HouseholdLedger, account: AccountFacts) -> set[str]:
    """Lots of the account that a trade bought or sold, even if it was busted since: a book may then show less of them than was known."""
    own = (trade for trades in ledger.trades.values() for trade in trades if trade.account_id == account.account_id)
    lots = ([lot.lot_id for lot in trade.lots] if trade.side == "sell" else [PROVISIONAL + trade.trade_id] for trade in own)
    return {account.lot_named(lot_id) for found in lots for lot_id in found}


def _with_new_lots(meeting: _Meeting) -> dict[str, StartingLot]:
    """Case 3."""
    account = meeting.account
    held, expected = held_by_lot(meeting.layers), expected_by_lot(meeting.ledger, account)
    shrunk = {layer.security_id for layer in meeting.layers if held[layer.lot_id] > expected.get(layer.lot_id, ZERO)}
    ours = set(account.aliases.values())
    starting = dict(account.starting)
    for lot_id, lot in meeting.reported.items():
        appears = lot_id not in held and lot_id not in starting and expected[lot_id] == lot.quantity > 0
        if appears and not lot_id.startswith(PROVISIONAL) and lot_id not in ours and lot.security_id not in shrunk:
            starting[lot_id] = starting_lot(lot, meeting.payload)
    return starting
