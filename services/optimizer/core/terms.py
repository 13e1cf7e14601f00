"""Short or long term, by the calendar (IRC 1222; the holding period begins on the day after the acquisition)."""

from datetime import date, timedelta
from functools import lru_cache


@lru_cache(maxsize=16_384)
def first_long_day(holding_period_start: date) -> date:
    """The first day on which a sale is long term: the day after the start, one year on; 1 March where that is a 29 February
    that does not exist.  A lot bought on 28 February 2023 is long from 1 March 2024, on 29 February 2024 from 1 March 2025.
    """
    day_after = holding_period_start + timedelta(days=1)
    try:
        return day_after.replace(year=day_after.year + 1)
    except ValueError:
        return date(day_after.year + 1, 3, 1)


def is_long(holding_period_start: date, sold_on: date) -> bool:
    """Whether a sale on the trade date `sold_on` is long term."""
    return sold_on >= first_long_day(holding_period_start)


@lru_cache(maxsize=64)
def last_long_start(sold_on: date) -> date:
    """The latest start of a holding period of which a sale on `sold_on` is long term: a later start is never long before an earlier one."""
    start = sold_on - timedelta(days=365)
    while not is_long(start, sold_on):
        start -= timedelta(days=1)
    return start
