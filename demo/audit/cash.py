"""Rules on cash: what an account buys it can pay from settled cash and the same day's proceeds; a trade's amount follows from it."""

from decimal import Decimal

from demo.audit.evidence import Evidence, total
from demo.audit.legs import BPS, Leg, by_account_and_run
from demo.audit.tally import Tally
from libs.common.money import CENT, ZERO, cents_half_even


def spendable_cash(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """Settled cash plus the day's sale proceeds pays for the day's buys with their cost, at pinned prices; a cent a leg is rounding."""
    for (account_id, _), together in by_account_and_run(legs).items():
        buys = [leg for leg in together if leg.is_buy]
        if not buys:
            continue
        state = together[0].book.state
        settled = state.cash_settled + min(state.cash_unsettled, ZERO)
        proceeds = total(_gross(leg) * (1 - _half_spread(leg)) for leg in together if not leg.is_buy)
        cost = total(_gross(leg) * (1 + _half_spread(leg)) for leg in buys)
        left = settled + proceeds - cost
        detail = f"{account_id}: settled {settled} + proceeds {proceeds:.2f} - buys {cost:.2f} = {left:.2f}"
        tally.check(left >= -CENT * len(together), buys[0].order_id, detail)


def _gross(leg: Leg) -> Decimal:
    return leg.quantity * leg.order.reference_price


def _half_spread(leg: Leg) -> Decimal:
    return leg.prices.half_spread_bps.get(leg.security_id, ZERO) / BPS


def amounts(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """A booked trade moves quantity times price, to the cent, less fees; a bust moves exactly what it takes back."""
    original = {trade.trade_id: trade for trade in evidence.trades}
    for trade in evidence.trades:
        gross = cents_half_even(trade.quantity * trade.price)
        expected = (gross if trade.side == "sell" else -gross) - trade.fees
        if trade.kind == "bust":
            taken_back = original.get(trade.ref_trade_id or "")
            expected = ZERO if taken_back is None else -taken_back.amount
        detail = f"{trade.account_id} {trade.kind} {trade.trade_id}: {trade.amount} dollars, not {expected}"
        tally.check(trade.amount == expected, trade.cl_ord_id, detail)
