"""The hand-made case from proposals to bookings: who wants what, and what the desk does with it."""

from collections.abc import Iterable
from decimal import Decimal as D
from typing import Any

import msgspec
from msgspec.structs import replace

from libs.common.ids import content_id
from libs.common.money import ZERO, cents_half_even, split_largest_remainder
from libs.common.schemas.market import RunOpened
from libs.common.schemas.order import (
    Allocation,
    BookedLot,
    ExecType,
    ExecutionReported,
    OrderEnded,
    OrderLot,
    OrderPlaced,
    OrderState,
    TradeBooked,
)
from libs.common.schemas.proposal import LotInstruction, Pins, ProposalCreated, ProposalDeclined, ProposedTrade, Side, TaxEstimate
from tests.unit.demo.audit_case_book import DAY_1, DAY_2, DAY_3, HOUSEHOLD, LOTS, NOW, PRICES, Case

SETTLES = {DAY_1: DAY_2, DAY_2: DAY_3}
# what each account trades on the first day: (side, security, shares, lots)
WANTED: dict[str, list[tuple[Side, str, str, list[tuple[str, str]]]]] = {
    "A1": [("sell", "AAA", "10.5", [("L1", "10.5")]), ("buy", "BBB", "20", [])],
    "A2": [("buy", "BBB", "10", []), ("sell", "CCC", "30", [("L3", "30")])],
    "B1": [("sell", "AAA", "5", [("L8", "3"), ("L9", "2")]), ("sell", "BBB", "5", [("L5", "5")]), ("buy", "CCC", "25", [])],
}
# what the desk did with each order of the first day: fills of (shares, price), then how it ended
DESK: dict[tuple[str, Side], tuple[list[tuple[int, str]], OrderState]] = {
    ("AAA", "sell"): ([(7, "99.9"), (8, "100")], "filled"),
    ("BBB", "sell"): ([], "rejected"),
    ("CCC", "sell"): ([(30, "20.01")], "filled"),
    ("BBB", "buy"): ([(13, "50.01"), (17, "50.02")], "filled"),
    ("CCC", "buy"): ([(10, "20")], "expired"),
    ("DDD", "buy"): ([(7, "10.01")], "filled"),
}


def propose(case: Case, run: RunOpened, wanted: dict[str, list[tuple[Side, str, str, list[tuple[str, str]]]]], version: int) -> None:
    """Answers in household order, then the orders, what the desk did, and the bookings."""
    price = {s: D(p) for s, p in PRICES.items()}
    legs: dict[tuple[str, Side], list[tuple[str, ProposalCreated, ProposedTrade]]] = {}
    for household in ("H1", "H2"):
        intents: dict[str, str] = {}
        for account_id in (a for a in LOTS if HOUSEHOLD[a] == household):
            pins = Pins(version, version, version, run.market_id, run.as_of, dict(intents), "solver-1")
            identity = content_id("proposal", run.run_id, account_id, msgspec.json.encode(pins).decode())
            intents[account_id] = identity
            if account_id not in wanted:
                case.say(
                    "proposals",
                    ProposalDeclined(identity, run.run_id, account_id, household, pins, "no_trade", "nothing", "", None, None, []),
                )
                continue
            trades = [proposed_trade(side, s, D(q), price[s], lots) for side, s, q, lots in wanted[account_id]]
            zero = TaxEstimate(ZERO, ZERO, ZERO, ZERO, ZERO)
            decided: Any = (pins, "auto", D(9000), trades, [], [], D("0.02"), D("0.01"), zero, ZERO, ZERO, ZERO, "optimal")
            created = ProposalCreated(identity, run.run_id, account_id, household, *decided)
            case.say("proposals", created)
            for trade in trades:
                legs.setdefault((trade.security_id, trade.side), []).append((account_id, created, trade))
    for (security_id, side), parts in legs.items():
        _order(case, run, security_id, side, parts)


def proposed_trade(side: Side, security_id: str, quantity: D, price: D, lots: list[tuple[str, str]]) -> ProposedTrade:
    instructions = [LotInstruction(lot, D(part), "long", None) for lot, part in lots]
    return ProposedTrade(security_id, side, quantity, price, "drift", instructions, ZERO, ZERO)


def _order(case: Case, run: RunOpened, security_id: str, side: Side, parts: list[tuple[str, ProposalCreated, ProposedTrade]]) -> None:
    order_id = content_id("order", run.run_id, security_id, side)
    allocations = [_allocation(order_id, *part) for part in parts]
    ordered = sum((a.alloc_qty for a in allocations), ZERO)
    order = OrderPlaced(
        order_id, run.run_id, security_id, side, ordered, "market", "day", "USD", parts[0][2].price, 100, run.as_of, NOW, allocations
    )
    case.say("orders", order)
    fills, state = DESK[security_id, side]
    lacking, filled = [a.alloc_qty for a in allocations], ZERO
    for number, (shares, price) in enumerate(fills):
        filled += shares
        exec_type: ExecType = "fill" if filled == ordered else "partial_fill"
        execution = ExecutionReported(
            f"{order_id}-{number}", order_id, exec_type, D(shares), D(price), filled, ordered - filled, NOW, run.as_of
        )
        case.say("fills", execution)
        due = split_largest_remainder(D(shares), lacking, D(1))
        for allocation, part in zip(allocations, due, strict=True):
            if part:
                _book(case, order, execution, allocation, part, allocation.alloc_qty - lacking[allocations.index(allocation)])
        lacking = [before - part for before, part in zip(lacking, due, strict=True)]
    if state != "filled":
        end = ExecutionReported(f"{order_id}-end", order_id, state, ZERO, None, filled, ZERO, NOW, run.as_of)  # type: ignore[arg-type]
        case.say("fills", end)
    average = sum((D(q) * D(p) for q, p in fills), ZERO) / filled if filled else None
    for allocation in allocations:
        if allocation.fraction and average is not None:
            _book_fraction(case, order, allocation, average.quantize(D("0.000001")))
    case.say("orders", OrderEnded(order_id, run.run_id, state, filled, average, None, [a.alloc_account for a in allocations]))


def _allocation(order_id: str, account_id: str, proposal: ProposalCreated, trade: ProposedTrade) -> Allocation:
    lots = [OrderLot(lot.lot_id, lot.quantity, None, None) for lot in trade.lots]
    identity, household = content_id("allocation", order_id, account_id), HOUSEHOLD[account_id]
    return Allocation(identity, account_id, household, proposal.proposal_id, trade.quantity // 1, trade.quantity % 1, lots)


def _book(case: Case, order: OrderPlaced, execution: ExecutionReported, allocation: Allocation, part: D, used: D) -> None:
    """One account's part of a fill; `used` shares of its lots went before."""
    lots, skip, left = [], used, part
    for lot in allocation.lots:
        taken = min(left, max(ZERO, lot.quantity - skip))
        skip = max(ZERO, skip - lot.quantity)
        if taken:
            lots.append(BookedLot(lot.custodial_lot_id, taken))
            left -= taken
    _say_trade(case, order, "fill", execution.exec_id, allocation, part, execution.last_px or ZERO, lots)


def _book_fraction(case: Case, order: OrderPlaced, allocation: Allocation, price: D) -> None:
    last = allocation.lots[-1].custodial_lot_id
    lots = [BookedLot(last, allocation.fraction)]
    _say_trade(case, order, "cash_in_lieu", f"{order.cl_ord_id}-1", allocation, allocation.fraction, price, lots)


def _say_trade(
    case: Case, order: OrderPlaced, kind: str, exec_id: str, allocation: Allocation, quantity: D, price: D, lots: Iterable[BookedLot]
) -> None:
    account_id = allocation.alloc_account
    case.numbers[account_id] += 1
    gross = cents_half_even(quantity * price)
    trade = TradeBooked(
        trade_id=content_id("trade", exec_id, account_id, kind),
        trade_seq=case.numbers[account_id],
        kind=kind,  # type: ignore[arg-type]
        ref_trade_id=None,
        account_id=account_id,
        household_id=allocation.household_id,
        run_id=order.run_id,
        cl_ord_id=order.cl_ord_id,
        exec_id=exec_id,
        security_id=order.security_id,
        side=order.side,
        quantity=quantity,
        price=price,
        fees=ZERO,
        amount=gross if order.side == "sell" else -gross,
        trade_date=order.trade_date,
        settle_date=SETTLES[order.trade_date],
        lots=list(lots),
    )
    case.custodian.apply([replace(trade)])
    case.say("fills", trade)
