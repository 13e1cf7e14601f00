"""What a broker's Form 1099-B shows of a year's sales beside the household's ledger, and why they differ (section 1.15).

A broker sees one account and one security number: it denies a loss only for a purchase of the same security in the same account (Reg.
1.6045-1(d)(6)(iii)), and reports the basis of covered lots alone.
"""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from libs.common.money import ZERO
from services.wash_sale.core.sale_rows import SaleRow
from services.wash_sale.core.tax_year.sales import usual_report


class Why(StrEnum):
    """Why a broker's form differs from the ledger: the closed list, the first that holds."""

    SAME = ""
    UNKNOWN_BASIS = "unknown_basis"
    WASH_IT_CANNOT_SEE = "wash_in_another_account_or_security"
    BASIS_FROM_ELSEWHERE = "basis_holds_a_loss_denied_elsewhere"
    WASH_THE_LEDGER_LACKS = "replacement_used_for_another_loss"
    NOT_REPORTED = "basis_not_reported"


class BrokerSale(Struct, frozen=True):
    """One sold lot: boxes 1d, 1e and 1g of the broker's form (1e and 1g None where it need not report them), and the ledger's figures."""

    account_id: str
    sale_id: str
    lot_id: str
    box_1d: Decimal
    box_1e: Decimal | None
    box_1g: Decimal | None
    ledger_basis: Decimal | None
    ledger_disallowed: Decimal
    why: Why


class _Sums(Struct):
    """Proceeds, basis (None where a layer's is unknown) and denied loss of a sold lot, all layers together."""

    proceeds: Decimal = ZERO
    basis: Decimal | None = ZERO
    disallowed: Decimal = ZERO
    covered: bool = True


def broker_sales(ledger: Iterable[SaleRow], alone: Iterable[SaleRow], year: int) -> list[BrokerSale]:
    """The sold lots of a year; `alone` are the sale rows of each account replayed by itself, every security a group by itself."""
    ours, theirs = _by_lot(ledger, year), _by_lot(alone, year)
    return [_compared(*place, ours[place], theirs[place]) for place in sorted(ours.keys() & theirs.keys())]


def _by_lot(rows: Iterable[SaleRow], year: int) -> dict[tuple[str, str, str], _Sums]:
    found: dict[tuple[str, str, str], _Sums] = {}
    for row in rows:
        if row.trade_date.year == year and row.kind == "sale":
            sums = found.setdefault((row.account_id, row.trade_id, row.lot_id), _Sums())
            sums.proceeds += row.proceeds
            sums.basis = None if sums.basis is None or row.basis is None else sums.basis + row.basis
            sums.disallowed += row.disallowed
            sums.covered &= usual_report(row.acquired) == "basis"
    return found


def _compared(account_id: str, sale_id: str, lot_id: str, ours: _Sums, theirs: _Sums) -> BrokerSale:
    return BrokerSale(
        account_id=account_id,
        sale_id=sale_id,
        lot_id=lot_id,
        box_1d=theirs.proceeds,
        box_1e=theirs.basis if theirs.covered else None,
        box_1g=theirs.disallowed if theirs.covered else None,
        ledger_basis=ours.basis,
        ledger_disallowed=ours.disallowed,
        why=_why(ours, theirs),
    )


def _why(ours: _Sums, theirs: _Sums) -> Why:
    if ours.basis is None or theirs.basis is None:
        return Why.SAME if ours.basis == theirs.basis else Why.UNKNOWN_BASIS
    if not theirs.covered:
        return Why.NOT_REPORTED
    if ours.disallowed > theirs.disallowed:
        return Why.WASH_IT_CANNOT_SEE
    if ours.basis != theirs.basis:
        return Why.BASIS_FROM_ELSEWHERE
    return Why.SAME if ours.disallowed == theirs.disallowed else Why.WASH_THE_LEDGER_LACKS
