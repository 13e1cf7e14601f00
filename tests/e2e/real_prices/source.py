"""Reads the shared data where they lie: closes, members of the index, volumes, and what is known of each company.

Closes are split-adjusted to a later day than any used here, so a lot's share count of 2016 is in the same shares as its price of 2019.
"""

import csv
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyarrow import parquet

Floats = NDArray[np.float64]
FIRST_DAY = date(2016, 1, 4)
LAST_YEAR = 2019
PRICE_DECIMALS = 4


@dataclass(frozen=True)
class Membership:
    """One stay of a ticker in the index; `end` is the first day on which it is no longer in it, None while it still is."""

    ticker: str
    start: date
    end: date | None

    def holds(self, day: date) -> bool:
        return self.start <= day and (self.end is None or day < self.end)


@dataclass(frozen=True, eq=False)
class SharedData:
    """The rows of the shared data from FIRST_DAY on.  `close`: (days, tickers) dollars to four places, NaN where there is none."""

    days: list[date]
    tickers: tuple[str, ...]
    close: Floats
    stays: tuple[Membership, ...]
    constituents: dict[str, dict[str, str]]
    listed: dict[str, dict[str, str]]
    volume_usd: dict[str, dict[str, str]]
    exclusions: dict[str, frozenset[str]]
    splits: dict[str, tuple[date, ...]]

    @cached_property
    def column_of(self) -> dict[str, int]:
        return {ticker: column for column, ticker in enumerate(self.tickers)}

    def row(self, day: date) -> int:
        """Position of a trading day; ValueError on any other day."""
        return self.days.index(day)

    def price(self, ticker: str, day: date) -> float | None:
        """The close of a trading day, None where there is none."""
        column = self.column_of.get(ticker)
        value = np.nan if column is None else self.close[self.row(day), column]
        return None if np.isnan(value) else float(value)

    def members(self, day: date) -> list[str]:
        """The index on a day, priced in the data or not."""
        return sorted({stay.ticker for stay in self.stays if stay.holds(day)})

    def priced_members(self, day: date, *priced_on: date) -> list[str]:
        """The members of a day that have a close on it and on each of the other days."""
        return [ticker for ticker in self.members(day) if all(self.price(ticker, each) is not None for each in (day, *priced_on))]

    def priced_members_ever(self, today: date) -> list[str]:
        """Every name that was in the index at any time and has a close today."""
        return [ticker for ticker in sorted({stay.ticker for stay in self.stays}) if self.price(ticker, today) is not None]

    def adv_usd(self, ticker: str, day: date) -> float | None:
        """Median daily dollar volume of the last full year before the day; of its own year for a name that had not traded before."""
        years = self.volume_usd.get(ticker, {})
        values = (float(years.get(str(year)) or 0) for year in (day.year - 1, day.year))
        return next((value for value in values if value > 0), None)


def read_shared_data(directory: Path) -> SharedData:
    """Read everything once; `directory` holds the files that SOURCES.md there describes."""
    table = parquet.read_table(directory / "prices_close.parquet")
    tickers = tuple(name for name in table.column_names if name != "date")
    days = [moment.date() for moment in table["date"].to_pylist()]
    first = days.index(FIRST_DAY)
    close = np.column_stack([table[ticker].to_numpy()[first:] for ticker in tickers]).astype(np.float64)
    exclusions: dict[str, frozenset[str]] = {}
    for row in _rows(directory / "exclusions.csv"):
        exclusions[row["ticker"]] = exclusions.get(row["ticker"], frozenset()) | {row["category"]}
    splits: dict[str, tuple[date, ...]] = {}
    for row in _rows(directory / "corporate_actions.csv.gz"):
        if row["type"] == "split":
            splits[row["ticker"]] = (*splits.get(row["ticker"], ()), date.fromisoformat(row["ex_date"]))
    return SharedData(
        days=days[first:],
        tickers=tickers,
        close=np.round(close, PRICE_DECIMALS),
        stays=tuple(_stays(directory / "sp500_membership.csv")),
        constituents={row["price_ticker"]: row for row in _rows(directory / "constituents_sp500.csv")},
        listed={row["ticker"]: row for row in _rows(directory / "us_listed_universe.csv.gz") if not _came_later(row)},
        volume_usd={row["ticker"]: row for row in _rows(directory / "adv_usd_by_year.csv.gz")},
        exclusions=exclusions,
        splits=splits,
    )


def _came_later(row: dict[str, str]) -> bool:
    """A company that took over the ticker of one that left."""
    year = row["ipo_year"].split(".")[0]
    return year.isdecimal() and int(year) > LAST_YEAR


def _stays(path: Path) -> Iterator[Membership]:
    for row in _rows(path):
        end = date.fromisoformat(row["end_date"]) if row["end_date"] else None
        yield Membership(row["ticker"], date.fromisoformat(row["start_date"]), end)


def _rows(path: Path) -> Sequence[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") if path.suffix == ".gz" else path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
