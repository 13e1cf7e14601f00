"""Rules on lots and shares: what is sold is held, known, whole, and booked from the lots that the order names."""

from collections import defaultdict
from decimal import Decimal

from demo.audit.evidence import Evidence, total
from demo.audit.legs import Leg
from demo.audit.tally import Tally
from libs.common.money import ZERO


def open_lots(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """Each lot sold is an open lot of that security in the pinned book and ledger, and the run's orders together do not oversell it."""
    taken: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for leg in legs:
        if leg.is_buy:
            tally.check(not leg.allocation.lots, leg.order_id, f"{leg.named()}: a buy names lots")
            continue
        for lot in leg.allocation.lots:
            taken[leg.run.run_id, leg.account_id, lot.custodial_lot_id] += lot.quantity
            held = leg.book.lots.get(lot.custodial_lot_id)
            in_ledger = total(layer.quantity for layer in leg.layers(lot.custodial_lot_id))
            sold = taken[leg.run.run_id, leg.account_id, lot.custodial_lot_id]
            if held is None or held.security_id != leg.security_id:
                tally.check(False, leg.order_id, f"{leg.named()}: lot {lot.custodial_lot_id} is no open lot of it")
            else:
                detail = f"{leg.named()}: {sold} sold of lot {lot.custodial_lot_id}; book {held.quantity}, ledger {in_ledger}"
                tally.check(lot.quantity > 0 and sold <= held.quantity == in_ledger, leg.order_id, detail)


def unknown_basis(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """A lot of unknown basis is sold only where the screen says must_sell."""
    for leg in legs:
        forced = leg.verdict is not None and leg.verdict.must_sell
        for lot in leg.allocation.lots:
            unknown = any(layer.tax_basis is None for layer in leg.layers(lot.custodial_lot_id))
            tally.check(
                forced or not unknown or not leg.taxable, leg.order_id, f"{leg.named()}: lot {lot.custodial_lot_id} has unknown basis"
            )


def whole_shares(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """Whole shares only; a fraction leaves only with the whole position, as cash in lieu."""
    for order in evidence.orders:
        quantities = [order.order_qty, *(allocation.alloc_qty for allocation in order.allocations)]
        whole = all(quantity % 1 == 0 and quantity > 0 for quantity in quantities)
        tally.check(whole, order.cl_ord_id, f"{order.side} {order.security_id}: {', '.join(map(str, quantities))} shares")
    for execution in evidence.executions:
        tally.check(execution.last_qty % 1 == 0, execution.cl_ord_id, f"execution {execution.exec_id} of {execution.last_qty} shares")
    for leg in legs:
        position = leg.book.positions.get(leg.security_id, ZERO)
        good = leg.allocation.fraction == 0 or (not leg.is_buy and 0 < leg.allocation.fraction < 1 and leg.quantity == position)
        tally.check(good, leg.order_id, f"{leg.named()}: a fraction of {leg.allocation.fraction}, position {position}")


def booked_lots(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """A booked sale takes the lots of its allocation, in their order, none beyond its instruction; a purchase names none."""
    used: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    amended = {(trade.cl_ord_id, trade.account_id) for trade in evidence.trades if trade.kind == "bust"}
    for trade in evidence.trades:
        if trade.kind == "bust" or trade.trade_id in evidence.busted:
            continue
        wanted = trade.quantity if trade.side == "sell" else ZERO
        booked = total(lot.quantity for lot in trade.lots)
        tally.check(booked == wanted, trade.cl_ord_id, f"trade {trade.trade_id}: lots sum to {booked}, not {wanted}")
        for part in trade.lots:
            used[trade.cl_ord_id, trade.account_id][part.lot_id] += part.quantity
    for leg in legs:
        taken = dict(used.get((leg.order_id, leg.account_id), {}))
        exhausted = True
        for lot in leg.allocation.lots:
            shares = taken.pop(lot.custodial_lot_id, ZERO)
            in_order = exhausted or shares == 0 or (leg.order_id, leg.account_id) in amended
            detail = f"{leg.named()}: {shares} booked from lot {lot.custodial_lot_id}, {lot.quantity} instructed, earlier ones first"
            tally.check(shares <= lot.quantity and in_order, leg.order_id, detail)
            exhausted = exhausted and shares == lot.quantity
        tally.check(not taken, leg.order_id, f"{leg.named()}: booked from lots that the order does not name: {', '.join(taken)}")
