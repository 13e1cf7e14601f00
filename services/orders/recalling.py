"""Calls back open orders that a late booking has overtaken: noted with the booking, asked for in the background.

The requests leave on the lane of the orders themselves, so none overtakes its order.
"""

from collections.abc import Sequence
from typing import Final

from libs.common.schemas.order import OrderCancelled
from libs.common.service import Service
from libs.common.unit import Unit
from services.orders import answer_store, block_store, store
from services.orders.core.allocation import TradeDraft
from services.orders.core.recalls import called_back
from services.orders.judging import Judging

LATE_BOOKING: Final = "late booking"


async def note_recalls(unit: Unit, judging: Judging, late: Sequence[TradeDraft]) -> None:
    """Mark what the trades of an order that had ended call back; the caller stands alone."""
    held = await answer_store.placed_in(unit.connection, {trade.household_id for trade in late})
    if not held:
        return
    quotes = await judging.newest_quotes(unit.connection)
    closed_at = await store.closed_at(unit.connection, {item.run_id for item in held} | {trade.run_id for trade in late})

    recalls = called_back(late, held, quotes.group_of, closed_at)

    await block_store.note_recall(unit.connection, sorted({answer_store.order_of(item) for item in recalls}), LATE_BOOKING)


async def ask_for_recalls(service: Service) -> None:
    """Ask the desk to cancel what is marked, is still open, and was not asked for before."""
    if not await block_store.any_recall(service.pool):
        return
    async with service.unit("background", "orders") as unit:
        for cl_ord_id, reason in await block_store.take_recalls(unit.connection, unit.now):
            unit.emit(OrderCancelled(cl_ord_id, reason, unit.now), cl_ord_id, reason, cl_ord_id)
