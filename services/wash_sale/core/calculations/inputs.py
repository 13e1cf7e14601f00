"""The inputs of a calculation, read with the ledger's own reader, and how what can't be taken is said."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from msgspec import Struct

from libs.common.money import ZERO
from services.wash_sale.core.history_fields import BadField, Fields
from services.wash_sale.core.refusals import RefusalCode
from services.wash_sale.core.tax_year.tables import FilingStatus, TaxRefusal, filing_status

Answer = dict[str, Any]
T = TypeVar("T")


class BadInputs(Struct, frozen=True):
    """Why a calculation can't be made, by its field."""

    code: RefusalCode
    field: str
    detail: str


def taken(found: T | TaxRefusal, inputs: Fields) -> T:
    """What a function found, or its refusal as the error of the field."""
    if isinstance(found, TaxRefusal):
        raise BadField(RefusalCode.NOT_READABLE, inputs.event, found.field, found.text())
    return found


def dollars(inputs: Fields, *names: str) -> Decimal:
    """The first of the named amounts that is given, zero or more; zero without any."""
    return next((inputs.dollars(name) for name in names if inputs.has(name)), ZERO)


def signed(inputs: Fields, name: str) -> Decimal:
    """An amount that may be negative; zero where it is not given."""
    return inputs.number(name) if inputs.has(name) else ZERO


def day_of(inputs: Fields, *names: str) -> date | None:
    """The first of the named days that is given."""
    return next((inputs.day(name) for name in names if inputs.has(name)), None)


def needed_day(inputs: Fields, *names: str) -> date:
    """The same, where one must be given."""
    found = day_of(inputs, *names)
    return inputs.day(names[0]) if found is None else found


def status_of(inputs: Fields) -> FilingStatus:
    """The filing status; single where none is given."""
    return taken(filing_status(inputs.text("filing_status") if inputs.has("filing_status") else "single"), inputs)


def year_of(inputs: Fields) -> int:
    """The tax year."""
    name = "tax_year" if inputs.has("tax_year") and not inputs.has("year") else "year"
    year = inputs.positive(name)
    if year != int(year):
        raise inputs.bad(RefusalCode.NOT_READABLE, name, f"{year} is not a year")
    return int(year)


def rows_of(inputs: Fields, name: str) -> list[Fields]:
    """A list of objects; an error names the member."""
    value = inputs.raw.get(name)
    if not isinstance(value, list) or not value:
        raise inputs.bad(RefusalCode.MISSING, name, "a list is needed")
    return [Fields(each, f"{inputs.event}.{name}[{number}]") for number, each in enumerate(value)]


def inner(inputs: Fields, name: str) -> Mapping[str, Any]:
    """A mapping of names to amounts."""
    value = inputs.raw.get(name)
    if not isinstance(value, Mapping) or not value:
        raise inputs.bad(RefusalCode.MISSING, name, "amounts by name are needed")
    return value
