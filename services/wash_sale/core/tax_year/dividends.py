"""Whether a dividend is qualified: held for more than 60 of the 121 days that begin 60 days before the ex-dividend date (section 6.7)."""

from datetime import date, timedelta

from msgspec import Struct

DAYS_BEFORE_EX, DAYS_IN_WINDOW, DAYS_NEEDED = 60, 121, 61


class DividendHolding(Struct, frozen=True):
    """The window, ends included, and the days in it on which the shares were held."""

    first_day: date
    last_day: date
    days_held: int
    qualified: bool


def dividend_holding(ex_date: date, bought: date, sold: date | None, hedged_days: int = 0) -> DividendHolding:
    """Count the day of the sale, not that of the purchase, and no day on which the risk of loss was hedged (IRC 1(h)(11)(B), 246(c))."""
    first = ex_date - timedelta(days=DAYS_BEFORE_EX)
    last = first + timedelta(days=DAYS_IN_WINDOW - 1)
    from_day = max(first, bought + timedelta(days=1))
    to_day = last if sold is None else min(last, sold)
    days = max(0, (to_day - from_day).days + 1 - hedged_days)
    return DividendHolding(first, last, days, days >= DAYS_NEEDED)
