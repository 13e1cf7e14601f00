"""Holding periods: RULES 3.1 (IRC 1222, Pub. 550), as dates an expert can read."""

from datetime import date

import pytest

from services.optimizer.core.terms import first_long_day, is_long

CASES = [
    ("3.1 ordinary day", "2024-03-15", "2025-03-16"),
    ("3.1 last of a month counts from the first of the next", "2024-11-30", "2025-12-01"),
    ("3.2 28 Feb before a leap year", "2023-02-28", "2024-03-01"),
    ("3.2 29 Feb", "2024-02-29", "2025-03-01"),
    ("3.1 28 Feb of a leap year: the 29th does not exist a year on", "2024-02-28", "2025-03-01"),
    ("3.1 27 Feb of a leap year", "2024-02-27", "2025-02-28"),
    ("3.1 end of a year", "2024-12-31", "2026-01-01"),
    ("3.1 366 days through a leap day", "2023-06-01", "2024-06-02"),
]


@pytest.mark.parametrize(("start", "first"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_first_long_day(start: str, first: str) -> None:
    expected = date.fromisoformat(first)
    assert first_long_day(date.fromisoformat(start)) == expected
    assert is_long(date.fromisoformat(start), expected)
    assert not is_long(date.fromisoformat(start), date.fromordinal(expected.toordinal() - 1))
