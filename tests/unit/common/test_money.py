"""Exact arithmetic: what is read, how it is rounded, and that a split loses nothing."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.money import (
    CENT,
    SHARE_STEP,
    ZERO,
    cents_from_float_half_even,
    cents_half_even,
    float_from_decimal,
    parse_decimal,
    plain,
    shares_from_float_floor,
    split_largest_remainder,
    whole_shares_down,
)

D = Decimal


@pytest.mark.parametrize("text", ["0", "-0.01", "1234.56", "999999999999999.999999", "007"])
def test_plain_decimals_are_read(text: str) -> None:
    assert parse_decimal(text) == D(text)


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "+1", "1e3", "1_000", "1,000", ".5", "5.", "NaN", "Infinity", "1.2345678", "1" * 16, "١٢", "0x1", "--1", "1\n"]
)
def test_other_numbers_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a plain decimal"):
        parse_decimal(text)


@pytest.mark.parametrize(
    ("amount", "rounded"), [("0.005", "0.00"), ("0.015", "0.02"), ("0.025", "0.02"), ("-0.015", "-0.02"), ("1.0051", "1.01")]
)
def test_cents_round_ties_to_even(amount: str, rounded: str) -> None:
    assert str(cents_half_even(D(amount))) == rounded


@pytest.mark.parametrize(("quantity", "whole"), [("12.999999", "12"), ("0.5", "0"), ("7", "7")])
def test_whole_shares_drop_the_fraction(quantity: str, whole: str) -> None:
    assert whole_shares_down(D(quantity)) == D(whole)


@pytest.mark.parametrize(
    ("value", "text"), [("0.00", "0"), ("-0", "0"), ("1E+3", "1000"), ("10.500", "10.5"), ("100", "100"), ("0.000001", "0.000001")]
)
def test_a_decimal_has_one_text(value: str, text: str) -> None:
    assert plain(D(value)) == text


def test_crossings_from_float_say_how_they_round() -> None:
    assert shares_from_float_floor(1.9999999) == D("1.999999")
    assert cents_from_float_half_even(0.125) == D("0.12")
    assert float_from_decimal(D("0.1")) == 0.1


@given(value=st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12))
def test_the_text_of_a_decimal_reads_back(value: Decimal) -> None:
    assert parse_decimal(plain(value)) == value


@given(quantity=st.floats(0, 1e9))
def test_shares_out_of_a_float_are_never_more(quantity: float) -> None:
    shares = shares_from_float_floor(quantity)
    assert shares <= D(repr(quantity)) < shares + SHARE_STEP


STEPS = st.sampled_from([CENT, D(1), SHARE_STEP])
WEIGHTS = st.lists(st.decimals(min_value=0, max_value=10**6, places=4), min_size=1, max_size=20)


@given(units=st.integers(-(10**9), 10**9), step=STEPS, weights=WEIGHTS)
def test_a_split_loses_nothing_and_stays_within_a_step_of_its_exact_share(units: int, step: Decimal, weights: list[Decimal]) -> None:
    total = units * step
    if not any(weights):
        weights = [*weights, D(1)]
    parts = split_largest_remainder(total, weights, step)
    assert sum(parts, ZERO) == total
    for part, weight in zip(parts, weights, strict=True):
        assert part % step == 0
        assert abs(part - total * weight / sum(weights)) < step
        assert weight > 0 or part == 0


@given(weights=WEIGHTS.filter(any), data=st.data())
def test_a_pro_rata_share_never_exceeds_its_weight(weights: list[Decimal], data: st.DataObject) -> None:
    """Shares of a fill over what is still open: no allocation gets more than it has open."""
    open_shares = [whole_shares_down(weight) for weight in weights]
    fill = D(data.draw(st.integers(0, int(sum(open_shares)))))
    parts = split_largest_remainder(fill, open_shares, D(1))
    assert all(0 <= part <= most for part, most in zip(parts, open_shares, strict=True))


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        ("0.05", ["1", "1", "1"], ["0.02", "0.02", "0.01"]),  # the earlier weight first on a tie
        ("100.00", ["1", "2", "3"], ["16.67", "33.33", "50.00"]),
        ("-0.05", ["1", "1", "1"], ["-0.02", "-0.02", "-0.01"]),
        ("0", ["0", "0"], ["0", "0"]),
    ],
)
def test_splits_by_example(total: str, weights: list[str], parts: list[str]) -> None:
    assert split_largest_remainder(D(total), [D(w) for w in weights]) == [D(p) for p in parts]


@pytest.mark.parametrize(
    ("total", "weights", "said"),
    [("1", ["1", "-1"], "must not be negative"), ("1", ["0", "0"], "sum to zero"), ("0.001", ["1"], "is not a multiple of 0.01")],
)
def test_what_can_not_be_split(total: str, weights: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        split_largest_remainder(D(total), [D(w) for w in weights])
