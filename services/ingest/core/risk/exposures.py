"""Exposures of each security on a day: sector dummies and four styles, from data up to that day's close.

Sector dummies span the market and the sectors exactly, without a constraint.  Styles are size, momentum, beta and volatility,
each with cap-weighted mean 0 and equal-weighted standard deviation 1, clipped; a security without the data has 0, the average.
Below `style_min_securities` a universe has sectors alone.
"""

from collections.abc import Sequence

import numpy as np

from services.ingest.core.risk.panel import Flags, Floats, RiskPanel, half_life_weights
from services.ingest.core.risk.settings import RiskSettings

STYLES = ("size", "momentum", "beta", "volatility")
ALIVE_DAYS = 21


def factor_names(sectors: Sequence[str], settings: RiskSettings) -> list[str]:
    """The columns of the exposures: the sectors present in order of name, then the styles."""
    styles = [f"style:{name}" for name in STYLES] if _has_styles(len(sectors), settings) else []
    return [f"sector:{name}" for name in sorted(set(sectors))] + styles


def sector_dummies(sectors: Sequence[str]) -> Floats:
    """(securities, sectors) 1 in the column of the security's sector, else 0; columns in order of name."""
    names, index = np.unique(np.array(sectors, dtype=str), return_inverse=True)
    dummies: Floats = np.eye(len(names))[index]
    return dummies


def exposures_after(panel: RiskPanel, market: Floats, days: int, dummies: Floats, settings: RiskSettings) -> Floats:
    """(securities, factors) exposures after the first `days` days of a cleaned panel; nothing later is read.

    market: (days of the panel,) cap-weighted return, fraction a day.
    """
    if not _has_styles(len(dummies), settings):
        return dummies
    cap_usd = panel.cap_usd[days - 1] if days else np.ones(len(dummies))
    rows = slice(max(days - settings.style_window_days, 0), days)
    window = panel.returns[rows]
    alive: Flags = np.any(np.isfinite(window[-ALIVE_DAYS:]), axis=0)
    beta, residual_sd = _beta_and_residual_sd(window, market[rows], settings)
    size_z = _standardised(np.log(cap_usd), cap_usd, alive, settings)
    beta_z = _standardised(beta, cap_usd, alive, settings)
    momentum_z = _standardised(_momentum(window, settings), cap_usd, alive, settings)
    volatility = _orthogonal(np.log(residual_sd), np.column_stack([np.ones(len(dummies)), beta_z, size_z]), alive)
    return np.column_stack([dummies, size_z, momentum_z, beta_z, _standardised(volatility, cap_usd, alive, settings)])


def _has_styles(securities: int, settings: RiskSettings) -> bool:
    return securities >= settings.style_min_securities


def _momentum(window: Floats, settings: RiskSettings) -> Floats:
    """Sum of log returns without the latest month; NaN where too few days are known."""
    early = window[: max(len(window) - settings.momentum_skip_days, 0)]
    present = np.isfinite(early)
    total = np.log1p(np.where(present, early, 0.0)).sum(axis=0)
    momentum: Floats = np.where(present.sum(axis=0) >= settings.momentum_min_days, total, np.nan)
    return momentum


def _beta_and_residual_sd(window: Floats, market: Floats, settings: RiskSettings) -> tuple[Floats, Floats]:
    """Weighted slope on the market, shrunk to 1 by the days known, and the weighted sd of what is left; NaN below 21 days."""
    weights = half_life_weights(len(window), settings.beta_half_life_days)
    known = np.isfinite(window)
    present = known.astype(np.float64)
    filled = np.where(known, window, 0.0)
    days = present.sum(axis=0)
    enough = days >= ALIVE_DAYS
    total = np.where(enough, weights @ present, 1.0)
    mean = (weights @ filled) / total
    market_mean = ((weights * market) @ present) / total
    covariance = ((weights * market) @ filled) / total - mean * market_mean
    market_var = ((weights * market**2) @ present) / total - market_mean**2
    slope = covariance / np.maximum(market_var, 1e-12)
    residual_var = (weights @ filled**2) / total - mean**2 - slope * covariance
    beta = 1.0 + (slope - 1.0) * days / (days + settings.beta_prior_days)
    residual_sd: Floats = np.sqrt(np.where(enough & (residual_var > 1e-12), residual_var, np.nan))
    return np.where(enough, beta, np.nan), residual_sd


def _standardised(values: Floats, cap_usd: Floats, alive: Flags, settings: RiskSettings) -> Floats:
    """Cap-weighted mean 0 and equal-weighted sd 1 over the living, clipped; 0 where unknown or where all are alike."""
    counted = alive & np.isfinite(values)
    if counted.sum() < 2:
        return np.zeros(len(values))
    centre = np.average(values[counted], weights=cap_usd[counted])
    spread = values[counted].std()
    if spread < 1e-9 * max(1.0, abs(centre)):
        return np.zeros(len(values))
    scored = np.clip((values - centre) / spread, -settings.style_clip, settings.style_clip)
    return np.where(np.isfinite(scored), scored, 0.0)


def _orthogonal(values: Floats, design: Floats, alive: Flags) -> Floats:
    """What is left of `values` after an equal-weighted regression of the living on `design`."""
    counted = alive & np.isfinite(values)
    if counted.sum() <= design.shape[1]:
        return values
    slopes, *_ = np.linalg.lstsq(design[counted], values[counted], rcond=None)
    left: Floats = values - design @ slopes
    return left
