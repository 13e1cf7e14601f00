"""Corporate actions as they reach the lots of the books: shares and basis change, lot by lot; none is an acquisition (section 1.7)."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

from msgspec.structs import replace

from libs.common.money import ZERO, cents_half_even
from services.wash_sale.core.book import Book
from services.wash_sale.core.corporate_actions import allocate_by_value, merger_with_boot, return_of_capital
from services.wash_sale.core.disposals import sale_row, sell
from services.wash_sale.core.lots import Layer, divide, new_shares, quantity_of
from services.wash_sale.core.positions import LotKey
from services.wash_sale.core.refusals import Refusal, RefusalCode
from services.wash_sale.core.tax_events import (
    Exchange,
    Fill,
    FractionSold,
    InLieu,
    LotPart,
    ReturnOfCapital,
    Sale,
    ShownLots,
    SpinOff,
    Split,
)


def _accounts_with(book: Book, security_id: str, account_id: str | None) -> Iterator[str]:
    """The accounts that an action reaches, where they hold the security."""
    for each in [account_id] if account_id is not None else list(book.accounts):
        position = book.positions.get((each, security_id))
        if position is not None and position.order:
            yield each


def _open_lots(book: Book, account_id: str, security_id: str, shown: ShownLots = frozenset()) -> list[tuple[LotKey, tuple[Layer, ...]]]:
    position = book.positions[account_id, security_id]
    lots = [(LotKey(account_id, security_id, lot_id), position.lots[lot_id]) for _, _, lot_id in position.order]
    return [lot for lot in lots if (account_id, lot[0].lot_id) not in shown] if shown else lots


def spun_lot(lot_id: str, new_security: str) -> str:
    """What the ledger calls the shares that were spun off a lot, until the custodian names them."""
    return f"{lot_id}/{new_security}"


def _bad_ratio(event: Split | SpinOff | Exchange) -> Refusal | None:
    if event.new <= 0 or event.old <= 0:
        return Refusal(RefusalCode.NOT_POSITIVE, event.account_id or "", event.event_id, None, ZERO, event.new, "ratio")
    return None


def split(book: Book, event: Split) -> Refusal | None:
    """Each lot's shares change, its dollars and period stay (section 4.4, IRC 307); shares sold at a loss count in new shares."""
    if refusal := _bad_ratio(event):
        return refusal
    for account_id in _accounts_with(book, event.security_id, event.account_id):
        for key, layers in _open_lots(book, account_id, event.security_id):
            quantities = new_shares([layer.quantity for layer in layers], event.new, event.old)
            book.put(key, [replace(layer, quantity=quantity) for layer, quantity in zip(layers, quantities, strict=True)])
    if book.policy.split_counting == "adjusted":
        book.scale_losses(event.security_id, event.account_id, event.new, event.old)
    return None


def spin_off(book: Book, event: SpinOff) -> Refusal | None:
    """Each lot's basis divides by relative value; the new shares keep its period (section 4.4, Reg. 1.358-2(a)(2)(iv))."""
    if refusal := _bad_ratio(event):
        return refusal
    whole = event.kept_value + event.new_value
    if event.kept_value < 0 or event.new_value < 0 or whole <= 0:
        return Refusal(RefusalCode.NOT_POSITIVE, event.account_id or "", event.event_id, None, ZERO, whole, "values")
    for account_id in list(_accounts_with(book, event.security_id, event.account_id)):
        came = [_spin(book, event, key, layers) for key, layers in _open_lots(book, account_id, event.security_id, event.shown)]
        if event.in_lieu is not None and (refusal := _sell_fraction(book, event.day, came, event.in_lieu)):
            return refusal
    return None


def _spin(book: Book, event: SpinOff, key: LotKey, layers: Sequence[Layer]) -> LotKey:
    """One lot divided; returns where the new shares are."""
    quantities = new_shares([layer.quantity for layer in layers], event.new, event.old)
    kept, spun = zip(*(_divided(layer, event) for layer in layers), strict=True)
    lot_id = key.lot_id
    if event.names is not None:
        lot_id = spun_lot(lot_id, event.new_security)
        lot_id = event.names.get(key.account_id, {}).get(lot_id, lot_id)
    book.put(key, kept)
    there = [
        replace(layer, security_id=event.new_security, lot_id=lot_id, quantity=quantity)
        for layer, quantity in zip(spun, quantities, strict=True)
        if quantity
    ]
    new = LotKey(key.account_id, event.new_security, lot_id)
    book.add(new, there)
    return new


def _divided(layer: Layer, event: SpinOff) -> tuple[Layer, Layer]:
    """What stays and what is spun off, basis by value."""
    values = (event.kept_value, event.new_value)
    cost = (None, None) if layer.cost is None else allocate_by_value(layer.cost, values)
    loss_cost = (None, None) if layer.loss_cost is None else allocate_by_value(layer.loss_cost, values)
    adjustment = allocate_by_value(layer.wash_adjustment, values)
    kept = replace(layer, cost=cost[0], wash_adjustment=adjustment[0], loss_cost=loss_cost[0])
    # shares of a distribution are no acquisition: they replace nothing
    return kept, replace(layer, cost=cost[1], wash_adjustment=adjustment[1], loss_cost=loss_cost[1], replaces=True)


def exchange(book: Book, event: Exchange) -> Refusal | None:
    """A reorganization: basis and period carry lot by lot; cash is gain up to the gain there is, never a loss (section 4.5)."""
    if refusal := _bad_ratio(event):
        return refusal
    has_cash = bool(event.cash_per_share) or bool(event.cash)
    if has_cash and event.new_price is None:
        return Refusal(RefusalCode.MISSING, event.account_id or "", event.event_id, field="new_price")
    if event.cash_per_share < 0 or (event.cash or ZERO) < 0:
        return Refusal(RefusalCode.NOT_POSITIVE, event.account_id or "", event.event_id, None, ZERO, event.cash_per_share, "cash")
    came: dict[str, list[LotKey]] = {}
    for account_id in list(_accounts_with(book, event.security_id, event.account_id)):
        lots = _open_lots(book, account_id, event.security_id)
        shares = [layer.quantity for _, layers in lots for layer in layers]
        total = event.cash if event.cash is not None else cents_half_even(event.cash_per_share * sum(shares, ZERO) / event.old_shares)
        cash = iter(divide(total, shares))
        for key, layers in lots:
            quantities = new_shares([layer.quantity for layer in layers], event.new, event.old)
            after = [_exchanged(book, event, layer, quantity, next(cash)) for layer, quantity in zip(layers, quantities, strict=True)]
            book.put(key, ())
            successor = LotKey(account_id, event.new_security, key.lot_id)
            book.add(successor, after)
            came.setdefault(account_id, []).append(successor)
            for purchase_id in sorted({layer.purchase_id for layer in after}):
                book.note_moved(purchase_id, successor)
    if book.policy.split_counting == "adjusted":
        if event.new_security in book.identity.identical_to(event.security_id, event.day):
            book.scale_losses(event.security_id, event.account_id, event.new, event.old)  # as after a split
        else:
            book.scale_sold(event.security_id, event.account_id, event.new, event.old)
    book.note_successor(event.security_id, event.new_security)
    if event.in_lieu is not None:
        refusals = (_sell_fraction(book, event.day, lots, event.in_lieu) for lots in came.values())
        return next((refusal for refusal in refusals if refusal), None)
    return None


def _exchanged(book: Book, event: Exchange, layer: Layer, quantity: Decimal, cash: Decimal) -> Layer:
    moved = replace(layer, security_id=event.new_security, quantity=quantity)
    if not cash or not book.accounts[layer.account_id].taxable:
        return moved
    if layer.cost is None or layer.basis is None:
        book.add_row(sale_row(event.event_id, event.day, layer, cash, taxable=True, kind="boot"))  # how much of it is gain is not known
        return moved
    stock_value = cents_half_even((event.new_price or ZERO) * quantity / event.new_shares)
    recognised = merger_with_boot(layer.basis, stock_value, cash).recognised_gain
    if recognised:
        part = replace(layer, cost=cash - recognised, wash_adjustment=ZERO, loss_cost=None)
        book.add_row(sale_row(event.event_id, event.day, part, cash, taxable=True, kind="boot"))
    loss_cost = None if layer.loss_cost is None else max(ZERO, layer.loss_cost - cash + recognised)
    return replace(moved, cost=layer.cost - cash + recognised, loss_cost=loss_cost)


def sell_fractions(book: Book, event: FractionSold) -> Refusal | None:
    """After a split: of every account that it reached, the fraction of a share that its lots have together is sold."""
    for account_id in list(_accounts_with(book, event.security_id, None)):
        lots = [key for key, _ in _open_lots(book, account_id, event.security_id, event.shown)]
        if refusal := _sell_fraction(book, event.day, lots, event.in_lieu):
            return refusal
    return None


def _sell_fraction(book: Book, day: date, lots: Sequence[LotKey], in_lieu: InLieu) -> Refusal | None:
    """The fraction that an account's lots have together is received, then sold, the oldest first (sections 4.7, 5.1)."""
    held = [(key, layers) for key in lots if (layers := book.lot(key))]
    total = sum((quantity_of(layers) for _, layers in held), ZERO)
    left = total - (total // in_lieu.shares) * in_lieu.shares
    if not left:
        return None
    proceeds = cents_half_even(in_lieu.price * left / in_lieu.shares)
    first, parts = held[0][0], []
    for key, layers in sorted(held, key=lambda lot: (lot[1][0].acquired or date.min, lot[0].lot_id)):
        part = min(left, quantity_of(layers))
        left -= part
        parts += [LotPart(key.lot_id, part)] if part else []
    quantity = sum((part.quantity for part in parts), ZERO)
    return sell(
        book, Sale(in_lieu.event_id, day, (Fill(in_lieu.event_id, first.account_id, first.security_id, quantity, proceeds, tuple(parts)),))
    )


def return_capital(book: Book, event: ReturnOfCapital) -> Refusal | None:
    """Basis falls share by share; what is beyond it is gain of the lot's term (section 4.6, IRC 301(c), Johnson v. US)."""
    if event.per_share < 0 or (event.amount is not None and event.amount < 0):
        return Refusal(
            RefusalCode.NOT_POSITIVE, event.account_id or "", event.event_id, None, ZERO, event.amount or event.per_share, "amount"
        )
    for account_id in _accounts_with(book, event.security_id, event.account_id):
        if not book.accounts[account_id].taxable:
            continue
        lots = _open_lots(book, account_id, event.security_id, event.shown)
        if not lots:
            continue
        layers = [layer for _, found in lots for layer in found]
        shares = [layer.quantity for layer in layers]
        total = event.amount if event.amount is not None else cents_half_even(event.per_share * sum(shares, ZERO) / event.shares)
        parts = iter(divide(total, shares) if book.policy.return_of_capital == "per_share" else _earliest_first(total, layers))
        for key, found in lots:
            book.put(key, [_returned(book, event, layer, next(parts)) for layer in found])
    return None


def _earliest_first(total: Decimal, layers: list[Layer]) -> list[Decimal]:
    """The other reading of section 8: the earliest lots' basis first; what is beyond all basis is divided by shares."""
    parts = []
    for layer in layers:
        part = min(total, layer.basis or ZERO)
        parts.append(part)
        total -= part
    beyond = divide(total, [layer.quantity for layer in layers])
    return [part + extra for part, extra in zip(parts, beyond, strict=True)]


def _returned(book: Book, event: ReturnOfCapital, layer: Layer, amount: Decimal) -> Layer:
    if not amount:
        return layer
    if layer.cost is None or layer.basis is None:
        book.add_row(
            sale_row(event.event_id, event.day, layer, amount, taxable=True, kind="distribution")
        )  # beyond which basis is not known
        return layer
    beyond = return_of_capital(layer.basis, amount).gain
    if beyond:
        part = replace(layer, cost=ZERO, wash_adjustment=ZERO, loss_cost=None)
        book.add_row(sale_row(event.event_id, event.day, part, beyond, taxable=True, kind="distribution"))
    lowered = amount - beyond
    from_cost = min(layer.cost, lowered)
    loss_cost = None if layer.loss_cost is None else max(ZERO, layer.loss_cost - amount)
    return replace(layer, cost=layer.cost - from_cost, wash_adjustment=layer.wash_adjustment - (lowered - from_cost), loss_cost=loss_cost)
