"""How certain a sale's figure is on a day: confirmed, provisional while a purchase may still wash it, or unknowable.

Unknowable: the basis is not known, or the household has an account that no feed covers, where a replacement may have been bought.  A
December sale is provisional until 30 January (section 10), and so is the tax year that it is in.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Literal, Protocol

from msgspec import Struct

from services.wash_sale.core.matching import WASH_WINDOW

Certainty = Literal["confirmed", "provisional", "unknowable"]
Why = Literal["", "window_open", "unknown_basis", "account_not_covered"]


class Judgement(Struct, frozen=True):
    """The certainty, the last day on which it is only provisional, and why it is not confirmed."""

    certainty: Certainty
    until: date | None
    why: Why


CONFIRMED = Judgement("confirmed", None, "")
NOT_COVERED = Judgement("unknowable", None, "account_not_covered")


class SaleFigures(Protocol):
    """What of a sale row decides its certainty."""

    @property
    def trade_date(self) -> date: ...
    @property
    def basis(self) -> Decimal | None: ...
    @property
    def raw_gain(self) -> Decimal | None: ...
    @property
    def disallowed(self) -> Decimal: ...
    @property
    def term(self) -> str: ...


def certainty_of(row: SaleFigures, as_of: date, all_covered: bool) -> Judgement:
    """A gain, and a loss that is denied in full, can't change by a purchase; any other loss can until its window ends."""
    if row.basis is None and row.raw_gain is None:
        return Judgement("unknowable", None, "unknown_basis") if row.term != "none" else CONFIRMED
    if row.raw_gain is None or row.raw_gain >= 0 or row.disallowed == -row.raw_gain:
        return CONFIRMED
    closes = row.trade_date + WASH_WINDOW
    if as_of <= closes:
        return Judgement("provisional", closes, "window_open")
    return CONFIRMED if all_covered else NOT_COVERED


def of_year(rows: Iterable[SaleFigures], year: int, as_of: date, all_covered: bool) -> Judgement:
    """The least certain of a year's sales; a provisional year is so until the last of its windows ends.

    A year that is not over is provisional too, until 30 January after it.
    """
    found = [certainty_of(row, as_of, all_covered) for row in rows if row.trade_date.year == year]
    unknowable = next((each for each in found if each.certainty == "unknowable"), None)
    if unknowable is not None:
        return unknowable
    if as_of.year <= year:
        return Judgement("provisional", date(year, 12, 31) + WASH_WINDOW, "window_open")
    return max((each for each in found if each.until is not None), key=lambda each: each.until or date.min, default=CONFIRMED)
