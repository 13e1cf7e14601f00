"""Trading days and settlement days of US equities.

Trading holidays: NYSE Group's holiday calendar for 2025-2027 (announced 8 November 2024), and 9 January 2025, the national
day of mourning.  Columbus Day and Veterans Day are trading days but not settlement days, because banks are closed (FINRA
Notice to Members 99-83).  Years outside the table have weekends only.  Settlement is T+1 (SEC Rule 15c6-1, since 28 May 2024).
"""

from datetime import date, timedelta

SATURDAY = 5

MARKET_HOLIDAYS = frozenset(
    date.fromisoformat(day)
    for day in (
        *("2025-01-01", "2025-01-09", "2025-01-20", "2025-02-17", "2025-04-18", "2025-05-26"),
        *("2025-06-19", "2025-07-04", "2025-09-01", "2025-11-27", "2025-12-25"),
        *("2026-01-01", "2026-01-19", "2026-02-16", "2026-04-03", "2026-05-25"),
        *("2026-06-19", "2026-07-03", "2026-09-07", "2026-11-26", "2026-12-25"),
        *("2027-01-01", "2027-01-18", "2027-02-15", "2027-03-26", "2027-05-31"),
        *("2027-06-18", "2027-07-05", "2027-09-06", "2027-11-25", "2027-12-24"),
    )
)
BANK_ONLY_HOLIDAYS = frozenset(
    date.fromisoformat(day) for day in ("2025-10-13", "2025-11-11", "2026-10-12", "2026-11-11", "2027-10-11", "2027-11-11")
)


def is_trading_day(day: date) -> bool:
    """Whether US equities trade on this date."""
    return day.weekday() < SATURDAY and day not in MARKET_HOLIDAYS


def is_settlement_day(day: date) -> bool:
    """Whether US equity trades settle on this date."""
    return is_trading_day(day) and day not in BANK_ONLY_HOLIDAYS


def settle_date_of(trade_date: date) -> date:
    """The first settlement day after the trade date."""
    day = trade_date + timedelta(days=1)
    while not is_settlement_day(day):
        day += timedelta(days=1)
    return day
