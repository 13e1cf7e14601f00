"""Applies the desk's executions to an order, in whatever order they come, and says what to book.

The desk's facts win: a fill that comes after a cancel is booked.  What can't be booked yet is held until it can be: an
amendment before the execution it amends, or a fill beyond the order's quantity (a bust may make room; if none comes, it
stands there for a person).  An ended order never reopens.

Invariants
1. Shares filled never exceed the order; what each account was booked never exceeds its allocation.
2. The accounts' parts sum to the execution, at each step.
3. The same execution twice changes nothing (by exec_id); a bust takes back exactly what its execution booked, and a
   correction is that bust and a new fill.
4. In whatever order the executions arrive, the order ends with the same shares and, when it is filled, so does each account.
5. No lot of the instruction is used beyond its quantity, and lots are used in their order.
"""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from libs.common.schemas.order import ExecutionReported
from services.orders.core.allocation import Part, TradeDraft, draft_fill, fees_of
from services.orders.core.order_state import ENDED_STATES, Ending, Fill, OrderRecord, cum_qty, state_of
from services.orders.core.parts import bust_trades, fractions_due, fresh_parts, same_parts


class Outcome(StrEnum):
    """What an execution did: booked trades, was noted, or is held for another; it may also have been seen before."""

    BOOKED = "booked"
    NOTED = "noted"
    HELD = "held"
    DUPLICATE = "duplicate"


class Fault(StrEnum):
    """Why an execution can't be read as one of this order; it goes to the dead letters."""

    OF_ANOTHER_ORDER = "of_another_order"
    NOT_WHOLE_SHARES = "not_whole_shares"
    NO_PRICE = "no_price"
    NO_REFERENCE = "no_reference"


class Step(Struct, frozen=True):
    """The order after an execution, the trades to book (in order), and what the execution did."""

    record: OrderRecord
    trades: list[TradeDraft]
    outcome: Outcome


def fault_of(record: OrderRecord, execution: ExecutionReported) -> Fault | None:
    """What makes the message unusable for this order, if anything."""
    if execution.cl_ord_id != record.order.cl_ord_id:
        return Fault.OF_ANOTHER_ORDER
    if execution.exec_type in ("partial_fill", "fill", "trade_correct"):
        if execution.last_qty <= 0 or execution.last_qty != execution.last_qty.to_integral_value():
            return Fault.NOT_WHOLE_SHARES
        if execution.last_px is None or execution.last_px <= 0:
            return Fault.NO_PRICE
    if execution.exec_type in ("trade_correct", "trade_cancel") and execution.exec_ref_id is None:
        return Fault.NO_REFERENCE
    return None


def apply_execution(record: OrderRecord, execution: ExecutionReported, fee_per_share: Decimal) -> Step:
    """The order after `execution`, and after whatever was held and can now be applied.  The caller has asked `fault_of`."""
    if execution.exec_id in record.seen:
        return Step(record, [], Outcome.DUPLICATE)
    first = take(replace(record, seen=[*record.seen, execution.exec_id]), execution, fee_per_share)
    trades, step = list(first.trades), next_held(first.record, fee_per_share)
    record = first.record
    while step is not None:
        record, trades = step.record, trades + step.trades
        step = next_held(record, fee_per_share)
    return Step(record, trades, first.outcome)


def next_held(record: OrderRecord, fee_per_share: Decimal) -> Step | None:
    """Apply the first held amendment or fill that has become possible, or that only now found the fill that it names."""
    for i, execution in enumerate(record.early):
        step = take(replace(record, early=record.early[:i] + record.early[i + 1 :]), execution, fee_per_share)
        if step.outcome is not Outcome.HELD or (step.record.fills, step.record.excess) != (record.fills, record.excess):
            return step
    for i, fill in enumerate(record.excess):
        step = close(book(replace(record, excess=record.excess[:i] + record.excess[i + 1 :]), fill, fee_per_share))
        if step.outcome is not Outcome.HELD:
            return step
    return None


def take(record: OrderRecord, execution: ExecutionReported, fee_per_share: Decimal) -> Step:
    """Apply one execution, or hold it."""
    match execution.exec_type:
        case "new":
            step = Step(record, [], Outcome.NOTED)
        case "partial_fill" | "fill":
            step = book(record, fill_of(execution), fee_per_share)
        case "trade_cancel" | "trade_correct":
            step = amend(record, execution, fee_per_share)
        case "cancelled" | "rejected" | "expired" as end_type:
            ending = Ending(execution.exec_id, end_type, execution.transact_time, execution.text)
            step = Step(replace(record, endings=[*record.endings, ending]), [], Outcome.NOTED)
    return close(step)


def close(step: Step) -> Step:
    """Mark the order ended once nothing of it is open; `state_of` keeps it so."""
    ended = state_of(step.record) in ENDED_STATES
    return replace(step, record=replace(step.record, ended=ended))


def fill_of(execution: ExecutionReported) -> Fill:
    """A fill as the desk reported it, nothing booked yet."""
    if execution.last_px is None:
        raise AssertionError("an execution without a price is a fault")
    return Fill([execution.exec_id], None, execution.last_qty, execution.last_px, execution.trade_date)


def has_room(record: OrderRecord, shares: Decimal) -> bool:
    """Whether so many more shares still fit into the order."""
    return cum_qty(record) + shares <= record.order.order_qty


def book(record: OrderRecord, fill: Fill, fee_per_share: Decimal) -> Step:
    """Book a fill, or hold one that exceeds what is open of the order."""
    if not has_room(record, fill.last_qty):
        return Step(replace(record, excess=[*record.excess, fill]), [], Outcome.HELD)
    return book_parts(record, fill, fresh_parts(record, fill.last_qty), fee_per_share)


def book_parts(record: OrderRecord, fill: Fill, parts: Sequence[Part], fee_per_share: Decimal) -> Step:
    """Book a fill's parts, and the cash in lieu of the accounts that it completes."""
    exec_id, fees = fill.exec_ids[-1], fees_of(fee_per_share, fill.last_qty)
    trades = draft_fill(record.order, exec_id, fill.last_px, fill.trade_date, parts, fees)
    record = replace(record, fills=[*record.fills, replace(fill, trades=trades)])
    in_lieu = fractions_due(record, exec_id, fill.trade_date)
    return Step(replace(record, in_lieu=[*record.in_lieu, *in_lieu]), trades + in_lieu, Outcome.BOOKED)


def amend(record: OrderRecord, execution: ExecutionReported, fee_per_share: Decimal) -> Step:
    """Bust or correct the referenced execution, booked or still held for want of room; hold the amendment if it is neither.

    A bust is final; of two corrections the one that the desk made later stands, whichever came first.
    """
    for fills in (record.fills, record.excess):
        fill = next((fill for fill in fills if execution.exec_ref_id in fill.exec_ids), None)
        if fill is not None:
            break
    else:
        return Step(replace(record, early=[*record.early, execution]), [], Outcome.HELD)
    if fill.busted or is_superseded(fill, execution):
        return Step(swap(record, fill, also_known_as(fill, execution.exec_id)), [], Outcome.NOTED)
    if execution.exec_type == "trade_cancel":
        return bust(record, fill, execution.exec_id)
    return correct(record, fill, execution, fee_per_share)


def is_superseded(fill: Fill, execution: ExecutionReported) -> bool:
    """Whether a correction in force was made after this one."""
    if execution.exec_type == "trade_cancel" or fill.corrected_at is None:
        return False
    return (execution.transact_time, execution.exec_id) < (fill.corrected_at, fill.exec_ids[-1])


def also_known_as(fill: Fill, exec_id: str) -> Fill:
    """The fill with one more id by which later amendments may name it; the one in force stays last."""
    return fill if exec_id in fill.exec_ids else replace(fill, exec_ids=[exec_id, *fill.exec_ids])


def in_force(fill: Fill, exec_id: str) -> list[str]:
    """The fill's ids with the one that is in force now at the end."""
    return [*(known for known in fill.exec_ids if known != exec_id), exec_id]


def swap(record: OrderRecord, old: Fill, new: Fill) -> OrderRecord:
    """The record with one fill, booked or held, in its new form."""
    fills, excess = ([new if fill is old else fill for fill in fills] for fills in (record.fills, record.excess))
    return replace(record, fills=fills, excess=excess)


def bust(record: OrderRecord, fill: Fill, exec_id: str) -> Step:
    """Take back what a fill booked, and the cash in lieu of its accounts, whose positions are no longer gone.

    A held fill booked nothing; it is kept as busted, so that later amendments find it.
    """
    accounts = {trade.account_id for trade in fill.trades}
    busts = bust_trades(record, fill, exec_id)
    busted = replace(fill, exec_ids=in_force(fill, exec_id), busted=True, trades=[])
    return Step(
        replace(
            record,
            fills=[item for item in record.fills if item is not fill] + [busted],
            excess=[item for item in record.excess if item is not fill],
            in_lieu=[trade for trade in record.in_lieu if trade.account_id not in accounts],
        ),
        busts,
        Outcome.BOOKED if busts else Outcome.NOTED,
    )


def correct(record: OrderRecord, fill: Fill, execution: ExecutionReported, fee_per_share: Decimal) -> Step:
    """Bust and book anew; a correction of the price alone leaves each account's shares and lots as they were."""
    new = replace(fill_of(execution), exec_ids=in_force(fill, execution.exec_id), corrected_at=execution.transact_time)
    if not fill.trades:
        return Step(swap(record, fill, new), [], Outcome.NOTED)
    if not has_room(record, new.last_qty - fill.last_qty):
        known = swap(record, fill, also_known_as(fill, execution.exec_id))
        return Step(replace(known, early=[*record.early, execution]), [], Outcome.HELD)
    busted = bust(record, fill, execution.exec_id)
    without = replace(busted.record, fills=busted.record.fills[:-1])
    parts = same_parts(record, fill) if new.last_qty == fill.last_qty else fresh_parts(without, new.last_qty)
    step = book_parts(without, new, parts, fee_per_share)
    return replace(step, trades=busted.trades + step.trades)
