"""Which account gets what of a fill, given what the order's accounts were booked so far."""

from datetime import date
from decimal import Decimal

from msgspec import Struct

from libs.common.money import ZERO
from libs.common.schemas.order import Allocation, BookedLot
from services.orders.core.allocation import Part, TradeDraft, draft_bust, draft_cash_in_lieu, share_fill, take_lots
from services.orders.core.order_state import Fill, OrderRecord, exact_average


class Booked(Struct, frozen=True):
    """What one account was booked of an order and not taken back: whole shares, and shares by lot."""

    shares: Decimal = ZERO
    by_lot: dict[str, Decimal] = {}


NOTHING = Booked()


def booked_by_account(record: OrderRecord) -> dict[str, Booked]:
    """What stands of the order's trades, by account."""
    booked: dict[str, Booked] = {}
    for trade in [*(trade for fill in record.fills for trade in fill.trades), *record.in_lieu]:
        before = booked.get(trade.account_id, NOTHING)
        by_lot = dict(before.by_lot)
        for lot in trade.lots:
            by_lot[lot.lot_id] = by_lot.get(lot.lot_id, ZERO) + lot.quantity
        booked[trade.account_id] = Booked(before.shares + (trade.quantity if trade.kind == "fill" else ZERO), by_lot)
    return booked


def lots_for(record: OrderRecord, allocation: Allocation, booked: Booked, quantity: Decimal) -> list[BookedLot]:
    """The next shares of a sale's lots; a buy has none."""
    return [] if record.order.side == "buy" else take_lots(allocation.lots, booked.by_lot, quantity)


def fresh_parts(record: OrderRecord, last_qty: Decimal) -> list[Part]:
    """Share a fill pro rata to what each account still lacks."""
    allocations, by_account = record.order.allocations, booked_by_account(record)
    booked = [by_account.get(allocation.alloc_account, NOTHING) for allocation in allocations]
    shares = share_fill([a.alloc_qty - has.shares for a, has in zip(allocations, booked, strict=True)], last_qty)
    return [
        Part(allocation, quantity, lots_for(record, allocation, has, quantity))
        for allocation, has, quantity in zip(allocations, booked, shares, strict=True)
        if quantity > 0
    ]


def same_parts(record: OrderRecord, fill: Fill) -> list[Part]:
    """The parts that a fill had."""
    by_account = {allocation.alloc_account: allocation for allocation in record.order.allocations}
    return [Part(by_account[trade.account_id], trade.quantity, trade.lots) for trade in fill.trades]


def fractions_due(record: OrderRecord, exec_id: str, trade_date: date) -> list[TradeDraft]:
    """Cash in lieu for each account whose whole shares are all filled and whose fraction has not left yet."""
    average, paid = exact_average(record), {trade.account_id for trade in record.in_lieu}
    owed = [a for a in record.order.allocations if a.fraction > 0 and a.alloc_account not in paid]
    if not owed or average is None:
        return []
    by_account, due = booked_by_account(record), []
    for allocation in owed:
        booked = by_account.get(allocation.alloc_account, NOTHING)
        if booked.shares == allocation.alloc_qty:
            lots = lots_for(record, allocation, booked, allocation.fraction)
            due.append(draft_cash_in_lieu(record.order, exec_id, allocation, average, trade_date, lots))
    return due


def bust_trades(record: OrderRecord, fill: Fill, exec_id: str) -> list[TradeDraft]:
    """What takes a fill back: its trades, and the cash in lieu of its accounts."""
    accounts = {trade.account_id for trade in fill.trades}
    in_lieu = [trade for trade in record.in_lieu if trade.account_id in accounts]
    return [draft_bust(trade, exec_id) for trade in [*in_lieu, *fill.trades]]
