"""Aggregates a closed run's approved proposals into one order a (run, security, side), allocated before the trade.

Invariants
1. The allocations' whole shares sum to the order; each account's whole shares and fraction sum to its proposed quantity.
2. The same proposals in any order make the same orders with the same ids.
3. An account's place among the allocations, which breaks ties when a fill is shared, is drawn anew for each order, so none is
   favoured from order to order.
"""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct

from libs.common.ids import content_id
from libs.common.money import ZERO, whole_shares_down
from libs.common.schemas.account import Lot
from libs.common.schemas.market import RunOpened
from libs.common.schemas.order import Allocation, OrderLot, OrderPlaced
from libs.common.schemas.proposal import LotInstruction, ProposalCreated, ProposedTrade, Side
from services.orders.core.allocation import price_half_even


class Approved(Struct, frozen=True):
    """A proposal that leaves, with the account's lots that it sells from."""

    proposal: ProposalCreated
    lots: dict[str, Lot]


def cl_ord_id_of(run_id: str, security_id: str, side: Side) -> str:
    """The order's id: a replayed close makes the same order, never a second one."""
    return content_id("order", run_id, security_id, side)


def order_lot(instruction: LotInstruction, lot: Lot) -> OrderLot:
    """The lot instruction; a provisional lot is not the custodian's yet, so its purchase is named too."""
    price = None
    if lot.provisional and lot.cost_basis is not None:
        price = price_half_even(lot.cost_basis / lot.quantity)
    return OrderLot(lot.lot_id, instruction.quantity, lot.acquired if lot.provisional else None, price)


def allocation_of(cl_ord_id: str, approved: Approved, trade: ProposedTrade) -> Allocation:
    """One account's share of the block: its whole shares, its fraction and its lots in the proposal's order."""
    proposal, whole = approved.proposal, whole_shares_down(trade.quantity)
    return Allocation(
        individual_alloc_id=content_id("allocation", cl_ord_id, proposal.account_id),
        alloc_account=proposal.account_id,
        household_id=proposal.household_id,
        proposal_id=proposal.proposal_id,
        alloc_qty=whole,
        fraction=trade.quantity - whole,
        lots=[order_lot(instruction, approved.lots[instruction.lot_id]) for instruction in trade.lots],
    )


class Share(Struct, frozen=True):
    """One account's place in one block."""

    side: Side
    security_id: str
    price: Decimal
    allocation: Allocation


def shares_of(run_id: str, approved: Approved) -> list[Share]:
    """A proposal's places in the run's blocks; nothing else of it is needed then."""
    return [
        Share(
            trade.side,
            trade.security_id,
            trade.price,
            allocation_of(cl_ord_id_of(run_id, trade.security_id, trade.side), approved, trade),
        )
        for trade in approved.proposal.trades
    ]


def block_of(run: RunOpened, security_id: str, side: Side, shares: list[Share], trade_date: date, transact_time: datetime) -> OrderPlaced:
    """One order over all that trade this security on this side."""
    allocations = sorted((share.allocation for share in shares), key=lambda allocation: allocation.individual_alloc_id)
    prices = {share.price for share in shares}
    if len(prices) != 1:
        raise AssertionError(f"one market has one price of {security_id}, not {sorted(prices)}")
    return OrderPlaced(
        cl_ord_id=cl_ord_id_of(run.run_id, security_id, side),
        run_id=run.run_id,
        security_id=security_id,
        side=side,
        order_qty=sum((allocation.alloc_qty for allocation in allocations), ZERO),
        ord_type="market",
        time_in_force="day",
        currency="USD",
        reference_price=prices.pop(),
        price_collar_bps=run.price_collar_bps,
        trade_date=trade_date,
        transact_time=transact_time,
        allocations=allocations,
    )


def build_blocks(run: RunOpened, shares: Iterable[Share], trade_date: date, transact_time: datetime) -> list[OrderPlaced]:
    """The run's orders, sales before buys, then by security.  `transact_time` is UTC, `trade_date` New York's."""
    blocks: dict[tuple[Side, str], list[Share]] = {}
    for share in shares:
        blocks.setdefault((share.side, share.security_id), []).append(share)
    keys = sorted(blocks, key=lambda key: (key[0] == "buy", key[1]))
    return [block_of(run, security_id, side, blocks[side, security_id], trade_date, transact_time) for side, security_id in keys]
