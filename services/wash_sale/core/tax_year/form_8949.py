"""Form 8949: one row a sold lot and term, by box, with code W and its adjustment (section 1.15), and how certain each row is.

A box says what the broker's Form 1099-B told the IRS: A and D proceeds and basis, B and E proceeds alone, C and F nothing; A to C are
short-term (Part I), D to F long-term (Part II).  (h) = (d) - (e) + (g).
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from libs.common.money import ZERO, plain
from services.wash_sale.core.certainty import CONFIRMED, Certainty, Judgement, certainty_of
from services.wash_sale.core.holding_period import Term
from services.wash_sale.core.sale_rows import SaleRow
from services.wash_sale.core.tax_year.sales import Reported, SoldLayer

Box = Literal["A", "B", "C", "D", "E", "F"]
BOXES: dict[tuple[Term, Reported], Box] = {
    ("short", "basis"): "A",
    ("short", "proceeds"): "B",
    ("short", "nothing"): "C",
    ("long", "basis"): "D",
    ("long", "proceeds"): "E",
    ("long", "nothing"): "F",
}
NO_SALE = {"boot": ", cash in a reorganization", "distribution": ", return of capital"}


class Form8949Row(Struct, frozen=True):
    """A row of the form: `description` (a) to `gain` (h), and where it comes from.

    `certainty` as of core/certainty.py; `provisional_until` is inclusive.
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
        if sale.row.raw_gain is not None:
            together.setdefault(_key(sale), []).append(sale)
    rows = [_row(layers, as_of, outside_accounts) for layers in together.values()]
    return sorted(rows, key=lambda row: (row.box, row.sold, row.account_id, row.sale_id, row.lot_id, row.acquired, row.code))


def box_of(sale: SoldLayer) -> Box:
    """The box that the sale belongs in."""
    return BOXES[sale.term, sale.reported]


def _key(sale: SoldLayer) -> tuple[str, ...]:
    row = sale.row
    where = (sale.taxpayer_id, row.account_id, row.trade_id, row.lot_id, row.security_id, row.kind)
    return (*where, box_of(sale), _acquired(row), row.trade_date.isoformat())


def _acquired(row: SaleRow) -> str:
    """Column (b): the date of purchase, also where a wash sale lengthened the period; INHERITED for an inheritance."""
    if row.how == "inheritance":
        return "INHERITED"
    return "" if row.acquired is None else row.acquired.isoformat()


def _row(layers: Sequence[SoldLayer], as_of: date, outside_accounts: bool) -> Form8949Row:
    first, rows = layers[0].row, [layer.row for layer in layers]
    proceeds = sum((row.proceeds for row in rows), ZERO)
    gain = sum((row.allowed_gain or ZERO for row in rows), ZERO)
    disallowed = sum((row.disallowed for row in rows), ZERO)
    basis = sum((_column_e(layer) for layer in layers), ZERO)
    adjustment = gain - (proceeds - basis)
    judged = least_certain(certainty_of(row, as_of, not outside_accounts) for row in rows)
    return Form8949Row(
        box=box_of(layers[0]),
        description=_description(rows),
        acquired=_acquired(first),
        sold=first.trade_date,
        proceeds=proceeds,
        basis=basis,
        code=("B" if adjustment != disallowed else "") + ("W" if disallowed else ""),
        adjustment=adjustment,
        gain=gain,
        certainty=judged.certainty,
        provisional_until=judged.until,
        taxpayer_id=layers[0].taxpayer_id,
        account_id=first.account_id,
        sale_id=first.trade_id,
        lot_id=first.lot_id,
    )


def least_certain(judgements: Iterable[Judgement]) -> Judgement:
    """Unknowable before provisional, the longest open before the others, before confirmed."""
    found = list(judgements)
    unknowable = next((each for each in found if each.certainty == "unknowable"), None)
    return unknowable or max((each for each in found if each.until), key=lambda each: each.until or date.min, default=CONFIRMED)


def _description(rows: Sequence[SaleRow]) -> str:
    """Column (a): shares and security, and what it was where it was no sale."""
    shares = plain(sum((row.quantity for row in rows), ZERO))
    return f"{shares} sh. {rows[0].security_id}{NO_SALE.get(rows[0].kind, '')}"


def _column_e(sale: SoldLayer) -> Decimal:
    """Column (e): the broker's basis where it was reported to the IRS and differs (code B then corrects it), else the ledger's.

    A gift sold between its two bases has neither gain nor loss: its proceeds stand for the basis.
    """
    if sale.reported == "basis" and sale.reported_basis is not None:
        return sale.reported_basis
    return sale.row.proceeds if sale.row.basis is None else sale.row.basis


def box_totals(rows: Iterable[Form8949Row]) -> dict[Box, BoxTotal]:
    """The sums of each box, all six of them."""
    totals: dict[Box, BoxTotal] = {box: BoxTotal() for box in BOXES.values()}
    for row in rows:
        old = totals[row.box]
        totals[row.box] = BoxTotal(old.proceeds + row.proceeds, old.basis + row.basis, old.adjustment + row.adjustment, old.gain + row.gain)
    return totals
