"""May this account trade at all, and is the proposal well formed?  Checked before any single trade is looked at."""

from decimal import Decimal

from libs.common.money import ZERO, plain, whole_shares_down
from libs.common.schemas.proposal import ProposedTrade
from services.orders.core.decision import RefusalCode, Refused
from services.orders.core.evidence import Case


def check_account(case: Case) -> Refused | None:
    """Open, wanted to trade, nothing of it at the desk, and its lots agreed between book and ledger."""
    account = case.account
    if account.state != "open":
        return Refused(RefusalCode.ACCOUNT_NOT_OPEN, f"account is {account.state}: {account.state_reason}")
    if account.do_not_trade:
        return Refused(RefusalCode.DO_NOT_TRADE, "account is marked do-not-trade")
    if case.open_orders:
        return Refused(RefusalCode.OPEN_ORDERS, "account has open orders", limit=ZERO, actual=Decimal(case.open_orders))
    if case.ledger_account is None:
        return Refused(RefusalCode.LOTS_DISAGREE, "the household's ledger does not hold the account")
    if case.ledger_account.disagreements:
        lots = case.ledger_account.disagreements
        return Refused(RefusalCode.LOTS_DISAGREE, "book and ledger disagree on lots", lots[0], ZERO, Decimal(len(lots)))
    return None


def malformed_trade(trade: ProposedTrade) -> str | None:
    """What is wrong with the trade's own numbers."""
    if trade.quantity <= 0:
        return "quantity is not positive"
    if trade.side == "buy":
        return "a buy names lots" if trade.lots else None
    if any(lot.quantity <= 0 for lot in trade.lots):
        return "a lot's quantity is not positive"
    if len({lot.lot_id for lot in trade.lots}) != len(trade.lots):
        return "a lot is named twice"
    if sum((lot.quantity for lot in trade.lots), ZERO) != trade.quantity:
        return "the lots do not sum to the quantity"
    return None


def check_form(case: Case) -> Refused | None:
    """One trade a security; positive quantities; a sale's lots sum to it."""
    seen: set[str] = set()
    if not case.proposal.trades:
        return Refused(RefusalCode.MALFORMED, "a proposal without trades", limit=Decimal(1), actual=ZERO)
    for trade in case.proposal.trades:
        wrong = "the security is traded twice" if trade.security_id in seen else malformed_trade(trade)
        if wrong is not None:
            return Refused(RefusalCode.MALFORMED, f"{trade.security_id}: {wrong}", trade.security_id, actual=trade.quantity)
        seen.add(trade.security_id)
    return None


def check_whole_shares(case: Case) -> Refused | None:
    """Whole shares, or the whole position with its fraction; a position under one share has nothing for the market to fill."""
    for trade in case.proposal.trades:
        whole = whole_shares_down(trade.quantity)
        if whole == 0:
            message = "less than one share can't be traded, and cash in lieu needs a fill"
            return Refused(RefusalCode.LESS_THAN_ONE_SHARE, message, trade.security_id, Decimal(1), trade.quantity)
        if whole == trade.quantity:
            continue
        position = case.position(trade.security_id)
        if trade.side == "buy" or trade.quantity != position:
            message = f"{plain(trade.quantity)} shares are neither whole nor the whole position"
            return Refused(RefusalCode.NOT_WHOLE_SHARES, message, trade.security_id, position, trade.quantity)
    return None


def check_order_count(case: Case) -> Refused | None:
    """The run's blocks, with those of this proposal, stay within the house's limit."""
    blocks = set(case.blocks) | {(trade.security_id, trade.side) for trade in case.proposal.trades}
    limit = case.policy.max_orders_per_run
    if len(blocks) > limit:
        return Refused(RefusalCode.TOO_MANY_ORDERS, "the run would have too many orders", None, Decimal(limit), Decimal(len(blocks)))
    return None
