"""One account's lots and sales, kept by the wash_sale core's books: it alone says what a lot's basis is and what a loss counts.

Without the wash-sale rule every purchase is a security of its own, so that no purchase replaces another's loss; all else stays the same.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np

from services.optimizer.core.arrays import Floats, Ints
from services.wash_sale.core.book import Book
from services.wash_sale.core.booking import book_event
from services.wash_sale.core.identity import EVERY_SECURITY_BY_ITSELF
from services.wash_sale.core.lots import Layer
from services.wash_sale.core.policy import DEFAULT_POLICY
from services.wash_sale.core.tax_events import Fill, LotIn, LotPart, Sale, TaxAccount, TaxEvent

ACCOUNT = "A1"
SHARES, CENTS = Decimal("0.000001"), Decimal("0.01")
LEAST_SHARES = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class HeldLots:
    """Lots by ticker's place, lot and age: `key` names each in the books."""

    key: list[tuple[str, str]]
    name: Ints
    shares: Floats
    basis: Floats  # dollars a share
    days: Ints


@dataclass
class Realised:
    """Gains of one day in dollars, by term; losses count as positive amounts apart."""

    short: float = 0.0
    long: float = 0.0
    losses: float = 0.0

    def tax(self, rates: tuple[float, float]) -> float:
        return rates[0] * self.short + rates[1] * self.long


class Books:
    """Buys and sells in dollars and shares; a refused event is a bug and raises."""

    def __init__(self, tickers: tuple[str, ...], wash_rule: bool) -> None:
        self._tickers, self._wash_rule = tickers, wash_rule
        self._place = {ticker: i for i, ticker in enumerate(tickers)}
        self._number = 0
        self.book = Book({ACCOUNT: TaxAccount(ACCOUNT, "owner", taxable=True)}, EVERY_SECURITY_BY_ITSELF, DEFAULT_POLICY)
        self._open: dict[tuple[str, str], int] = {}

    def buy(self, name: int, day: date, shares: float, price: float) -> None:
        """A new lot."""
        quantity = Decimal(repr(shares)).quantize(SHARES)
        if quantity <= 0:
            return
        self._number += 1
        lot_id = f"L{self._number}"
        security = self._tickers[name] if self._wash_rule else f"{self._tickers[name]}#{lot_id}"
        cost = (quantity * Decimal(repr(price))).quantize(CENTS)
        layer = Layer(ACCOUNT, lot_id, f"{ACCOUNT}/{lot_id}", security, quantity, cost, day, day)
        self._book(LotIn(lot_id, day, layer, acquisition=True))
        self._open[security, lot_id] = name

    def sell(self, day: date, sold: dict[tuple[str, str], float], price: Floats) -> Realised:
        """Sell shares of lots; all lots of one security are one sale.  What comes of it, before later replacements."""
        first, parts = len(self.book.rows), defaultdict[str, list[LotPart]](list)
        for (security, lot_id), shares in sold.items():
            held = sum((layer.quantity for layer in self._layers(security, lot_id)), Decimal(0))
            quantity = min(Decimal(repr(shares)).quantize(SHARES), held)
            quantity = held if float(held - quantity) < LEAST_SHARES else quantity
            if quantity > 0:
                parts[security].append(LotPart(lot_id, quantity))
        for security, lots in parts.items():
            self._number += 1
            quantity = sum((lot.quantity for lot in lots), Decimal(0))
            each = Decimal(repr(float(price[self._place[security.partition("#")[0]]])))
            fill = Fill(f"S{self._number}", ACCOUNT, security, quantity, (quantity * each).quantize(CENTS), tuple(lots))
            self._book(Sale(fill.event_id, day, (fill,)))
        found = Realised()
        for row in self.book.rows[first:]:
            gain = float(row.allowed_gain or 0)
            if row.term == "long":
                found.long += gain
            else:
                found.short += gain
            found.losses += max(-gain, 0.0)
        return found

    def lots(self, day: date) -> HeldLots:
        """Everything held, by ticker and lot."""
        keys, names, shares, basis, days = [], [], [], [], []
        for key, name in sorted(self._open.items(), key=lambda each: (each[1], int(each[0][1][1:]))):
            layers = self._layers(*key)
            if not layers:
                del self._open[key]
                continue
            quantity = float(sum(layer.quantity for layer in layers))
            keys.append(key)
            names.append(name)
            shares.append(quantity)
            basis.append(float(sum(layer.basis or Decimal(0) for layer in layers)) / quantity)
            days.append((day - (layers[0].held_since or day)).days)
        return HeldLots(keys, np.array(names, dtype=np.intp), np.array(shares), np.array(basis), np.array(days, dtype=np.intp))

    def bought_days(self, held: HeldLots, day: date) -> Ints:
        """Days since each lot was bought, whatever its holding period."""
        return np.array([(day - (self._layers(*key)[0].acquired or day)).days for key in held.key], dtype=np.intp)

    def barred(self, day: date) -> set[int]:
        """Names with a loss of the 30 days before: a purchase would replace it."""
        if not self._wash_rule:
            return set()
        return {i for ticker, i in self._place.items() if self.book.open_losses(ticker, day)}

    def disallowed_usd(self) -> float:
        """All losses that the ledger denied."""
        return float(sum(wash.disallowed for wash in self.book.washes))

    def _layers(self, security: str, lot_id: str) -> tuple[Layer, ...]:
        position = self.book.positions[ACCOUNT, security]
        return position.lots[lot_id]

    def _book(self, event: TaxEvent) -> None:
        refusal = book_event(self.book, event)
        if refusal is not None:
            raise RuntimeError(f"the ledger refuses {event.event_id}: {refusal}")
        self.book.undo.forget(self.book.undo.mark())
