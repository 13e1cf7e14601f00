"""Sales: which gain or loss each layer has, and what its losses meet (sections 1.2 to 1.5, 1.16, 4.1 and 4.2)."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from libs.common.money import CENT, ZERO, cents_half_even
from services.wash_sale.core.book import Book
from services.wash_sale.core.holding_period import Term, term_of
from services.wash_sale.core.lot_choice import Taken, Wanted, average, take_wanted
from services.wash_sale.core.lots import Layer, divide, quantity_of
from services.wash_sale.core.matching import WASH_WINDOW, Loss
from services.wash_sale.core.refusals import Refusal, RefusalCode
from services.wash_sale.core.sale_rows import SaleRow
from services.wash_sale.core.tax_events import CashMerger, Fill, LotPart, PastLoss, Sale


def sell(book: Book, sale: Sale) -> Refusal | None:
    """Shares leave, then the sale's losses meet what is left, by original purchase, earliest first (section 1.4).

    So lots closed in one sale do not replace each other; under the other reading each lot's loss meets the lots sold after it.
    """
    found: list[Loss] = []
    sold: list[tuple[Layer, int]] = []
    for fill in sale.fills:
        if refusal := _refused(book, fill):
            return refusal
        first_row = len(book.rows)
        if book.policy.same_sale_lots == "chained":
            if refusal := _sell_chained(book, sale.day, fill):
                return refusal
            continue
        taken = take_wanted(book, _wanted(fill))
        if isinstance(taken, Refusal):
            return taken
        found += _realise(book, sale.day, fill, taken, fill.proceeds)
        if book.policy.sold_replacement == "counts":
            sold += zip((layer for each in taken for layer in each.layers), range(first_row, len(book.rows)), strict=True)
    _meet(book, found)
    for layer, row in sold:
        if _recent(layer, sale.day):
            book.note_sold(layer, row)
    return None


def _recent(layer: Layer, day: date) -> bool:
    """Whether sold shares may still replace a later loss under that reading: bought within the window, and free."""
    bought = layer.acquired is not None and layer.how == "purchase" and layer.acquired >= day - WASH_WINDOW
    return bought and not layer.replaces


def _refused(book: Book, fill: Fill) -> Refusal | None:
    if fill.quantity is not None and fill.quantity <= 0:
        return Refusal(RefusalCode.NOT_POSITIVE, fill.account_id, fill.event_id, None, ZERO, fill.quantity, "quantity")
    if fill.proceeds < 0:
        return Refusal(RefusalCode.NOT_POSITIVE, fill.account_id, fill.event_id, None, ZERO, fill.proceeds, "proceeds")
    return average(book, fill.account_id, fill.security_id, fill.event_id) if fill.method == "average" else None


def _wanted(fill: Fill) -> Wanted:
    return Wanted(fill.event_id, fill.account_id, fill.security_id, fill.quantity, fill.lots, fill.method)


def _meet(book: Book, found: Sequence[Loss]) -> None:
    """Losses in their order; shares sold at a gain beside them count only under the reading that matches all shares sold."""
    if not any(loss.amount for loss in found):
        return
    for loss in sorted(found, key=lambda each: each.acquired or date.min) if len(found) > 1 else found:
        book.lose(loss)


def _sell_chained(book: Book, day: date, fill: Fill) -> Refusal | None:
    """The lots of a sale one after the other, by date of acquisition; the fractions of a cent are divided over lots first."""
    mark = book.undo.mark()
    peeked = take_wanted(book, _wanted(fill))
    book.undo.back_to(mark)
    if isinstance(peeked, Refusal):
        return peeked
    shares = divide(fill.proceeds, [taken.quantity for taken in peeked])
    for taken, proceeds in sorted(zip(peeked, shares, strict=True), key=lambda pair: pair[0].layers[0].acquired or date.min):
        again = _take_one(book, fill, taken)
        if isinstance(again, Refusal):
            return again
        _meet(book, _realise(book, day, fill, again, proceeds))
    return None


def _take_one(book: Book, fill: Fill, taken: Taken) -> list[Taken] | Refusal:
    part = LotPart(taken.key.lot_id, taken.quantity)
    return take_wanted(book, Wanted(fill.event_id, fill.account_id, fill.security_id, taken.quantity, (part,)))


def _realise(book: Book, day: date, fill: Fill, taken: Sequence[Taken], proceeds: Decimal) -> list[Loss]:
    """Write the rows of a fill; returns its losses, and the shares sold at a gain as such that use up replacements."""
    layers = [layer for each in taken for layer in each.layers]
    shares = divide(proceeds, [layer.quantity for layer in layers])
    sold = quantity_of(layers)
    taxable, gains_use_up = book.accounts[fill.account_id].taxable, book.policy.matched_shares != "loss_shares"
    found = []
    for layer, got in zip(layers, shares, strict=True):
        row = sale_row(fill.event_id, day, layer, got, taxable)
        number = book.add_row(row)
        if row.raw_gain is not None:
            lost = row.raw_gain < 0 and _is_loss(row, proceeds, sold)
            if lost or gains_use_up:
                found.append(_loss(row, layer, number, lost))
    return found


def _is_loss(row: SaleRow, proceeds: Decimal, sold: Decimal) -> bool:
    """Whether shares lost: a cent that only the division of the proceeds over the lots brings about is break-even (section 1.2)."""
    gain, basis = row.raw_gain or ZERO, row.basis or ZERO
    return gain < -CENT or (gain == -CENT and proceeds * row.quantity / sold - basis <= -CENT)


class Judged(NamedTuple):
    """Which basis counts, the gain over it, and the period that goes with it."""

    basis: Decimal | None
    gain: Decimal | None
    term: Term | Literal["none"]
    held_since: date | None


def judge(layer: Layer, proceeds: Decimal, day: date) -> Judged:
    """A gift that had lost value has one basis for gain and one for loss; between them is neither (sections 3.3, 4.2)."""
    since = layer.held_since
    if layer.cost is None:
        return Judged(None, None, term_of(since, day), since)
    basis = layer.cost + layer.wash_adjustment
    if layer.loss_cost is not None and proceeds < basis:
        low = layer.loss_basis
        assert low is not None
        if proceeds > low:
            return Judged(None, ZERO, "none", since)
        basis, since = low, layer.loss_since
    term: Term = "long" if layer.how == "inheritance" else term_of(since, day)
    return Judged(basis, proceeds - basis, term, since)


def sale_row(
    event_id: str,
    day: date,
    layer: Layer,
    proceeds: Decimal,
    taxable: bool,
    kind: Literal["sale", "boot", "distribution"] = "sale",
) -> SaleRow:
    """The row of a layer that leaves; a retirement account's has no gain and no term (section 1.12)."""
    judged = judge(layer, proceeds, day)
    if not taxable:
        judged = Judged(layer.basis, None, "none", layer.held_since)
    return SaleRow(
        event_id,
        layer.account_id,
        layer.security_id,
        layer.lot_id,
        layer.quantity,
        day,
        proceeds,
        judged.basis,
        judged.gain,
        judged.term,
        layer.acquired,
        judged.held_since,
        ZERO,
        ZERO,
        layer.how,
        kind,
    )


def _loss(row: SaleRow, layer: Layer, number: int, lost: bool) -> Loss:
    return Loss(
        row.trade_id,
        row.account_id,
        row.security_id,
        row.lot_id,
        layer.purchase_id,
        row.trade_date,
        layer.acquired,
        row.held_since,
        layer.quantity,
        -(row.raw_gain or ZERO) if lost else ZERO,
        number,
        uses_up=not lost,
    )


def note_past_loss(book: Book, past: PastLoss) -> Refusal | None:
    """A loss from before the ledger began: no lot, and no holding period to hand on."""
    loss = Loss(past.event_id, past.account_id, past.security_id, "", past.event_id, past.day, None, None, past.quantity, past.amount, None)
    book.lose(loss)
    return None


def merge_for_cash(book: Book, merger: CashMerger) -> Refusal | None:
    """A cash merger is a sale of everything, in every account that it reaches."""
    fills = []
    for account_id in [merger.account_id] if merger.account_id is not None else list(book.accounts):
        position = book.positions.get((account_id, merger.security_id))
        if position is None or not position.order:
            continue
        quantity = sum((layer.quantity for layers in position.lots.values() for layer in layers), ZERO)
        cash = merger.cash if merger.cash is not None else cents_half_even(merger.cash_per_share * quantity / merger.shares)
        fills.append(Fill(merger.event_id, account_id, merger.security_id, None, cash))
    if not fills and not merger.held:
        return None
    if not fills:
        return Refusal(RefusalCode.UNKNOWN_LOT, merger.account_id or "", merger.event_id, field="security")
    return sell(book, Sale(merger.event_id, merger.day, tuple(fills)))
