"""What the risk model is fitted to: daily total returns and capitalisations of the universe, and how they are cleaned.

Fallbacks for missing capitalisation belong to whoever makes the panel: here every value is positive.
"""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from services.ingest.core.risk.settings import RiskSettings

Floats = NDArray[np.float64]
Dates = NDArray[np.datetime64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class RiskPanel:
    """Rows are trading days, ascending; columns are securities.

    dates: (days,) datetime64[D].  sector: one name a security.  returns: (days, securities) total return of the day as a
    fraction, NaN where there is none.  cap_usd: (days, securities) dollars at the day's close, positive everywhere.
    """

    dates: Dates
    security_id: tuple[str, ...]
    sector: tuple[str, ...]
    returns: Floats
    cap_usd: Floats

    def until(self, as_of: date) -> "RiskPanel":
        """The same panel without any row dated after `as_of`."""
        days = int(np.searchsorted(self.dates, np.datetime64(as_of, "D"), side="right"))
        return replace(self, dates=self.dates[:days], returns=self.returns[:days], cap_usd=self.cap_usd[:days])

    def last(self, days: int) -> "RiskPanel":
        """The last `days` rows, or all of a shorter panel."""
        return replace(self, dates=self.dates[-days:], returns=self.returns[-days:], cap_usd=self.cap_usd[-days:])


def clean_returns(returns: Floats, settings: RiskSettings) -> Floats:
    """Returns fit for estimation: stale runs are missing, and each day's are clipped around that day's median.

    A run of `stale_zero_days` or more returns of exactly zero is a price that nobody updated: all of the run is missing.
    """
    kept = np.where(_in_long_zero_run(returns, settings.stale_zero_days), np.nan, returns)
    present = np.isfinite(kept)
    some = present.any(axis=1)
    medians = np.zeros(len(kept))
    medians[some] = np.nanmedian(kept[some], axis=1)
    clip = settings.return_clip_frac
    return np.clip(kept, medians[:, None] - clip, medians[:, None] + clip)


def _in_long_zero_run(returns: Floats, days: int) -> Flags:
    zero: Flags = returns == 0.0
    if not zero.any():
        return zero
    length = np.zeros(zero.shape, dtype=np.int64)
    run = np.zeros(zero.shape[1], dtype=np.int64)
    for day in range(len(zero)):
        run = np.where(zero[day], run + 1, 0)
        length[day] = run
    for day in range(len(zero) - 2, -1, -1):
        length[day] = np.where(zero[day] & zero[day + 1], length[day + 1], length[day])
    stale: Flags = zero & (length >= days)
    return stale


def cap_weighted_returns(panel: RiskPanel) -> Floats:
    """(days,) market return of each day, weighted by the previous day's capitalisation; 0 on a day without any return."""
    previous = np.vstack([panel.cap_usd[:1], panel.cap_usd[:-1]])
    present = np.isfinite(panel.returns)
    weight = np.where(present, previous, 0.0)
    total = weight.sum(axis=1)
    gained = (weight * np.where(present, panel.returns, 0.0)).sum(axis=1)
    market: Floats = np.divide(gained, total, out=np.zeros(len(total)), where=total > 0)
    return market


def half_life_weights(days: int, half_life_days: float) -> Floats:
    """(days,) weights, oldest first, the last one 1, halving every `half_life_days`."""
    weights: Floats = np.exp2(-np.arange(days - 1, -1, -1, dtype=np.float64) / half_life_days)
    return weights


def weighted_mean_square(values: Floats, weights: Floats) -> Floats:
    """(columns,) weighted mean of squares over the rows present; NaN for a column without any."""
    present = np.isfinite(values)
    total = weights @ np.where(present, values, 0.0) ** 2
    weight = weights @ present.astype(np.float64)
    mean: Floats = np.divide(total, weight, out=np.full(values.shape[1], np.nan), where=weight > 0)
    return mean
