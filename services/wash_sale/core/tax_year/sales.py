"""The ledger's sale rows and open layers as the tax year takes them: the one place that knows both."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from libs.common.money import cents_half_even, split_largest_remainder
from services.wash_sale.core.holding_period import Term, term_of
from services.wash_sale.core.lots import Layer
from services.wash_sale.core.sale_rows import SaleRow
from services.wash_sale.core.tax_year.giving import OpenLot

FIRST_COVERED_DAY = date(2011, 1, 1)
"""Stock bought since then is covered: the broker reports its basis to the IRS (IRC 6045(g)(3))."""

Reported = Literal["basis", "proceeds", "nothing"]
"""What the broker's Form 1099-B told the IRS: proceeds and basis, proceeds alone, or there was none."""


class BrokerReport(Struct, frozen=True, forbid_unknown_fields=True):
    """What the Form 1099-B of one sold lot says where it is not the usual: `basis` in dollars (box 1e)."""

    sale_id: str
    lot_id: str
    reported: Reported
    basis: Decimal | None = None


class SoldLayer(Struct, frozen=True):
    """A sale row of a taxable account, with whose it is, its part of the form, and what the broker reported.

    `term` is the row's, or for a gift sold between its two bases, which has none, that of its period.  `reported_basis` is the broker's
    figure where it is known.
    """

    row: SaleRow
    taxpayer_id: str
    term: Term
    reported: Reported = "basis"
    reported_basis: Decimal | None = None


def usual_report(acquired: date | None) -> Reported:
    """What a broker reports of a lot where nobody says otherwise: its basis if it was bought since 2011."""
    return "basis" if acquired is not None and acquired >= FIRST_COVERED_DAY else "proceeds"


def sold_layers(rows: Iterable[SaleRow], taxpayer_of: Mapping[str, str], broker: Iterable[BrokerReport] = ()) -> list[SoldLayer]:
    """The sale rows of the accounts in `taxpayer_of`, which are the taxable ones; a retirement account's sales are no one's gains."""
    reports = {(each.sale_id, each.lot_id): each for each in broker}
    by_lot: dict[tuple[str, str, str], list[SaleRow]] = {}
    for row in rows:
        if row.account_id in taxpayer_of:
            by_lot.setdefault((row.account_id, row.trade_id, row.lot_id), []).append(row)
    return [
        layer
        for (account_id, sale_id, lot_id), found in by_lot.items()
        for layer in _layers_of_lot(found, taxpayer_of[account_id], reports.get((sale_id, lot_id)))
    ]


def _layers_of_lot(rows: Sequence[SaleRow], taxpayer_id: str, report: BrokerReport | None) -> list[SoldLayer]:
    bases: Sequence[Decimal | None] = [None] * len(rows)
    if report is not None and report.basis is not None:
        bases = split_largest_remainder(report.basis, [row.quantity for row in rows])
    return [
        SoldLayer(
            row=row,
            taxpayer_id=taxpayer_id,
            term=term_of(row.held_since, row.trade_date) if row.term == "none" else row.term,
            reported=usual_report(row.acquired) if report is None else report.reported,
            reported_basis=basis,
        )
        for row, basis in zip(rows, bases, strict=True)
    ]


class Held(Struct, frozen=True):
    """What is held on a day: layers with their values, and the securities that have no price."""

    lots: Sequence[OpenLot] = ()
    unpriced: Sequence[str] = ()


def held_on(layers: Iterable[Layer], accounts: Iterable[str], prices: Mapping[str, Decimal], as_of: date) -> Held:
    """What the given accounts hold, as a sale on the day would tax it."""
    wanted = frozenset(accounts)
    own = [layer for layer in layers if layer.account_id in wanted and layer.quantity]
    priced = [layer for layer in own if layer.security_id in prices]
    lots = [_open_lot(layer, cents_half_even(layer.quantity * prices[layer.security_id]), as_of) for layer in priced]
    return Held(lots, sorted({layer.security_id for layer in own} - set(prices)))


def _open_lot(layer: Layer, value: Decimal, as_of: date) -> OpenLot:
    """A gift that had lost value sells at a loss by its second basis and period, and between the two at no gain (section 4.2)."""
    basis, since, loss_basis = layer.basis, layer.held_since, layer.loss_basis
    if basis is not None and loss_basis is not None and value < basis:
        basis = min(basis, max(value, loss_basis))
        since = layer.loss_since if layer.loss_cost is not None and value < loss_basis else since
    term: Term = "long" if layer.how == "inheritance" else term_of(since, as_of)
    return OpenLot(layer.account_id, layer.lot_id, layer.security_id, layer.quantity, basis, value, layer.acquired, since, term)
