"""Histories for the tax ledger's benchmarks: purchases and sales of one household, as events and as a file."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from services.wash_sale.core.lots import Layer
from services.wash_sale.core.tax_events import Fill, LotIn, Sale, TaxAccount, TaxEvent

D = Decimal
ACCOUNTS = {name: TaxAccount(name, "A", taxable=name != "R1") for name in ("T1", "T2", "T3", "R1")}
FIRST = date(2010, 1, 4)
EVENTS_A_DAY = 20
SECURITIES = 200


def history(count: int, seed: int = 1, securities: int = SECURITIES, events_a_day: int = EVENTS_A_DAY) -> Iterator[TaxEvent]:
    """Purchases and FIFO sales of wandering prices: about a third of the sales at a loss are replaced."""
    draw = random.Random(seed)
    price = [100.0] * securities
    held: Counter[tuple[str, int]] = Counter()
    for number in range(count):
        day = FIRST + timedelta(days=number // events_a_day)
        security, account = draw.randrange(securities), draw.choice(tuple(ACCOUNTS))
        price[security] = max(1.0, price[security] * (1 + draw.gauss(0, 0.03)))
        each = D(f"{price[security]:.2f}")
        if held[account, security] and draw.random() < 0.45:
            quantity = draw.randint(1, held[account, security])
            held[account, security] -= quantity
            fill = Fill(f"s{number}", account, f"S{security}", D(quantity), quantity * each)
            yield Sale(fill.event_id, day, (fill,))
        else:
            quantity = draw.randint(1, 200)
            held[account, security] += quantity
            yield lot_in(f"L{number}", account, f"S{security}", day, quantity, quantity * each)


def lot_in(lot_id: str, account: str, security: str, day: date, quantity: int, cost: Decimal) -> LotIn:
    """A purchase."""
    layer = Layer(account, lot_id, f"{account}/{lot_id}", security, D(quantity), cost, day, day)
    return LotIn(lot_id, day, layer, acquisition=True)


def as_file(events: list[TaxEvent]) -> dict[str, Any]:
    """The history in the shape of a file."""
    rows: list[dict[str, Any]] = []
    for seq, event in enumerate(events, start=1):
        if isinstance(event, LotIn):
            layer = event.layer
            more = {"action": "buy", "account": layer.account_id, "security": layer.security_id, "lot_id": layer.lot_id}
            rows.append({"seq": seq, "date": event.day.isoformat(), "quantity": str(layer.quantity), "cost": str(layer.cost), **more})
        elif isinstance(event, Sale):
            fill = event.fills[0]
            more = {"action": "sell", "account": fill.account_id, "security": fill.security_id, "sale_id": fill.event_id}
            rows.append({"seq": seq, "date": event.day.isoformat(), "quantity": str(fill.quantity), "proceeds": str(fill.proceeds), **more})
    kinds = {True: "taxable", False: "roth_ira"}
    accounts = [{"id": name, "owner": account.taxpayer_id, "type": kinds[account.taxable]} for name, account in ACCOUNTS.items()]
    return {"id": "same", "lot_method": "fifo", "accounts": accounts, "transactions": rows}
