"""A taxpayer's years in the ledger that is said: what is carried into a year, and the same books as the tax year takes them."""

from datetime import date
from decimal import Decimal

import pytest

from libs.common.schemas.account import PastSale, TaxOpening
from libs.common.schemas.ledger import TaxpayerYear
from services.wash_sale.core.books import Books, books_of
from services.wash_sale.core.household import HouseholdLedger
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.securities import NO_SECURITY_FACTS
from services.wash_sale.core.tax_year.broker_form import Why
from services.wash_sale.core.tax_year.household import HouseholdYear, household_year
from services.wash_sale.core.tax_year.ledger_books import books_for_tax
from services.wash_sale.core.tax_year.netting import Carryover
from services.wash_sale.core.tax_year.stated import StatedTax
from services.wash_sale.core.tax_years import taxpayer_years
from services.wash_sale.core.transitions import leave
from tests.unit.wash_sale.samples import account, applied, buy, lot, sell

D = Decimal
OPENING = TaxOpening(2025, D(0), D(1000), D(0), D(9000), D(500), D(0))
OLD = lot("L1", "XYZ", "100", "5000", date(2020, 1, 2))


def books(ledger: HouseholdLedger) -> Books:
    found = books_of(ledger, NO_SECURITY_FACTS, ledger.accounts)
    assert not isinstance(found, Refusal), found.text()
    return found


def years(ledger: HouseholdLedger, as_of: date) -> list[TaxpayerYear]:
    return taxpayer_years(ledger, books(ledger), as_of)


def test_losses_are_carried_into_a_year_without_an_opening() -> None:
    """2025: 1,500 short and 9,000 long lost; 3,000 deducted, of the short first: 7,500 long go on; 2026 gains 4,000 and uses them."""
    ledger = applied([account(lots=[OLD], tax_opening=OPENING), sell("s", 1, date(2026, 3, 2), "9000", {"L1": "100"})])
    first, second = years(ledger, date(2026, 6, 1))
    assert (first.year, first.carried_short_loss, first.carried_long_loss) == (2025, 500, 0)
    assert (second.year, second.carried_short_loss, second.carried_long_loss) == (2026, 0, 7500)
    (last,) = [year for year in years(ledger, date(2027, 1, 4)) if year.year == 2027]
    assert (last.carried_short_loss, last.carried_long_loss) == (0, 500)


def test_a_year_of_which_nothing_is_known_is_not_said() -> None:
    assert [year.year for year in years(applied([account(lots=[OLD])]), date(2026, 6, 1))] == [2026]


@pytest.mark.parametrize(
    ("year", "line_16", "carried"),
    [
        pytest.param(2025, D(-10_500), Carryover(D(500), D(0)), id="the year of the opening"),
        pytest.param(2026, D(4000) - D(7500), Carryover(D(0), D(7500)), id="the year after"),
    ],
)
def test_the_service_and_the_tax_year_say_the_same(year: int, line_16: Decimal, carried: Carryover) -> None:
    ledger = applied([account(lots=[OLD], tax_opening=OPENING), sell("s", 1, date(2026, 3, 2), "9000", {"L1": "100"})])
    found = household_year(books_for_tax(ledger, books(ledger), NO_SECURITY_FACTS), StatedTax(), year, date(2026, 6, 1))
    assert isinstance(found, HouseholdYear)
    report = found.returns[0]
    assert (report.netting.total, report.carryover_in) == (line_16, carried)
    said = next(each for each in years(ledger, date(2026, 6, 1)) if each.year == year)
    assert (said.short_gain, said.short_loss, said.long_gain, said.long_loss) == (
        report.items.short_gain,
        report.items.short_loss,
        report.items.long_gain,
        report.items.long_loss,
    )
    assert Carryover(said.carried_short_loss, said.carried_long_loss) == report.carryover_in


def test_a_past_loss_that_a_purchase_denies_leaves_the_opening() -> None:
    past = [PastSale("A1", "XYZ", D(100), date(2025, 12, 20), D(-1000))]
    ledger = applied([account(past_sales=past, tax_opening=OPENING), buy("b", 1, date(2026, 1, 5), "100", "4000")])
    found = household_year(books_for_tax(ledger, books(ledger), NO_SECURITY_FACTS), StatedTax(), 2025, date(2026, 2, 1))
    assert isinstance(found, HouseholdYear)
    lines = {line.line: line.gain for line in found.returns[0].schedule_d}
    assert lines["16"] == -9500
    assert "short, other papers" not in lines, "the whole short loss was denied"
    assert lines["long, other papers"] == -9000


def test_an_account_that_left_keeps_its_sales_and_has_no_lots() -> None:
    ledger = applied([account(lots=[OLD]), sell("s", 1, date(2025, 3, 3), "4500", {"L1": "50"})])
    stated = StatedTax(prices={"XYZ": D(100)})
    here = household_year(books_for_tax(ledger, books(ledger), NO_SECURITY_FACTS), stated, 2025, date(2025, 6, 1))
    gone = leave(ledger, "A1")
    left = household_year(books_for_tax(gone, books(gone), NO_SECURITY_FACTS), stated, 2025, date(2025, 6, 1))
    assert isinstance(here, HouseholdYear) and isinstance(left, HouseholdYear)
    assert left.returns[0].form_8949 == here.returns[0].form_8949 != []
    assert [each.lot.lot_id for each in here.returns[0].gift_candidates] == ["L1"]
    assert left.returns[0].gift_candidates == []


def test_a_broker_sees_its_own_account_alone() -> None:
    events = [account(lots=[OLD]), account("A2"), sell("s", 1, date(2025, 3, 3), "4000", {"L1": "100"})]
    ledger = applied([*events, buy("b", 1, date(2025, 3, 20), "100", "4100", account_id="A2")])
    found = household_year(books_for_tax(ledger, books(ledger), NO_SECURITY_FACTS), StatedTax(), 2025, date(2025, 6, 1))
    assert isinstance(found, HouseholdYear)
    assert [(each.box_1e, each.box_1g, each.ledger_disallowed, each.why) for each in found.broker_sales] == [
        (D(5000), D(0), D(1000), Why.WASH_IT_CANNOT_SEE)
    ]
