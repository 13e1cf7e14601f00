"""Lots that a custodian's file shows under another id after a merger or spin-off: the same shares, which must not count twice.

The facts keep what each file brought: the lot from before the action, and the one that a later file shows.  Here both become one, under
the custodian's id, where nothing else is possible; so it makes no difference whether the file or the action came first.

1. Same account and date of acquisition, the quantity that the action leaves of the lot (cash in lieu taken off), in a file of the
   ex-date or at most a month later; and no other lot on either side fits.
2. What a file shows of the security that came, and fits no lot, is not held in the books while shares that the action brought are not in
   the file: it may be the same shares.  Both are disagreements, until a further file or a person says what is what.
3. A lot of which a person has told something stands by itself.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from libs.common.money import ZERO
from libs.common.schemas.market import Reorganization
from services.wash_sale.core.book import Book
from services.wash_sale.core.group_facts import group_facts
from services.wash_sale.core.household import PROVISIONAL, AccountFacts, HouseholdLedger, StartingLot
from services.wash_sale.core.lots import quantity_of
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.reorganizations import spun_lot
from services.wash_sale.core.replay import book_after_action
from services.wash_sale.core.securities import SecurityFacts

ARRIVES_WITHIN = timedelta(days=31)


class _Came(NamedTuple):
    """A lot as an action left it."""

    acquired: date | None
    quantity: Decimal


def with_new_names(ledger: HouseholdLedger, securities: SecurityFacts) -> HouseholdLedger:
    """The facts with the lots that an action and a file both brought as one; the same facts where there are none."""
    candidates = _candidates(ledger, securities)
    for number, action in enumerate(securities.reorganizations if candidates else ()):
        arrived: dict[str, dict[str, StartingLot]] = {}
        for account_id, lot in candidates.get(action.new_security_id or "", ()):
            if lot.counted_on >= action.ex_date and lot.lot_id in ledger.accounts[account_id].starting:
                arrived.setdefault(account_id, {})[lot.lot_id] = lot
        if arrived:
            ledger = _named(ledger, securities, number, arrived)
    return ledger


def _candidates(ledger: HouseholdLedger, securities: SecurityFacts) -> dict[str, list[tuple[str, StartingLot]]]:
    """By security that an action brought, the lots from files after the account's first; not our purchases, nor what a person told of."""
    brought = {action.new_security_id for action in securities.reorganizations} - {None}
    found: dict[str, list[tuple[str, StartingLot]]] = {}
    for account in ledger.accounts.values() if brought else ():
        ours = set(account.aliases.values())
        for lot in account.starting.values():
            if lot.security_id in brought and lot.counted_on > account.joined and lot.lot_id not in ours and lot.told_by is None:
                found.setdefault(lot.security_id, []).append((account.account_id, lot))
    return found


def _named(
    ledger: HouseholdLedger, securities: SecurityFacts, number: int, arrived: Mapping[str, dict[str, StartingLot]]
) -> HouseholdLedger:
    action = securities.reorganizations[number]
    without = ledger
    for account_id, lots in arrived.items():
        without = without.with_account(_without(ledger.accounts[account_id], lots))
    group = securities.cluster(action.security_id)
    book = book_after_action(group_facts(without, securities, (group,))[group], without.accounts, securities, number)
    if isinstance(book, Refusal):
        return ledger
    for account_id, lots in arrived.items():
        came = _came_of(book, account_id, action)
        names = _pairs(came, lots, action, securities)
        account = ledger.accounts[account_id]
        apart = {name: lot for name, lot in came.items() if name not in names}
        doubtful = lots if _some_unshown(ledger, account, apart, action, securities) else {name: lots[name] for name in names.values()}
        renamed = replace(_without(account, doubtful), aliases={**_renamed(account.aliases, names), **names})
        ledger = ledger.with_account(renamed)
    return ledger


def _without(account: AccountFacts, lots: Iterable[str]) -> AccountFacts:
    gone = set(lots)
    return replace(account, starting={lot_id: lot for lot_id, lot in account.starting.items() if lot_id not in gone})


def _renamed(aliases: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """The names so far where some of them are others now; what was spun off a lot is called after its present name."""
    found = {lot_id: names.get(name, name) for lot_id, name in aliases.items()}
    for lot_id, name in aliases.items():
        parent, slash, new_security = lot_id.rpartition("/")
        if slash and parent in names:
            found[spun_lot(names[parent], new_security)] = name
    return found


def _came_of(book: Book, account_id: str, action: Reorganization) -> dict[str, _Came]:
    """What the action left of an account's lots, by their names here."""
    new_security = action.new_security_id or ""
    before, after = book.positions.get((account_id, action.security_id)), book.positions.get((account_id, new_security))
    if before is None or after is None:
        return {}
    ids = before.lots if action.kind == "merger" else [spun_lot(lot_id, new_security) for lot_id in before.lots]
    return {lot_id: _Came(layers[0].acquired, quantity_of(layers)) for lot_id in ids if (layers := after.lots.get(lot_id))}


def _pairs(came: Mapping[str, _Came], lots: Mapping[str, StartingLot], action: Reorganization, securities: SecurityFacts) -> dict[str, str]:
    """The custodian's id of each lot that an action left, where it is the only one that fits, and fits no other."""
    fits: dict[str, list[str]] = {}
    for lot_id, lot in lots.items():
        if lot.counted_on - action.ex_date <= ARRIVES_WITHIN:
            shares = lot.quantity * securities.split_factor(lot.security_id, lot.counted_on)
            for name in (name for name, one in came.items() if one == (lot.acquired, shares)):
                fits.setdefault(name, []).append(lot_id)
    claimed = [lot_id for found in fits.values() for lot_id in found]
    return {name: found[0] for name, found in fits.items() if len(found) == 1 and claimed.count(found[0]) == 1}


def _some_unshown(
    ledger: HouseholdLedger, account: AccountFacts, apart: Mapping[str, _Came], action: Reorganization, securities: SecurityFacts
) -> bool:
    """Whether shares that the action brought are held by the ledger and not by the last file."""
    for name, lot in apart.items():
        shown = account.reported_basis.get(name)
        if shown is not None and shown.security_id == action.new_security_id:
            continue
        if lot.quantity > _left_since(ledger, account, name, action, securities):
            return True
    return False


def _left_since(ledger: HouseholdLedger, account: AccountFacts, name: str, action: Reorganization, securities: SecurityFacts) -> Decimal:
    """Shares of a lot that were sold, or left, as the security that came."""
    security_id = action.new_security_id or ""
    sold = [
        (part.lot_id, part.quantity, trade.trade_date)
        for trade in ledger.standing_trades(security_id)
        if trade.account_id == account.account_id and trade.side == "sell"
        for part in trade.lots
    ]
    sold += [(gone.lot_id, gone.quantity, gone.day) for gone in account.departures if gone.security_id == security_id]
    return sum(
        (shares * securities.split_factor(security_id, day) for lot_id, shares, day in sold if account.lot_named(lot_id) == name), ZERO
    )


def brought_by_actions(ledger: HouseholdLedger, account: AccountFacts, held: Mapping[str, str]) -> set[str]:
    """Those of an account's lots, given with their security, that came in as another security, or were spun off."""
    own = {account.lot_named(lot.lot_id): lot.security_id for lot in account.starting.values()}
    for security_id, trades in ledger.trades.items():
        bought = (trade for trade in trades if trade.account_id == account.account_id and trade.side == "buy")
        own |= {account.lot_named(PROVISIONAL + trade.trade_id): security_id for trade in bought}
    return {lot_id for lot_id, security_id in held.items() if own.get(lot_id) != security_id}
