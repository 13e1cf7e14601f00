"""Rules on what came back: fills stay within their order and the collar, and are shared pro rata to the shares that remain."""

from collections import defaultdict
from decimal import Decimal

from demo.audit.evidence import Evidence, total
from demo.audit.legs import BPS, Leg
from demo.audit.tally import Tally
from libs.common.money import SHARE_STEP, ZERO, split_largest_remainder
from libs.common.schemas.order import Allocation, ExecutionReported, OrderPlaced, TradeBooked

FILLS = ("fill", "partial_fill")


def _executions_of(evidence: Evidence) -> dict[str, list[ExecutionReported]]:
    found: dict[str, list[ExecutionReported]] = defaultdict(list)
    for execution in evidence.executions:
        found[execution.cl_ord_id].append(execution)
    return found


def _parts_of(evidence: Evidence) -> dict[str, dict[str, Decimal]]:
    """Shares booked as fills, by execution and account."""
    parts: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for trade in evidence.trades:
        if trade.kind == "fill":
            parts[trade.exec_id][trade.account_id] = parts[trade.exec_id].get(trade.account_id, ZERO) + trade.quantity
    return parts


def _standing(executions: list[ExecutionReported]) -> dict[str, ExecutionReported]:
    """The fills that stand, by the id of the execution first reported: corrections replace, cancellations take back."""
    standing: dict[str, ExecutionReported] = {}
    first_id: dict[str, str] = {}
    for execution in executions:
        ref = execution.exec_ref_id or ""
        origin = first_id.get(ref, ref)
        if execution.exec_type in FILLS:
            standing[execution.exec_id] = execution
        elif execution.exec_type == "trade_correct":
            first_id[execution.exec_id] = origin
            standing[origin] = execution
        elif execution.exec_type == "trade_cancel":
            standing.pop(origin, None)
    return standing


def within_order(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """What the desk filled and what was booked never exceed the order, nor an allocation; and the two agree, also with how it ended."""
    by_order, booked = _executions_of(evidence), _booked(evidence)
    orders = {order.cl_ord_id: order for order in evidence.orders}
    for order in evidence.orders:
        filled = total(e.last_qty for e in _standing(by_order.get(order.cl_ord_id, [])).values())
        tally.check(filled <= order.order_qty, order.cl_ord_id, f"{order.security_id}: {filled} filled of {order.order_qty}")
        whole = total(booked.get((order.cl_ord_id, a.alloc_account, "fill"), ZERO) for a in order.allocations)
        tally.check(whole == min(filled, order.order_qty), order.cl_ord_id, f"{order.security_id}: {filled} filled, {whole} booked")
        for allocation in order.allocations:
            _check_allocation(order, allocation, booked, tally)
    last_word = {ended.cl_ord_id: ended for ended in evidence.ended}
    for ended in last_word.values():
        filled = total(e.last_qty for e in _standing(by_order.get(ended.cl_ord_id, [])).values())
        tally.check(ended.cum_qty == filled, ended.cl_ord_id, f"ended with {ended.cum_qty} filled, executions sum to {filled}")
    for execution in evidence.executions:
        tally.check(execution.cl_ord_id in orders, execution.cl_ord_id, f"execution {execution.exec_id} of an order that was not placed")
    for trade in evidence.trades:
        of = orders.get(trade.cl_ord_id)
        fits = of is not None and (trade.security_id, trade.side, trade.run_id) == (of.security_id, of.side, of.run_id)
        tally.check(fits, trade.cl_ord_id, f"trade {trade.trade_id} fits no order that was placed")


def _booked(evidence: Evidence) -> dict[tuple[str, str, str], Decimal]:
    """Shares that stand booked, by order, account and kind."""
    booked: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for trade in evidence.trades:
        if trade.kind != "bust" and trade.trade_id not in evidence.busted:
            booked[trade.cl_ord_id, trade.account_id, trade.kind] += trade.quantity
    return booked


def _check_allocation(order: OrderPlaced, allocation: Allocation, booked: dict[tuple[str, str, str], Decimal], tally: Tally) -> None:
    """The whole shares within the allocation; its fraction exactly when the whole shares are all booked."""
    key = (order.cl_ord_id, allocation.alloc_account)
    whole, fraction = booked.get((*key, "fill"), ZERO), booked.get((*key, "cash_in_lieu"), ZERO)
    named = f"{allocation.alloc_account} {order.side} {order.security_id}"
    tally.check(whole <= allocation.alloc_qty, order.cl_ord_id, f"{named}: {whole} booked of {allocation.alloc_qty}")
    due = allocation.fraction if whole == allocation.alloc_qty else ZERO
    tally.check(fraction == due, order.cl_ord_id, f"{named}: {fraction} in lieu, {due} due after {whole} of {allocation.alloc_qty}")


def pro_rata(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """Each fill goes to the allocations pro rata to what they lack, by largest remainder; orders that were amended are left out."""
    by_order, parts = _executions_of(evidence), _parts_of(evidence)
    for order in evidence.orders:
        executions = by_order.get(order.cl_ord_id, [])
        if any(e.exec_type in ("trade_correct", "trade_cancel") for e in executions):
            continue
        lacking = [allocation.alloc_qty for allocation in order.allocations]
        for execution in executions:
            if execution.exec_type not in FILLS or execution.last_qty > total(lacking) or execution.last_qty % 1:
                continue
            due = split_largest_remainder(execution.last_qty, lacking, Decimal(1))
            got = [parts.get(execution.exec_id, {}).get(allocation.alloc_account, ZERO) for allocation in order.allocations]
            detail = f"{order.security_id}: fill of {execution.last_qty} shared {_listed(got)}, due {_listed(due)}"
            tally.check(got == due, order.cl_ord_id, detail)
            lacking = [before - part for before, part in zip(lacking, due, strict=True)]


def _listed(quantities: list[Decimal]) -> str:
    return "/".join(map(str, quantities))


def prices(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """Fills lie within the order's collar; each account is booked at the fill's own price, a fraction at the average so far."""
    by_order = _executions_of(evidence)
    standing = {order_id: list(_standing(executions).values()) for order_id, executions in by_order.items()}
    price_of = {execution.exec_id: execution.last_px for executions in standing.values() for execution in executions}
    for order in evidence.orders:
        reference, collar = order.reference_price, order.price_collar_bps / BPS
        for execution in standing.get(order.cl_ord_id, []):
            moved = abs((execution.last_px or ZERO) / reference - 1)
            detail = f"{order.security_id}: filled at {execution.last_px}, pinned {reference}, collar {collar}"
            tally.check(moved <= collar, order.cl_ord_id, detail)
    for trade in evidence.trades:
        if trade.kind == "fill" and trade.trade_id not in evidence.busted:
            said = price_of.get(trade.exec_id)
            tally.check(trade.price == said, trade.cl_ord_id, f"trade {trade.trade_id} at {trade.price}, execution at {said}")
        elif trade.kind == "cash_in_lieu" and trade.trade_id not in evidence.busted:
            _check_in_lieu(trade, by_order.get(trade.cl_ord_id, []), tally)


def _check_in_lieu(trade: TradeBooked, executions: list[ExecutionReported], tally: Tally) -> None:
    """The average of what was filled when the account's whole shares were complete: up to the execution that the trade names."""
    place = next((i for i, execution in enumerate(executions) if execution.exec_id == trade.exec_id), -1)
    so_far = _standing(executions[: place + 1]).values()
    shares = total(execution.last_qty for execution in so_far)
    dollars = total(execution.last_qty * (execution.last_px or ZERO) for execution in so_far)
    average = (dollars / shares).quantize(SHARE_STEP) if shares else ZERO
    tally.check(trade.price == average, trade.cl_ord_id, f"fraction of {trade.account_id} at {trade.price}, average {average}")
