"""Until when lots may be named (section 5.2): settlement by SEC Rule 15c6-1, on days on which trades settle."""

from datetime import date

import pytest

from services.wash_sale.core.settlement import bank_holidays, identification_deadline

DEADLINES = [
    ("one day since 28 May 2024", date(2024, 5, 28), date(2024, 5, 29)),
    ("two days before", date(2024, 5, 24), date(2024, 5, 29)),
    ("a weekend", date(2025, 6, 6), date(2025, 6, 9)),
    ("Thanksgiving", date(2025, 11, 26), date(2025, 11, 28)),
    ("Good Friday", date(2025, 4, 17), date(2025, 4, 21)),
    ("Columbus Day 2025: the Friday before", date(2025, 10, 10), date(2025, 10, 14)),
    ("Columbus Day 2025 itself, on which the exchanges trade", date(2025, 10, 13), date(2025, 10, 14)),
    ("Veterans Day 2025, a Tuesday", date(2025, 11, 10), date(2025, 11, 12)),
    ("Veterans Day 2028, a Saturday: Friday and Monday settle", date(2028, 11, 9), date(2028, 11, 10)),
    ("Veterans Day 2029, a Sunday: the Monday does not", date(2029, 11, 9), date(2029, 11, 13)),
    # the schedule of NASD Notice to Members 99-83, three days
    ("5 October 1999", date(1999, 10, 5), date(1999, 10, 8)),
    ("6 October 1999", date(1999, 10, 6), date(1999, 10, 12)),
    ("7 October 1999", date(1999, 10, 7), date(1999, 10, 13)),
    ("8 October 1999", date(1999, 10, 8), date(1999, 10, 14)),
    ("11 October 1999", date(1999, 10, 11), date(1999, 10, 14)),
    ("12 October 1999", date(1999, 10, 12), date(1999, 10, 15)),
    # of Notice 95-77
    ("6 October 1995", date(1995, 10, 6), date(1995, 10, 12)),
    # of Notice 88-82, five days
    ("4 November 1988", date(1988, 11, 4), date(1988, 11, 14)),
    ("10 November 1988", date(1988, 11, 10), date(1988, 11, 18)),
    ("18 November 1988", date(1988, 11, 18), date(1988, 11, 28)),
]


@pytest.mark.parametrize(("traded", "last_day"), [pytest.param(*row[1:], id=row[0]) for row in DEADLINES])
def test_the_last_day_to_name_lots(traded: date, last_day: date) -> None:
    assert identification_deadline(traded, None) == last_day


def test_an_earlier_settlement_comes_first() -> None:
    assert identification_deadline(date(2025, 10, 10), date(2025, 10, 10)) == date(2025, 10, 10)
    assert identification_deadline(date(2025, 10, 10), date(2025, 10, 20)) == date(2025, 10, 14)


def test_bank_holidays_of_a_year() -> None:
    assert bank_holidays(2025) == {date(2025, 10, 13), date(2025, 11, 11)}
