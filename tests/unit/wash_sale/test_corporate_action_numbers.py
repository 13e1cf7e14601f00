"""Corporate actions and received shares as numbers: sections 4.2 to 4.7 as tables, their invariants as properties."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.money import ZERO
from services.wash_sale.core import corporate_actions as actions
from services.wash_sale.core import received
from services.wash_sale.core.lot_methods import LotMethod, allowed_method
from services.wash_sale.core.tax_year.dividends import dividend_holding

D = Decimal
DOLLARS = st.integers(0, 10_000_000).map(lambda cents: D(cents) / 100)
VALUE = st.integers(1, 10_000_000).map(lambda cents: D(cents) / 100)


def test_shared_out_to_the_cent_by_largest_remainder() -> None:
    assert actions.allocate_by_value(D("100.00"), [D(1), D(1), D(1)]) == [D("33.34"), D("33.33"), D("33.33")]


@pytest.mark.parametrize(
    ("stock", "rights", "elected", "expected"),
    [
        pytest.param("3000", "449.99", False, ("2200", "0"), id="4.4 under 15 of a hundred: no basis"),
        pytest.param("3000", "450", False, ("1913.04", "286.96"), id="4.4 exactly 15: shared by value"),
        pytest.param("3000", "30", True, ("2178.22", "21.78"), id="4.4 by election"),
    ],
)
def test_rights(stock: str, rights: str, elected: bool, expected: tuple[str, str]) -> None:
    found = actions.rights_basis(D(2200), D(stock), D(rights), elected)
    assert (found.stock, found.rights) == tuple(map(D, expected))


@pytest.mark.parametrize(
    ("basis", "stock", "cash", "realised", "recognised", "new_basis"),
    [
        pytest.param(1000, 1500, 300, 800, 300, 1000, id="4.5 gain up to the cash"),
        pytest.param(1000, 900, 300, 200, 200, 900, id="4.5 all of a gain smaller than the cash"),
        pytest.param(1000, 500, 300, -200, 0, 700, id="4.5 a loss is never recognised"),
        pytest.param(1000, 700, 300, 0, 0, 700, id="4.5 neither gain nor loss"),
        pytest.param(1000, 1500, 0, 500, 0, 1000, id="4.5 no cash: nothing recognised"),
    ],
)
def test_merger_with_boot(basis: int, stock: int, cash: int, realised: int, recognised: int, new_basis: int) -> None:
    assert actions.merger_with_boot(D(basis), D(stock), D(cash)) == actions.Exchange(D(realised), D(recognised), D(new_basis))


@pytest.mark.parametrize(
    ("amount", "earnings", "basis", "expected"),
    [
        pytest.param(500, 800, 100, (500, 0, 0, 100), id="301(c)(1) all a dividend"),
        pytest.param(500, 200, 1000, (200, 300, 0, 700), id="301(c)(2) the rest lowers the basis"),
        pytest.param(500, 0, 100, (0, 100, 400, 0), id="301(c)(3) past zero it is gain"),
        pytest.param(500, -50, 100, (0, 100, 400, 0), id="a deficit of earnings is none"),
    ],
)
def test_distribution(amount: int, earnings: int, basis: int, expected: tuple[int, ...]) -> None:
    assert actions.distribution(D(amount), D(earnings), D(basis)) == actions.Distribution(*map(D, expected))


def test_cash_in_lieu_of_nothing_pays_nothing_out() -> None:
    assert actions.cash_in_lieu(D(10), D(1000), ZERO) == actions.CashInLieu(D(10), D(1000), ZERO, ZERO, ZERO)


@given(DOLLARS, st.lists(VALUE, min_size=1, max_size=5))
def test_1_a_shared_basis_sums(basis: Decimal, values: list[Decimal]) -> None:
    assert sum(actions.allocate_by_value(basis, values), ZERO) == basis


@given(DOLLARS, DOLLARS, DOLLARS)
def test_2_and_3_nothing_below_zero_and_nothing_lost(basis: Decimal, one: Decimal, other: Decimal) -> None:
    merged = actions.merger_with_boot(basis, one, other)
    assert merged.recognised_gain >= 0 and merged.new_basis >= min(basis, one) >= 0
    assert merged.new_basis == basis - other + merged.recognised_gain
    paid = actions.distribution(one, other, basis)
    assert paid.dividend + paid.basis_reduction + paid.gain == one
    assert paid.basis_after == basis - paid.basis_reduction >= 0
    assert min(paid.dividend, paid.basis_reduction, paid.gain) >= 0


@given(st.integers(1, 10**7), DOLLARS, DOLLARS)
def test_cash_in_lieu_conserves(millionths: int, basis: Decimal, cash: Decimal) -> None:
    quantity = D(millionths) / 1000
    found = actions.cash_in_lieu(quantity, basis, cash)
    assert found.quantity + found.fraction == quantity and found.fraction < 1
    assert found.basis + found.fraction_basis == basis
    assert found.gain == cash - found.fraction_basis


@pytest.mark.parametrize(
    ("donor", "value", "tax_paid", "expected"),
    [
        pytest.param("10000", "9000", "0", ("10000", "9000"), id="1015(a) worth less: two bases"),
        pytest.param("10000", "12000", "0", ("10000", "10000"), id="1015(a) worth more: the donor's"),
        pytest.param("10000", "9000", "500", ("10000", "9000"), id="1015(d)(6) no appreciation, no increase"),
        pytest.param("10000", "12000", "500", ("10500", "10500"), id="1015(d)(6) raised by the tax on the appreciation"),
    ],
)
def test_gift_basis(donor: str, value: str, tax_paid: str, expected: tuple[str, str]) -> None:
    found = received.gift_basis(D(donor), D(value), D(tax_paid))
    assert (found.for_gain, found.for_loss) == tuple(map(D, expected))


def test_gift_tax_on_appreciation_without_rounding_the_ratio() -> None:
    """A gift of 101,000, basis 40,000, exclusion 19,000, tax 18,760: 40,000 + 18,760 x 61/82 (section 9)."""
    part = received.gift_tax_on_appreciation(D(40_000), D(101_000), D(18_760), D(82_000))
    assert received.gift_basis(D(40_000), D(101_000), part).for_gain == D("53955.61")
    assert received.gift_tax_on_appreciation(D(40_000), D(10_000), ZERO, ZERO) == 0


@given(VALUE, VALUE, DOLLARS, VALUE)
def test_received_1_and_2(donor: Decimal, value: Decimal, tax: Decimal, taxable: Decimal) -> None:
    part = received.gift_tax_on_appreciation(donor, value, tax, taxable)
    found = received.gift_basis(donor, value, part)
    assert ZERO <= part <= tax
    assert found.for_gain >= found.for_loss
    assert (found.for_gain > found.for_loss) == (value < donor)


@pytest.mark.parametrize(
    ("returned", "appreciated", "basis"),
    [
        pytest.param(False, True, 8000, id="1014(a) the value at death"),
        pytest.param(True, True, 2000, id="1014(e) given within a year and come back"),
        pytest.param(True, False, 8000, id="1014(e) only appreciated property"),
    ],
)
def test_inherited_basis(returned: bool, appreciated: bool, basis: int) -> None:
    assert received.inherited_basis(D(8000), D(2000), returned, appreciated) == basis


@pytest.mark.parametrize(
    ("security_type", "wanted", "allowed"),
    [
        pytest.param("common_stock", "average", "fifo", id="5.3 not for stock"),
        pytest.param("mutual_fund", "average", "average", id="5.3 for a fund"),
        pytest.param("drp", "average", "average", id="5.3 for a reinvestment plan"),
        pytest.param("common_stock", "specific_id", "specific_id", id="5.2 named lots for anything"),
    ],
)
def test_lot_method(security_type: str, wanted: LotMethod, allowed: LotMethod) -> None:
    assert allowed_method(security_type, wanted) == allowed


@pytest.mark.parametrize(
    ("bought", "sold", "hedged", "days"),
    [
        pytest.param("2025-07-07", "2025-08-08", 0, 32, id="6.7 not the day of purchase, but that of the sale"),
        pytest.param("2025-01-02", None, 0, 121, id="6.7 held throughout"),
        pytest.param("2025-01-02", "2025-07-14", 0, 61, id="6.7 sold on the ex-date: 61 days, just enough"),
        pytest.param("2025-01-02", "2025-07-13", 0, 60, id="6.7 60 are not more than 60"),
        pytest.param("2025-01-02", None, 61, 60, id="6.7 hedged days do not count"),
        pytest.param("2025-09-12", None, 0, 0, id="6.7 bought on the last day"),
    ],
)
def test_dividend_holding(bought: str, sold: str | None, hedged: int, days: int) -> None:
    """The window of an ex-date of 14 July runs from 15 May to 12 September (section 9)."""
    found = dividend_holding(date(2025, 7, 14), date.fromisoformat(bought), date.fromisoformat(sold) if sold else None, hedged)
    assert (found.first_day, found.last_day) == (date(2025, 5, 15), date(2025, 9, 12))
    assert (found.days_held, found.qualified) == (days, days > 60)
