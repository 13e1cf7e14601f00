"""Which open orders a late booking calls back.

A fill, bust or correction that comes after its order has ended finds the order's reservations gone.  A later run may have sent orders
meanwhile that were judged without it: sales of the very lots, a buy of what is now sold at a loss.

Invariants
1. What is called back is in a household and identity group whose shares the late booking changed.
2. Nothing of the same run or an earlier one is called back: those were judged beside the order.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from libs.common.money import ZERO
from services.orders.core.allocation import TradeDraft
from services.orders.core.reservations import Reservation


def shares_moved(trades: Iterable[TradeDraft]) -> dict[tuple[str, str], Decimal]:
    """By (account, security): how many shares of an order these trades change, with a bust the other way; nothing where it is zero."""
    moved: dict[tuple[str, str], Decimal] = {}
    for trade in trades:
        key = trade.account_id, trade.security_id
        moved[key] = moved.get(key, ZERO) + (-trade.quantity if trade.kind == "bust" else trade.quantity)
    return {key: shares for key, shares in moved.items() if shares}


def called_back(
    late: Iterable[TradeDraft],
    open_reservations: Iterable[Reservation],
    group_of: Callable[[str], str],
    closed_at: Mapping[str, datetime],
) -> list[Reservation]:
    """The reservations whose orders are to be called back.

    `late` are the trades that one execution booked on an order that had ended, under the households that their accounts are in now;
    `closed_at` says when each run sent its orders.
    """
    trades = list(late)
    moved = shares_moved(trades)
    touched = {(t.household_id, group_of(t.security_id)) for t in trades if (t.account_id, t.security_id) in moved}
    runs = {trade.run_id for trade in trades}
    return [
        item
        for item in open_reservations
        if (item.household_id, item.identity_group) in touched and all(closed_at[run_id] < closed_at[item.run_id] for run_id in runs)
    ]
