"""0/15/20 stacked, NIIT, ordinary rates, the estimate: section 6.4 to 6.6 as tables, invariants 4, 5 and 9 as properties."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.common.money import ZERO
from services.wash_sale.core.tax_year.estimate import Income, StateRates, estimate, tax_figures
from services.wash_sale.core.tax_year.netting import Carryover, YearItems, net
from services.wash_sale.core.tax_year.rates import niit, no_state_tax, ordinary_tax, stack_gain, state_at_rates
from services.wash_sale.core.tax_year.tables import (
    FILING_STATUSES,
    NIIT_THRESHOLDS,
    YEARS,
    FilingStatus,
    TaxRefusal,
    TaxRefusalCode,
    YearTable,
    filing_status,
    year_table,
)

D = Decimal
DOLLARS = st.integers(0, 90_000_000).map(lambda cents: D(cents) / 100)
SIGNED = st.integers(-20_000_000, 90_000_000).map(lambda cents: D(cents) / 100)
STATUS = st.sampled_from(FILING_STATUSES)
TABLE = st.sampled_from(sorted(YEARS.values(), key=lambda table: table.year))
ITEMS = st.builds(YearItems, DOLLARS, DOLLARS, DOLLARS, DOLLARS)


@pytest.mark.parametrize(
    ("year", "status", "ordinary", "gain", "at_0", "at_15", "at_20"),
    [
        pytest.param(2025, "single", 0, 48_350, 48_350, 0, 0, id="6.4 the gain ends exactly at the 0 edge"),
        pytest.param(2025, "single", 0, 48_351, 48_350, 1, 0, id="6.4 a dollar over it"),
        pytest.param(2025, "single", 48_350, 1000, 0, 1000, 0, id="6.4 ordinary income fills the 0 bracket exactly"),
        pytest.param(2025, "mfs", 0, 300_001, 48_350, 251_650, 1, id="6.4 MFS 2025 is 300,000, not half of joint"),
        pytest.param(2025, "mfj", 600_050, 10, 0, 0, 10, id="6.4 all at 20"),
        pytest.param(2025, "mfj", 500_000, 100_050, 0, 100_050, 0, id="6.4 joint, exactly at the 15 edge"),
        pytest.param(2025, "hoh", 60_000, 10_000, 4750, 5250, 0, id="6.4 head of household straddles"),
        pytest.param(2026, "single", 49_000, 1000, 450, 550, 0, id="6.4 2026 single"),
        pytest.param(2026, "mfs", 306_000, 1000, 0, 850, 150, id="6.4 2026 MFS"),
        pytest.param(2026, "hoh", 579_600, 5, 0, 0, 5, id="6.4 2026 head of household"),
        pytest.param(2026, "single", -10_000, 15_000, 5000, 0, 0, id="unused deductions take of the gain first"),
        pytest.param(2026, "single", -10_000, 4000, 0, 0, 0, id="nothing is left to tax"),
    ],
)
def test_stacked(year: int, status: FilingStatus, ordinary: int, gain: int, at_0: int, at_15: int, at_20: int) -> None:
    found = stack_gain(YEARS[year], status, D(ordinary), D(gain))
    assert (found.at_0, found.at_15, found.at_20) == (at_0, at_15, at_20)
    assert found.tax == D(at_15) * D("0.15") + D(at_20) * D("0.20")


@pytest.mark.parametrize(
    ("status", "magi", "income", "tax"),
    [
        pytest.param("single", 200_000, 50_000, "0", id="6.5 exactly at the threshold"),
        pytest.param("hoh", 200_100, 50_000, "3.80", id="6.5 head of household as single"),
        pytest.param("mfj", 250_000, 50_000, "0", id="6.5 joint 250,000"),
        pytest.param("mfj", 260_000, 50_000, "380.00", id="6.5 joint, by the excess"),
        pytest.param("mfs", 135_000, 4000, "152.00", id="6.5 MFS 125,000, by the income"),
        pytest.param("single", 500_000, -2000, "0", id="no negative tax on a negative income"),
        pytest.param("single", 100_000, 90_000, "0", id="below the threshold"),
    ],
)
def test_niit(status: FilingStatus, magi: int, income: int, tax: str) -> None:
    assert niit(status, D(magi), D(income)) == D(tax)


@pytest.mark.parametrize(
    ("year", "status", "income", "tax"),
    [
        pytest.param(2025, "single", 11_925, 11_925 * D("0.10"), id="the first bracket to its end"),
        pytest.param(2025, "single", 100_000, D("1192.50") + D("4386.00") + 51_525 * D("0.22"), id="three brackets"),
        pytest.param(2025, "mfs", 375_900, D("101077.25") + 100 * D("0.37"), id="MFS tops at 375,800"),
        pytest.param(2026, "single", 300_000, D("58448.00") + 43_775 * D("0.35"), id="2026 single"),
        pytest.param(2026, "hoh", 201_750, D("39207.00"), id="2026 head of household has an end of its own"),
        pytest.param(2026, "mfj", -5, 0, id="less than nothing"),
    ],
)
def test_ordinary(year: int, status: FilingStatus, income: int, tax: Decimal) -> None:
    assert ordinary_tax(YEARS[year], status, D(income)) == tax


def test_a_year_without_figures_is_refused_by_name() -> None:
    refusal = year_table(2024)
    assert isinstance(refusal, TaxRefusal)
    assert refusal.code is TaxRefusalCode.YEAR_WITHOUT_FIGURES
    assert refusal.text() == "year_without_figures: year is 2024, possible: 2025, 2026"


def test_an_unknown_status_is_refused_by_name() -> None:
    refusal = filing_status("married", "returns[0].filing_status")
    assert isinstance(refusal, TaxRefusal)
    assert refusal.text() == "unknown_filing_status: returns[0].filing_status is married, possible: single, mfj, mfs, hoh"


@pytest.mark.parametrize("status", FILING_STATUSES)
def test_the_tables_are_whole(status: FilingStatus) -> None:
    for table in YEARS.values():
        assert list(table.ordinary[status]) == sorted(table.ordinary[status])
        assert len(table.ordinary[status]) == 6
        assert table.gain[status][0] < table.gain[status][1]
        assert table.sources
    assert NIIT_THRESHOLDS[status] > 0


@given(TABLE, STATUS, SIGNED, DOLLARS)
def test_5_the_brackets_share_the_gain_out(table: YearTable, status: FilingStatus, ordinary: Decimal, gain: Decimal) -> None:
    found = stack_gain(table, status, ordinary, gain)
    assert found.at_0 + found.at_15 + found.at_20 == min(gain, max(ZERO, ordinary + gain))
    assert min(found.at_0, found.at_15, found.at_20) >= 0


def income(ordinary: Decimal, magi: Decimal, dividends: Decimal = ZERO) -> Income:
    return Income(ordinary, magi, D(4000) + dividends, dividends, StateRates("XX", D("0.05"), D("0.04")))


@given(TABLE, STATUS, SIGNED, DOLLARS, ITEMS, st.integers(1, 5_000_000).map(lambda cents: D(cents) / 100))
def test_4_no_tax_falls_when_income_or_gains_rise(
    table: YearTable, status: FilingStatus, ordinary: Decimal, magi: Decimal, items: YearItems, more: Decimal
) -> None:
    year = net(items, Carryover(), status)
    base = tax_figures(table, status, income(ordinary, magi), year)
    assert min(base.ordinary_tax, base.gain_tax, base.niit, base.state_tax) >= 0
    assert tax_figures(table, status, income(ordinary + more, magi), year).total >= base.total
    assert tax_figures(table, status, income(ordinary, magi + more), year).total >= base.total
    for name in ("short_gain", "long_gain"):
        richer = net(replace(items, **{name: getattr(items, name) + more}), Carryover(), status)
        assert tax_figures(table, status, income(ordinary, magi), richer).total >= base.total


def test_the_gain_is_never_taxed_above_ordinary_rates() -> None:
    """Between 48,350 and 48,475 a single's ordinary rate of 12 is lower than 15 (IRC 1(h)(1))."""
    year = net(YearItems(long_gain=D(100)), Carryover(), "single")
    figures = tax_figures(YEARS[2025], "single", Income(D(48_350), ZERO, ZERO), year)
    assert (figures.stacked.tax, figures.gain_tax) == (15, 12)


def test_qualified_dividends_stand_in_the_stack_and_losses_do_not_reduce_them() -> None:
    year = net(YearItems(long_loss=D(9000)), Carryover(), "single")
    figures = tax_figures(YEARS[2025], "single", Income(D(100_000), D(110_000), D(10_000), D(10_000)), year)
    assert figures.stacked.at_15 == 10_000
    assert figures.ordinary_tax == ordinary_tax(YEARS[2025], "single", D(97_000))


def test_the_estimate_side_by_side() -> None:
    """Single 2026, 100,000 ordinary: 20,000 of long gain cost 15 of a hundred; what is unrealised would add a short gain of 1,000 at 22."""
    found = estimate(
        YEARS[2026],
        "single",
        Income(D(100_000), D(120_000), ZERO),
        YearItems(long_gain=D(20_000)),
        Carryover(),
        YearItems(short_gain=D(1000)),
    )
    assert (found.tax_on_gains, found.more_if_all_sold) == (3000, 220)
    assert found.tax_now - found.tax_without_gains == found.tax_on_gains


def test_a_loss_year_saves_ordinary_tax() -> None:
    found = estimate(
        YEARS[2026],
        "single",
        Income(D(100_000), D(120_000), ZERO),
        YearItems(short_loss=D(9000)),
        Carryover(),
        YearItems(long_gain=D(6000)),
    )
    assert found.tax_on_gains == -3000 * D("0.22")
    assert found.more_if_all_sold == 0, "the loss shields the gain: line 16 is still -3,000"


def test_a_state_is_a_plug() -> None:
    year = net(YearItems(short_gain=D(1000), long_gain=D(3000)), Carryover(), "single")
    assert state_at_rates(D("0.05"), D("0.04"))(ZERO, year) == 170
    assert no_state_tax(ZERO, year) == 0
    loss = net(YearItems(short_loss=D(1000)), Carryover(), "single")
    assert state_at_rates(D("0.05"), D("0.04"))(ZERO, loss) == 0
