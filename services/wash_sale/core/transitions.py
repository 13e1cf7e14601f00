"""How the facts of a household change: each function takes a ledger and an input and returns the new ledger, or why it can't.

Early inputs wait inside the ledger: a trade whose predecessor, lot or account has not come, an account version that holds a trade that has
not come.  Whatever comes later looks whether they can go on.
"""

from msgspec.structs import replace

from libs.common.money import ZERO
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.order import TradeBooked
from services.wash_sale.core.books import group_book
from services.wash_sale.core.household import AccountFacts, HouseholdLedger
from services.wash_sale.core.reconcile import compare, starting_account
from services.wash_sale.core.refusals import Refusal, RefusalCode
from services.wash_sale.core.securities import SecurityFacts


def apply_account(ledger: HouseholdLedger, payload: AccountChanged, securities: SecurityFacts) -> HouseholdLedger | Refusal:
    """Take a version of an account; an older one than was taken changes nothing."""
    account = ledger.accounts.get(payload.account_id)
    if refusal := _unfit(payload, account):
        return refusal
    if account is None:
        return _advance(ledger.with_account(starting_account(payload)), payload.account_id, securities)
    if payload.version <= account.version:
        return ledger
    if payload.trade_seq > account.trade_seq:
        known = account.pending.get(payload.trade_seq)
        if known is not None and known.version >= payload.version:
            return ledger
        return ledger.with_account(replace(account, pending={**account.pending, payload.trade_seq: payload}))
    return _advance(compare(ledger, payload, securities), payload.account_id, securities)


def apply_trade(ledger: HouseholdLedger, trade: TradeBooked, securities: SecurityFacts) -> HouseholdLedger | Refusal:
    """Book a trade in its account's sequence; a repeated one changes nothing, an early one waits."""
    account = ledger.accounts.get(trade.account_id)
    if account is not None and (trade.trade_seq <= account.trade_seq or account.departed):
        return ledger
    waiting = ledger.waiting.get(trade.account_id, [])
    if any(early.trade_seq == trade.trade_seq for early in waiting):
        return ledger
    if refusal := _misshapen(trade):
        return refusal
    ordered = sorted([*waiting, trade], key=lambda early: early.trade_seq)
    return _advance(ledger.with_waiting(trade.account_id, ordered), trade.account_id, securities)


def leave(ledger: HouseholdLedger, account_id: str) -> HouseholdLedger:
    """The account leaves the household; what it did here stays part of the others' history."""
    account = ledger.accounts.get(account_id)
    if account is None:
        return ledger
    return ledger.with_account(replace(account, departed=True, pending={})).with_waiting(account_id, [])


def _unfit(payload: AccountChanged, account: AccountFacts | None) -> Refusal | None:
    event_id = f"version {payload.version}"
    if account is not None and account.departed:
        return Refusal(RefusalCode.ACCOUNT_CAME_BACK, payload.account_id, event_id)
    negative = any(quantity.startswith("-") for quantity in payload.lots.quantity)
    short = next((lot for lot in payload.lots.rows() if lot.quantity < 0), None) if negative else None
    if short is not None:
        return Refusal(RefusalCode.NOT_POSITIVE, payload.account_id, event_id, short.lot_id, ZERO, short.quantity)
    return None


def _misshapen(trade: TradeBooked) -> Refusal | None:
    if trade.kind == "bust":
        return None
    if trade.quantity <= 0 or any(lot.quantity <= 0 for lot in trade.lots):
        return Refusal(RefusalCode.NOT_POSITIVE, trade.account_id, trade.trade_id, None, ZERO, trade.quantity)
    in_lots = sum((lot.quantity for lot in trade.lots), ZERO)
    if trade.side == "sell" and in_lots != trade.quantity:
        return Refusal(RefusalCode.LOTS_DO_NOT_ADD_UP, trade.account_id, trade.trade_id, None, in_lots, trade.quantity)
    return None


def _advance(ledger: HouseholdLedger, account_id: str, securities: SecurityFacts) -> HouseholdLedger | Refusal:
    """Let waiting inputs of the account go on, each in its turn, until one must wait again."""
    while (account := ledger.accounts.get(account_id)) is not None:
        due = [seq for seq in account.pending if seq <= account.trade_seq]
        if due:
            newest = account.pending[max(due)]
            later = {seq: payload for seq, payload in account.pending.items() if seq not in due}
            ledger = ledger.with_account(replace(account, pending=later))
            if newest.version > account.version:
                ledger = compare(ledger, newest, securities)
        waiting = [trade for trade in ledger.waiting.get(account_id, ()) if trade.trade_seq > account.trade_seq]
        if not waiting or waiting[0].trade_seq != account.trade_seq + 1:
            return ledger.with_waiting(account_id, waiting)
        booked = _book(ledger, waiting[0], securities)
        if booked is None:
            return ledger.with_waiting(account_id, waiting)
        if isinstance(booked, Refusal):
            return booked
        ledger = booked.with_waiting(account_id, waiting[1:])
    return ledger


def _book(ledger: HouseholdLedger, trade: TradeBooked, securities: SecurityFacts) -> HouseholdLedger | Refusal | None:
    """The ledger with the trade booked; None where it sells a lot that no account version has brought yet."""
    standing = {each.trade_id for each in ledger.standing_trades(trade.security_id) if each.account_id == trade.account_id}
    if trade.kind == "bust" and trade.ref_trade_id not in standing:
        return Refusal(RefusalCode.UNKNOWN_TRADE, trade.account_id, trade.trade_id)
    booked = ledger.with_trade(trade)
    book = group_book(booked, securities, securities.cluster(trade.security_id))
    if not isinstance(book, Refusal):
        return booked
    if book.code is RefusalCode.UNKNOWN_LOT and book.event_id == trade.trade_id:
        return None
    return book
