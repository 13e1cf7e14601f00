"""One event into the books: either all of it or, with a refusal, nothing."""

from collections.abc import Callable
from typing import Any

from services.wash_sale.core.book import Book
from services.wash_sale.core.disposals import merge_for_cash, note_past_loss, sell
from services.wash_sale.core.receipts import give, receive, transfer
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.reorganizations import exchange, return_capital, sell_fractions, spin_off, split
from services.wash_sale.core.tax_events import (
    CashMerger,
    Exchange,
    FractionSold,
    GiftOut,
    LotIn,
    PastLoss,
    ReturnOfCapital,
    Sale,
    SpinOff,
    Split,
    TaxEvent,
    Transfer,
)

BY_KIND: dict[type, Callable[[Book, Any], Refusal | None]] = {
    LotIn: receive,
    Sale: sell,
    PastLoss: note_past_loss,
    GiftOut: give,
    Transfer: transfer,
    Split: split,
    SpinOff: spin_off,
    Exchange: exchange,
    CashMerger: merge_for_cash,
    ReturnOfCapital: return_capital,
    FractionSold: sell_fractions,
}


def book_event(book: Book, event: TaxEvent) -> Refusal | None:
    """Change the books by an event that is not earlier than those booked before; a refusal leaves them as they were."""
    mark = book.undo.mark()
    refusal = BY_KIND[type(event)](book, event)
    if refusal is not None:
        book.undo.back_to(mark)
    return refusal
