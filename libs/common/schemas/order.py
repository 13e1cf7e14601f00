"""pma.orders.v1, pma.executions.v1 and pma.trades.v1: what leaves, what came back, what was booked.

Field names are FIX 5.0 SP2's where FIX has the notion; docs/orders.md maps each to its tag.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from libs.common.schemas.proposal import Side

OrderState = Literal["new", "partially_filled", "filled", "cancelled", "rejected", "expired"]
ExecType = Literal["new", "partial_fill", "fill", "cancelled", "rejected", "expired", "trade_correct", "trade_cancel"]


class OrderLot(Struct, frozen=True):
    """Lot instruction of a sell allocation: `custodial_lot_id` (1752) when the custodian has one, else the purchase's date and price."""

    custodial_lot_id: str
    quantity: Decimal
    versus_purchase_date: date | None
    versus_purchase_price: Decimal | None


class Allocation(Struct, frozen=True):
    """One account's share of the block, fixed before the trade.  Whole shares; `fraction` follows as cash in lieu when all is filled."""

    individual_alloc_id: str
    alloc_account: str
    household_id: str
    proposal_id: str
    alloc_qty: Decimal
    fraction: Decimal
    lots: list[OrderLot]


class OrderPlaced(Struct, frozen=True):
    """pma.order.placed: one block order a (run, security, side)."""

    cl_ord_id: str
    run_id: str
    security_id: str
    side: Side
    order_qty: Decimal
    ord_type: Literal["market"]
    time_in_force: Literal["day"]
    currency: Literal["USD"]
    reference_price: Decimal
    price_collar_bps: int
    trade_date: date
    transact_time: datetime
    allocations: list[Allocation]


class OrderCancelled(Struct, frozen=True):
    """pma.order.cancelled: a request to the desk to cancel what is open of an order."""

    cl_ord_id: str
    reason: str
    transact_time: datetime


class OrderEnded(Struct, frozen=True):
    """pma.order.ended: nothing of the order is open any more."""

    cl_ord_id: str
    run_id: str
    state: OrderState
    cum_qty: Decimal
    avg_px: Decimal | None
    text: str | None
    accounts: list[str]


class ExecutionReported(Struct, frozen=True):
    """pma.execution.reported, from the desk.  `exec_id` is unique and dedupes; `exec_ref_id` names the one corrected or busted.

    For trade_correct, `last_qty` and `last_px` are the new values of the referenced execution.
    """

    exec_id: str
    cl_ord_id: str
    exec_type: ExecType
    last_qty: Decimal
    last_px: Decimal | None
    cum_qty: Decimal
    leaves_qty: Decimal
    transact_time: datetime
    trade_date: date
    exec_ref_id: str | None = None
    text: str | None = None


class BookedLot(Struct, frozen=True):
    """Shares taken from one lot by a booked sale."""

    lot_id: str
    quantity: Decimal


class TradeBooked(Struct, frozen=True):
    """pma.trade.booked: one account's part of one execution.  `trade_seq` rises by one for each trade of the account.

    `amount` is the cash effect in dollars (negative for a buy) after `fees`.  kind bust takes `ref_trade_id` back whole; a correction is
    a bust and a new fill.  cash_in_lieu is the fraction that leaves with a whole position.  A buy's lot id is 'P-' + trade_id.
    """

    trade_id: str
    trade_seq: int
    kind: Literal["fill", "cash_in_lieu", "bust"]
    ref_trade_id: str | None
    account_id: str
    household_id: str
    run_id: str
    cl_ord_id: str
    exec_id: str
    security_id: str
    side: Side
    quantity: Decimal
    price: Decimal
    fees: Decimal
    amount: Decimal
    trade_date: date
    settle_date: date
    lots: list[BookedLot]
