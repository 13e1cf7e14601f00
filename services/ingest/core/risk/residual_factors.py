"""Statistical factors of what the named factors leave: weighted principal components of standardised specific returns.

symbol  meaning                                                                  shape
g       securities over effective days, the width of the noise in the spectrum   number
l, l*   eigenvalue over the bulk's mean; its value without the noise             (residual factors,)
Reference: risk-model-and-evidence, section 1, step 4: the spiked covariance model, l = l* + g l* / (l* - 1), solved for l*.
"""

from dataclasses import dataclass

import numpy as np

from services.ingest.core.risk.panel import Flags, Floats, half_life_weights, weighted_mean_square
from services.ingest.core.risk.settings import RiskSettings

MIN_DAYS_A_FACTOR = 20
MIN_SECURITIES_A_FACTOR = 10


@dataclass(frozen=True, slots=True, eq=False)
class ResidualFactors:
    """loadings: (securities, factors) for factors of unit variance a day; left: (days, securities) specific returns without the factors."""

    loadings: Floats
    left: Floats


def residual_factors(specific: Floats, sectors: tuple[str, ...], settings: RiskSettings) -> ResidualFactors:
    """Split specific returns (days, securities) of the residual window into a few common factors and the rest.

    Components come from securities with a return on every day; others get loadings by ridge regression toward their sector's mean.
    Fewer factors, or none, are kept when the window is short or the universe small.
    """
    days = len(specific)
    weights = half_life_weights(days, settings.residual_half_life_days)
    weights = weights / weights.sum() if days else weights
    sd = np.sqrt(weighted_mean_square(specific, weights))
    usable = np.isfinite(sd) & (sd > 1e-9)
    full = usable & np.isfinite(specific).all(axis=0)
    count = min(settings.residual_factors, days // MIN_DAYS_A_FACTOR, int(full.sum()) // MIN_SECURITIES_A_FACTOR)
    if count == 0:
        return ResidualFactors(np.zeros((specific.shape[1], 0)), specific)
    standard = specific / np.where(usable, sd, np.nan)
    vectors, values = _leading_components(standard[:, full], weights, count)
    shrink = np.sqrt(_noise_free_ratio(values, int(full.sum()), weights))
    scores = standard[:, full] @ vectors / np.sqrt(values)
    raw = np.zeros((specific.shape[1], count))
    raw[full] = vectors * np.sqrt(values)
    partial = usable & ~full
    if partial.any():
        raw[partial] = _ridge_loadings(standard[:, partial], scores, weights, _sector_means(raw, full, sectors)[partial], settings)
    loadings = np.where(usable[:, None], raw * shrink * np.where(usable, sd, 0.0)[:, None], 0.0)
    recent = np.sqrt(weighted_mean_square(scores, half_life_weights(days, settings.specific_half_life_days)))
    return ResidualFactors(loadings * recent, specific - scores @ loadings.T)


def _leading_components(standard: Floats, weights: Floats, count: int) -> tuple[Floats, Floats]:
    """(securities, count) unit vectors and (count,) eigenvalues, largest first, of the weighted correlation matrix.

    The smaller of the two Gram matrices is decomposed.  A vector's sign is set by its entry of largest size.
    """
    scaled = standard * np.sqrt(weights)[:, None]
    if scaled.shape[0] < scaled.shape[1]:
        values, left = np.linalg.eigh(scaled @ scaled.T)
        values, left = values[::-1][:count], left[:, ::-1][:, :count]
        vectors = scaled.T @ left / np.sqrt(values)
    else:
        values, vectors = np.linalg.eigh(scaled.T @ scaled)
        values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(count)]
    return vectors * np.where(largest < 0, -1.0, 1.0), values


def _noise_free_ratio(values: Floats, securities: int, weights: Floats) -> Floats:
    """(factors,) the part of each eigenvalue that is not noise: l*/l, or half below the edge of the noise."""
    bulk = (securities - values.sum()) / max(securities - len(values), 1)
    g = securities * float((weights**2).sum())
    ratio = values / max(bulk, 1e-9)
    inside = (ratio + 1.0 - g) ** 2 - 4.0 * ratio
    clean = (ratio + 1.0 - g + np.sqrt(np.maximum(inside, 0.0))) / 2.0
    return np.where(ratio > (1.0 + np.sqrt(g)) ** 2, clean / ratio, 0.5)


def _sector_means(loadings: Floats, full: Flags, sectors: tuple[str, ...]) -> Floats:
    """(securities, factors) mean loading of the full securities of each security's sector; 0 for a sector without any."""
    names, index = np.unique(np.array(sectors), return_inverse=True)
    member = (index[:, None] == np.arange(len(names))) & full[:, None]
    counts = np.maximum(member.sum(axis=0), 1)
    means: Floats = (member.T @ loadings) / counts[:, None]
    return means[index]


def _ridge_loadings(standard: Floats, scores: Floats, weights: Floats, prior: Floats, settings: RiskSettings) -> Floats:
    """Regress each column on the scores over its own days, drawn to `prior` as by `residual_ridge_days` days of evidence."""
    count = scores.shape[1]
    present = np.isfinite(standard)
    day_weights = weights / weights.max()
    products = (scores[:, :, None] * scores[:, None, :]).reshape(len(scores), count * count)
    normal = ((present * day_weights[:, None]).T @ products).reshape(-1, count, count)
    target = (np.where(present, standard, 0.0) * day_weights[:, None]).T @ scores
    ridge = settings.residual_ridge_days
    solved: Floats = np.linalg.solve(normal + ridge * np.eye(count), (target + ridge * prior)[:, :, None])[:, :, 0]
    return solved
