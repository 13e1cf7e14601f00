"""Numbers and days as people and spreadsheets write them."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.optimizer.transition.amounts import Mark, Problem, mark_of, read_amount
from services.optimizer.transition.days import day_first, read_day


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1234.56", "1234.56"),
        ("$1,234.56", "1234.56"),
        ("1.234,56 €", "1234.56"),
        ("EUR 12,5", "12.5"),
        ("1 234.5", "1234.5"),
        ("1\u00a0234,5", "1234.5"),
        ("1'234'567.8", "1234567.8"),
        ("1,234,567", "1234567"),
        ("1.234.567", "1234567"),
        ("(12.50)", "-12.5"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("5-", "-5"),
        ("\u22125", "-5"),
        ("40.8 %", "0.408"),
        (".5", "0.5"),
        ("1,234", "1234"),
        ("1.234", "1.234"),
        ("0.1234567", "0.123457"),
    ],
)
def test_a_number_is_read_as_written(text: str, value: str) -> None:
    assert read_amount(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "-", "$", "abc", "1.2.3", "1,23,456", "1e5", "NaN", "Infinity", "9" * 16, "٣", "1 2", "12:30"])
def test_what_is_no_number_is_a_problem(text: str) -> None:
    assert isinstance(read_amount(text), Problem)


@pytest.mark.parametrize(
    ("texts", "mark", "text", "value"),
    [
        (["12.5", "1,234"], Mark.POINT, "1,234", "1234"),
        (["12,5", "1.234"], Mark.COMMA, "1.234", "1234"),
        (["12,5", "1,234"], Mark.COMMA, "1,234", "1.234"),
        (["12.5", "1.234"], Mark.POINT, "1.234", "1.234"),
        (["1.234,50", "7"], Mark.COMMA, "7", "7"),
    ],
)
def test_the_rest_of_a_table_decides_what_is_not_clear(texts: list[str], mark: Mark, text: str, value: str) -> None:
    assert mark_of(texts) is mark
    assert read_amount(text, mark) == Decimal(value)


def test_a_table_that_writes_both_ways_leaves_no_guess() -> None:
    mark = mark_of(["12.5", "12,5"])
    assert mark is Mark.NOT_CLEAR
    assert isinstance(read_amount("1,234", mark), Problem)
    assert read_amount("12,5", mark) == Decimal("12.5")


@given(st.text())
def test_no_text_raises(text: str) -> None:
    for mark in Mark:
        value = read_amount(text, mark)
        assert isinstance(value, Problem) or (value.is_finite() and abs(value) < Decimal("1e15"))
    assert isinstance(read_day(text), date | Problem)


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2), st.booleans())
def test_what_is_written_with_groups_is_read_back(value: Decimal, european: bool) -> None:
    text = f"{value:,.2f}"
    text = text.translate(str.maketrans(",.", ".,")) if european else text
    assert read_amount(text) == value


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2019-03-04", date(2019, 3, 4)),
        ("2019/3/4", date(2019, 3, 4)),
        ("20190304", date(2019, 3, 4)),
        ("2019-03-04T00:00:00", date(2019, 3, 4)),
        ("3/4/2019", date(2019, 3, 4)),
        ("03/04/19", date(2019, 3, 4)),
        ("03/04/87", date(1987, 3, 4)),
        ("04.03.2019", date(2019, 3, 4)),
        ("4 Mar 2019", date(2019, 3, 4)),
        ("04-Mar-2019", date(2019, 3, 4)),
        ("March 4, 2019", date(2019, 3, 4)),
    ],
)
def test_a_day_is_read_as_written(text: str, day: date) -> None:
    assert read_day(text) == day


@pytest.mark.parametrize("text", ["", "yesterday", "2019-02-30", "13/13/2019", "4 Foo 2019", "0001-01-01", "1/2-2019"])
def test_what_is_no_day_is_a_problem(text: str) -> None:
    assert isinstance(read_day(text), Problem)


def test_a_day_above_twelve_says_that_days_come_first() -> None:
    assert day_first(["3/4/2019", "25/12/2019"])
    assert not day_first(["3/4/2019", "12/25/2019"])
    assert read_day("3/4/2019", day_before_month=True) == date(2019, 4, 3)
