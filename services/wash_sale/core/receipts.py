"""Shares that come in, are given away or move between accounts (sections 1.7, 3.3 to 3.5, 4.1 to 4.3)."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from libs.common.money import ZERO
from services.wash_sale.core.book import Book
from services.wash_sale.core.holding_period import Term, term_of
from services.wash_sale.core.lot_choice import Wanted, take_wanted
from services.wash_sale.core.lots import divide
from services.wash_sale.core.positions import LotKey
from services.wash_sale.core.refusals import Refusal, RefusalCode
from services.wash_sale.core.sale_rows import Gift
from services.wash_sale.core.tax_events import GiftOut, LotIn, Transfer


def receive(book: Book, event: LotIn) -> Refusal | None:
    """Shares come in; where they were acquired within the window of earlier losses, they replace them."""
    layer = event.layer
    if layer.account_id not in book.accounts:
        return Refusal(RefusalCode.UNKNOWN_ACCOUNT, layer.account_id, event.event_id, layer.lot_id, field="account")
    if layer.quantity <= 0:
        return Refusal(RefusalCode.NOT_POSITIVE, layer.account_id, event.event_id, layer.lot_id, ZERO, layer.quantity, "quantity")
    if layer.cost is not None and layer.cost < 0:
        return Refusal(RefusalCode.NOT_POSITIVE, layer.account_id, event.event_id, layer.lot_id, ZERO, layer.cost, "cost")
    key = LotKey(layer.account_id, layer.security_id, layer.lot_id)
    book.add(key, (layer,))
    if event.acquisition and layer.acquired is not None:
        book.buy(key, layer.purchase_id, layer.acquired, event.settled)
    return None


def give(book: Book, gift: GiftOut) -> Refusal | None:
    """A gift has no gain and no loss; the basis goes with the shares, the oldest first unless identified (section 5.1)."""
    taken = take_wanted(book, Wanted(gift.event_id, gift.account_id, gift.security_id, gift.quantity, gift.lots))
    if isinstance(taken, Refusal):
        return taken
    given = [(each.key.lot_id, layer) for each in taken for layer in each.layers]
    shares = [layer.quantity for _, layer in given]
    values: Sequence[Decimal | None] = [None] * len(given) if gift.value is None else divide(gift.value, shares)
    for (lot_id, layer), value in zip(given, values, strict=True):
        term: Term = "long" if layer.how == "inheritance" else term_of(layer.held_since, gift.day)
        where = (gift.event_id, gift.day, gift.account_id, gift.security_id, lot_id)
        book.add_gift(Gift(*where, layer.quantity, layer.basis, term, value, gift.donee))
    return None


def transfer(book: Book, event: Transfer) -> Refusal | None:
    """Own shares move with basis, period and what they may still replace; moving is not an acquisition (sections 1.7, 3.5)."""
    source, target = book.accounts.get(event.from_account), book.accounts.get(event.to_account)
    if source is None or target is None:
        missing = event.from_account if source is None else event.to_account
        return Refusal(RefusalCode.UNKNOWN_ACCOUNT, missing, event.event_id, field="from_account" if source is None else "to_account")
    if source.scope != target.scope:
        return Refusal(RefusalCode.CHANGES_OWNER, event.to_account, event.event_id, field="to_account")
    if source.taxable != target.taxable:
        return Refusal(RefusalCode.CHANGES_TAX_STATUS, event.to_account, event.event_id, field="to_account")
    taken = take_wanted(book, Wanted(event.event_id, event.from_account, event.security_id, event.quantity, event.lots))
    if isinstance(taken, Refusal):
        return taken
    for each in taken:
        key = LotKey(event.to_account, event.security_id, each.key.lot_id)
        book.add(key, [replace(layer, account_id=event.to_account) for layer in each.layers])
        for purchase_id in sorted({layer.purchase_id for layer in each.layers}):
            book.note_moved(purchase_id, key)
    return None
