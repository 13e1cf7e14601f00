"""The screen's verdicts, again: what may be bought and sold, and the weights that trading must not cross."""

from decimal import Decimal

from libs.common.money import ZERO
from libs.common.schemas.proposal import ProposedTrade
from libs.common.schemas.screen import Verdict
from services.orders.core.decision import RefusalCode, Refused
from services.orders.core.evidence import Case


def rule_named(verdict: Verdict) -> str:
    """The deciding rule in words."""
    if not verdict.rules:
        return "no rule named"
    rule = verdict.rules[0]
    return f"{rule.level} rule {rule.kind} by {rule.by} {rule.target} ({rule.rule_id})"


def account_value(case: Case) -> Decimal:
    """Dollars of the account's cash, settled or not, and of its priced lots in the newest snapshot."""
    value = case.account.cash_settled + case.account.cash_unsettled
    for security, quantity in zip(case.account.lots.security_id, case.account.lots.quantity, strict=True):
        quote = case.quotes.by_security.get(security)
        if quote is not None and quote.price is not None:
            value += Decimal(quantity) * quote.price
    return value


def weight_after(case: Case, trade: ProposedTrade, value: Decimal) -> Decimal:
    """The security's fraction of the account after this trade, at its pinned price."""
    signed = trade.quantity if trade.side == "buy" else -trade.quantity
    return (case.position(trade.security_id) + signed) * trade.price / value


def check_weight(case: Case, trade: ProposedTrade, verdict: Verdict, value: Decimal) -> Refused | None:
    """A buy must not end above the maximum weight, nor a sale that no rule forces below the minimum.

    The bounds are loosened by the policy's tolerance: whole shares can't meet a weight exactly.
    """
    if value <= 0:
        return None
    after, tolerance = weight_after(case, trade, value), case.policy.weight_tolerance_frac
    most, least = verdict.max_weight_frac, verdict.min_weight_frac
    if trade.side == "buy" and most is not None and after > most + tolerance:
        return Refused(RefusalCode.ABOVE_MAX_WEIGHT, f"weight after the buy: {rule_named(verdict)}", trade.security_id, most, after)
    if trade.side == "sell" and least is not None and not verdict.must_sell and after < least - tolerance:
        return Refused(RefusalCode.BELOW_MIN_WEIGHT, f"weight after the sale: {rule_named(verdict)}", trade.security_id, least, after)
    return None


def check_screen(case: Case) -> Refused | None:
    """Each trade against the verdict on its security; a security without a verdict is free."""
    value = account_value(case) if case.verdicts else ZERO
    for trade in case.proposal.trades:
        verdict = case.verdicts.get(trade.security_id)
        if verdict is None:
            continue
        if trade.side == "buy" and not verdict.may_buy:
            return Refused(RefusalCode.MAY_NOT_BUY, rule_named(verdict), trade.security_id, ZERO, trade.quantity)
        if trade.side == "sell" and not verdict.may_sell:
            return Refused(RefusalCode.MAY_NOT_SELL, rule_named(verdict), trade.security_id, ZERO, trade.quantity)
        refused = check_weight(case, trade, verdict, value)
        if refused is not None:
            return refused
    return None
