"""T+1 over weekends, market holidays and days on which only banks are closed."""

from datetime import date, timedelta

import pytest

from services.orders.core.settlement import BANK_ONLY_HOLIDAYS, MARKET_HOLIDAYS, is_settlement_day, is_trading_day, settle_date_of

CASES = [
    ("Monday to Tuesday", "2026-03-02", "2026-03-03"),
    ("Friday to Monday", "2026-03-06", "2026-03-09"),
    ("over Independence Day observed", "2026-07-02", "2026-07-06"),
    ("over Good Friday", "2025-04-17", "2025-04-21"),
    ("over the day of mourning", "2025-01-08", "2025-01-10"),
    ("Columbus Day trades, and settles the day after", "2025-10-13", "2025-10-14"),
    ("Columbus Day is no settlement day", "2025-10-10", "2025-10-14"),
    ("Veterans Day is no settlement day", "2026-11-10", "2026-11-12"),
    ("over Christmas observed", "2027-12-23", "2027-12-27"),
    ("no holiday for a New Year's Day on a Saturday", "2027-12-30", "2027-12-31"),
    ("leap day", "2028-02-28", "2028-02-29"),
    ("years outside the table have weekends only", "2019-07-03", "2019-07-04"),
]


@pytest.mark.parametrize(("trade_date", "settle_date"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_settle_date(trade_date: str, settle_date: str) -> None:
    assert settle_date_of(date.fromisoformat(trade_date)) == date.fromisoformat(settle_date)


def test_the_table_names_weekdays_only_and_ten_to_eleven_a_year() -> None:
    assert all(day.weekday() < 5 for day in MARKET_HOLIDAYS | BANK_ONLY_HOLIDAYS)
    assert [sum(day.year == year for day in MARKET_HOLIDAYS) for year in (2025, 2026, 2027)] == [11, 10, 10]


def test_the_settlement_day_is_the_first_after_the_trade_date() -> None:
    for offset in range(3 * 365):
        day = date(2025, 1, 1) + timedelta(days=offset)
        settles = settle_date_of(day)
        assert settles > day and is_settlement_day(settles) and is_trading_day(settles)
        assert not any(is_settlement_day(day + timedelta(days=n)) for n in range(1, (settles - day).days))
