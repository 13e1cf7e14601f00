"""A new version of an account meets the ledger: what is news of the custodian, and what is a difference nobody explains.

The file is the starting point, booked trades move it (DESIGN decisions 3 to 5).  Of what then still differs:
1. a lot that our own purchase turns out to be (its alias comes later than the lot) stops being a starting lot;
2. a starting lot that neither a trade nor a wash sale has touched follows the custodian's corrections: its basis and date, once known,
   while the quantity agrees, its quantity (or its vanishing) when the same business date is delivered again; but what a person told of
   its basis and dates stays (`told_lots.py`);
3. a lot that appears is a further starting point, and counts as a purchase on its date; but not while another lot of the same security
   has shrunk, which may be the same shares under a new id (what a merger or spin-off brought is looked for in `new_names.py`);
4. anything else stays as it is in the ledger and is listed as a disagreement, which keeps the account from being traded.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from msgspec.structs import replace

from libs.common.money import ZERO, cents_half_even
from libs.common.schemas.account import AccountChanged, Lot
from services.wash_sale.core.books import LotShares, expected_by_lot, group_book, shares_held
from services.wash_sale.core.group_facts import traded_groups
from services.wash_sale.core.household import PROVISIONAL, AccountFacts, EarlierWord, HouseholdLedger, ReportedBasis, StartingLot
from services.wash_sale.core.new_names import brought_by_actions, with_new_names
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
        reported_basis=_reported_basis(payload),
        provisional=_provisional(payload),
        aliases={**account.aliases, **payload.aliases},
        tax_opening=payload.tax_opening,
        past_sales=payload.past_sales,
    )


def _reported_basis(payload: AccountChanged) -> dict[str, ReportedBasis]:
    """What the custodian says, apart from lots that are our own word until it names them."""
    lots = payload.lots
    columns = zip(lots.lot_id, lots.security_id, lots.cost_basis, lots.provisional, strict=True)
    return {
        lot_id: ReportedBasis(security_id, None if basis is None else Decimal(basis))
        for lot_id, security_id, basis, provisional in columns
        if not provisional
    }


def _provisional(payload: AccountChanged) -> dict[str, str]:
    lots = payload.lots
    return {lot_id: security_id for lot_id, security_id, ours in zip(lots.lot_id, lots.security_id, lots.provisional, strict=True) if ours}


@dataclass(frozen=True)
class _Meeting:
    """The ledger so far, and the version that it meets: `reported` are its lots by their name here.

    `held` is what the ledger holds by lot, `expected` what the version says is held, moved on by the trades that came since.  `brought` is
    what came by an action, which a file may show under another id.
    """

    ledger: HouseholdLedger
    payload: AccountChanged
    reported: Mapping[str, Lot]
    securities: SecurityFacts
    held: Mapping[str, LotShares]
    expected: Mapping[str, Decimal]
    brought: Collection[str]

    @property
    def account(self) -> AccountFacts:
        """The account's facts so far."""
        return self.ledger.accounts[self.payload.account_id]

    def agrees(self, lot_id: str) -> bool:
        """Whether a lot is held in the quantity that is expected, and as the security."""
        held, now = self.held.get(lot_id), self.reported.get(lot_id)
        if held is not None and now is not None and held.security_id != now.security_id:
            return False
        return (ZERO if held is None else held.quantity) == self.expected.get(lot_id, ZERO)


def compare(ledger: HouseholdLedger, payload: AccountChanged, securities: SecurityFacts) -> HouseholdLedger:
    """Take a newer version of a known account, which holds no trade that has not come here."""
    told = ledger.with_account(_told(ledger.accounts[payload.account_id], payload))
    meeting = _meet(told, payload, securities)
    for case in (_without_own_purchases, _with_corrections, _with_new_lots):
        starting = case(meeting)
        if starting != meeting.account.starting:
            meeting = _meet(told.with_account(replace(meeting.account, starting=starting)), payload, securities)
    return told if _contradicts(meeting, told.accounts[payload.account_id]) else meeting.ledger


def _meet(ledger: HouseholdLedger, payload: AccountChanged, securities: SecurityFacts) -> _Meeting:
    named = with_new_names(ledger, securities)
    account = named.accounts[payload.account_id]
    reported = {account.lot_named(lot.lot_id): lot for lot in payload.lots.rows()}
    held = shares_held(named, account, securities)
    brought = (
        brought_by_actions(named, account, {name: lot.security_id for name, lot in held.items()}) if securities.reorganizations else set()
    )
    return _Meeting(ledger, payload, reported, securities, held, expected_by_lot(named, account), brought)


def _contradicts(meeting: _Meeting, before: AccountFacts) -> bool:
    """Whether the changed starting lots no longer cover what was sold of them."""
    after = meeting.account
    changed = [
        lot_id for lot_id in before.starting.keys() | after.starting.keys() if before.starting.get(lot_id) != after.starting.get(lot_id)
    ]
    lots = (lots[lot_id] for lots in (before.starting, after.starting) for lot_id in changed if lot_id in lots)
    groups = {meeting.securities.cluster(lot.security_id) for lot in lots} & traded_groups(meeting.ledger, meeting.securities)
    return any(isinstance(group_book(meeting.ledger, meeting.securities, group), Refusal) for group in groups)


def _without_own_purchases(meeting: _Meeting) -> dict[str, StartingLot]:
    """Case 1: the custodian's file brought the lot before our trade came, so it stands here twice."""
    account = meeting.account
    twice = set()
    for lot_id in account.starting.keys() & set(account.aliases.values()):
        lot = account.starting[lot_id]
        shares = lot.quantity * meeting.securities.split_factor(lot.security_id, lot.counted_on)
        if lot_id in meeting.held and meeting.held[lot_id].quantity - shares == meeting.expected.get(lot_id, ZERO):
            twice.add(lot_id)
    return {lot_id: lot for lot_id, lot in account.starting.items() if lot_id not in twice}


def _with_corrections(meeting: _Meeting) -> dict[str, StartingLot]:
    """Case 2."""
    account = meeting.account
    traded = _traded(meeting.ledger, account)
    starting = {}
    for lot_id, lot in account.starting.items():
        name = account.lot_named(lot_id)
        corrected = lot if name in traded else _corrected(lot, meeting.reported.get(name), meeting)
        if corrected is not lot and corrected != lot and _washed(lot, name, meeting):
            corrected = lot
        if corrected is not None:
            starting[lot_id] = corrected
    return starting


def _corrected(lot: StartingLot, now: Lot | None, meeting: _Meeting) -> StartingLot | None:
    """A starting lot as the version has it; None where the version takes it back."""
    if lot.told_by is not None:
        again = meeting.payload.business_date <= lot.counted_on and now is not None
        return replace(lot, quantity=now.quantity) if again and now is not None else lot
    if meeting.payload.business_date <= lot.counted_on:
        return None if now is None else replace(starting_lot(now, meeting.payload), lot_id=lot.lot_id)
    if now is None or not meeting.agrees(meeting.account.lot_named(lot.lot_id)):
        return lot
    cost, acquired = lot.cost if now.cost_basis is None else _cents(now.cost_basis), now.acquired or lot.acquired
    if cost == lot.cost and acquired == lot.acquired:
        return lot
    was = (*lot.was, EarlierWord(meeting.payload.business_date, lot.cost, lot.acquired))
    return replace(lot, cost=cost, acquired=acquired, was=was)


def _traded(ledger: HouseholdLedger, account: AccountFacts) -> set[str]:
    """Lots of the account that a trade bought or sold, even if it was busted since: a book may then show less of them than was known."""
    own = (trade for trades in ledger.trades.values() for trade in trades if trade.account_id == account.account_id)
    lots = ([lot.lot_id for lot in trade.lots] if trade.side == "sell" else [PROVISIONAL + trade.trade_id] for trade in own)
    left = {account.lot_named(gone.lot_id) for gone in account.departures}
    return left | {account.lot_named(lot_id) for found in lots for lot_id in found}


def _washed(lot: StartingLot, name: str, meeting: _Meeting) -> bool:
    """Whether shares of a lot have replaced a loss, so that its basis is the ledger's."""
    group = meeting.securities.cluster(lot.security_id)
    if group not in traded_groups(meeting.ledger, meeting.securities):
        return False
    book = group_book(meeting.ledger, meeting.securities, group)
    return isinstance(book, Refusal) or any(layer.replaces for layer in book.layers.get((meeting.payload.account_id, name), ()))


def _with_new_lots(meeting: _Meeting) -> dict[str, StartingLot]:
    """Case 3."""
    account, held, expected = meeting.account, meeting.held, meeting.expected
    shrunk = {lot.security_id for name, lot in held.items() if name not in meeting.brought and lot.quantity > expected.get(name, ZERO)}
    ours = set(account.aliases.values())
    starting = dict(account.starting)
    for lot_id, lot in meeting.reported.items():
        appears = lot_id not in held and expected[lot_id] == lot.quantity > 0
        if appears and not lot_id.startswith(PROVISIONAL) and lot_id not in ours and lot.security_id not in shrunk:
            starting[lot_id] = starting_lot(lot, meeting.payload)
    return starting
