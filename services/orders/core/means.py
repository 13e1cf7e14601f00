"""What the account can deliver: open lots for its sales and cash for its buys, less what is reserved."""

from decimal import ROUND_UP, Decimal

from libs.common.money import CENT, ZERO, cents_half_even
from libs.common.schemas.proposal import ProposedTrade
from services.orders.core.allocation import fees_of
from services.orders.core.decision import RefusalCode, Refused
from services.orders.core.evidence import Case, Policy, Quote
from services.orders.core.reservations import reserved_cash, reserved_lots, without_proposal

BPS = Decimal(10_000)


def check_lots(case: Case) -> Refused | None:
    """Each lot exists in the account, in the trade's security, with enough open shares beyond those reserved."""
    others = without_proposal(case.household.reservations, case.proposal.proposal_id)
    reserved = reserved_lots(others, case.proposal.account_id)
    for trade in case.proposal.trades:
        for instruction in trade.lots:
            lot = case.lots.get(instruction.lot_id)
            if lot is None or lot.security_id != trade.security_id:
                return Refused(RefusalCode.LOT_NOT_OPEN, f"no open lot of {trade.security_id}", instruction.lot_id)
            free = lot.quantity - reserved.get(instruction.lot_id, ZERO)
            if instruction.quantity > free:
                return Refused(
                    RefusalCode.LOT_OVERSOLD, "more shares than the lot has free", instruction.lot_id, free, instruction.quantity
                )
    return None


def buy_cost(trade: ProposedTrade, quote: Quote, policy: Policy) -> Decimal:
    """Dollars that a buy needs: price, half spread and fees, rounded up to the cent."""
    gross = trade.quantity * trade.price * (1 + quote.half_spread_bps / BPS)
    return gross.quantize(CENT, rounding=ROUND_UP) + fees_of(policy.fee_per_share, trade.quantity)


def sale_proceeds(trade: ProposedTrade, quote: Quote, policy: Policy) -> Decimal:
    """Dollars that a sale brings: price less half spread and fees, rounded to the cent."""
    return cents_half_even(trade.quantity * trade.price * (1 - quote.half_spread_bps / BPS)) - fees_of(policy.fee_per_share, trade.quantity)


def check_cash(case: Case) -> Refused | None:
    """Settled cash and this proposal's own proceeds, less what is owed and what is reserved, pay for its buys.

    Unsettled cash counts only where it is negative: what is owed.  A proposal that only sells passes.
    """
    quotes, policy, trades = case.quotes.by_security, case.policy, case.proposal.trades
    cost = sum((buy_cost(t, quotes[t.security_id], policy) for t in trades if t.side == "buy"), ZERO)
    if cost == 0:
        return None
    proceeds = sum((sale_proceeds(t, quotes[t.security_id], policy) for t in trades if t.side == "sell"), ZERO)
    others = without_proposal(case.household.reservations, case.proposal.proposal_id)
    settled = case.account.cash_settled + min(case.account.cash_unsettled, ZERO)
    spendable = settled + proceeds - reserved_cash(others, case.proposal.account_id)
    if cost > spendable:
        return Refused(RefusalCode.INSUFFICIENT_CASH, "buys cost more dollars than can be spent", None, spendable, cost)
    return None
