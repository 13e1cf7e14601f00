"""The numbers of the risk model, with where they come from.

Reference: risk-model-and-evidence, section 1 (recommended: cross-sectional factors plus five residual factors).
"""

from dataclasses import dataclass

TRADING_DAYS = 252


@dataclass(frozen=True, slots=True)
class RiskSettings:
    """Half-lives, windows and counts in trading days; the defaults are the recommended model."""

    style_window_days: int = 252
    momentum_skip_days: int = 21
    momentum_min_days: int = 60
    beta_half_life_days: float = 63
    beta_prior_days: float = 63
    style_clip: float = 3.0
    style_min_securities: int = 40
    return_clip_frac: float = 0.25
    stale_zero_days: int = 5
    weight_cap_quantile: float = 0.95
    factor_window_days: int = 756
    factor_vol_half_life_days: float = 21
    factor_corr_half_life_days: float = 252
    residual_factors: int = 5
    residual_window_days: int = 504
    residual_half_life_days: float = 252
    residual_ridge_days: float = 60
    specific_half_life_days: float = 42
    specific_prior_days: float = 40
