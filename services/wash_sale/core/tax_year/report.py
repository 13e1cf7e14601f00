"""One return's year put together: Form 8949, Schedule D, carryovers out, the estimate, gift candidates, and what was assumed.

A *return* is one taxpayer, or two who file jointly.  What is not stated is either assumed, under a name that the report lists, or left out
with its reason; a figure is never made up.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from libs.common.money import ZERO
from services.wash_sale.core.certainty import Certainty, of_year
from services.wash_sale.core.history_accounts import owners_of
from services.wash_sale.core.tax_year.charity import CharityYear, DonatedLot, StatedCharity, charity_year
from services.wash_sale.core.tax_year.estimate import Income, TaxEstimate, estimate, unrealised_items
from services.wash_sale.core.tax_year.form_8949 import Form8949Row, box_totals, form_rows
from services.wash_sale.core.tax_year.giving import GiftCandidate, gift_candidates
from services.wash_sale.core.tax_year.netting import Carryover, Netting, YearItems, expired_at_death, items_of, net
from services.wash_sale.core.tax_year.sales import Held, SoldLayer
from services.wash_sale.core.tax_year.schedule_d import ScheduleDLine, schedule_d
from services.wash_sale.core.tax_year.tables import FIRST_FORM_8949_YEAR, FilingStatus, TaxRefusal, TaxRefusalCode, year_table


class Assumption(StrEnum):
    """What the report took for granted, since nobody said."""

    LIMIT_OF_3000 = "filing status not stated: the 3,000 limit is taken (1,500 for married filing separately)"
    NO_CARRYOVER_IN = "no carryover into the year stated, and no earlier sales known: none taken"
    CARRYOVER_FROM_EARLIER_SALES = "no carryover into the year stated: followed from the earlier years' sales known here"
    DEDUCTION_USED_IN_FULL = "taxable income not stated: the deduction counts as used in full (section 6.3 may carry more)"
    USUAL_BOXES = "boxes by date of purchase: since 2011 the broker reports the basis to the IRS"
    JOINT_ACCOUNT_APART = "a joint account, and no return of both owners stated: its sales stand apart"
    NO_PURCHASE_AROUND_SALE = "if all were sold: no purchase within 30 days before or after"


class YearFacts(Struct, frozen=True):
    """What a return says of one year; `opening` are items realised before the ledger began, which have no rows here.

    `distributions` are funds' capital gain distributions.  `carried` are the carryovers into the year, None where not stated.
    """

    status: FilingStatus | None = None
    income: Income | None = None
    carried: Carryover | None = None
    distributions: Decimal = ZERO
    opening: YearItems = YearItems()
    final_return: bool = False
    charity: StatedCharity | None = None


class ReturnFacts(Struct, frozen=True):
    """A return: its taxpayers, and what is known by year."""

    return_id: str
    taxpayer_ids: tuple[str, ...]
    years: Mapping[int, YearFacts] = {}
    status: FilingStatus | None = None

    def of(self, year: int) -> YearFacts:
        """What is known of a year."""
        return self.years.get(year, YearFacts())

    def status_in(self, year: int) -> FilingStatus | None:
        """The filing status of a year, or the return's usual one."""
        return self.of(year).status or self.status


class ReturnBooks(Struct, frozen=True):
    """What the ledger says of a return's taxpayers: the sales of all years that are known, what is held, the year's donations."""

    sales: Sequence[SoldLayer] = ()
    held: Held = Held()
    donated: Sequence[DonatedLot] = ()
    outside_accounts: bool = False


class UnknownBasis(Struct, frozen=True):
    """A sale that can't be reported yet."""

    sale_id: str
    account_id: str
    lot_id: str
    security_id: str
    proceeds: Decimal


class YearReport(Struct, frozen=True):
    """A return's year.  `certainty` is that of the year as a whole (core/certainty.py): provisional while it runs, or while any row is.

    `estimate` is None where income is not stated or the year has no figures; `no_estimate_because` says which.  The tax if all were sold is
    for a day of the year itself, and for lots that all have a price and a basis: else `not_if_all_sold_because`.
    """

    return_id: str
    taxpayer_ids: tuple[str, ...]
    year: int
    as_of: date
    filing_status: FilingStatus | None
    certainty: Certainty
    provisional_until: date | None
    form_8949: list[Form8949Row]
    schedule_d: list[ScheduleDLine]
    items: YearItems
    carryover_in: Carryover
    netting: Netting
    carryover_expired: Decimal
    unknown_basis: list[UnknownBasis]
    estimate: TaxEstimate | None
    no_estimate_because: str | None
    not_if_all_sold_because: str | None
    gift_candidates: list[GiftCandidate]
    charity: CharityYear | None
    assumptions: list[Assumption]


def year_report(facts: ReturnFacts, year: int, as_of: date, books: ReturnBooks) -> YearReport | TaxRefusal:
    """The report of a return."""
    if year < FIRST_FORM_8949_YEAR:
        possible = f"{FIRST_FORM_8949_YEAR} and later"
        return TaxRefusal(TaxRefusalCode.YEAR_WITHOUT_FIGURES, "year", str(year), possible)
    sales = [sale for sale in books.sales if sale.row.trade_date.year == year]
    rows = form_rows(sales, as_of, books.outside_accounts)
    stated, carried = facts.of(year), _carried_into(facts, year, books.sales)
    items = _items(stated, sales)
    netted = _netted(facts, year, items, carried)
    obstacle = _obstacle(year, as_of, books.held)
    estimated = _estimate(facts, year, items, carried, None if obstacle else unrealised_items(books.held.lots))
    judged = of_year((sale.row for sale in books.sales), year, as_of, not books.outside_accounts)
    return YearReport(
        return_id=facts.return_id,
        taxpayer_ids=facts.taxpayer_ids,
        year=year,
        as_of=as_of,
        filing_status=facts.status_in(year),
        certainty=judged.certainty,
        provisional_until=judged.until,
        form_8949=rows,
        schedule_d=schedule_d(box_totals(rows), stated.opening, stated.distributions, carried, netted),
        items=items,
        carryover_in=carried,
        netting=netted,
        carryover_expired=expired_at_death(netted) if stated.final_return else ZERO,
        unknown_basis=[
            UnknownBasis(row.trade_id, row.account_id, row.lot_id, row.security_id, row.proceeds)
            for row in (sale.row for sale in sales)
            if row.unknown_basis
        ],
        estimate=estimated if isinstance(estimated, TaxEstimate) else None,
        no_estimate_because=estimated if isinstance(estimated, str) else None,
        not_if_all_sold_because=obstacle,
        gift_candidates=gift_candidates(books.held.lots),
        charity=charity_year(books.donated, stated.charity, year),
        assumptions=_assumptions(facts, year, books.sales, netted, isinstance(estimated, TaxEstimate) and not obstacle),
    )


def _items(stated: YearFacts, sales: Sequence[SoldLayer]) -> YearItems:
    gains = ((sale.term, sale.row.allowed_gain) for sale in sales if sale.row.allowed_gain is not None)
    return items_of(gains) + YearItems(long_gain=stated.distributions) + stated.opening


def _netted(facts: ReturnFacts, year: int, items: YearItems, carried: Carryover) -> Netting:
    income = facts.of(year).income
    return net(items, carried, facts.status_in(year) or "single", None if income is None else income.taxable)


def _carried_into(facts: ReturnFacts, year: int, sales: Sequence[SoldLayer]) -> Carryover:
    """What is stated, else what follows from the years before, as far back as one is stated or sales are known."""
    stated = facts.of(year).carried
    if stated is not None:
        return stated
    known = [sale.row.trade_date.year for sale in sales if sale.row.trade_date.year < year] + [each for each in facts.years if each < year]
    if not known:
        return Carryover()
    before = max(known)
    then = [sale for sale in sales if sale.row.trade_date.year == before]
    netted = _netted(facts, before, _items(facts.of(before), then), _carried_into(facts, before, sales))
    return _through_idle_years(facts, before, year, netted.carryover)


def _through_idle_years(facts: ReturnFacts, before: int, year: int, carried: Carryover) -> Carryover:
    """A carryover gives its deduction in years without sales too."""
    for idle in range(before + 1, year):
        carried = _netted(facts, idle, YearItems(), carried).carryover
    return carried


def _obstacle(year: int, as_of: date, held: Held) -> str | None:
    """Why the tax if all were sold can't be said."""
    if as_of.year != year:
        return f"a sale on {as_of} would not be one of {year}"
    if held.unpriced:
        return f"no price of {', '.join(held.unpriced)}"
    unknown = sorted({f"{lot.account_id}/{lot.lot_id}" for lot in held.lots if lot.basis is None})
    return f"unknown basis of {', '.join(unknown)}" if unknown else None


def _estimate(facts: ReturnFacts, year: int, items: YearItems, carried: Carryover, unrealised: YearItems | None) -> TaxEstimate | str:
    income, status, table = facts.of(year).income, facts.status_in(year), year_table(year)
    if isinstance(table, TaxRefusal):
        return table.text()
    if income is None or status is None:
        return "income not stated" if income is None else "filing status not stated"
    return estimate(table, status, income, items, carried, unrealised)


def _assumptions(facts: ReturnFacts, year: int, sales: Sequence[SoldLayer], netted: Netting, all_sold: bool) -> list[Assumption]:
    found = []
    if facts.status_in(year) is None and netted.total < 0:
        found.append(Assumption.LIMIT_OF_3000)
    if facts.of(year).carried is None:
        earlier = any(sale.row.trade_date.year < year for sale in sales) or any(each < year for each in facts.years)
        found.append(Assumption.CARRYOVER_FROM_EARLIER_SALES if earlier else Assumption.NO_CARRYOVER_IN)
    if netted.deduction > 0 and facts.of(year).income is None:
        found.append(Assumption.DEDUCTION_USED_IN_FULL)
    if sales:
        found.append(Assumption.USUAL_BOXES)
    if any(len(owners_of(name)) > 1 for name in facts.taxpayer_ids):
        found.append(Assumption.JOINT_ACCOUNT_APART)
    if all_sold:
        found.append(Assumption.NO_PURCHASE_AROUND_SALE)
    return found
