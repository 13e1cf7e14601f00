"""Checks a finished proposal against the rules in exact decimals, from the case alone: it shares no code with problem, solver or rounding.

Invariants, checked here for every proposal that leaves (and by property tests)
1. Nothing is bought that screen, market or an open window forbids.
2. Nothing is sold that screen or market forbids; a lot of unknown basis only where the screen says must-sell.
3. No lot is oversold; a sale's lots sum to it and belong to its security.
4. Every quantity is whole shares, or the whole position of at least one share.
5. In one identity group nothing is bought where this or an earlier account may sell at a loss; nothing is sold that may be a loss
   where an earlier account buys or a window is open, unless the lot that opened it goes whole.
6. Cash after is cash before plus what the trades pay or cost, and not negative; buys are paid from settled cash (less what is due
   unsettled) and the sales' proceeds.
7. Net short gain, net long gain and tax stay within their budgets.
8. The owner's limits hold (verify_limits.py).
"""

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, ROUND_UP, Decimal

import numpy as np

from libs.common.money import CENT, ZERO
from libs.common.schemas.proposal import LotInstruction, ProposalCreated, ProposedTrade
from services.optimizer.core.dual.tax_law import Nets, plan_tax
from services.optimizer.core.inputs import Case
from services.optimizer.core.limits import budget_room
from services.optimizer.core.tax_position import budget_uses, tax_position
from services.optimizer.core.verify_limits import limit_faults

ONE = Decimal(1)


def broken_rule(case: Case, proposal: ProposalCreated) -> str | None:
    """The first invariant that the proposal breaks, in words with its security; None where it keeps all."""
    faults = (
        *_trade_faults(case, proposal.trades),
        *_group_faults(case, proposal.trades),
        *_cash_faults(case, proposal),
        *_budget_faults(case, proposal),
        *limit_faults(case, proposal),
    )
    return next(iter(faults), None)


def _trade_faults(case: Case, trades: list[ProposedTrade]) -> Iterator[str]:
    """A pass over all trades for each rule."""
    position, prices, blocked = case.snapshot.position, case.snapshot.price, case.snapshot.blocked
    for trade in trades:
        i = position[trade.security_id]
        if trade.price != prices[i] or blocked[i] is not None:
            yield f"{trade.security_id} is blocked or not at its pinned price"
    yield from (f"{trade.security_id} trades {trade.quantity} shares" for trade in trades if trade.quantity <= ZERO)
    yield from _buy_faults(case, [trade for trade in trades if trade.side == "buy"])
    sales = [trade for trade in trades if trade.side == "sell"]
    yield from _sale_faults(case, sales)
    yield from _lot_faults(case, [(trade.security_id, each) for trade in sales for each in trade.lots])


def _buy_faults(case: Case, buys: list[ProposedTrade]) -> Iterator[str]:
    position, groups, closed = case.snapshot.position, case.snapshot.identity_group, case.blocks.buys
    forbidden = {each for each, verdict in case.verdicts.items() if not verdict.may_buy or verdict.must_sell}
    for trade in buys:
        if trade.lots or trade.quantity % ONE:
            yield f"a buy of {trade.quantity} {trade.security_id} is not whole shares without lots"
        if trade.security_id in forbidden or groups[position[trade.security_id]] in closed:
            yield f"{trade.security_id} may not be bought"


def _sale_faults(case: Case, sales: list[ProposedTrade]) -> Iterator[str]:
    forbidden = {each for each, verdict in case.verdicts.items() if not verdict.may_sell}
    for trade in sales:
        security_id, quantity, lots = trade.security_id, trade.quantity, trade.lots
        if security_id in forbidden:
            yield f"{security_id} may not be sold"
        if quantity < ONE or (quantity % ONE and quantity != case.positions.get(security_id, ZERO)):
            yield f"{quantity} {security_id} are neither whole shares nor the whole position"
        if (lots[0].quantity if len(lots) == 1 else sum([each.quantity for each in lots], ZERO)) != quantity:
            yield f"the lots of {security_id} do not sum to the sale"


def _lot_faults(case: Case, sold: list[tuple[str, LotInstruction]]) -> Iterator[str]:
    """Of the lots of all sales, each with its sale's security."""
    position, held = case.snapshot.position, case.lots.columns.quantity
    lots = [case.lots.number.get(each.lot_id, -1) for _, each in sold]
    if len(set(lots)) != len(lots):
        yield "a lot is sold twice, or not held"
    owner = np.append(case.lots.at, -1)[lots]
    strange = owner != np.array([position[security_id] for security_id, _ in sold], dtype=np.intp)
    yield from (f"lot {sold[k][1].lot_id} is not of {sold[k][0]}" for k in np.flatnonzero(strange).tolist())
    for n, (security_id, each) in zip(lots, sold, strict=True):
        if str(each.quantity) != held[n] and not ZERO < each.quantity <= Decimal(held[n]):  # the join takes no lot without shares
            yield f"lot {each.lot_id} of {security_id} is oversold"
    forced = {each for each, verdict in case.verdicts.items() if verdict.must_sell}
    for k in np.flatnonzero(~np.append(case.lots.has_basis, False)[lots]).tolist():
        if sold[k][0] not in forced:
            yield f"lot {sold[k][1].lot_id} of {sold[k][0]} has no known basis"


def _group_faults(case: Case, trades: list[ProposedTrade]) -> Iterator[str]:
    position, groups, lossy = case.snapshot.position, case.snapshot.identity_group, case.lots.loss.tolist()
    bought = {groups[position[trade.security_id]] for trade in trades if trade.side == "buy"}
    number, windows = case.lots.number, case.blocks.loss_sales
    for trade in trades:
        if trade.side == "buy":
            continue
        group = groups[position[trade.security_id]]
        if group not in bought and group not in windows:
            continue
        if not any(lossy[number[each.lot_id]] for each in trade.lots if each.lot_id in number):
            continue
        if group in bought:
            yield f"{trade.security_id} may be sold at a loss while its group is bought"
        if group in windows and not _sold_out(case, group, trade):
            yield f"{trade.security_id} may be sold at a loss in a window"


def _sold_out(case: Case, group: str, trade: ProposedTrade) -> bool:
    """Whether the lot that opened the window goes whole, before any other."""
    way_out = case.blocks.way_out.get(group)
    first = trade.lots[0]
    return first.lot_id == way_out and first.quantity == case.lots.quantity(case.lots.number[first.lot_id])


def _cash_faults(case: Case, proposal: ProposalCreated) -> Iterator[str]:
    change, half_spreads, position = ZERO, case.snapshot.half_spread, case.snapshot.position
    for trade in proposal.trades:
        half_spread, value = half_spreads[position[trade.security_id]], trade.quantity * trade.price
        if trade.side == "buy":
            change -= (value + value * half_spread).quantize(CENT, ROUND_UP)
        else:
            change += (value - value * half_spread).quantize(CENT, ROUND_HALF_EVEN)
    before = case.account.cash_settled + case.account.cash_unsettled
    if proposal.cash_before != before or proposal.cash_after != before + change:
        yield f"cash goes from {before} to {before + change}, not to {proposal.cash_after}"
    if proposal.cash_after < 0:
        yield f"cash would be {proposal.cash_after}"
    spendable = case.account.cash_settled + min(case.account.cash_unsettled, ZERO) + change
    if spendable < 0 and any(trade.side == "buy" for trade in proposal.trades):
        yield f"buys overspend settled cash by {-spendable}"


def _budget_faults(case: Case, proposal: ProposalCreated) -> Iterator[str]:
    room, tax, position = budget_room(case), proposal.tax, tax_position(case)
    if position is not None:
        gains = Nets(tax.short_gain - tax.short_loss, tax.long_gain - tax.long_loss)
        if tax.tax != plan_tax(position, gains).added:
            yield f"tax of {tax.tax} is not the {plan_tax(position, gains).added} that the trades add to the year's"
        for use in budget_uses(position, gains):
            if use.actual > use.limit:
                yield f"the year's {use.name} of {use.actual} exceeds its budget of {use.limit}"
    uses: tuple[tuple[str, Decimal, Decimal | None], ...] = (
        ("tax", tax.tax, room.tax),
        ("short gain", tax.short_gain - tax.short_loss, room.short),
        ("long gain", tax.long_gain - tax.long_loss, room.long),
    )
    for name, used, limit in uses:
        if limit is not None and used > limit:
            yield f"{name} of {used} exceeds the {limit} that its budget leaves"
