"""Form 8949: one row a sold lot and term, by box, with code W and its adjustment (section 1.15), and how certain each row is.

A box says what the broker's Form 1099-B told the IRS: A and D proceeds and basis, B and E proceeds alone, C and F nothing; A to C are
short-term (Part I), D to F long-term (Part II).  (h) = (d) - (e) + (g).
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from libs.common.money import ZERO, plain
from services.wash_sale.core.holding_period import Term
from services.wash_sale.core.tax_year.sales import Reported, SoldLayer

Box = Literal["A", "B", "C", "D", "E", "F"]
Certainty = Literal["confirmed", "provisional", "unknowable"]
BOXES: dict[tuple[Term, Reported], Box] = {
    ("short", "basis"): "A",
    ("short", "proceeds"): "B",
    ("short", "nothing"): "C",
    ("long", "basis"): "D",
    ("long", "proceeds"): "E",
    ("long", "nothing"): "F",
}
WINDOW = timedelta(days=30)


class Form8949Row(Struct, frozen=True):
    """A row of the form: `description` (a) to `gain` (h), and where it comes from.

    `certainty`: provisional while a purchase could still deny the loss, `provisional_until` inclusive; unknowable where accounts that no
    feed covers could have; else confirmed.
    """

    box: Box
    description: str
    acquired: str
    sold: date
    proceeds: Decimal
    basis: Decimal
    code: str
    adjustment: Decimal
    gain: Decimal
    certainty: Certainty
    provisional_until: date | None
    taxpayer_id: str
    account_id: str
    sale_id: str
    lot_id: str


class BoxTotal(Struct, frozen=True):
    """The columns of one box, summed: a line of Schedule D."""

    proceeds: Decimal = ZERO
    basis: Decimal = ZERO
    adjustment: Decimal = ZERO
    gain: Decimal = ZERO


def form_rows(sales: Iterable[SoldLayer], as_of: date, outside_accounts: bool) -> list[Form8949Row]:
    """The form's rows, by box, day of sale, sale and lot; layers of a sold lot with the same box and day of purchase are one row.

    Sales of unknown basis have no row: the form can't be filed with them, and whoever asks must list them.
    """
    together: dict[tuple[str, ...], list[SoldLayer]] = {}
    for sale in sales:
        if sale.raw_gain is not None:
            together.setdefault(_key(sale), []).append(sale)
    rows = [_row(layers, as_of, outside_accounts) for layers in together.values()]
    return sorted(rows, key=lambda row: (row.box, row.sold, row.account_id, row.sale_id, row.lot_id, row.acquired, row.code))


def box_of(sale: SoldLayer) -> Box:
    """The box that the sale belongs in."""
    return BOXES[sale.term, sale.reported]


def _key(sale: SoldLayer) -> tuple[str, ...]:
    return (
        sale.taxpayer_id,
        sale.account_id,
        sale.sale_id,
        sale.lot_id,
        box_of(sale),
        _acquired(sale),
        sale.sold.isoformat(),
        sale.security_id,
    )


def _acquired(sale: SoldLayer) -> str:
    """Column (b): the date of purchase, also where a wash sale lengthened the period; INHERITED for an inheritance."""
    if sale.inherited:
        return "INHERITED"
    return "" if sale.acquired is None else sale.acquired.isoformat()


def _row(layers: Sequence[SoldLayer], as_of: date, outside_accounts: bool) -> Form8949Row:
    first = layers[0]
    proceeds = sum((sale.proceeds for sale in layers), ZERO)
    gain = sum((sale.allowed_gain or ZERO for sale in layers), ZERO)
    disallowed = sum((sale.disallowed for sale in layers), ZERO)
    basis = sum((_column_e(sale) for sale in layers), ZERO)
    adjustment = gain - (proceeds - basis)
    code = ("B" if adjustment != disallowed else "") + ("W" if disallowed else "")
    until = first.sold + WINDOW
    open_loss = any(sale.open_loss for sale in layers)
    provisional = open_loss and as_of <= until
    certainty: Certainty = "provisional" if provisional else "unknowable" if open_loss and outside_accounts else "confirmed"
    return Form8949Row(
        box=box_of(first),
        description=_description(layers),
        acquired=_acquired(first),
        sold=first.sold,
        proceeds=proceeds,
        basis=basis,
        code=code,
        adjustment=adjustment,
        gain=gain,
        certainty=certainty,
        provisional_until=until if provisional else None,
        taxpayer_id=first.taxpayer_id,
        account_id=first.account_id,
        sale_id=first.sale_id,
        lot_id=first.lot_id,
    )


def _description(layers: Sequence[SoldLayer]) -> str:
    """Column (a): shares and security, and what it was where it was no sale."""
    shares = plain(sum((sale.quantity for sale in layers), ZERO))
    return f"{shares} sh. {layers[0].security_id}" + {"boot": ", cash in a reorganization", "distribution": ", return of capital"}.get(
        layers[0].kind, ""
    )


def _column_e(sale: SoldLayer) -> Decimal:
    """Column (e): the broker's basis where it was reported to the IRS and differs (code B then corrects it), else the ledger's.

    A gift sold between its two bases has neither gain nor loss: its proceeds stand for the basis.
    """
    if sale.reported == "basis" and sale.reported_basis is not None:
        return sale.reported_basis
    return sale.proceeds if sale.basis is None else sale.basis


def box_totals(rows: Iterable[Form8949Row]) -> dict[Box, BoxTotal]:
    """The sums of each box, all six of them."""
    totals: dict[Box, BoxTotal] = {box: BoxTotal() for box in BOXES.values()}
    for row in rows:
        old = totals[row.box]
        totals[row.box] = BoxTotal(old.proceeds + row.proceeds, old.basis + row.basis, old.adjustment + row.adjustment, old.gain + row.gain)
    return totals
