"""Does the market still stand as the proposal saw it?  The pinned prices against the newest snapshot."""

from decimal import Decimal

from libs.common.money import plain
from services.orders.core.decision import RefusalCode, Refused
from services.orders.core.evidence import Case

BPS = Decimal(10_000)


def moved_bps(pinned: Decimal, current: Decimal) -> Decimal:
    """How far the price moved from the pinned one, in basis points of it, never negative."""
    return abs(current - pinned) / pinned * BPS


def check_prices(case: Case) -> Refused | None:
    """Each security is known, free to trade, priced, and within the run's collar of its pinned price."""
    collar = Decimal(case.run.run.price_collar_bps)
    for trade in case.proposal.trades:
        security = trade.security_id
        quote = case.quotes.by_security.get(security)
        if quote is None:
            return Refused(RefusalCode.UNKNOWN_SECURITY, "not in the market snapshot", security)
        if quote.blocked is not None:
            return Refused(RefusalCode.SECURITY_BLOCKED, f"blocked in the market: {quote.blocked}", security)
        if quote.price is None or trade.price <= 0:
            return Refused(RefusalCode.NO_PRICE, "no price", security, actual=quote.price)
        moved = moved_bps(trade.price, quote.price)
        if moved > collar:
            message = f"price moved from {plain(trade.price)} to {plain(quote.price)}, in basis points"
            return Refused(RefusalCode.PRICE_COLLAR, message, security, collar, moved.quantize(Decimal("0.01")))
    return None
