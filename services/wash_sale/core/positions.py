"""Where lots are: an account's lots of one security, by id and in the order of their acquisition."""

from bisect import bisect_left
from datetime import date
from typing import NamedTuple

from services.wash_sale.core.lots import Layer

Layers = tuple[Layer, ...]


class LotKey(NamedTuple):
    """Where a lot is."""

    account_id: str
    security_id: str
    lot_id: str


class Position:
    """An account's lots of one security: `lots` by id (an emptied one stays known), `order` the open ones by date of acquisition."""

    __slots__ = ("lots", "order")

    def __init__(self) -> None:
        self.lots: dict[str, Layers] = {}
        self.order: list[tuple[date, int, str]] = []

    def place_of(self, lot_id: str, acquired: date) -> int:
        """Where a lot stands in the order, by the day of its first shares."""
        first = bisect_left(self.order, (acquired,))
        return next(i for i in range(first, len(self.order)) if self.order[i][2] == lot_id)
