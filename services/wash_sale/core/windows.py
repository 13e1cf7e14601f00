"""What may not be bought, or sold at a loss, as of a day, and until when (sections 1.1, 1.5, 1.6, 1.8, 1.11 and 1.12).

Windows hold for the whole household and identity group.  They err to the safe side where something is unknown: a sale of unknown basis in
a taxable account blocks buys as a loss would, and so does the part of a past loss that no purchase booked here has washed.
"""

from datetime import date

from libs.common.schemas.ledger import Window
from services.wash_sale.core.books import Books
from services.wash_sale.core.group_facts import past_loss, past_losses
from services.wash_sale.core.household import HouseholdLedger
from services.wash_sale.core.matching import WASH_WINDOW
from services.wash_sale.core.securities import SecurityFacts


def blocked_buys(ledger: HouseholdLedger, books: Books, securities: SecurityFacts, as_of: date) -> list[Window]:
    """A window for each sale whose loss a purchase would still wash; `lot_ids` are the lots it sold, `cause` its trade."""
    found: dict[tuple[str, date, str, str], set[str]] = {}
    for loss in [loss for book in books.groups.values() for loss in book.open_losses]:
        key = (securities.group(loss.security_id), loss.sold, loss.account_id, loss.loss_id)
        found.setdefault(key, set()).update([loss.lot_id] if loss.lot_id else [])
    for row in (row for book in books.groups.values() for row in book.rows):
        if row.unknown_basis and row.kind == "sale" and ledger.accounts[row.account_id].taxable:
            key = (securities.group(row.security_id), row.trade_date, row.account_id, row.trade_id)
            found.setdefault(key, set()).add(row.lot_id)
    for sale in past_losses(ledger):
        if securities.cluster(sale.security_id) not in books.groups:
            group = securities.group(sale.security_id)
            past = past_loss(sale, securities)
            found.setdefault((group, past.day, past.account_id, past.event_id), set())
    return [
        Window(group, list(securities.securities(group)), day, day + WASH_WINDOW, account_id, cause, sorted(lot_ids))
        for (group, day, account_id, cause), lot_ids in sorted(found.items())
        if day + WASH_WINDOW >= as_of
    ]


def blocked_loss_sales(books: Books, securities: SecurityFacts, as_of: date) -> list[Window]:
    """A window for each purchase of the last 30 days with shares still held that have not replaced a loss yet; `cause` is its first lot."""
    found: dict[tuple[str, date, str, str], set[str]] = {}
    first = as_of - WASH_WINDOW if as_of - date.min >= WASH_WINDOW else date.min
    for layer in (layer for layers in books.layers.values() for layer in layers):
        if layer.acquired is not None and layer.acquired >= first and layer.how == "purchase" and not layer.replaces:
            key = (securities.group(layer.security_id), layer.acquired, layer.account_id, layer.purchase_id)
            found.setdefault(key, set()).add(layer.lot_id)
    return [
        Window(group, list(securities.securities(group)), day, day + WASH_WINDOW, account_id, min(lot_ids), sorted(lot_ids))
        for (group, day, account_id, _), lot_ids in sorted(found.items())
    ]
