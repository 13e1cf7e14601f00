"""The books of one identity group, made from its facts in the order of dates."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from msgspec.structs import replace

from libs.common.money import SHARE_STEP, ZERO
from libs.common.schemas.order import TradeBooked
from services.wash_sale.core.book import Book
from services.wash_sale.core.booking import book_event
from services.wash_sale.core.group_facts import GroupFacts, in_order, place_of_action, placed_events
from services.wash_sale.core.household import AccountFacts
from services.wash_sale.core.lots import Layer, divide
from services.wash_sale.core.matching import Loss, Wash
from services.wash_sale.core.policy import DEFAULT_POLICY
from services.wash_sale.core.refusals import Refusal, RefusalCode
from services.wash_sale.core.sale_rows import Gift, SaleRow
from services.wash_sale.core.securities import SecurityFacts
from services.wash_sale.core.tax_events import LotIn, TaxAccount, TaxEvent

__all__ = ["GroupBook", "LotKey", "SaleRow", "replay"]

LotKey = tuple[str, str]


@dataclass(frozen=True)
class GroupBook:
    """What follows: layers by account and lot, sale rows, what was washed, losses that are not washed in full, and what was given away."""

    layers: Mapping[LotKey, Sequence[Layer]]
    rows: Sequence[SaleRow]
    washes: Sequence[Wash]
    open_losses: Sequence[Loss]
    gifts: Sequence[Gift] = ()


def replay(facts: GroupFacts, accounts: Mapping[str, AccountFacts], securities: SecurityFacts) -> GroupBook | Refusal:
    """Make the books of a group.  A refusal names the first sale that does not fit what was held on its day."""
    book = book_of(facts, accounts, securities)
    if isinstance(book, Refusal):
        return book
    layers: dict[LotKey, Sequence[Layer]] = {}
    for (account_id, _), position in book.positions.items():
        for lot_id, found in position.lots.items():
            if found or (account_id, lot_id) not in layers:  # a lot that a merger emptied is held in the successor
                layers[account_id, lot_id] = found
    rows = _in_the_days_shares(book.rows, facts, securities) if securities.splits else book.rows
    return GroupBook(layers, rows, book.washes, [loss for loss in book.losses if not loss.over], _gifts(book, securities))


def _gifts(book: Book, securities: SecurityFacts) -> list[Gift]:
    """What was given away, in the shares of its day."""
    return [replace(gift, quantity=gift.quantity / securities.split_factor(gift.security_id, gift.day)) for gift in book.gifts]


def book_of(
    facts: GroupFacts, accounts: Mapping[str, AccountFacts], securities: SecurityFacts, also: Collection[str] = ()
) -> Book | Refusal:
    """The working state of a group's books, in today's shares; `also` are further securities of the group."""
    events = in_order(facts, securities)
    book = _book(facts, accounts, securities, also)
    for event in events:
        if refusal := book_event(book, event):
            return _explained(refusal, events, facts, securities)
        book.undo.forget(book.undo.mark())
    return book


def book_after_action(facts: GroupFacts, accounts: Mapping[str, AccountFacts], securities: SecurityFacts, number: int) -> Book | Refusal:
    """The working state just after one of the securities' reorganizations."""
    book = _book(facts, accounts, securities, ())
    last = place_of_action(number, securities.reorganizations[number].ex_date)
    for place, event in placed_events(facts, securities):
        if place > last:
            break
        if refusal := book_event(book, event):
            return refusal
    return book


def _book(facts: GroupFacts, accounts: Mapping[str, AccountFacts], securities: SecurityFacts, also: Collection[str]) -> Book:
    identity = securities.identity(_securities_of(facts, also) | securities.reorganized)
    return Book(tax_accounts(accounts), identity, DEFAULT_POLICY)


def tax_accounts(accounts: Mapping[str, AccountFacts]) -> dict[str, TaxAccount]:
    """A household's accounts: one scope, for a household is a taxpayer, the spouse and what they control."""
    return {name: TaxAccount(name, account.taxpayer_id, account.taxable) for name, account in accounts.items()}


def _securities_of(facts: GroupFacts, also: Collection[str]) -> set[str]:
    ids = {lot.security_id for _, lot in facts.starting} | {trade.security_id for _, trade in facts.trades}
    return ids | {sale.security_id for sale in facts.past_losses} | set(also)


def _explained(refusal: Refusal, events: Iterable[TaxEvent], facts: GroupFacts, securities: SecurityFacts) -> Refusal:
    """The refusal in the shares of the trade's day; a lot that comes in later was sold before its purchase."""
    trade = next((trade for _, trade in facts.trades if trade.trade_id == refusal.event_id), None)
    if trade is not None and refusal.limit is not None and refusal.actual is not None:
        factor = securities.split_factor(trade.security_id, trade.trade_date)
        refusal = replace(refusal, limit=refusal.limit / factor, actual=refusal.actual / factor)
    later = any(isinstance(event, LotIn) and event.layer.lot_id == refusal.lot_id for event in events)
    if refusal.code is RefusalCode.UNKNOWN_LOT and later:
        return replace(refusal, code=RefusalCode.SALE_BEFORE_PURCHASE)
    return refusal


def _in_the_days_shares(rows: Sequence[SaleRow], facts: GroupFacts, securities: SecurityFacts) -> list[SaleRow]:
    """Rows are booked in today's shares; they are shown in the shares that were sold, lot by lot."""
    trades = {trade.trade_id: (account, trade) for account, trade in facts.trades}
    by_lot: dict[tuple[str, str], list[int]] = {}
    for number, row in enumerate(rows):
        by_lot.setdefault((row.trade_id, row.lot_id), []).append(number)
    shown = list(rows)
    for (trade_id, lot_id), numbers in by_lot.items():
        if trade_id not in trades:  # an action's rows, in the shares of its day
            for number in numbers:
                row = rows[number]
                shown[number] = replace(row, quantity=row.quantity / securities.split_factor(row.security_id, row.trade_date))
            continue
        booked = _booked_of(*trades[trade_id], lot_id)
        parts = divide(booked, [rows[number].quantity for number in numbers], SHARE_STEP)
        for number, part in zip(numbers, parts, strict=True):
            shown[number] = replace(rows[number], quantity=part)
    return shown


def _booked_of(account: AccountFacts, trade: TradeBooked, lot_id: str) -> Decimal:
    return sum((lot.quantity for lot in trade.lots if account.lot_named(lot.lot_id) == lot_id), ZERO)
