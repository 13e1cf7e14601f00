"""Ids are functions of content; the trade date is New York's."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.clock import ManualClock, trade_date_of
from libs.common.ids import bytes_id, content_id

PARTS = st.lists(st.text(max_size=5) | st.integers(), max_size=4).map(tuple)


@given(one=PARTS, other=PARTS)
def test_ids_are_equal_exactly_for_equal_parts(one: tuple[str | int, ...], other: tuple[str | int, ...]) -> None:
    same = [str(part) for part in one] == [str(part) for part in other]
    assert (content_id(*one) == content_id(*other)) is same


def test_ids_do_not_change_between_versions() -> None:
    """A changed id would make every replay a new fact: these are written down."""
    assert content_id("order", "R1", "AAA", "buy") == "77546e6c6c77990a78144bbd548200f4"
    assert content_id("ab", "c") != content_id("a", "bc")
    assert bytes_id(b"") == "e3b0c44298fc1c149afbf4c8996fb924"


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2025, 12, 16, 4, 59, tzinfo=UTC), date(2025, 12, 15)),
        (datetime(2025, 12, 16, 5, 0, tzinfo=UTC), date(2025, 12, 16)),
        (datetime(2025, 7, 1, 3, 59, tzinfo=UTC), date(2025, 6, 30)),
        (datetime(2025, 7, 1, 4, 0, tzinfo=UTC), date(2025, 7, 1)),
    ],
    ids=["winter, before midnight", "winter, after", "summer, before", "summer, after"],
)
def test_the_trade_date_is_new_yorks(moment: datetime, day: date) -> None:
    assert trade_date_of(moment) == day


def test_a_manual_clock_stands_until_it_is_set_and_never_goes_back() -> None:
    clock = ManualClock(datetime(2025, 12, 15, tzinfo=UTC))
    clock.set(datetime(2025, 12, 16, tzinfo=UTC))
    assert clock.now() == datetime(2025, 12, 16, tzinfo=UTC)
    with pytest.raises(ValueError, match="can't go back"):
        clock.set(datetime(2025, 12, 15, tzinfo=UTC))
