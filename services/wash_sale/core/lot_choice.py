"""Which lots a sale, gift or transfer takes (section 5): those that were identified, else the oldest of the account (FIFO)."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from libs.common.money import ZERO
from services.wash_sale.core.book import Book
from services.wash_sale.core.lots import Layer, divide, quantity_of, take
from services.wash_sale.core.positions import LotKey, Position
from services.wash_sale.core.refusals import Refusal, RefusalCode
from services.wash_sale.core.tax_events import LotMethod, LotPart


class Taken(Struct, frozen=True, gc=False):
    """Layers that leave a lot."""

    key: LotKey
    quantity: Decimal
    layers: list[Layer]


class Wanted(Struct, frozen=True, gc=False):
    """What is to leave a position: shares of the named lots, or a quantity by a method (None: all of it)."""

    event_id: str
    account_id: str
    security_id: str
    quantity: Decimal | None
    lots: tuple[LotPart, ...] | None
    method: LotMethod = "fifo"


def take_wanted(book: Book, wanted: Wanted) -> list[Taken] | Refusal:
    """Take shares out of their lots; a refusal where they are not there."""
    if wanted.account_id not in book.accounts:
        return Refusal(RefusalCode.UNKNOWN_ACCOUNT, wanted.account_id, wanted.event_id, field="account")
    parts = wanted.lots if wanted.lots is not None else _chosen(book, wanted)
    if isinstance(parts, Refusal):
        return parts
    return take_parts(book, wanted, parts)


def take_parts(book: Book, wanted: Wanted, parts: tuple[LotPart, ...]) -> list[Taken] | Refusal:
    """Take the named shares, lot by lot."""
    if wanted.quantity is not None and wanted.lots is not None:
        named = sum((part.quantity for part in parts), ZERO)
        if named != wanted.quantity:
            return Refusal(RefusalCode.LOTS_DO_NOT_ADD_UP, wanted.account_id, wanted.event_id, None, named, wanted.quantity, "lots")
    taken: list[Taken] = []
    for part in _by_purchase(book, wanted, parts):
        key = LotKey(wanted.account_id, wanted.security_id, part.lot_id)
        layers = book.lot(key)
        held = ZERO if layers is None else quantity_of(layers)
        if part.quantity <= 0:
            return Refusal(RefusalCode.NOT_POSITIVE, wanted.account_id, wanted.event_id, part.lot_id, ZERO, part.quantity, "lots.quantity")
        if layers is None or held < part.quantity:
            code = RefusalCode.UNKNOWN_LOT if layers is None else RefusalCode.OVERSOLD_LOT
            field = "lots.lot_id" if layers is None else "lots.quantity"
            return Refusal(code, wanted.account_id, wanted.event_id, part.lot_id, held, part.quantity, field)
        parting = take(layers, part.quantity)
        book.put(key, parting.kept)
        taken.append(Taken(key, part.quantity, parting.taken))
    return taken


def _by_purchase(book: Book, wanted: Wanted, parts: tuple[LotPart, ...]) -> Sequence[LotPart]:
    """Named lots in the order in which they were bought, so that the order in which a sale lists them decides nothing (section 1.4)."""
    position = book.positions.get((wanted.account_id, wanted.security_id))
    if len(parts) < 2 or wanted.lots is None or position is None:
        return parts
    named = {part.lot_id for part in parts}
    places = {lot_id: place for place, (_, _, lot_id) in enumerate(position.order) if lot_id in named}
    return sorted(parts, key=lambda part: places.get(part.lot_id, -1))


def _chosen(book: Book, wanted: Wanted) -> tuple[LotPart, ...] | Refusal:
    """Lots by method, until the quantity is reached."""
    position = book.positions.get((wanted.account_id, wanted.security_id))
    left = wanted.quantity
    parts: list[LotPart] = []
    for lot_id in _ordered(position, wanted.method, book) if position is not None else ():
        if left is not None and left <= 0:
            break
        assert position is not None
        held = quantity_of(position.lots[lot_id])
        part = held if left is None else min(held, left)
        parts.append(LotPart(lot_id, part))
        left = None if left is None else left - part
    if left is not None and left > 0:
        asked = wanted.quantity or ZERO
        return Refusal(RefusalCode.OVERSOLD_POSITION, wanted.account_id, wanted.event_id, None, asked - left, asked, "quantity")
    return tuple(parts)


def _ordered(position: Position, method: LotMethod, book: Book) -> Iterator[str]:
    """Open lots in the order of the method; ties in the order of arrival."""
    if method == "lifo":
        return (lot_id for _, _, lot_id in sorted(position.order, key=lambda place: (place[0], place[1]), reverse=True))
    if method == "hifo":
        return iter(sorted((lot_id for _, _, lot_id in position.order), key=lambda lot_id: -_basis_of_a_share(position, lot_id)))
    if book.policy.fifo_by == "tacked_date":
        return iter(sorted((lot_id for _, _, lot_id in position.order), key=lambda lot_id: _earliest(position, lot_id)))
    return (lot_id for _, _, lot_id in position.order)


def _earliest(position: Position, lot_id: str) -> date:
    return min(layer.held_since or date.min for layer in position.lots[lot_id])


def _basis_of_a_share(position: Position, lot_id: str) -> Decimal:
    layers = position.lots[lot_id]
    return sum((layer.basis or ZERO for layer in layers), ZERO) / quantity_of(layers)


def average(book: Book, account_id: str, security_id: str, event_id: str) -> Refusal | None:
    """Give every share of a position the average basis, lot by lot in order of acquisition (section 5.3)."""
    position = book.positions.get((account_id, security_id))
    if position is None:
        return None
    keys = [LotKey(account_id, security_id, lot_id) for _, _, lot_id in position.order]
    layers = [layer for key in keys for layer in position.lots[key.lot_id]]
    if not layers:
        return None
    if any(layer.cost is None or layer.loss_cost is not None for layer in layers):
        return Refusal(RefusalCode.AVERAGE_NOT_ALLOWED, account_id, event_id, field="lot_method")
    quantities = [layer.quantity for layer in layers]
    costs = divide(sum((layer.cost or ZERO for layer in layers), ZERO), quantities)
    adjustments = divide(sum((layer.wash_adjustment for layer in layers), ZERO), quantities)
    averaged = iter(
        replace(layer, cost=cost, wash_adjustment=adjustment) for layer, cost, adjustment in zip(layers, costs, adjustments, strict=True)
    )
    for key in keys:
        book.put(key, [next(averaged) for _ in position.lots[key.lot_id]])
    return None
