"""Daily factor returns by weighted regression across securities, month by month on the exposures of the month's start.

A month's returns rest only on data up to its end, so a later fit finds the same history for the months that it shares with an
earlier one; the first, partial month of the window alone is explained by the exposures of the window's start.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from services.ingest.core.risk.exposures import exposures_after
from services.ingest.core.risk.panel import Dates, Floats, RiskPanel
from services.ingest.core.risk.settings import RiskSettings

RIDGE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class DailyFactors:
    """factor: (days, factors) return of each factor; specific: (days, securities) what it leaves, NaN where there was no return."""

    factor: Floats
    specific: Floats


def factor_history(panel: RiskPanel, market: Floats, dummies: Floats, factors: int, settings: RiskSettings) -> DailyFactors:
    """Factor returns of the last `factor_window_days` days of a cleaned panel.

    The first year, or a quarter of a shorter panel, only feeds exposures.  market: (days,) cap-weighted return.
    """
    days = len(panel.dates)
    start = max(days - settings.factor_window_days, min(settings.style_window_days, days // 4), 1)
    factor = np.zeros((max(days - start, 0), factors))
    specific = np.full((max(days - start, 0), len(dummies)), np.nan)
    for first, last in months(panel.dates, start):
        exposures = exposures_after(panel, market, first, dummies, settings)
        month = daily_factors(panel.returns[first:last], exposures, panel.cap_usd[first - 1], settings)
        factor[first - start : last - start] = month.factor
        specific[first - start : last - start] = month.specific
    return DailyFactors(factor, specific)


def months(dates: Dates, start: int) -> Iterator[tuple[int, int]]:
    """Row ranges [first, last) of the calendar months from row `start` on; the first and the last may be parts of a month."""
    month = dates[start:].astype("datetime64[M]")
    edges = np.flatnonzero(month[1:] != month[:-1]) + 1 + start
    bounds = [start, *edges.tolist(), len(dates)] if start < len(dates) else []
    yield from pairwise(bounds)


def daily_factors(returns: Floats, exposures: Floats, cap_usd: Floats, settings: RiskSettings) -> DailyFactors:
    """Regress each day's returns on `exposures`, weighted by the root of capitalisation, capped at a quantile.

    returns: (days, securities); exposures: (securities, factors); cap_usd: (securities,).  A factor that no priced security is
    exposed to gets a return of 0 (by a ridge of one part in 1e9 of the mean diagonal).
    """
    count = exposures.shape[1]
    root = np.sqrt(cap_usd)
    weight = np.minimum(root, np.quantile(root, settings.weight_cap_quantile))
    weight = weight / weight.mean()
    present = np.isfinite(returns)
    filled = np.where(present, returns, 0.0)
    products = (exposures[:, :, None] * exposures[:, None, :]).reshape(len(exposures), count * count)
    normal = ((present * weight) @ products).reshape(len(returns), count, count)
    ridge = RIDGE * np.maximum(np.trace(normal, axis1=1, axis2=2) / count, 1.0)
    normal = normal + ridge[:, None, None] * np.eye(count)
    factor = np.linalg.solve(normal, ((filled * weight) @ exposures)[:, :, None])[:, :, 0]
    return DailyFactors(factor, np.where(present, filled - factor @ exposures.T, np.nan))
