"""Schedule D: the boxes of Form 8949 by line, the carryovers, the nets and the deductible loss.

Amounts are signed: what the form prints in brackets (lines 6, 14 and 21) is negative here.
"""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from services.wash_sale.core.tax_year.form_8949 import Box, BoxTotal
from services.wash_sale.core.tax_year.netting import Carryover, Netting, YearItems

LINE_OF_BOX: Mapping[Box, str] = {"A": "1b", "B": "2", "C": "3", "D": "8b", "E": "9", "F": "10"}


class ScheduleDLine(Struct, frozen=True):
    """A line: columns (d), (e) and (g) where it has them, and (h)."""

    line: str
    what: str
    gain: Decimal
    proceeds: Decimal | None = None
    basis: Decimal | None = None
    adjustment: Decimal | None = None


def schedule_d(
    boxes: Mapping[Box, BoxTotal], opening: YearItems, distributions: Decimal, carried: Carryover, year: Netting
) -> list[ScheduleDLine]:
    """The lines that sales, carryovers and funds' capital gain distributions fill, in the form's order.

    `opening` are items that were realised before the ledger began: their rows are in other papers, their sums stand in lines of their own.
    """
    return [
        *(_of_box(box, boxes[box]) for box in ("A", "B", "C")),
        *_before("short", opening.short_gain, opening.short_loss),
        ScheduleDLine("6", "Short-term capital loss carryover", -carried.short),
        ScheduleDLine("7", "Net short-term capital gain or loss", year.net_short),
        *(_of_box(box, boxes[box]) for box in ("D", "E", "F")),
        *_before("long", opening.long_gain, opening.long_loss),
        ScheduleDLine("13", "Capital gain distributions", distributions),
        ScheduleDLine("14", "Long-term capital loss carryover", -carried.long),
        ScheduleDLine("15", "Net long-term capital gain or loss", year.net_long),
        ScheduleDLine("16", "Lines 7 and 15 combined", year.total),
        ScheduleDLine("21", "Deductible loss", -year.deduction),
    ]


def _before(term: str, gain: Decimal, loss: Decimal) -> list[ScheduleDLine]:
    if not gain and not loss:
        return []
    return [ScheduleDLine(f"{term}, other papers", "Realised before the ledger began", gain - loss)]


def _of_box(box: Box, total: BoxTotal) -> ScheduleDLine:
    what = f"Totals of Form 8949 with box {box} checked"
    return ScheduleDLine(LINE_OF_BOX[box], what, total.gain, total.proceeds, total.basis, total.adjustment)
