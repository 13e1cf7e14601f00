"""What may not be bought, or sold at a loss, by a household's books as of a day, and until when (sections 1.1, 1.5, 1.6, 1.8)."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Literal

from msgspec import Struct

from services.wash_sale.core.book import Book
from services.wash_sale.core.matching import WASH_WINDOW, Purchase

NEXT_DAY = timedelta(days=1)


class OpenWindow(Struct, frozen=True):
    """`blocks` buys of the securities (a loss was taken) or sales of them at a loss (they were bought), until a day inclusive.

    `cause` is the sale, or the purchase, that opened it.
    """

    blocks: Literal["buys", "loss_sales"]
    securities: tuple[str, ...]
    opened: date
    until: date
    account_id: str
    cause: str


def open_windows(book: Book, as_of: date) -> list[OpenWindow]:
    """Windows of losses that are not denied in full, and of purchases with shares still held that have replaced nothing."""
    found = {
        OpenWindow(
            "buys",
            book.identity.identical_to(loss.security_id, as_of),
            loss.sold,
            loss.sold + WASH_WINDOW,
            loss.account_id,
            loss.loss_id,
        )
        for loss in book.losses
        if not loss.over and loss.sold <= as_of <= loss.sold + WASH_WINDOW
    }
    for purchase in book.free_purchases(as_of):
        found.add(
            OpenWindow(
                "loss_sales",
                _identical_now(book, purchase, as_of),
                purchase.day,
                purchase.day + WASH_WINDOW,
                purchase.account_id,
                purchase.lot_id,
            )
        )
    return sorted(found, key=lambda window: (window.blocks, window.opened, window.account_id, window.cause))


def _identical_now(book: Book, purchase: Purchase, as_of: date) -> tuple[str, ...]:
    """What a purchase's shares are identical to: after a reorganization they are another security than was bought."""
    names = book.held_as(purchase) or {purchase.security_id}
    return tuple(sorted({each for name in names for each in book.identity.identical_to(name, as_of)}))


def first_free_day(days: Iterable[date]) -> date | None:
    """The first day on which none of the given purchases or losses reaches any more."""
    last = max(days, default=None)
    return None if last is None else last + WASH_WINDOW + NEXT_DAY
