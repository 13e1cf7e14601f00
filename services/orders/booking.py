"""Books the desk's executions: the order's new state, trades for accounts and lots, and the end of its reservations."""

from msgspec.structs import replace

from libs.common.schemas.order import ExecutionReported
from libs.common.unit import Unit
from services.orders import answer_store, block_store, store
from services.orders.core.allocation import TradeDraft
from services.orders.core.executions import apply_execution, fault_of
from services.orders.core.order_state import OrderRecord, order_ended
from services.orders.judging import Judging

UNKNOWN_ORDER = "unknown_order"


async def book_execution(unit: Unit, judging: Judging, execution: ExecutionReported) -> None:
    """Apply one execution, once; what can't be read as one of an order of ours is kept for a person."""
    await store.alone(unit.connection)
    if not await block_store.first_sight(unit.connection, execution.exec_id):
        judging.metrics.executions.labels("duplicate").inc()
        return
    record = await block_store.load_record(unit.connection, execution.cl_ord_id)
    fault = UNKNOWN_ORDER if record is None else fault_of(record, execution)
    if record is None or fault is not None:
        await block_store.save_unbooked(unit.connection, execution, fault or UNKNOWN_ORDER, unit.now)
        judging.metrics.executions.labels(fault or UNKNOWN_ORDER).inc()
        return

    step = apply_execution(record, execution, judging.policy.fee_per_share)

    await block_store.save_record(unit.connection, step.record, unit.now)
    await book_trades(unit, judging, step.trades)
    await end_order(unit, record, step.record)
    judging.metrics.executions.labels(step.outcome).inc()


async def book_trades(unit: Unit, judging: Judging, drafts: list[TradeDraft]) -> None:
    """Number the trades account by account, keep them and say them; each under the household that its account is in now."""
    households = await store.households_of(unit.connection, {draft.account_id for draft in drafts})
    moved = [replace(draft, household_id=households[draft.account_id]) for draft in drafts]
    trades = await block_store.number_trades(unit.connection, moved)
    await block_store.save_trades(unit.connection, trades, unit.now)
    for trade in trades:
        unit.emit(trade, trade.trade_id, 1, trade.household_id)
        judging.metrics.trades.labels(trade.kind).inc()


async def end_order(unit: Unit, before: OrderRecord, after: OrderRecord) -> None:
    """Release what an ended order held back and say how it ended; what changes it later is said again."""
    if not after.ended:
        return
    if not before.ended:
        proposals = [allocation.proposal_id for allocation in after.order.allocations]
        await answer_store.release_trade(unit.connection, proposals, after.order.security_id)
    ended = order_ended(after)
    if not before.ended or ended != order_ended(before):
        unit.emit(ended, ended.cl_ord_id, len(after.seen), ended.cl_ord_id)
