"""What a trade would mean before it is made: the loss that would be denied, why, by which lot, and from which day on it would not.

The trades of a list are tried out on the books one after the other, as of one day, and taken back; so a sale sees the purchases before it
in the list and a purchase the sales.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from libs.common.money import ZERO, cents_half_even
from services.wash_sale.core.book import Book
from services.wash_sale.core.booking import book_event
from services.wash_sale.core.certainty import CONFIRMED, NOT_COVERED, Judgement, certainty_of
from services.wash_sale.core.lots import Layer
from services.wash_sale.core.matching import WASH_WINDOW, Wash
from services.wash_sale.core.open_windows import first_free_day
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.sale_rows import SaleRow
from services.wash_sale.core.tax_events import Fill, LotIn, LotPart, Sale, TaxEvent


class IntendedTrade(Struct, frozen=True):
    """A trade that somebody thinks of: `price` in dollars a share; a sale's `lots`, else the oldest of the account."""

    trade_id: str
    account_id: str
    security_id: str
    side: Literal["buy", "sell"]
    quantity: Decimal
    price: Decimal
    lots: tuple[LotPart, ...] | None = None


class Meaning(Struct, frozen=True):
    """What it would mean.  `gain` of a sale in dollars, negative for a loss, None where it is not taxed or the basis is not known.

    `denied` dollars of loss: of this sale, or by this purchase of other sales; `washes` say by which lot and of which sale.
    `first_free_day`: the first day on which nothing that is known now would deny it; None where nothing is denied today.  `certain` says
    whether what is to come, or what no feed shows, may change that; None for a trade that can't be made.
    """

    trade_id: str
    gain: Decimal | None
    denied: Decimal
    permanently_denied: Decimal
    washes: Sequence[Wash]
    first_free_day: date | None
    refusal: str | None = None
    certain: Judgement | None = None


def try_out(book: Book, trades: Sequence[IntendedTrade], as_of: date, all_covered: bool = True) -> list[Meaning]:
    """The meaning of each trade of a list made on a day; the books stay as they were.

    `as_of` is not before the last day that is booked; `all_covered`: a feed shows every account.
    """
    mark = book.undo.mark()
    tried = []
    for trade in trades:
        losses = [book.losses[number].sold for number in book.open_losses(trade.security_id, as_of)]
        refusal = book_event(book, _event(trade, as_of))
        tried.append(_Tried(trade, losses if trade.side == "buy" else _purchase_days(book, trade, as_of), refusal))
    meanings = [_meaning(book, each, as_of, all_covered) for each in tried]
    book.undo.back_to(mark)
    return meanings


class _Tried(Struct, frozen=True):
    """A trade, the days of what could deny (or be denied by) it at that moment, and why it can't be made."""

    trade: IntendedTrade
    days: list[date]
    refusal: Refusal | None


def _event(trade: IntendedTrade, as_of: date) -> TaxEvent:
    dollars = cents_half_even(trade.quantity * trade.price)
    if trade.side == "sell":
        fill = Fill(trade.trade_id, trade.account_id, trade.security_id, trade.quantity, dollars, trade.lots)
        return Sale(trade.trade_id, as_of, (fill,))
    purchase_id = f"intended/{trade.trade_id}"
    layer = Layer(trade.account_id, trade.trade_id, purchase_id, trade.security_id, trade.quantity, dollars, as_of, as_of)
    return LotIn(trade.trade_id, as_of, layer, acquisition=True)


def _purchase_days(book: Book, trade: IntendedTrade, as_of: date) -> list[date]:
    """The days of the purchases that still could replace a sale's shares; not those of the lots that it sold itself."""
    sold = {(row.account_id, row.lot_id) for row in book.rows if row.trade_id == trade.trade_id}
    left = (each for each in book.recent_purchases(trade.security_id, as_of) if (each.account_id, each.lot_id) not in sold)
    return [each.day for each in left]


def _meaning(book: Book, tried: _Tried, as_of: date, all_covered: bool) -> Meaning:
    trade = tried.trade
    if tried.refusal is not None:
        return Meaning(trade.trade_id, None, ZERO, ZERO, (), None, tried.refusal.text())
    gain, days = None, tried.days
    rows = [row for row in book.rows if row.trade_id == trade.trade_id]
    if trade.side == "sell":
        if all(row.raw_gain is not None for row in rows):
            gain = sum((row.raw_gain or ZERO for row in rows), ZERO)
        washes = [wash for wash in book.washes if wash.loss_id == trade.trade_id]
        days = [*days, *(wash.replacement_date for wash in washes)]  # a later purchase of the list is among them
    else:
        washes = [w for w in book.washes if (w.replacement_account_id, w.replacement_lot_id) == (trade.account_id, trade.trade_id)]
        days = [*days, *(wash.loss_date for wash in washes)]  # likewise a later sale
    denied = sum((wash.disallowed for wash in washes), ZERO)
    gone = sum((wash.disallowed for wash in washes if wash.permanent), ZERO)
    certain = _certain_of_sale(rows, as_of, all_covered) if trade.side == "sell" else _certain_of_purchase(book, trade, as_of, all_covered)
    return Meaning(trade.trade_id, gain, denied, gone, washes, first_free_day(days) if denied else None, None, certain)


def _certain_of_sale(rows: Sequence[SaleRow], as_of: date, all_covered: bool) -> Judgement:
    """The least certain of its rows; with an account that no feed shows, a loss is unknowable and not merely provisional."""
    found = [certainty_of(row, as_of, all_covered) for row in rows]
    unknowable = next((each for each in found if each.certainty == "unknowable"), None)
    provisional = max((each for each in found if each.until is not None), key=lambda each: each.until or date.min, default=None)
    if unknowable is None and provisional is not None and not all_covered:
        return NOT_COVERED
    return unknowable or provisional or CONFIRMED


def _certain_of_purchase(book: Book, trade: IntendedTrade, as_of: date, all_covered: bool) -> Judgement:
    """What a purchase denies is known, unless a recent sale is of unknown basis, or an account that no feed shows may have sold."""
    identical = book.identity.identical_to(trade.security_id, as_of)
    recent = (row for row in book.rows if row.security_id in identical and row.trade_date >= as_of - WASH_WINDOW)
    if any(row.unknown_basis and row.kind == "sale" and book.accounts[row.account_id].taxable for row in recent):
        return Judgement("unknowable", None, "unknown_basis")
    return CONFIRMED if all_covered else NOT_COVERED
