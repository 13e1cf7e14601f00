"""Real prices for measuring the risk model: a small adapter from the data folder beside the project to a `RiskPanel`.

Sectors: of today's index members, else mapped from the exchange's industry, else the highest correlation with a sector's mean.
Capitalisation: today's share count times the adjusted price, held within a factor e of what the previous year's dollar volume
implies at each year's start.  Both are a mild look-ahead in exposures, not in returns.
"""

import csv
import gzip
import os
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from services.ingest.core.risk.panel import Floats, RiskPanel

PROJECT = Path(__file__).resolve().parents[1]
SECTOR_OF_EXCHANGE = {
    "Finance": "Financials",
    "Consumer Discretionary": "Consumer Discretionary",
    "Health Care": "Health Care",
    "Technology": "Information Technology",
    "Industrials": "Industrials",
    "Real Estate": "Real Estate",
    "Energy": "Energy",
    "Utilities": "Utilities",
    "Basic Materials": "Materials",
    "Consumer Staples": "Consumer Staples",
    "Telecommunications": "Communication Services",
}
# New shares for one old in splits after the prices' own adjustment ends, so that today's share counts fit the prices.
SPLIT_SINCE = {"NFLX": 10.0, "BKNG": 25.0, "ORLY": 15.0, "NOW": 5.0, "FAST": 2.0, "IBKR": 4.0}
# Member moves beyond half that no news or corporate action matches: a spin-off adjusted twice, a merger-year restatement.
DEFECTS = (("DHR", "2016-07-05"), ("JCI", "2007-07-02"))


@dataclass(frozen=True, slots=True, eq=False)
class SharedPanel:
    """The panel and, for each day, which securities were members of the index and priced."""

    panel: RiskPanel
    member: NDArray[np.bool_]


def shared_folder() -> Path:
    """The folder with the data: PMA_SHARED, else beside the project."""
    return Path(os.environ.get("PMA_SHARED", PROJECT.parent / "shared"))


def load_shared_panel(folder: Path) -> SharedPanel:
    """The panel of `folder`/data."""
    return load_panel(folder / "data")


def load_panel(data: Path) -> SharedPanel:
    """Read prices, sectors, capitalisation and index membership of `data`; ETFs and names without prices are left out."""
    closes_table = pq.read_table(data / "prices_close.parquet")
    factor_table = pq.read_table(data / "prices_adj_factor.parquet")
    dates = closes_table["date"].to_numpy().astype("datetime64[D]")
    kinds = {row["ticker"]: row["kind"] for row in _rows(data / "prices_meta.csv")}
    tickers = tuple(sorted(t for t in closes_table.column_names if t != "date" and kinds.get(t) != "ETF"))
    closes = np.column_stack([closes_table[t].to_numpy() for t in tickers]).astype(np.float64)
    adjusted = closes * np.column_stack([factor_table[t].to_numpy() for t in tickers])
    returns = np.full_like(adjusted, np.nan)
    returns[1:] = adjusted[1:] / adjusted[:-1] - 1.0
    for ticker, day in DEFECTS:
        returns[np.searchsorted(dates, np.datetime64(day)), tickers.index(ticker)] = np.nan
    sectors = _sectors(data, tickers, returns)
    member = _membership(data, tickers, dates) & np.isfinite(closes)
    panel = RiskPanel(dates, tickers, sectors, returns, _capitalisation(data, tickers, dates, closes, member))
    return SharedPanel(panel, member)


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return list(csv.DictReader(file))


def _sectors(data: Path, tickers: tuple[str, ...], returns: Floats) -> tuple[str, ...]:
    known = {
        row["ticker"]: SECTOR_OF_EXCHANGE[row["sector"]]
        for row in _rows(data / "us_listed_universe.csv.gz")
        if row["sector"] in SECTOR_OF_EXCHANGE
    }
    for row in _rows(data / "constituents_sp500.csv"):
        known[row["ticker"]] = known[row["price_ticker"] or row["ticker"]] = row["gics_sector"]
    names = sorted({known[t] for t in tickers if t in known})
    clipped = np.clip(returns, -0.25, 0.25)
    market = np.nanmean(clipped[1:], axis=1)
    relative = clipped[1:] - market[:, None]
    means = np.column_stack([np.nanmean(relative[:, [known.get(t) == name for t in tickers]], axis=1) for name in names])
    return tuple(known.get(t) or names[_closest(relative[:, i], means)] for i, t in enumerate(tickers))


def _closest(column: Floats, means: Floats) -> int:
    days = np.isfinite(column)
    if days.sum() < 60:
        return 0
    return int(np.argmax([np.corrcoef(column[days], means[days, k])[0, 1] for k in range(means.shape[1])]))


def _capitalisation(
    data: Path, tickers: tuple[str, ...], dates: NDArray[np.datetime64], closes: Floats, member: NDArray[np.bool_]
) -> Floats:
    """(days, securities) dollars: set at each year's start, then moved with the price within the year."""
    held, shares = _last_known(closes), _share_counts(data)
    by_shares = held * np.array([shares.get(t, np.nan) for t in tickers])
    volume = {row["ticker"]: row for row in _rows(data / "adv_usd_by_year.csv.gz")}
    years = dates.astype("datetime64[Y]").astype(int) + 1970
    cap_usd = np.empty_like(closes)
    for year in range(int(years[0]), int(years[-1]) + 1):
        rows = np.flatnonzero(years == year)
        known = [volume.get(t, {}).get(str(max(year - 1, int(years[0])))) or volume.get(t, {}).get(str(year)) for t in tickers]
        adv_usd = np.array([float(text or "nan") or np.nan for text in known])
        turnover = np.log(by_shares[rows[0]] / adv_usd)
        typical = np.nanmedian(turnover[member[rows].any(axis=0)])
        start = adv_usd * np.exp(typical + np.nan_to_num(np.clip(turnover - typical, -1.0, 1.0)))
        cap_usd[rows] = start * np.nan_to_num(held[rows] / held[rows[0]], nan=1.0)
    cap_usd[~(cap_usd > 0)] = np.nan
    least = np.nanmin(np.where(member, cap_usd, np.nan), axis=1)
    return np.where(np.isfinite(cap_usd), cap_usd, least[:, None])


def _last_known(closes: Floats) -> Floats:
    held = closes.copy()
    for day in range(1, len(held)):
        held[day] = np.where(np.isfinite(held[day]), held[day], held[day - 1])
    return held


def _share_counts(data: Path) -> dict[str, float]:
    """Today's shares in the prices' own split adjustment."""
    shares: dict[str, float] = {}
    for row in _rows(data / "us_listed_universe.csv.gz"):
        cap, price = float(row["market_cap_usd"] or 0), float(row["last_price"] or 0)
        if cap > 0 and price > 0:
            shares[row["ticker"]] = cap / price
    for row in _rows(data / "constituents_sp500.csv"):
        if row["index_cap_usd"] and row["price_2026"]:
            shares[row["price_ticker"] or row["ticker"]] = float(row["index_cap_usd"]) / float(row["price_2026"])
    return {ticker: count / SPLIT_SINCE.get(ticker, 1.0) for ticker, count in shares.items()}


def _membership(data: Path, tickers: tuple[str, ...], dates: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    column = {t: i for i, t in enumerate(tickers)}
    member = np.zeros((len(dates), len(tickers)), dtype=bool)
    for row in _rows(data / "sp500_membership.csv"):
        if row["ticker"] in column:
            start = np.datetime64(row["start_date"], "D")
            end = np.datetime64(row["end_date"] or date.max.isoformat(), "D")
            member[:, column[row["ticker"]]] |= (dates >= start) & (dates < end)
    return member


def at_members(shared: SharedPanel, row: int) -> tuple[RiskPanel, Floats]:
    """The panel of the members of day `row`, and their weights by capitalisation."""
    keep = np.flatnonzero(shared.member[row])
    panel = shared.panel
    cap_usd = panel.cap_usd[:, keep]
    members = replace(
        panel,
        security_id=tuple(panel.security_id[i] for i in keep),
        sector=tuple(panel.sector[i] for i in keep),
        returns=panel.returns[:, keep],
        cap_usd=cap_usd,
    )
    return members, cap_usd[row] / cap_usd[row].sum()


def month_ends(dates: NDArray[np.datetime64], first: date, last: date) -> list[tuple[int, int]]:
    """(last row of a month, last row of the next) for forecast months from `first` to `last`."""
    month = dates.astype("datetime64[M]")
    ends = np.append(np.flatnonzero(month[1:] != month[:-1]), len(dates) - 1)
    pairs = zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)
    return [(a, b) for a, b in pairs if np.datetime64(first, "M") <= month[b] <= np.datetime64(last, "M")]
