"""The risk model of a day: Sigma = B B' + diag(D), annual.  Pure: the same panel gives the same model.

symbol  meaning                                                       shape                    unit
X       exposures: sector dummies and styles                          (securities, factors)    -
f       factor returns of each day                                    (days, factors)          fraction a day
S       diagonal of factor standard deviations, half-life 21 days     (factors,)               fraction a day
C       factor correlations, half-life 252 days                       (factors, factors)       -
F       S C S                                                         (factors, factors)       fraction squared a day
B       [X chol(F) | loadings of the residual factors]                (securities, 20)         a root year
D       specific variance, half-life 42 days                          (securities,)            a year
Reference: risk-model-and-evidence, section 1, recommended model.

Invariants:
1. D is positive and B finite for every security of the universe, whatever is missing.
2. Only rows dated at or before `as_of` are read: changing any later row leaves B and D bit-identical.
3. Sigma does not depend on the order of the securities (to rounding; residual columns may rotate).
4. The same panel gives identical values: everything is rounded before it leaves.
"""

from dataclasses import replace
from datetime import date

import numpy as np

from libs.common.schemas.market import RiskModel
from services.ingest.core.risk.exposures import exposures_after, factor_names, sector_dummies
from services.ingest.core.risk.factor_returns import factor_history
from services.ingest.core.risk.panel import Floats, RiskPanel, cap_weighted_returns, clean_returns, half_life_weights
from services.ingest.core.risk.residual_factors import residual_factors
from services.ingest.core.risk.settings import TRADING_DAYS, RiskSettings
from services.ingest.core.risk.specific import specific_variance

EXPOSURE_DECIMALS = 10
VARIANCE_DECIMALS = 12
LEAST_VARIANCE_A_DAY = 1e-12


def fit_risk_model(panel: RiskPanel, as_of: date, settings: RiskSettings) -> RiskModel:
    """Fit the model for decisions taken after the close of `as_of`; rows dated later are not read.

    Columns of the result's exposures are orthogonal factors of unit variance: the named ones in the order of the Cholesky
    factor, so that a name marks what its column adds to those before it.  A short history or a small universe gives fewer
    columns; a security without data gets its sector, average styles and the prior's variance.
    """
    panel = panel.until(as_of).last(settings.factor_window_days + settings.style_window_days)
    panel = replace(panel, returns=clean_returns(panel.returns, settings))
    market = cap_weighted_returns(panel)
    dummies = sector_dummies(panel.sector)
    names = factor_names(panel.sector, settings)
    history = factor_history(panel, market, dummies, len(names), settings)
    residual = residual_factors(history.specific[-settings.residual_window_days :], panel.sector, settings)
    X = exposures_after(panel, market, len(panel.dates), dummies, settings)
    F = factor_covariance(history.factor, settings)
    B = np.hstack([X @ np.linalg.cholesky(F), residual.loadings]) * np.sqrt(TRADING_DAYS)
    D = specific_variance(residual.left, settings) * TRADING_DAYS
    names += [f"residual:{number}" for number in range(1, residual.loadings.shape[1] + 1)]
    return RiskModel(list(panel.security_id), names, rounded(B, EXPOSURE_DECIMALS).tolist(), rounded(D, VARIANCE_DECIMALS).tolist())


def factor_covariance(f: Floats, settings: RiskSettings) -> Floats:
    """F = S C S, positive definite; f: (days, factors).  Below four days a factor, correlations are drawn to 0 in proportion."""
    days, count = f.shape
    if days == 0:
        return LEAST_VARIANCE_A_DAY * np.eye(count)
    slow = half_life_weights(days, settings.factor_corr_half_life_days)
    covariance = (f * slow[:, None]).T @ f / slow.sum()
    slow_sd = np.sqrt(np.maximum(np.diag(covariance), LEAST_VARIANCE_A_DAY))
    drawn = max(1e-8, 1.0 - days / (4.0 * count))
    C = (1.0 - drawn) * covariance / np.outer(slow_sd, slow_sd)
    np.fill_diagonal(C, 1.0)
    fast = half_life_weights(days, settings.factor_vol_half_life_days)
    S = np.sqrt(np.maximum(fast @ f**2 / fast.sum(), LEAST_VARIANCE_A_DAY))
    F: Floats = C * np.outer(S, S)
    return F


def rounded(values: Floats, decimals: int) -> Floats:
    """To so many decimals, without a negative zero: the last bits, which a sum's order can move, never reach the event."""
    result: Floats = np.round(values, decimals) + 0.0
    return result
