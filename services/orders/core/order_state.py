"""An order's record and what follows from it: its state, its shares, its average price.

The state is a function of what was filled and of how the desk ended the order, not of the order in which that was learned.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from libs.common.money import ZERO
from libs.common.schemas.order import ExecutionReported, OrderEnded, OrderPlaced, OrderState
from services.orders.core.allocation import TradeDraft, price_half_even

ENDED_STATES: frozenset[OrderState] = frozenset({"filled", "cancelled", "rejected", "expired"})
EndType = Literal["cancelled", "rejected", "expired"]


class Fill(Struct, frozen=True):
    """One execution as it stands; `trades` are what it booked last.

    `exec_ids` holds its own id and those of its corrections, the one in force last; `corrected_at` is when the desk made that one.
    """

    exec_ids: list[str]
    corrected_at: datetime | None
    last_qty: Decimal
    last_px: Decimal
    trade_date: date
    busted: bool = False
    trades: list[TradeDraft] = []


class Ending(Struct, frozen=True):
    """The desk says that nothing of the order is worked any more."""

    exec_id: str
    end_type: EndType
    transact_time: datetime
    text: str | None


class OrderRecord(Struct, frozen=True):
    """All that is known of an order.

    `in_lieu` are the fractions booked; `early` are amendments of executions that have not come; `excess` are fills for which
    the order has no room; `seen` dedupes; `ended` stays once it is true.
    """

    order: OrderPlaced
    fills: list[Fill] = []
    in_lieu: list[TradeDraft] = []
    endings: list[Ending] = []
    early: list[ExecutionReported] = []
    excess: list[Fill] = []
    seen: list[str] = []
    ended: bool = False


def cum_qty(record: OrderRecord) -> Decimal:
    """Shares filled and not taken back."""
    return sum((fill.last_qty for fill in record.fills if not fill.busted), ZERO)


def exact_average(record: OrderRecord) -> Decimal | None:
    """Dollars a share over all that is filled, unrounded."""
    filled = cum_qty(record)
    if filled == 0:
        return None
    return sum((fill.last_qty * fill.last_px for fill in record.fills if not fill.busted), ZERO) / filled


def avg_px(record: OrderRecord) -> Decimal | None:
    """Dollars a share over all that is filled, to six places, ties to even."""
    average = exact_average(record)
    return None if average is None else price_half_even(average)


def first_ending(record: OrderRecord) -> Ending | None:
    """How the desk ended the order: its earliest word."""
    return min(record.endings, key=lambda ending: (ending.transact_time, ending.exec_id), default=None)


def state_of(record: OrderRecord) -> OrderState:
    """The order's state.

    A rejected order with fills is cancelled for the rest; one that was filled and then busted is cancelled too, since
    nothing of it is worked any more.
    """
    filled, ending = cum_qty(record), first_ending(record)
    if filled == record.order.order_qty:
        return "filled"
    if ending is not None:
        return "cancelled" if ending.end_type == "rejected" and filled > 0 else ending.end_type
    if record.ended:
        return "cancelled"
    return "partially_filled" if filled > 0 else "new"


def leaves_qty(record: OrderRecord) -> Decimal:
    """Shares that may still be filled."""
    return ZERO if record.ended else record.order.order_qty - cum_qty(record)


def order_ended(record: OrderRecord) -> OrderEnded:
    """The event that says how the order ended, as it stands now."""
    ending = first_ending(record)
    return OrderEnded(
        cl_ord_id=record.order.cl_ord_id,
        run_id=record.order.run_id,
        state=state_of(record),
        cum_qty=cum_qty(record),
        avg_px=avg_px(record),
        text=None if ending is None else ending.text,
        accounts=sorted(allocation.alloc_account for allocation in record.order.allocations),
    )
