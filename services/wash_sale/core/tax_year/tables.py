"""The law's figures by year and filing status (libs/common/federal_tax.py), and what is refused: a year that is not there."""

from enum import StrEnum

from msgspec import Struct

from libs.common.federal_tax import (
    FILING_STATUSES,
    GAIN_RATES,
    LOSS_LIMITS,
    NIIT_RATE,
    NIIT_THRESHOLDS,
    ORDINARY_RATES,
    YEARS,
    FilingStatus,
    YearTable,
)

__all__ = [
    "FILING_STATUSES",
    "FIRST_FORM_8949_YEAR",
    "GAIN_RATES",
    "LOSS_LIMITS",
    "NIIT_RATE",
    "NIIT_THRESHOLDS",
    "ORDINARY_RATES",
    "YEARS",
    "FilingStatus",
    "TaxRefusal",
    "TaxRefusalCode",
    "YearTable",
    "filing_status",
    "year_table",
]


class TaxRefusalCode(StrEnum):
    """The closed list of what the tax year can't answer."""

    YEAR_WITHOUT_FIGURES = "year_without_figures"
    UNKNOWN_FILING_STATUS = "unknown_filing_status"
    DONEE_NOT_COVERED = "donee_not_covered"
    NEGATIVE_AMOUNT = "negative_amount"
    CARRYOVER_TOO_OLD = "carryover_too_old"
    CORPORATE_RETURN = "corporate_return"


class TaxRefusal(Struct, frozen=True):
    """What was refused, by the field that it stands in, with what was given and what would have done."""

    code: TaxRefusalCode
    field: str
    actual: str
    possible: str

    def text(self) -> str:
        """One line for a person."""
        return f"{self.code.value}: {self.field} is {self.actual}, possible: {self.possible}"


FIRST_FORM_8949_YEAR = 2011
"""Form 8949 replaced Schedule D-1 for 2011; its boxes by what the broker reported begin with it."""


def year_table(year: int) -> YearTable | TaxRefusal:
    """The figures of a year, or the refusal that names it."""
    if year in YEARS:
        return YEARS[year]
    return TaxRefusal(TaxRefusalCode.YEAR_WITHOUT_FIGURES, "year", str(year), ", ".join(str(known) for known in sorted(YEARS)))


def filing_status(text: str, field: str = "filing_status") -> FilingStatus | TaxRefusal:
    """A filing status by its short name."""
    for known in FILING_STATUSES:
        if text == known:
            return known
    return TaxRefusal(TaxRefusalCode.UNKNOWN_FILING_STATUS, field, text, ", ".join(FILING_STATUSES))
