"""Prices, dividends, a capitalisation-weighted index of priced members, and risk models, from the data folder.

Prices are split-adjusted closes; a day's dividend is what total return has beyond price return.  The index takes in and drops members at
month ends.  A member's share count is set as it enters, from its capitalisation that day, so that revised counts are no trades.  A series
that stops keeps its last close until the holder sells.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.risk_shared_panel import DEFECTS, SharedPanel, at_members, load_panel
from services.ingest.core.risk import RiskSettings, fit_risk_model
from services.ingest.core.risk.panel import Floats

FREQUENCIES = {"annual": "Y", "quarterly": "Q", "monthly": "M", "weekly": "W"}
FIRST_FIT_DAYS = 252


@dataclass(frozen=True, slots=True, eq=False)
class Risk:
    """The model of one day by security of `names`: Sigma = exposures exposures' + diag(specific_var), annual."""

    names: NDArray[np.intp]
    exposures: Floats
    specific_var: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """Days by securities: last known close, dividend a share, total return (0 where unknown); index weights at the day's close."""

    dates: NDArray[np.datetime64]
    tickers: tuple[str, ...]
    sector: NDArray[np.intp]
    close: Floats
    dividend: Floats
    index: Floats
    index_return: Floats
    shared: SharedPanel
    cache: Path

    def day(self, row: int) -> date:
        found: date = self.dates[row].item()
        return found

    def risk(self, row: int) -> Risk | None:
        """The model fitted at the last month end up to `row`; None while there is too little history."""
        month = self.dates.astype("datetime64[M]")
        ends = np.flatnonzero(month[1:] != month[:-1])
        at = int(ends[ends <= row][-1]) if (ends <= row).any() else -1
        return self._fitted(at) if at >= FIRST_FIT_DAYS else None

    def _fitted(self, row: int) -> Risk:
        file = self.cache / f"risk-{self.dates[row]}.npz"
        if not file.exists():
            panel, _ = at_members(self.shared, row)
            model = fit_risk_model(panel, self.day(row), RiskSettings())
            place = {ticker: i for i, ticker in enumerate(self.tickers)}
            names = np.array([place[each] for each in model.security_id])
            part = file.with_suffix(".part.npz")
            np.savez(part, names=names, exposures=np.array(model.exposures), specific_var=np.array(model.specific_var_ann))
            part.rename(file)
        found = np.load(file)
        return Risk(found["names"].astype(np.intp), found["exposures"], found["specific_var"])

    def dates_of(self, frequency: str, first: date, last: date) -> list[int]:
        """The last trading day of each period, between the two dates."""
        code = FREQUENCIES[frequency]
        if code == "Q":
            period = self.dates.astype("datetime64[M]").astype(int) // 3
        else:
            period = self.dates.astype(f"datetime64[{code}]").astype(int)
        ends = np.flatnonzero(period[1:] != period[:-1])
        return [int(row) for row in ends if np.datetime64(first) < self.dates[row] <= np.datetime64(last)]


def load_market(data: Path, cache: Path) -> Market:
    """Read `data` (the folder with the prices); risk models are kept in `cache`."""
    shared = load_panel(data)
    cache.mkdir(parents=True, exist_ok=True)
    panel = shared.panel
    table = pq.read_table(data / "prices_close.parquet")
    close = np.column_stack([table[ticker].to_numpy() for ticker in panel.security_id]).astype(np.float64)
    for ticker, day in DEFECTS:
        row, column = np.searchsorted(panel.dates, np.datetime64(day)), panel.security_id.index(ticker)
        close[:row, column] *= close[row, column] / close[row - 1, column]
    known = _last_known(close)
    growth = np.ones_like(known)
    growth[1:] = np.nan_to_num(known[1:] / known[:-1], nan=1.0)
    total = np.where(np.isfinite(panel.returns) & np.isfinite(close), panel.returns, growth - 1)
    dividend = np.zeros_like(known)
    dividend[1:] = np.nan_to_num(known[:-1]) * (1 + total[1:] - growth[1:]).clip(min=0.0)
    dividend[dividend < 1e-4 * np.nan_to_num(known)] = 0.0  # rounding of float32 prices
    total = growth - 1 + np.divide(dividend, np.roll(known, 1, axis=0), out=np.zeros_like(known), where=dividend > 0)
    index, index_return = _index(shared, known, np.isfinite(close), total)
    names = sorted(set(panel.sector))
    sector = np.array([names.index(each) for each in panel.sector])
    return Market(panel.dates, panel.security_id, sector, known, dividend, index, index_return, shared, cache)


def _last_known(close: Floats) -> Floats:
    held = close.copy()
    for row in range(1, len(held)):
        held[row] = np.where(np.isfinite(held[row]), held[row], held[row - 1])
    return held


def _index(shared: SharedPanel, known: Floats, priced: NDArray[np.bool_], total: Floats) -> tuple[Floats, Floats]:
    """Weights at each close, and the day's return with dividends reinvested."""
    dates, cap = shared.panel.dates, shared.panel.cap_usd
    month = dates.astype("datetime64[M]")
    weights, returned = np.zeros_like(known), np.zeros(len(dates))
    shares = np.zeros(known.shape[1])
    for row in range(len(dates)):
        if row > 0:
            grown = weights[row - 1] * (1 + total[row])
            returned[row] = grown.sum() - 1
            weights[row] = grown / grown.sum()
        if row == 0 or (row + 1 < len(dates) and month[row + 1] != month[row]):
            member = shared.member[row] & priced[row]
            enters = member & (shares == 0)
            scale = 1.0 if row == 0 else float((shares * np.nan_to_num(known[row]))[member].sum() / cap[row][member & ~enters].sum())
            shares = np.where(member, shares, 0.0)
            shares[enters] = scale * cap[row][enters] / known[row][enters]
            worth = np.where(member, shares * np.nan_to_num(known[row]), 0.0)
            weights[row] = worth / worth.sum()
    return weights, returned
