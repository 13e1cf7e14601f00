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
from decimal import ROUND_UP, Decimal

from libs.common.money import CENT, ZERO, cents_half_even
from libs.common.schemas.proposal import ProposalCreated, ProposedTrade
from services.optimizer.core.dual.tax_law import Nets, plan_tax
from services.optimizer.core.inputs import Case
from services.optimizer.core.limits import budget_room
from services.optimizer.core.tax_position import budget_uses, tax_position
from services.optimizer.core.verify_limits import limit_faults


def broken_rule(case: Case, proposal: ProposalCreated) -> str | None:
    """The first invariant that the proposal breaks, in words with its security; None where it keeps all."""
    traded = {each.lot_id for trade in proposal.trades for each in trade.lots}
    lots = {lot_id: n for n, lot_id in enumerate(case.lots.lot_id) if lot_id in traded}
    faults = (
        *(fault for trade in proposal.trades for fault in _trade_faults(case, lots, trade)),
        *_group_faults(case, lots, proposal.trades),
        *_cash_faults(case, proposal),
        *_budget_faults(case, proposal),
        *limit_faults(case, proposal),
    )
    return next(iter(faults), None)


def _trade_faults(case: Case, lots: dict[str, int], trade: ProposedTrade) -> Iterator[str]:
    security_id = trade.security_id
    i, verdict = case.snapshot.position[security_id], case.verdicts.get(security_id)
    if case.snapshot.blocked[i] is not None or trade.price != case.snapshot.price[i]:
        yield f"{security_id} is blocked or not at its pinned price"
    if trade.quantity <= 0:
        yield f"{security_id} trades {trade.quantity} shares"
    if trade.side == "buy":
        if trade.quantity != int(trade.quantity) or trade.lots:
            yield f"a buy of {trade.quantity} {security_id} is not whole shares without lots"
        if (verdict is not None and (not verdict.may_buy or verdict.must_sell)) or case.snapshot.identity_group[i] in case.blocks.buys:
            yield f"{security_id} may not be bought"
        return
    if verdict is not None and not verdict.may_sell:
        yield f"{security_id} may not be sold"
    position = case.positions.get(security_id, ZERO)
    if trade.quantity < 1 or (trade.quantity != int(trade.quantity) and trade.quantity != position):
        yield f"{trade.quantity} {security_id} are neither whole shares nor the whole position"
    of_lots = trade.lots[0].quantity if len(trade.lots) == 1 else sum([each.quantity for each in trade.lots], ZERO)
    if of_lots != trade.quantity or (len(trade.lots) > 1 and len({each.lot_id for each in trade.lots}) != len(trade.lots)):
        yield f"the lots of {security_id} do not sum to the sale"
    columns, has_basis = case.lots.columns, case.lots.has_basis
    for each in trade.lots:
        n = lots.get(each.lot_id)
        if n is None or columns.security_id[n] != security_id or not ZERO < each.quantity <= Decimal(columns.quantity[n]):
            yield f"lot {each.lot_id} of {security_id} is oversold"
        elif not has_basis[n] and (verdict is None or not verdict.must_sell):
            yield f"lot {each.lot_id} of {security_id} has no known basis"


def _group_faults(case: Case, lots: dict[str, int], trades: list[ProposedTrade]) -> Iterator[str]:
    def group_of(trade: ProposedTrade) -> str:
        return case.snapshot.identity_group[case.snapshot.position[trade.security_id]]

    bought = {group_of(trade) for trade in trades if trade.side == "buy"}
    for trade in trades:
        if not any(case.lots.loss[lots[each.lot_id]] for each in trade.lots if each.lot_id in lots):
            continue
        group = group_of(trade)
        if group in bought:
            yield f"{trade.security_id} may be sold at a loss while its group is bought"
        if group in case.blocks.loss_sales and not _sold_out(case, lots, group, trade):
            yield f"{trade.security_id} may be sold at a loss in a window"


def _sold_out(case: Case, lots: dict[str, int], group: str, trade: ProposedTrade) -> bool:
    """Whether the lot that opened the window goes whole, before any other."""
    way_out = case.blocks.way_out.get(group)
    first = trade.lots[0]
    return first.lot_id == way_out and first.quantity == case.lots.quantity(lots[first.lot_id])


def _cash_faults(case: Case, proposal: ProposalCreated) -> Iterator[str]:
    change = ZERO
    for trade in proposal.trades:
        half_spread = case.snapshot.half_spread[case.snapshot.position[trade.security_id]]
        value = trade.quantity * trade.price
        if trade.side == "buy":
            change -= (value * (1 + half_spread)).quantize(CENT, rounding=ROUND_UP)
        else:
            change += cents_half_even(value * (1 - half_spread))
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
