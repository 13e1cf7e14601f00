"""The books of one identity group, made from its facts in the order of dates."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from libs.common.money import SHARE_STEP, ZERO, cents_half_even, split_largest_remainder
from libs.common.schemas.order import BookedLot, TradeBooked
from services.wash_sale.core.group_facts import GroupFacts, in_order
from services.wash_sale.core.holding_period import Term, term_of
from services.wash_sale.core.household import AccountFacts
from services.wash_sale.core.lots import Layer, quantity_of, take
from services.wash_sale.core.matching import WASH_WINDOW, Loss, Wash, match
from services.wash_sale.core.refusals import Refusal, RefusalCode
from services.wash_sale.core.securities import SecurityFacts

LotKey = tuple[str, str]


class SaleRow(Struct, frozen=True):
    """What one booked sale took from one layer.  Gain figures are None where the basis is unknown and in a retirement account."""

    trade_id: str
    account_id: str
    security_id: str
    lot_id: str
    quantity: Decimal
    trade_date: date
    proceeds: Decimal
    basis: Decimal | None
    raw_gain: Decimal | None
    term: Term | Literal["none"]
    acquired: date | None
    held_since: date | None
    disallowed: Decimal = ZERO
    permanently_disallowed: Decimal = ZERO

    @property
    def allowed_gain(self) -> Decimal | None:
        """The gain that counts for tax this year."""
        return None if self.raw_gain is None else self.raw_gain + self.disallowed


@dataclass(frozen=True)
class GroupBook:
    """What follows: layers by account and lot, sale rows, what was washed, and the losses that are not washed in full."""

    layers: Mapping[LotKey, Sequence[Layer]]
    rows: Sequence[SaleRow]
    washes: Sequence[Wash]
    open_losses: Sequence[Loss]


def replay(facts: GroupFacts, accounts: Mapping[str, AccountFacts], securities: SecurityFacts) -> GroupBook | Refusal:
    """Make the books of a group.  A refusal names the first sale that does not fit what was held on its day."""
    book = _Book(accounts, securities)
    events = in_order(facts, securities)
    for event in events:
        if event.layer is not None:
            book.buy(event.layer, event.booked_here)
        elif event.past_loss is not None:
            book.note(event.past_loss)
        elif refusal := book.sell(event.fills):
            later = any(e.layer is not None and e.layer.lot_id == refusal.lot_id for e in events)
            return replace(refusal, code=RefusalCode.SALE_BEFORE_PURCHASE) if later and not book.knows(refusal) else refusal
    return GroupBook(book.layers, book.rows, book.washes, [loss for loss in book.losses if loss.amount > 0])


class _Book:
    """The working state of one replay.  `_bought` and `_open` are the purchases and losses of the last 30 days."""

    def __init__(self, accounts: Mapping[str, AccountFacts], securities: SecurityFacts) -> None:
        self._accounts = accounts
        self._securities = securities
        self._bought: deque[tuple[date, LotKey, str]] = deque()
        self._open: deque[Loss] = deque()
        self.layers: dict[LotKey, list[Layer]] = {}
        self.losses: list[Loss] = []
        self.rows: list[SaleRow] = []
        self.washes: list[Wash] = []

    def knows(self, refusal: Refusal) -> bool:
        """Whether the refused lot had come in by then."""
        return (refusal.account_id, refusal.lot_id or "") in self.layers

    def note(self, loss: Loss) -> None:
        """A loss that later purchases may wash."""
        self.losses.append(loss)
        self._open.append(loss)

    def buy(self, layer: Layer, booked_here: bool) -> None:
        """Shares come in; where they were bought within the window of earlier losses, they replace them, first loss first (section 1.4).

        What lies between the file's lots and the sales before it is settled by the file: its lots do not wash past sales again.
        """
        key = (layer.account_id, layer.lot_id)
        self.layers.setdefault(key, []).append(layer)
        if layer.acquired is None:
            return
        self._bought.append((layer.acquired, key, layer.purchase_id))
        self._forget_before(layer.acquired - WASH_WINDOW)
        for loss in self._open:
            if booked_here or loss.row is not None:
                self._wash(loss, key, layer.purchase_id)

    def sell(self, fills: Sequence[TradeBooked]) -> Refusal | None:
        """An order's sale: shares leave, then its losses meet the purchases of the 30 days before that are still held (section 1.5).

        The order of losses within a sale is by original purchase (section 1.4).
        """
        self._forget_before(fills[0].trade_date - WASH_WINDOW)
        losses: list[Loss] = []
        for trade in fills:
            taken = self._take(trade)
            if isinstance(taken, Refusal):
                return taken
            losses += self._realise(trade, taken)
        for loss in sorted(losses, key=lambda found: found.acquired or date.min):
            for _, key, purchase_id in self._bought:
                self._wash(loss, key, purchase_id)
            self.note(loss)
        return None

    def _forget_before(self, day: date) -> None:
        while self._bought and self._bought[0][0] < day:
            self._bought.popleft()
        while self._open and (self._open[0].sold < day or self._open[0].amount == 0):
            self._open.popleft()

    def _wash(self, loss: Loss, key: LotKey, purchase_id: str) -> None:
        if loss.amount == 0:
            return
        self.layers[key], washes = match(loss, self.layers[key], purchase_id, self._accounts)
        for wash in washes:
            self.washes.append(wash)
            if loss.row is not None:
                row = self.rows[loss.row]
                gone = row.permanently_disallowed + (wash.disallowed if wash.permanent else ZERO)
                self.rows[loss.row] = replace(row, disallowed=row.disallowed + wash.disallowed, permanently_disallowed=gone)

    def _take(self, trade: TradeBooked) -> list[tuple[BookedLot, list[Layer]]] | Refusal:
        """The layers that a fill takes from each of its lots."""
        factor = self._securities.split_factor(trade.security_id, trade.trade_date)
        taken = []
        for booked in trade.lots:
            lot_id = self._accounts[trade.account_id].lot_named(booked.lot_id)
            key = (trade.account_id, lot_id)
            held = quantity_of(self.layers.get(key, ()))
            wanted = booked.quantity * factor
            if key not in self.layers or held < wanted:
                code = RefusalCode.OVERSOLD_LOT if key in self.layers else RefusalCode.UNKNOWN_LOT
                return Refusal(code, trade.account_id, trade.trade_id, lot_id, held / factor, booked.quantity)
            parting = take(self.layers[key], wanted)
            self.layers[key] = parting.kept
            taken.append((booked, parting.taken))
        return taken

    def _realise(self, trade: TradeBooked, taken: Sequence[tuple[BookedLot, list[Layer]]]) -> list[Loss]:
        """Write the sale's rows; returns its losses."""
        layers = [layer for _, found in taken for layer in found]
        proceeds = split_largest_remainder(cents_half_even(trade.amount), [layer.quantity for layer in layers])
        quantities = [part for booked, found in taken for part in _booked_quantities(booked, found)]
        taxable = self._accounts[trade.account_id].taxable
        losses = []
        for layer, got, quantity in zip(layers, proceeds, quantities, strict=True):
            row = _row(trade, layer, got, quantity, taxable)
            self.rows.append(row)
            if row.raw_gain is not None and row.raw_gain < 0:
                losses.append(_loss(row, row.raw_gain, layer, len(self.rows) - 1))
        return losses


def _booked_quantities(booked: BookedLot, layers: Sequence[Layer]) -> list[Decimal]:
    """The booked shares of a lot by layer, in the shares of the trade's day."""
    if len(layers) == 1:
        return [booked.quantity]
    return split_largest_remainder(booked.quantity, [layer.quantity for layer in layers], SHARE_STEP)


def _row(trade: TradeBooked, layer: Layer, proceeds: Decimal, quantity: Decimal, taxable: bool) -> SaleRow:
    return SaleRow(
        trade.trade_id,
        trade.account_id,
        trade.security_id,
        layer.lot_id,
        quantity,
        trade.trade_date,
        proceeds,
        layer.basis,
        proceeds - layer.basis if taxable and layer.basis is not None else None,
        term_of(layer.held_since, trade.trade_date) if taxable else "none",
        layer.acquired,
        layer.held_since,
    )


def _loss(row: SaleRow, raw_gain: Decimal, layer: Layer, position: int) -> Loss:
    return Loss(
        row.trade_id,
        row.account_id,
        row.security_id,
        row.lot_id,
        layer.purchase_id,
        row.trade_date,
        layer.acquired,
        layer.held_since,
        layer.quantity,
        -raw_gain,
        position,
    )
