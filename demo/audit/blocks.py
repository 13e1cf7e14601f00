"""Rules on block orders: one a run, security and side, its allocations as proposed, its id a function of content."""

from collections import Counter

import msgspec

from demo.audit.evidence import Evidence, total
from demo.audit.legs import Leg
from demo.audit.tally import NO_ORDER, Tally
from libs.common.ids import content_id


def one_order(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """One order a (run, security, side), and one allocation an account in it."""
    blocks = Counter((order.run_id, order.security_id, order.side) for order in evidence.orders)
    for order in evidence.orders:
        count = blocks[order.run_id, order.security_id, order.side]
        tally.check(count == 1, order.cl_ord_id, f"{count} orders to {order.side} {order.security_id} in run {order.run_id}")
        accounts = Counter(allocation.alloc_account for allocation in order.allocations)
        twice = [account for account, times in accounts.items() if times > 1]
        tally.check(not twice, order.cl_ord_id, f"several allocations of {', '.join(twice)}")


def allocations(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """The allocations sum to the order, and each is what its proposal says: orders refuses, it never re-rounds."""
    for order in evidence.orders:
        allocated = total(allocation.alloc_qty for allocation in order.allocations)
        tally.check(allocated == order.order_qty, order.cl_ord_id, f"{order.security_id}: {order.order_qty} ordered, {allocated} allocated")
    for leg in legs:
        tally.check(leg.quantity == leg.trade.quantity, leg.order_id, f"{leg.named()}: proposed {leg.trade.quantity}")
        instructed = [(lot.custodial_lot_id, lot.quantity) for lot in leg.allocation.lots]
        proposed = [(lot.lot_id, lot.quantity) for lot in leg.trade.lots]
        tally.check(instructed == proposed, leg.order_id, f"{leg.named()}: lots {instructed}, proposed {proposed}")
        if not leg.is_buy:
            sold = total(quantity for _, quantity in instructed)
            tally.check(sold == leg.quantity, leg.order_id, f"{leg.named()}: its lots sum to {sold}")


def ids(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """Orders, trades and proposals carry ids that follow from their content, each used once."""
    for order in evidence.orders:
        expected = content_id("order", order.run_id, order.security_id, order.side)
        tally.check(order.cl_ord_id == expected, order.cl_ord_id, f"order id {order.cl_ord_id}, content gives {expected}")
    for trade in evidence.trades:
        tail = [trade.ref_trade_id or ""] if trade.kind == "bust" else []
        expected = content_id("trade", trade.exec_id, trade.account_id, trade.kind, *tail)
        tally.check(trade.trade_id == expected, trade.cl_ord_id, f"trade id {trade.trade_id}, content gives {expected}")
    for answer in evidence.answers:
        pinned = "" if answer.pins is None else msgspec.json.encode(answer.pins).decode()
        expected = content_id("proposal", answer.run_id, answer.account_id, pinned)
        tally.check(answer.proposal_id == expected, NO_ORDER, f"proposal id {answer.proposal_id}, content gives {expected}")
    for name, used in (("trade", [t.trade_id for t in evidence.trades]), ("execution", [e.exec_id for e in evidence.executions])):
        twice = sorted(identity for identity, times in Counter(used).items() if times > 1)
        tally.check(not twice, NO_ORDER, f"{name} ids used twice: {', '.join(twice)}")
