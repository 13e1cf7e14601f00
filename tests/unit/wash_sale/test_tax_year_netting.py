"""Netting, deduction and carryover: sections 6.1 to 6.3 as tables, invariants 1 to 3 of the tax year as properties."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.money import ZERO
from services.wash_sale.core.tax_year.netting import Carryover, YearItems, expired_at_death, items_of, net, net_investment_income
from services.wash_sale.core.tax_year.tables import FILING_STATUSES, LOSS_LIMITS, FilingStatus

D = Decimal
CENTS = st.integers(0, 3_000_000).map(lambda cents: D(cents) / 100)
ITEMS = st.builds(YearItems, CENTS, CENTS, CENTS, CENTS)
CARRIED = st.builds(Carryover, CENTS, CENTS)
STATUS = st.sampled_from(FILING_STATUSES)
INCOME = st.one_of(st.none(), st.integers(-500_000, 1_000_000).map(lambda cents: D(cents) / 100))


@pytest.mark.parametrize(
    ("items", "carried", "status", "deduction", "short_out", "long_out", "preferential"),
    [
        pytest.param((0, 2000, 0, 4000), (0, 0), "single", 3000, 0, 3000, 0, id="6.2 the deduction uses short first, then long"),
        pytest.param((0, 5000, 0, 4000), (0, 0), "mfj", 3000, 2000, 4000, 0, id="6.2 short alone covers the deduction"),
        pytest.param((0, 1000, 0, 4000), (0, 0), "mfs", 1500, 0, 3500, 0, id="6.1 married filing separately: 1,500"),
        pytest.param((0, 1500, 0, 0), (0, 0), "mfs", 1500, 0, 0, 0, id="6.1 exactly the limit of 1,500"),
        pytest.param((0, 0, 10_000, 0), (4000, 0), "single", 0, 0, 0, 6000, id="6.4 a short carryover takes from net long gain"),
        pytest.param((7000, 0, 0, 9000), (0, 0), "hoh", 2000, 0, 0, 0, id="6.1 a long loss goes against short gain first"),
        pytest.param((5000, 0, 3000, 0), (6000, 9000), "single", 3000, 0, 4000, 0, id="6.1 each carryover meets its own term"),
        pytest.param((0, 0, 0, 0), (2000, 5000), "single", 3000, 0, 4000, 0, id="6.2 carryovers alone give a deduction"),
        pytest.param((0, 0, 0, 0), (0, 0), "single", 0, 0, 0, 0, id="an empty year"),
        pytest.param((4000, 1000, 2000, 5000), (0, 0), "single", 0, 0, 0, 0, id="nets to nothing: no deduction, no carryover"),
        pytest.param((0, 20_000, 17_000, 0), (0, 0), "single", 3000, 0, 0, 0, id="the rest after a long gain is the deduction"),
    ],
)
def test_netting(
    items: tuple[int, ...], carried: tuple[int, int], status: FilingStatus, deduction: int, short_out: int, long_out: int, preferential: int
) -> None:
    year = net(YearItems(*map(D, items)), Carryover(*map(D, carried)), status)
    assert (year.deduction, year.carryover, year.preferential_gain) == (deduction, Carryover(D(short_out), D(long_out)), preferential)


@pytest.mark.parametrize(
    ("income", "used", "short_out", "long_out"),
    [
        pytest.param(50_000, 3000, 0, 4000, id="6.3 enough income"),
        pytest.param(3000, 3000, 0, 4000, id="6.3 income exactly covers the deduction"),
        pytest.param(2000, 2000, 0, 5000, id="6.3 2,000 used: the short loss"),
        pytest.param(500, 500, 1500, 5000, id="6.3 500 used: of the short loss"),
        pytest.param(0, 0, 2000, 5000, id="6.3 no income: nothing is used"),
        pytest.param(-9000, 0, 2000, 5000, id="6.3 less than none"),
    ],
)
def test_low_income_keeps_the_carryover(income: int, used: int, short_out: int, long_out: int) -> None:
    year = net(YearItems(short_loss=D(2000), long_loss=D(5000)), Carryover(), "single", D(income))
    assert (year.deduction, year.used, year.carryover) == (3000, used, Carryover(D(short_out), D(long_out)))


def test_a_carryover_dies_with_the_taxpayer() -> None:
    final = net(YearItems(short_loss=D(2000)), Carryover(D(1000), D(9000)), "single")
    assert expired_at_death(final) == 9000


@pytest.mark.parametrize(
    ("items", "nii"),
    [
        pytest.param(YearItems(long_gain=D(10_000), short_loss=D(2000)), 13_000, id="6.5 a net gain adds"),
        pytest.param(YearItems(long_loss=D(40_000)), 2000, id="6.5 a loss takes only the 3,000 allowed"),
        pytest.param(YearItems(short_loss=D(700)), 4300, id="6.5 a small loss whole"),
    ],
)
def test_net_investment_income(items: YearItems, nii: int) -> None:
    assert net_investment_income(D(5000), net(items, Carryover(), "single")) == nii


@given(ITEMS, CARRIED, STATUS, INCOME)
def test_1_netting_conserves(items: YearItems, carried: Carryover, status: FilingStatus, income: Decimal | None) -> None:
    year = net(items, carried, status, income)
    came_in = items.short_gain + items.long_gain - items.short_loss - items.long_loss - carried.short - carried.long
    assert year.total == came_in == year.net_short + year.net_long
    assert max(ZERO, -year.total) == year.used + year.carryover.short + year.carryover.long
    assert year.preferential_gain + year.ordinary_gain == max(ZERO, year.total)


@given(ITEMS, CARRIED, STATUS, INCOME)
def test_2_a_carryover_keeps_its_character(items: YearItems, carried: Carryover, status: FilingStatus, income: Decimal | None) -> None:
    out = net(items, carried, status, income).carryover
    assert ZERO <= out.short <= max(ZERO, items.short_loss + carried.short - items.short_gain)
    assert ZERO <= out.long <= max(ZERO, items.long_loss + carried.long - items.long_gain)


@given(ITEMS, CARRIED, STATUS, INCOME)
def test_3_the_deduction_has_its_limits(items: YearItems, carried: Carryover, status: FilingStatus, income: Decimal | None) -> None:
    year = net(items, carried, status, income)
    assert ZERO <= year.used <= year.deduction <= min(LOSS_LIMITS[status], max(ZERO, -year.total))
    if income is not None:
        assert year.used <= max(ZERO, income)


@given(st.lists(st.tuples(st.sampled_from(("short", "long")), st.integers(-10_000, 10_000).map(D)), max_size=12), st.randoms())
def test_7_the_order_of_sales_changes_nothing(gains: list[tuple[str, Decimal]], random: object) -> None:
    shuffled = list(gains)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert items_of(shuffled) == items_of(gains)
    assert items_of(gains) == YearItems(
        *(sum((abs(g) for t, g in gains if t == term and (g > 0) is up), ZERO) for term in ("short", "long") for up in (True, False))
    )
