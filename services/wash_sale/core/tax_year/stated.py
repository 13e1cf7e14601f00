"""What a file or a request says beside the history: the returns with their income and carryovers, prices, the broker's forms.

Nothing here is needed for Form 8949; without it the report lists what it assumed and leaves the estimate out.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from libs.common.money import ZERO
from services.wash_sale.core.tax_year.charity import StatedCharity
from services.wash_sale.core.tax_year.estimate import Income
from services.wash_sale.core.tax_year.netting import Carryover, YearItems
from services.wash_sale.core.tax_year.report import ReturnFacts, YearFacts
from services.wash_sale.core.tax_year.sales import BrokerReport
from services.wash_sale.core.tax_year.tables import FilingStatus

TOO_LARGE = Decimal(10) ** 15
TaxpayerId = Annotated[str, Meta(min_length=1)]


class StatedYear(Struct, frozen=True, forbid_unknown_fields=True):
    """What a return says of one year; losses and carryovers are positive numbers."""

    filing_status: FilingStatus | None = None
    income: Income | None = None
    short_carryover_in: Decimal | None = None
    long_carryover_in: Decimal | None = None
    capital_gain_distributions: Decimal = ZERO
    final_return: bool = False
    charity: StatedCharity | None = None


class StatedReturn(Struct, frozen=True, forbid_unknown_fields=True):
    """A return: one taxpayer, or the two who file jointly."""

    taxpayers: Annotated[list[TaxpayerId], Meta(min_length=1, max_length=2)]
    filing_status: FilingStatus | None = None
    years: dict[str, StatedYear] = {}


class StatedTax(Struct, frozen=True, forbid_unknown_fields=True):
    """`prices` are dollars a share, by security; `form_1099b` what the broker's forms say where it is not the usual."""

    returns: list[StatedReturn] = []
    prices: dict[str, Decimal] = {}
    form_1099b: list[BrokerReport] = []


class BadStatement(Struct, frozen=True):
    """What can't be taken, by the field it stands in."""

    field: str
    problem: str


def read_stated(value: Any) -> StatedTax | BadStatement:
    """Read the member `tax` of a file, or the body of a request."""
    try:
        stated = msgspec.convert(value, StatedTax)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$")
        return BadStatement("tax" + place.rstrip("`"), problem)
    return next(_faults(stated), stated)


def _faults(stated: StatedTax) -> Iterator[BadStatement]:
    """What no type catches: numbers that are none, amounts below zero, a taxpayer in two returns, a joint return of one."""
    for field, number, signed in _numbers(stated):
        if not number.is_finite():
            yield BadStatement(field, f"{number} is not a number")
        elif abs(number) >= TOO_LARGE:
            yield BadStatement(field, f"{number} is too large")
        elif number < 0 and not signed:
            yield BadStatement(field, f"{number} is negative")
    seen: set[str] = set()
    for index, each in enumerate(stated.returns):
        for name in each.taxpayers:
            if name in seen:
                yield BadStatement(f"tax.returns[{index}].taxpayers", f"{name} stands in two returns, or twice in one")
            seen.add(name)
        statuses = {each.filing_status, *(year.filing_status for year in each.years.values())}
        if len(each.taxpayers) > 1 and statuses - {"mfj", None}:
            yield BadStatement(f"tax.returns[{index}].filing_status", "two taxpayers file one return only jointly (mfj)")
        for text in each.years:
            if not (text.isascii() and text.isdigit() and len(text) == 4):
                yield BadStatement(f"tax.returns[{index}].years", f"{text!r} is not a year")
                return
        for text, year in each.years.items():
            carried = year.charity.carried if year.charity else ()
            if any(gift.year >= int(text) for gift in carried):
                yield BadStatement(f"tax.returns[{index}].years.{text}.charity.carried", f"only gifts of years before {text} carry into it")


def _numbers(stated: StatedTax) -> Iterator[tuple[str, Decimal, bool]]:
    """Every number with its field, and whether it may be negative."""
    for security_id, price in stated.prices.items():
        yield f"tax.prices.{security_id}", price, False
    for index, report in enumerate(stated.form_1099b):
        if report.basis is not None:
            yield f"tax.form_1099b[{index}].basis", report.basis, False
    for index, each in enumerate(stated.returns):
        for text, year in each.years.items():
            place = f"tax.returns[{index}].years.{text}"
            for name in ("short_carryover_in", "long_carryover_in", "capital_gain_distributions"):
                if (number := getattr(year, name)) is not None:
                    yield f"{place}.{name}", number, False
            if year.income is not None:
                yield from _income_numbers(f"{place}.income", year.income)
            if year.charity is not None:
                yield from _charity_numbers(f"{place}.charity", year.charity)


def _income_numbers(place: str, income: Income) -> Iterator[tuple[str, Decimal, bool]]:
    for name in ("ordinary_taxable_income", "magi", "investment_income"):
        yield f"{place}.{name}", getattr(income, name), True
    yield f"{place}.qualified_dividends", income.qualified_dividends, False
    if income.state is not None:
        yield f"{place}.state.short_frac", income.state.short_frac, False
        yield f"{place}.state.long_frac", income.state.long_frac, False


def _charity_numbers(place: str, charity: StatedCharity) -> Iterator[tuple[str, Decimal, bool]]:
    yield f"{place}.agi", charity.agi, True
    for number, each in enumerate(charity.carried):
        yield f"{place}.carried[{number}].amount", each.amount, False
    if charity.marginal_rate_frac is not None:
        yield f"{place}.marginal_rate_frac", charity.marginal_rate_frac, False


def returns_of(stated: StatedTax, others: Sequence[str], openings: Mapping[str, Mapping[int, YearFacts]]) -> list[ReturnFacts]:
    """A return for each stated one, and one for each other owner; `openings` are what the ledger itself knows of a taxpayer's years."""
    return [_return_facts(each, openings) for each in [*stated.returns, *(StatedReturn([name]) for name in others)]]


def _return_facts(each: StatedReturn, openings: Mapping[str, Mapping[int, YearFacts]]) -> ReturnFacts:
    known = [openings.get(name, {}) for name in each.taxpayers]
    years = {int(text) for text in each.years} | {year for opening in known for year in opening}
    return ReturnFacts(
        return_id="+".join(each.taxpayers),
        taxpayer_ids=tuple(each.taxpayers),
        years={
            year: _year_facts(each.years.get(str(year), StatedYear()), [opening[year] for opening in known if year in opening])
            for year in sorted(years)
        },
        status=each.filing_status,
    )


def _year_facts(stated: StatedYear, openings: Sequence[YearFacts]) -> YearFacts:
    """What is stated wins over what the ledger knows; items from before the ledger began add up."""
    carried = _carried(stated)
    if carried is None and any(opening.carried for opening in openings):
        known = [opening.carried for opening in openings if opening.carried]
        carried = Carryover(sum((each.short for each in known), ZERO), sum((each.long for each in known), ZERO))
    return YearFacts(
        status=stated.filing_status,
        income=stated.income,
        carried=carried,
        distributions=stated.capital_gain_distributions,
        opening=sum((opening.opening for opening in openings), YearItems()),
        final_return=stated.final_return,
        charity=stated.charity,
    )


def _carried(stated: StatedYear) -> Carryover | None:
    """None where neither is stated; one of them alone leaves the other at zero."""
    if stated.short_carryover_in is None and stated.long_carryover_in is None:
        return None
    return Carryover(stated.short_carryover_in or ZERO, stated.long_carryover_in or ZERO)
