"""Stock given to charity: section 7 as tables, invariant 8 of the tax year as a property; the ranking of candidates."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.money import ZERO
from services.wash_sale.core.tax_year.giving import (
    Donation,
    GiftCarryover,
    GiftYear,
    OpenLot,
    benefit,
    deduct,
    gift_candidates,
)
from services.wash_sale.core.tax_year.tables import TaxRefusal, TaxRefusalCode

D = Decimal


def deducted(year: int, agi: int, gifts: list[Donation], carried: list[GiftCarryover] | None = None) -> GiftYear:
    found = deduct(year, D(agi), gifts, carried or [])
    assert isinstance(found, GiftYear)
    return found


LONG, SHORT, DOWN = Donation(D(2000), D(10_000), "long"), Donation(D(6000), D(10_000), "short"), Donation(D(10_000), D(7000), "short")


@pytest.mark.parametrize(
    ("gift", "agi", "contribution", "deduction", "carryover", "forfeited"),
    [
        pytest.param(LONG, 100_000, 10_000, 10_000, 0, 0, id="7.1 long and appreciated: the value"),
        pytest.param(LONG, 20_000, 10_000, 6000, 4000, 0, id="7.1 up to 30 of a hundred of AGI, the rest carries"),
        pytest.param(LONG, 0, 10_000, 0, 10_000, 0, id="no AGI: all carries"),
        pytest.param(LONG, -5000, 10_000, 0, 10_000, 0, id="a negative AGI is none"),
        pytest.param(SHORT, 100_000, 6000, 6000, 0, 0, id="7.1 short: the basis"),
        pytest.param(SHORT, 10_000, 6000, 5000, 1000, 0, id="7.1 short: up to 50 of a hundred"),
        pytest.param(DOWN, 100_000, 7000, 7000, 0, 3000, id="7.1 depreciated: the value, and the loss is gone"),
        pytest.param(DOWN, 12_000, 7000, 6000, 1000, 3000, id="7.1 depreciated: under the 50"),
        pytest.param(Donation(D(2000), D(10_000), "long", True), 20_000, 2000, 2000, 0, 0, id="7.1 by election: the basis under the 50"),
        pytest.param(Donation(D(500), D(500), "long"), 1000, 500, 500, 0, 0, id="neither gain nor loss: not capital gain property"),
    ],
)
def test_one_gift_in_2025(gift: Donation, agi: int, contribution: int, deduction: int, carryover: int, forfeited: int) -> None:
    found = deducted(2025, agi, [gift])
    assert (found.contribution, found.deduction, found.carryover, found.loss_forfeited) == (contribution, deduction, carryover, forfeited)
    assert found.gain_recognised == 0


def test_gifts_of_both_kinds_share_the_half_of_agi() -> None:
    found = deducted(2025, 20_000, [LONG, SHORT])
    assert found.deduction == 10_000, "6,000 at basis, then 4,000 of the 6,000 that the 30 of a hundred allow"
    assert found.carryovers == (GiftCarryover(2025, D(6000), True),)


def test_this_years_gifts_come_before_carryovers_and_older_ones_first() -> None:
    carried = [GiftCarryover(2023, D(3000)), GiftCarryover(2021, D(1000))]
    found = deducted(2025, 40_000, [LONG], carried)
    assert found.deduction == 12_000
    assert found.carryovers == (GiftCarryover(2023, D(2000)),)


@pytest.mark.parametrize(
    ("of_year", "deduction", "carryover", "expired"),
    [
        pytest.param(2020, 3000, 0, 1000, id="7.1 in its fifth year what is left lapses"),
        pytest.param(2021, 3000, 1000, 0, id="7.1 in its fourth it goes on"),
        pytest.param(2019, 0, 0, 4000, id="7.1 after the fifth it is gone"),
    ],
)
def test_a_carryover_lasts_five_years(of_year: int, deduction: int, carryover: int, expired: int) -> None:
    found = deducted(2025, 10_000, [], [GiftCarryover(of_year, D(4000))])
    assert (found.deduction, found.carryover, found.expired) == (deduction, carryover, expired)


@pytest.mark.parametrize(
    ("agi", "deduction", "carryover"),
    [
        pytest.param(200_000, 9000, 0, id="7.2 the first 0.5 of a hundred of AGI does not count, and is lost"),
        pytest.param(2_000_000, 0, 0, id="7.2 gifts exactly at the floor"),
        pytest.param(20_000, 5900, 4100, id="7.2 above a limit the floor's part carries too: IRC 170(d)(1)(C)"),
    ],
)
def test_the_floor_from_2026(agi: int, deduction: int, carryover: int) -> None:
    found = deducted(2026, agi, [LONG])
    assert (found.deduction, found.carryover) == (deduction, carryover)


def test_the_benefit_is_capped_from_2026() -> None:
    assert benefit(2025, D(10_000), D("0.37")) == 3700
    assert benefit(2026, D(10_000), D("0.37")) == 3500
    assert benefit(2026, D(10_000), D("0.24")) == 2400


def test_another_donee_is_refused_by_name() -> None:
    refusal = deduct(2025, D(100_000), [Donation(D(1), D(2), "long", donee="private_foundation")])
    assert isinstance(refusal, TaxRefusal)
    assert refusal.code is TaxRefusalCode.DONEE_NOT_COVERED
    assert "private_foundation" in refusal.text()


CENTS = st.integers(1, 5_000_000).map(lambda cents: D(cents) / 100)
GIFTS = st.lists(st.builds(Donation, CENTS, CENTS, st.sampled_from(("short", "long")), st.booleans()), max_size=4)
CARRIED = st.lists(st.builds(GiftCarryover, st.integers(2018, 2025), CENTS, st.booleans()), max_size=3)


@given(st.sampled_from((2025, 2026)), st.integers(-100_000, 20_000_000).map(lambda cents: D(cents) / 100), GIFTS, CARRIED)
def test_8_deduction_and_carryover_stay_within_the_gifts(
    year: int, agi: Decimal, gifts: list[Donation], carried: list[GiftCarryover]
) -> None:
    earlier = [each for each in carried if each.year < year]
    found = deduct(year, agi, gifts, earlier)
    assert isinstance(found, GiftYear)
    given_now = found.contribution + sum((each.amount for each in earlier), ZERO)
    lost_to_the_floor = given_now - found.deduction - found.carryover - found.expired
    assert ZERO <= lost_to_the_floor <= (ZERO if year == 2025 else max(ZERO, agi) * D("0.005") + D("0.01"))
    assert ZERO <= found.deduction <= max(ZERO, agi) / 2 + D("0.01")
    amounts = [found.deduction, found.expired, *(each.amount for each in found.carryovers)]
    assert all(each == each.quantize(D("0.01")) for each in amounts)
    at_value = sum((gift.contribution for gift in gifts if gift.at_value_under_30), ZERO)
    if not earlier and at_value == found.contribution:
        assert found.deduction <= max(ZERO, agi) * D("0.30") + D("0.01")


def lot(lot_id: str, basis: str | None, value: str, term: str = "long") -> OpenLot:
    return OpenLot(
        "A1",
        lot_id,
        "XYZ",
        D(10),
        None if basis is None else D(basis),
        D(value),
        date(2020, 1, 2),
        date(2020, 1, 2),
        term,  # type: ignore[arg-type]
    )


def test_candidates_by_gain_avoided() -> None:
    lots = [
        lot("small", "900", "1000"),
        lot("large", "100", "5000"),
        lot("short", "100", "9000", "short"),
        lot("loss", "5000", "100"),
        lot("unknown", None, "9000"),
        lot("dense", "0", "100"),
        lot("even", "100", "100"),
    ]
    found = gift_candidates(lots)
    assert [(each.rank, each.lot.lot_id, each.gain_avoided) for each in found] == [(1, "large", 4900), (2, "dense", 100), (3, "small", 100)]
    assert found[1].gain_avoided_frac == 1, "at equal gain the smaller gift comes first"
    assert gift_candidates(reversed(lots)) == found
