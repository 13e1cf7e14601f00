"""What a custodian said of one account on one business date."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from libs.common.money import plain
from libs.common.schemas.account import Lot, LotColumns

Basis = Literal["trade_date", "settlement_date"]


class Snapshot(Struct, frozen=True):
    """One account's holdings as delivered.  (`business_date`, `sequence`) rises; the same date with a higher sequence corrects.

    `basis` says which trades the custodian includes: by trade date or by settlement date.
    """

    custodian: str
    account_id: str
    business_date: date
    sequence: int
    basis: Basis
    cash_settled: Decimal
    cash_unsettled: Decimal
    lots: LotColumns

    @property
    def order(self) -> tuple[date, int]:
        """Later snapshots compare greater."""
        return self.business_date, self.sequence

    def quantities(self) -> dict[str, Decimal]:
        """Shares by lot id."""
        return {lot_id: Decimal(quantity) for lot_id, quantity in zip(self.lots.lot_id, self.lots.quantity, strict=True)}


def lot_columns(lots: Iterator[Lot]) -> LotColumns:
    """Lots as columns, in the one order: security, date acquired (unknown first), lot id."""
    ordered = sorted(lots, key=lambda lot: (lot.security_id, lot.acquired or date.min, lot.lot_id))
    return LotColumns(
        lot_id=[lot.lot_id for lot in ordered],
        security_id=[lot.security_id for lot in ordered],
        quantity=[plain(lot.quantity) for lot in ordered],
        cost_basis=[None if lot.cost_basis is None else plain(lot.cost_basis) for lot in ordered],
        acquired=[None if lot.acquired is None else lot.acquired.isoformat() for lot in ordered],
        provisional=[lot.provisional for lot in ordered],
    )
