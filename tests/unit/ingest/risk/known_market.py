"""A seeded market whose covariance is known: returns drawn from X F X' + L L' + diag(D), the same every day."""

from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from libs.common.schemas.market import RiskModel
from services.ingest.core.risk import RiskPanel

Floats = NDArray[np.float64]
LAST_DAY = date(2024, 6, 28)


@dataclass(frozen=True, eq=False)
class KnownMarket:
    """panel: what a model may see.  sigma_ann: (securities, securities) the covariance that the returns were drawn from."""

    panel: RiskPanel
    sigma_ann: Floats


@lru_cache
def known_market(securities: int = 300, days: int = 1030, sectors: int = 11, seed: int = 1) -> KnownMarket:
    """Sector returns that share a market, a size factor, three unnamed factors, and specific returns."""
    rng = np.random.default_rng(seed)
    sector = rng.integers(0, sectors, securities)
    size = rng.normal(0.0, 1.0, securities)
    named = np.column_stack([np.eye(sectors)[sector], size])
    factor_cov = np.zeros((sectors + 1, sectors + 1))
    factor_cov[:sectors, :sectors] = 0.010**2 + np.diag(np.full(sectors, 0.006**2))
    factor_cov[sectors, sectors] = 0.002**2
    unnamed = rng.normal(0.0, 0.004, (securities, 3))
    specific_sd = rng.uniform(0.010, 0.025, securities)
    exposures = np.column_stack([named @ np.linalg.cholesky(factor_cov), unnamed])
    returns = rng.standard_normal((days, exposures.shape[1])) @ exposures.T + rng.standard_normal((days, securities)) * specific_sd
    panel = RiskPanel(
        dates=np.busday_offset(np.datetime64(LAST_DAY), np.arange(1 - days, 1)).astype("datetime64[D]"),
        security_id=tuple(f"N{i:04d}" for i in range(securities)),
        sector=tuple(f"Sector {k:02d}" for k in sector),
        returns=returns,
        cap_usd=np.broadcast_to(np.exp(23.0 + size), returns.shape).copy(),
    )
    return KnownMarket(panel, 252 * (exposures @ exposures.T + np.diag(specific_sd**2)))


def sigma_of(model: RiskModel) -> Floats:
    """B B' + diag(D)."""
    exposures = np.array(model.exposures).reshape(len(model.security_id), len(model.factors))
    sigma: Floats = exposures @ exposures.T + np.diag(model.specific_var_ann)
    return sigma


def columns(panel: RiskPanel, kept: NDArray[np.int64]) -> RiskPanel:
    """The panel with its securities chosen or reordered."""
    return replace(
        panel,
        security_id=tuple(panel.security_id[i] for i in kept),
        sector=tuple(panel.sector[i] for i in kept),
        returns=panel.returns[:, kept],
        cap_usd=panel.cap_usd[:, kept],
    )
