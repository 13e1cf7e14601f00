"""The trading calendar of the sample: weekdays less the New York exchange's closing days, and the three days of the demo.

A demo day is one business date: its prices, its custodian file (made before that day's trading) and the trade date of its run.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

FIRST_DAY = date(2021, 12, 17)
HISTORY_END = date(2025, 12, 17)
FILE_MADE_AT_UTC = time(11, 30)

# Days on which the New York Stock Exchange was closed, from its published calendars.
CLOSED = frozenset(
    date.fromisoformat(text)
    for text in [
        "2021-12-24",
        "2022-01-17",
        "2022-02-21",
        "2022-04-15",
        "2022-05-30",
        "2022-06-20",
        "2022-07-04",
        "2022-09-05",
        "2022-11-24",
        "2022-12-26",
        "2023-01-02",
        "2023-01-16",
        "2023-02-20",
        "2023-04-07",
        "2023-05-29",
        "2023-06-19",
        "2023-07-04",
        "2023-09-04",
        "2023-11-23",
        "2023-12-25",
        "2024-01-01",
        "2024-01-15",
        "2024-02-19",
        "2024-03-29",
        "2024-05-27",
        "2024-06-19",
        "2024-07-04",
        "2024-09-02",
        "2024-11-28",
        "2024-12-25",
        "2025-01-01",
        "2025-01-09",
        "2025-01-20",
        "2025-02-17",
        "2025-04-18",
        "2025-05-26",
        "2025-06-19",
        "2025-07-04",
        "2025-09-01",
        "2025-11-27",
        "2025-12-25",
    ]
)


@dataclass(frozen=True)
class DemoDay:
    """One day of the demo: `number` from 1."""

    number: int
    business_date: date

    @property
    def file_made_at(self) -> datetime:
        """When the custodian makes the day's file: before the market opens, so the file holds no trade of this day."""
        return datetime.combine(self.business_date, FILE_MADE_AT_UTC, tzinfo=UTC)


DEMO_DAYS = (DemoDay(1, date(2025, 12, 15)), DemoDay(2, date(2025, 12, 16)), DemoDay(3, date(2025, 12, 17)))


def is_business_day(day: date) -> bool:
    """Whether the exchange traded on `day`; known from FIRST_DAY to the end of 2025."""
    return day.weekday() < 5 and day not in CLOSED


def business_days(first: date = FIRST_DAY, last: date = HISTORY_END) -> list[date]:
    """Every business day from `first` to `last`, both included."""
    span = (last - first).days + 1
    return [day for day in (first + timedelta(days=i) for i in range(span)) if is_business_day(day)]


def rng_of(part: int, seed: int = 20251215) -> np.random.Generator:
    """The random stream of one part of the sample, so that a change in one part leaves the others' draws as they were."""
    return np.random.Generator(np.random.PCG64([seed, part]))


def date_index(days: list[date], day: date) -> int:
    """Position of the last business day not after `day`."""
    return int(np.searchsorted(_ordinals(days), day.toordinal(), side="right")) - 1


def _ordinals(days: list[date]) -> NDArray[np.int64]:
    return np.array([day.toordinal() for day in days], dtype=np.int64)
