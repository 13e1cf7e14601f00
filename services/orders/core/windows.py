"""Wash-sale windows: what may not be bought, and what may not be sold at a loss.

A sale counts as a potential loss when it could become one within the run's price collar, or when its basis is unknown.
Only taxable accounts sell at a loss; buys anywhere in the household are replacements (IRC 1091; Rev. Rul. 2008-5 for IRAs).
"""

from decimal import Decimal

from libs.common.schemas.ledger import TaxLot, Window
from libs.common.schemas.proposal import ProposedTrade
from services.orders.core.decision import RefusalCode, Refused
from services.orders.core.evidence import Case

BPS = Decimal(10_000)


def layer_may_lose(layer: TaxLot, price: Decimal, collar_bps: int) -> bool:
    """Whether this layer's basis is unknown or above the least that a fill within the collar brings."""
    if layer.tax_basis is None:
        return True
    return layer.tax_basis > layer.quantity * price * (1 - Decimal(collar_bps) / BPS)


def may_be_loss_sale(case: Case, trade: ProposedTrade) -> bool:
    """Whether any lot of this sale could be sold at a loss; a lot that the ledger does not know counts as one."""
    if trade.side == "buy" or case.account.account_type != "taxable":
        return False
    collar = case.run.run.price_collar_bps
    for instruction in trade.lots:
        layers = case.tax_lots.get(instruction.lot_id, [])
        if not layers or any(layer_may_lose(layer, trade.price, collar) for layer in layers):
            return True
    return False


def open_window(windows: list[Window], case: Case, security_id: str) -> list[Window]:
    """The windows over this security that are open on the run's date; `until` is inclusive."""
    as_of = case.proposal.pins.as_of
    return [window for window in windows if security_id in window.security_ids and as_of <= window.until]


def sells_out(case: Case, window: Window) -> bool:
    """Whether the proposal sells all shares of the lots that opened the window, and sells them before its security's other lots.

    Then nothing is left to replace the loss, also when an order is filled only in part.
    """
    sold = {instruction.lot_id: instruction.quantity for trade in case.proposal.trades for instruction in trade.lots}
    all_gone = all(lot_id in case.lots and sold.get(lot_id) == case.lots[lot_id].quantity for lot_id in window.lot_ids)
    return bool(window.lot_ids) and all_gone and all(are_first(window.lot_ids, trade) for trade in case.proposal.trades)


def are_first(lot_ids: list[str], trade: ProposedTrade) -> bool:
    """Whether none of these lots comes after another in the trade's instruction."""
    among = [instruction.lot_id in lot_ids for instruction in trade.lots]
    return among == sorted(among, reverse=True)


def check_windows(case: Case) -> Refused | None:
    """No buy in a window after a loss; no potential loss sale in a window after a buy, unless that buy is sold out with it."""
    for trade in case.proposal.trades:
        security = trade.security_id
        if trade.side == "buy":
            for window in open_window(case.ledger.blocked_buys, case, security):
                message = f"{window.account_id} sold at a loss on {window.trade_date}: no buy until {window.until} ({window.cause})"
                return Refused(RefusalCode.BUY_IN_WINDOW, message, security)
        elif may_be_loss_sale(case, trade):
            for window in open_window(case.ledger.blocked_loss_sales, case, security):
                if not sells_out(case, window):
                    message = f"{window.account_id} bought on {window.trade_date}: no loss sale until {window.until} ({window.cause})"
                    return Refused(RefusalCode.LOSS_SALE_IN_WINDOW, message, security, actual=trade.quantity)
    return None
