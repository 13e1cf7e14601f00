"""What wash sales block in one account: open windows of the household's ledger, and what its earlier accounts are about to do.

A buy anywhere in the household replaces a loss taken anywhere in it (IRC 1091; Rev. Rul. 2008-5 for IRAs).  A sale could be a loss
when its basis is above the least price that the run's collar allows, or unknown; in an IRA or Roth no sale is one.

Invariants
1. A group with an open window after a loss, or with an earlier account's sale that could be a loss, is not bought.
2. In a group with an open window after a buy, or with an earlier account's buy, nothing is sold that could be a loss,
   except where one lot of this account opened the only window: then that lot goes whole, first, and others may follow it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache

import numpy as np

from libs.common.schemas.ledger import LedgerUpdated, Window
from libs.common.schemas.proposal import LotInstruction, ProposalCreated, ProposalDeclined
from services.optimizer.core.arrays import Bools
from services.optimizer.core.market import BPS, Snapshot

WINDOW = "wash_sale_window"
HOUSEHOLD = "household_intent"


@dataclass(frozen=True, slots=True)
class Blocks:
    """By identity group: why it may not be bought, why it may not be sold at a loss, and the lot whose sale would lift that."""

    buys: dict[str, str]
    loss_sales: dict[str, str]
    way_out: dict[str, str]


def could_be_loss(basis: Decimal | None, proceeds: Decimal, collar_bps: int) -> bool:
    """Whether shares with this basis, worth `proceeds` at the pinned price, could be sold at a loss within the collar (dollars)."""
    return basis is None or basis > proceeds * _least_part(collar_bps)


@lru_cache(maxsize=64)
def _least_part(collar_bps: int) -> Decimal:
    """What is left of a price at the collar's lower end."""
    return 1 - Decimal(collar_bps) / BPS


def intended_loss(lot: LotInstruction, price: Decimal, collar_bps: int) -> bool:
    """Whether an earlier account's instruction could be a loss; term none with a known gain is a sale in an IRA or Roth."""
    if lot.gain is None:
        return True
    proceeds = lot.quantity * price
    return lot.term != "none" and could_be_loss(proceeds - lot.gain, proceeds, collar_bps)


def blocks_of(
    account_id: str,
    ledger: LedgerUpdated,
    snapshot: Snapshot,
    as_of: date,
    collar_bps: int,
    earlier: Sequence[ProposalCreated | ProposalDeclined],
) -> Blocks:
    """Everything that the household blocks for this account on `as_of`; `until` of a window is inclusive."""
    buys: dict[str, str] = {}
    loss_sales: dict[str, str] = {}
    opened: dict[str, list[Window]] = {}
    for window in ledger.blocked_buys:
        if as_of <= window.until:
            buys.update(dict.fromkeys(_groups(window, snapshot), WINDOW))
    for window in ledger.blocked_loss_sales:
        if as_of <= window.until:
            for group in _groups(window, snapshot):
                loss_sales[group] = WINDOW
                opened.setdefault(group, []).append(window)
    way_out = {group: lot for group, windows in opened.items() if (lot := _own_lot(windows, account_id)) is not None}
    for trade_group, bought, lossy in _intents(earlier, snapshot, collar_bps):
        if bought:
            loss_sales[trade_group] = HOUSEHOLD
            way_out.pop(trade_group, None)
        if lossy:
            buys.setdefault(trade_group, HOUSEHOLD)
    return Blocks(buys, loss_sales, way_out)


def _groups(window: Window, snapshot: Snapshot) -> Iterable[str]:
    """The window's own group and those of its securities: they differ only while a table of groups changes."""
    members = (snapshot.identity_group[snapshot.position[each]] for each in window.security_ids if each in snapshot.position)
    return {window.identity_group, *members}


def in_groups(snapshot: Snapshot, groups: Iterable[str]) -> Bools:
    """[securities] Whether the security is in one of these identity groups."""
    flags = np.zeros(len(snapshot.group_number), dtype=np.bool_)
    flags[[snapshot.group_number[group] for group in groups if group in snapshot.group_number]] = True
    return flags[snapshot.group]


def _own_lot(windows: list[Window], account_id: str) -> str | None:
    """The one lot of this account that opened the only window.  With more purchases a partial fill could still wash a loss."""
    if len(windows) != 1 or windows[0].account_id != account_id or len(windows[0].lot_ids) != 1:
        return None
    return windows[0].lot_ids[0]


def _intents(
    earlier: Sequence[ProposalCreated | ProposalDeclined], snapshot: Snapshot, collar_bps: int
) -> Iterable[tuple[str, bool, bool]]:
    """(group, bought, could be sold at a loss) of every trade that earlier accounts want."""
    for decision in earlier:
        if isinstance(decision, ProposalDeclined):
            continue
        for trade in decision.trades:
            i = snapshot.position.get(trade.security_id)
            group = trade.security_id if i is None else snapshot.identity_group[i]
            lossy = any(intended_loss(lot, trade.price, collar_bps) for lot in trade.lots)
            yield group, trade.side == "buy", lossy
