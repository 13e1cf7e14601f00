"""What a custodian said of one account on one business date."""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Literal

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


def lot_at(columns: LotColumns, row: int) -> Lot:
    """One row of the columns, its numbers and date converted."""
    basis, acquired = columns.cost_basis[row], columns.acquired[row]
    return Lot(
        columns.lot_id[row],
        columns.security_id[row],
        Decimal(columns.quantity[row]),
        None if basis is None else Decimal(basis),
        None if acquired is None else date.fromisoformat(acquired),
        columns.provisional[row],
    )


def with_lots(columns: LotColumns, changed: Mapping[str, Lot]) -> LotColumns:
    """The columns with some lots, by id, as they are now; one without shares is left out."""
    if not changed:
        return columns
    added = lot_columns(lot for lot in changed.values() if lot.quantity)
    rows = [row for row, lot_id in enumerate(columns.lot_id) if lot_id not in changed]
    both: list[list[Any]] = [
        [*(kept[row] for row in rows), *new]
        for kept, new in ((getattr(columns, name), getattr(added, name)) for name in LotColumns.__struct_fields__)
    ]
    merged = LotColumns(*both)
    keys = list(zip(merged.security_id, (day or "" for day in merged.acquired), merged.lot_id, strict=True))
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return LotColumns(*([column[row] for row in order] for column in both))
