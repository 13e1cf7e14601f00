"""Books the desk's executions: the order's new state, trades for accounts and lots, and its end.

The executions of one batch are booked one after the other, and what they change is written once, at the batch's end.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from libs.common.schemas.order import ExecutionReported, OrderEnded
from libs.common.unit import Unit
from services.orders import block_store, store
from services.orders.core.allocation import TradeDraft
from services.orders.core.executions import apply_execution, fault_of
from services.orders.core.order_state import OrderRecord, order_ended
from services.orders.judging import Judging
from services.orders.metrics import UNKNOWN_ORDER
from services.orders.recalling import note_recalls

IN_HAND = "bookings"


@dataclass
class Booking:
    """What one execution led to: trades to number and say, the order's end if it is news, and whether the order had ended before."""

    unit: Unit
    trades: list[TradeDraft]
    ended: OrderEnded | None
    executions_seen: int
    late: bool


@dataclass
class Bookings:
    """What a batch has booked so far and not written yet: blocks as they stand, by id, and each execution's outcome."""

    judging: Judging
    records: dict[str, OrderRecord] = field(default_factory=dict)
    done: list[Booking] = field(default_factory=list)


async def book_execution(unit: Unit, judging: Judging, execution: ExecutionReported) -> None:
    """Apply one execution, once; what can't be read as one of an order of ours is kept for a person."""
    bookings: Bookings | None = unit.held(IN_HAND)
    if bookings is None:
        await store.alone(unit.connection)
        bookings = Bookings(judging)
    noted = await block_store.note_execution(unit.connection, execution.exec_id, execution.cl_ord_id)
    record = bookings.records.get(execution.cl_ord_id, noted.record)
    outcome = "duplicate" if not noted.fresh else UNKNOWN_ORDER if record is None else fault_of(record, execution)
    if record is None or outcome is not None:
        judging.metrics.executions.labels(outcome).inc()
        if noted.fresh:
            await block_store.save_unbooked(unit.connection, execution, str(outcome), unit.now)
        return

    step = apply_execution(record, execution, judging.policy.fee_per_share)

    bookings.records[execution.cl_ord_id] = step.record
    bookings.done.append(Booking(unit, step.trades, news_of_end(record, step.record), len(step.record.seen), record.ended))
    unit.hold(IN_HAND, bookings, write)
    judging.metrics.executions.labels(step.outcome).inc()


def news_of_end(before: OrderRecord, after: OrderRecord) -> OrderEnded | None:
    """How the order ended, when it just did or when what was said of its end has changed."""
    if not after.ended:
        return None
    ended = order_ended(after)
    return None if before.ended and ended == order_ended(before) else ended


def by_booking(bookings: Bookings, drafts: Sequence[TradeDraft]) -> list[list[TradeDraft]]:
    """The trades of each booking, out of all of them in order."""
    rest = iter(drafts)
    return [list(itertools.islice(rest, len(booking.trades))) for booking in bookings.done]


async def write(unit: Unit, bookings: Bookings) -> None:
    """Number the trades account by account, keep them with their blocks, and say all in the order of the executions.

    A trade goes under the household that its account is in now.  One that was said before a restore has its number already.
    """
    drafts = [draft for booking in bookings.done for draft in booking.trades]
    households = await store.households_of(unit.connection, {draft.account_id for draft in drafts})
    moved = [replace(draft, household_id=households.get(draft.account_id, draft.household_id)) for draft in drafts]
    fresh = [draft for draft in moved if draft.trade_id not in bookings.judging.said.trade_ids]
    trades = {trade.trade_id: trade for trade in await block_store.number_trades(unit.connection, fresh)}
    await block_store.save_trades(unit.connection, list(trades.values()), unit.now)
    await block_store.save_records(unit.connection, list(bookings.records.values()), unit.now)
    for booking, booked in zip(bookings.done, by_booking(bookings, moved), strict=True):
        news = [draft for draft in booked if draft.trade_id in trades]
        if booking.late and news:
            await note_recalls(unit, bookings.judging, news)
        for trade in (trades[draft.trade_id] for draft in news):
            booking.unit.emit(trade, trade.trade_id, 1, trade.household_id)
            bookings.judging.metrics.trades.labels(trade.kind).inc()
        if booking.ended is not None:
            booking.unit.emit(booking.ended, booking.ended.cl_ord_id, booking.executions_seen, booking.ended.cl_ord_id)
