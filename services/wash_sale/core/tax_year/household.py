"""The tax year of a household: every return of it, from one set of books."""

from collections.abc import Mapping, Sequence
from datetime import date

from msgspec import Struct

from services.wash_sale.core.history_accounts import owners_of
from services.wash_sale.core.lots import Layer
from services.wash_sale.core.sale_rows import Gift, SaleRow
from services.wash_sale.core.tax_year.broker_form import BrokerSale, broker_sales
from services.wash_sale.core.tax_year.charity import donated_lots
from services.wash_sale.core.tax_year.report import ReturnBooks, ReturnFacts, YearFacts, YearReport, year_report
from services.wash_sale.core.tax_year.sales import held_on, sold_layers
from services.wash_sale.core.tax_year.stated import BadStatement, StatedTax, returns_of
from services.wash_sale.core.tax_year.tables import TaxRefusal, TaxRefusalCode


class HouseholdBooks(Struct, frozen=True):
    """What the ledger says: `taxpayer_of` are the taxable accounts and their owners; `corporations` the owners that file as such.

    `openings` is what the ledger knows of a taxpayer's years from before it began.  `outside_accounts`: there are accounts that no feed
    covers.  `alone` are the sale rows of each account replayed by itself, as its broker sees it.
    """

    household_id: str
    rows: Sequence[SaleRow]
    layers: Sequence[Layer]
    taxpayer_of: Mapping[str, str]
    corporations: frozenset[str] = frozenset()
    openings: Mapping[str, Mapping[int, YearFacts]] = {}
    outside_accounts: bool = False
    gifts: Sequence[Gift] = ()
    alone: Sequence[SaleRow] = ()


class HouseholdYear(Struct, frozen=True):
    """The returns of a household, and what it could not answer, by name."""

    household_id: str
    year: int
    as_of: date
    returns: list[YearReport]
    broker_sales: list[BrokerSale]
    refused: list[TaxRefusal]


def household_year(books: HouseholdBooks, stated: StatedTax, year: int, as_of: date) -> HouseholdYear | BadStatement:
    """A report for each return; a controlled corporation files no Form 1040, so its sales are refused here, not its trades' washes."""
    owners = sorted(set(books.taxpayer_of.values()) - books.corporations)
    persons = {person for owner in owners for person in (owner, *owners_of(owner))}
    for index, each in enumerate(stated.returns):
        for name in each.taxpayers:
            if name not in persons:
                return BadStatement(f"tax.returns[{index}].taxpayers", f"{name} owns no taxable account here")
    stated_for = [each.taxpayers for each in stated.returns]
    alone = [owner for owner in owners if not any(on_return(owner, taxpayers) for taxpayers in stated_for)]
    facts = returns_of(stated, alone, books.openings)
    found = [_one_return(books, stated, each, year, as_of) for each in facts]
    return HouseholdYear(
        household_id=books.household_id,
        year=year,
        as_of=as_of,
        returns=[each for each in found if isinstance(each, YearReport)],
        broker_sales=broker_sales((row for row in books.rows if row.account_id in books.taxpayer_of), books.alone, year),
        refused=_distinct([*(each for each in found if isinstance(each, TaxRefusal)), *_corporate(books)]),
    )


def on_return(owner: str, taxpayers: Sequence[str]) -> bool:
    """Whether an owner's accounts belong on a return: each person behind them files it."""
    return owner in taxpayers or all(person in taxpayers for person in owners_of(owner))


def _one_return(books: HouseholdBooks, stated: StatedTax, facts: ReturnFacts, year: int, as_of: date) -> YearReport | TaxRefusal:
    own = {account_id: owner for account_id, owner in books.taxpayer_of.items() if on_return(owner, facts.taxpayer_ids)}
    sales = sold_layers(books.rows, own, stated.form_1099b)
    held = held_on(books.layers, own, stated.prices, as_of)
    donated = donated_lots(books.gifts, own, year)
    return year_report(facts, year, as_of, ReturnBooks(sales, held, donated, books.outside_accounts))


def _corporate(books: HouseholdBooks) -> list[TaxRefusal]:
    owners = sorted(books.corporations & set(books.taxpayer_of.values()))
    return [TaxRefusal(TaxRefusalCode.CORPORATE_RETURN, "owner", name, "persons who file Form 1040") for name in owners]


def _distinct(refusals: Sequence[TaxRefusal]) -> list[TaxRefusal]:
    return list(dict.fromkeys(refusals))
