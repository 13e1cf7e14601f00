"""Sections 3.1, 3.2 and 1.10 as tables."""

from datetime import date

import pytest

from services.wash_sale.core.holding_period import first_long_day, tacked, term_of


@pytest.mark.parametrize(
    ("acquired", "first_long"),
    [
        pytest.param("2024-01-31", "2025-02-01", id="3.2 the last day of a month: from the first of the next"),
        pytest.param("2023-02-28", "2024-03-01", id="3.2 28 February before a leap year"),
        pytest.param("2024-02-28", "2025-03-01", id="3.1 the next day is 29 February, which has no anniversary"),
        pytest.param("2024-02-29", "2025-03-01", id="3.2 bought on 29 February"),
        pytest.param("2023-11-30", "2024-12-01", id="3.2 30 November"),
        pytest.param("2024-06-14", "2025-06-15", id="3.1 any other day"),
        pytest.param("2024-12-31", "2026-01-01", id="3.2 New Year's Eve"),
    ],
)
def test_first_long_day(acquired: str, first_long: str) -> None:
    assert first_long_day(date.fromisoformat(acquired)) == date.fromisoformat(first_long)


def test_an_unknown_date_is_short() -> None:
    assert term_of(None, date(2030, 1, 1)) == "short"


@pytest.mark.parametrize(
    ("replacement", "loss_since", "loss_sold", "since"),
    [
        pytest.param("2025-08-01", "2025-01-02", "2025-07-21", "2025-01-13", id="1.10 200 days added"),
        pytest.param("2025-08-01", "2025-07-21", "2025-07-21", "2025-08-01", id="1.10 sold on the day of purchase adds none"),
        pytest.param("2025-08-01", None, "2025-07-21", "2025-08-01", id="an unknown period adds none"),
        pytest.param(None, "2025-01-02", "2025-07-21", None, id="an unknown date stays unknown"),
    ],
)
def test_tacked(replacement: str | None, loss_since: str | None, loss_sold: str, since: str | None) -> None:
    def day(text: str | None) -> date | None:
        return None if text is None else date.fromisoformat(text)

    assert tacked(day(replacement), day(loss_since), date.fromisoformat(loss_sold)) == day(since)
