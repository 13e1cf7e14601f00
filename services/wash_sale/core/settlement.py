"""Until when the lots of a sale may be identified (section 5.2): the earlier of settlement and the time of SEC Rule 15c6-1."""

from datetime import date, timedelta

STANDARD_DAYS = ((date(2024, 5, 28), 1), (date(2017, 9, 5), 2), (date(1995, 6, 7), 3), (date.min, 5))
"""Business days from trade to settlement by the trade dates from which they hold (17 CFR 240.15c6-1 and its amendments)."""
ONE_DAY = timedelta(days=1)


def identification_deadline(traded: date, settles: date | None) -> date:
    """The last day on which lots may be named; a later identification counts for nothing."""
    standard = _after_business_days(traded, next(days for since, days in STANDARD_DAYS if traded >= since))
    return standard if settles is None else min(settles, standard)


def _after_business_days(day: date, days: int) -> date:
    while days:
        day += ONE_DAY
        if day.weekday() < 5 and day not in market_holidays(day.year) and day not in bank_holidays(day.year):
            days -= 1
    return day


def market_holidays(year: int) -> frozenset[date]:
    """Days on which the New York Stock Exchange is closed by rule (an extraordinary closing is not in it)."""
    fixed = [date(year, 7, 4), date(year, 12, 25), *([date(year, 6, 19)] if year >= 2022 else [])]
    observed = [day - ONE_DAY if day.weekday() == 5 else day + ONE_DAY if day.weekday() == 6 else day for day in fixed]
    new_year = date(year, 1, 1)
    moving = [
        new_year + ONE_DAY if new_year.weekday() == 6 else new_year,
        *([_nth_monday(year, 1, 3)] if year >= 1998 else []),
        _nth_monday(year, 2, 3),
        _easter(year) - timedelta(days=2),
        _nth_monday(year, 6, 1) - timedelta(days=7),
        _nth_monday(year, 9, 1),
        _fourth_thursday(year),
    ]
    return frozenset([*observed, *moving])


def bank_holidays(year: int) -> frozenset[date]:
    """Columbus Day and Veterans Day: exchanges trade, but banks are closed and nothing settles (NASD Notices to Members 88-82, 95-77
    and 99-83).  A Saturday's holiday closes no bank on the Friday, a Sunday's the Monday (Federal Reserve's holiday schedule).
    """
    veterans = date(year, 11, 11)
    return frozenset([_nth_monday(year, 10, 2), veterans + ONE_DAY if veterans.weekday() == 6 else veterans])


def _nth_monday(year: int, month: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(7 - first.weekday()) % 7 + 7 * (nth - 1))


def _fourth_thursday(year: int) -> date:
    first = date(year, 11, 1)
    return first + timedelta(days=(3 - first.weekday()) % 7 + 21)


def _easter(year: int) -> date:
    """Gregorian Easter Sunday (the anonymous algorithm of Meeus, Astronomical Algorithms, chapter 8)."""
    golden, century = year % 19, year // 100
    rest = year % 100
    leaps = (century * 8 + 13) // 25
    moon = (19 * golden + century - century // 4 - leaps + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - moon - rest % 4) % 7
    late = (golden + 11 * moon + 22 * weekday) // 451
    month, day = divmod(moon + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)
