"""What booked trades make of an account's lots and cash."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from libs.common.money import ZERO
from libs.common.schemas.order import TradeBooked

D = Decimal


@dataclass(frozen=True)
class Held:
    """One lot: shares, and basis a share in dollars (None: unknown)."""

    security_id: str
    shares: Decimal
    basis: Decimal | None


@dataclass
class Position:
    """An account's lots by id and its cash, settled and not."""

    lots: dict[str, Held]
    settled: Decimal
    unsettled: Decimal = ZERO

    def take(self, trade: TradeBooked) -> None:
        """The position after one more trade; purchases leave settled cash at once, whatever comes in is unsettled."""
        undone = -1 if trade.kind == "bust" else 1
        if trade.side == "buy":
            lot_id = f"P-{trade.ref_trade_id or trade.trade_id}"
            held = self.lots.get(lot_id, Held(trade.security_id, D(0), trade.price))
            self.lots[lot_id] = replace(held, shares=held.shares + undone * trade.quantity)
        else:
            for part in trade.lots:
                held = self.lots[part.lot_id]
                self.lots[part.lot_id] = replace(held, shares=held.shares - undone * part.quantity)
        if trade.amount < 0:
            self.settled += trade.amount
        else:
            self.unsettled += trade.amount

    @property
    def oversold(self) -> bool:
        return any(held.shares < 0 for held in self.lots.values())


def position(lots: dict[str, Held], cash: Decimal, trades: Iterable[TradeBooked]) -> Position:
    """The opening position after these trades."""
    found = Position(dict(lots), cash)
    for trade in trades:
        found.take(trade)
    return found


def standing(trades: Iterable[TradeBooked]) -> list[TradeBooked]:
    """The trades that no bust took back."""
    all_of_them = list(trades)
    gone = {trade.ref_trade_id for trade in all_of_them if trade.kind == "bust"}
    return [trade for trade in all_of_them if trade.kind != "bust" and trade.trade_id not in gone]


def realised_loss(trade: TradeBooked, lots: dict[str, Held]) -> bool:
    """Whether a sale took shares at less than their basis; an unknown basis may have been a loss."""
    bases = [lots[part.lot_id].basis for part in trade.lots]
    return trade.side == "sell" and any(basis is None or trade.price < basis for basis in bases)
