"""Measure a risk model on real prices: refit at month ends, forecast the next month's tracking error of ten sets of portfolios.

The sets follow the reference (risk-model-and-evidence, section 1, Test).  Eight do not depend on the model: random 100 and 250 names,
sector tilts, 30 of 100 in one name, 20 random losers dropped, beta tilt, momentum tilt, equal weight.  Two are optimised with the
model under test: 100 random names, and 20 losers dropped.

bias   standard deviation over months and portfolios of the month's active return over its forecast; 1 is right, above 1 too low
qlike  mean of RV / s2 - ln(RV / s2) - 1, RV the sum of squared daily active returns and s2 its forecast; lower is better
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass
from datetime import date
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.risk_shared_panel import SharedPanel, at_members
from services.ingest.core.risk import RiskSettings, fit_risk_model
from services.ingest.core.risk.panel import Floats, RiskPanel
from services.ingest.core.risk.settings import TRADING_DAYS

SETS = ("random100", "random250", "sector", "one_name_30", "drop20", "beta", "momentum", "equal", "opt100", "opt_drop20")


class Covariance(Protocol):
    """A daily covariance matrix Sigma of the members' returns."""

    def times(self, weights: Floats) -> Floats:
        """Sigma times (securities,) weights."""

    def solve(self, kept: NDArray[np.int64], right: Floats) -> Floats:
        """Sigma of the `kept` securities into (kept, columns) right-hand sides."""


@dataclass(frozen=True, slots=True, eq=False)
class FactorCovariance:
    """Sigma = exposures exposures' + diag(specific_var)."""

    exposures: Floats
    specific_var: Floats

    def times(self, weights: Floats) -> Floats:
        product: Floats = self.exposures @ (self.exposures.T @ weights) + self.specific_var * weights
        return product

    def solve(self, kept: NDArray[np.int64], right: Floats) -> Floats:
        b, d = self.exposures[kept], self.specific_var[kept]
        scaled = b / d[:, None]
        inner = np.linalg.solve(np.eye(b.shape[1]) + b.T @ scaled, scaled.T @ right)
        solved: Floats = right / d[:, None] - scaled @ inner
        return solved


@dataclass(frozen=True, slots=True, eq=False)
class DenseCovariance:
    """Sigma as it is."""

    sigma: Floats

    def times(self, weights: Floats) -> Floats:
        product: Floats = self.sigma @ weights
        return product

    def solve(self, kept: NDArray[np.int64], right: Floats) -> Floats:
        return np.asarray(np.linalg.solve(self.sigma[np.ix_(kept, kept)], right), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class SetScore:
    """One set's measures (see the top of this file).

    te_ratio: realised over forecast tracking error, from the mean of RV / s2.  te_ann: realised tracking error a year, a fraction.
    """

    bias: float
    qlike: float
    te_ratio: float
    te_ann: float


Estimator = Callable[[RiskPanel, date], Covariance]


def recommended(panel: RiskPanel, as_of: date) -> Covariance:
    """The project's model."""
    model = fit_risk_model(panel, as_of, RiskSettings())
    return FactorCovariance(np.array(model.exposures) / np.sqrt(TRADING_DAYS), np.array(model.specific_var_ann) / TRADING_DAYS)


def ledoit_wolf(panel: RiskPanel, as_of: date) -> Covariance:
    """Shrinkage toward constant correlation, equal weights over 504 days (Ledoit and Wolf 2004).

    Missing returns are 0, and a shorter history is scaled up to the variance of its own days.
    """
    returns = panel.until(as_of).returns[-504:]
    known = np.maximum(np.isfinite(returns).sum(axis=0), 21)
    days, count = returns.shape
    centred = np.where(np.isfinite(returns), returns - np.nanmean(np.vstack([returns, np.zeros(count)]), axis=0), 0.0)
    centred *= np.sqrt(days / known)
    sample = centred.T @ centred / days
    var = np.maximum(np.diag(sample), 1e-8)
    sd = np.sqrt(var)
    mean_corr = float(((sample / np.outer(sd, sd)).sum() - count) / (count * (count - 1)))
    target = mean_corr * np.outer(sd, sd)
    np.fill_diagonal(target, var)
    squares = centred**2
    pi_matrix = squares.T @ squares / days - sample**2
    theta = (centred**3).T @ centred / days - var[:, None] * sample
    np.fill_diagonal(theta, 0.0)
    rho = np.diag(pi_matrix).sum() + mean_corr * ((1.0 / sd)[:, None] * sd[None, :] * theta).sum()
    gamma = ((target - sample) ** 2).sum()
    shrink = float(np.clip((pi_matrix.sum() - rho) / gamma / days, 0.0, 1.0))
    return DenseCovariance(shrink * target + (1.0 - shrink) * sample)


def backtest(
    shared: SharedPanel, estimators: dict[str, Estimator], month_ends: Iterable[tuple[int, int]], draws: int
) -> dict[str, dict[str, SetScore]]:
    """Score each estimator on each set over months, given as (row of the fit, last row of the month that follows).

    `draws`: portfolios a month in each set that is drawn at random; the draws depend on the row alone, so models share them.
    """
    tallies: dict[str, dict[str, list[tuple[float, float, float]]]] = {name: defaultdict(list) for name in estimators}
    for row, next_row in month_ends:
        panel, index_weights = at_members(shared, row)
        future = np.nan_to_num(panel.returns[row + 1 : next_row + 1])
        as_of = panel.dates[row].item()
        common = fixed_portfolios(panel, row, index_weights, draws)
        for name, estimator in estimators.items():
            covariance = estimator(panel, as_of)
            optimised = optimised_portfolios(panel, row, index_weights, covariance, draws)
            for set_name, weights in [*common, *optimised]:
                active = weights - index_weights
                daily = future @ active
                forecast = float(active @ covariance.times(active)) * len(future)
                tallies[name][set_name].append((forecast, float(daily @ daily), float(daily.sum())))
    return {name: {s: _score(sets[s]) for s in SETS} for name, sets in tallies.items()}


def _score(rows: list[tuple[float, float, float]]) -> SetScore:
    forecast, realised, total = np.array(rows).T
    ratio = realised / forecast
    return SetScore(
        bias=float((total / np.sqrt(forecast)).std()),
        qlike=float((ratio - np.log(ratio) - 1.0).mean()),
        te_ratio=float(np.sqrt(ratio.mean())),
        te_ann=float(np.sqrt(12.0 * realised.mean())),
    )


def mean_score(sets: dict[str, SetScore]) -> SetScore:
    """The plain mean over sets."""
    return SetScore(*np.mean([astuple(score) for score in sets.values()], axis=0).tolist())


def fixed_portfolios(panel: RiskPanel, row: int, index: Floats, draws: int) -> list[tuple[str, Floats]]:
    """The eight sets that need no model: (set, weights over the members)."""
    rng = np.random.default_rng(row)
    count = len(index)
    found: list[tuple[str, Floats]] = []
    for names in (100, 250):
        for _ in range(draws):
            found.append((f"random{names}", _renormalised(index, rng.choice(count, names, replace=False))))
    for sector in sorted(set(panel.sector)):
        inside = np.array([s == sector for s in panel.sector])
        tilt = np.where(inside, index / index[inside].sum(), -index / index[~inside].sum())
        found.append(("sector", index + 0.1 * tilt))
    for name in rng.choice(count, draws, replace=False):
        found.append(("one_name_30", 0.7 * index + 0.3 * np.eye(count)[name]))
    losers = losers_at(panel, row)
    for _ in range(draws):
        found.append(("drop20", _renormalised(index, np.setdiff1d(np.arange(count), rng.choice(losers, 20, replace=False)))))
    beta, momentum = _beta_and_momentum(panel, row)
    found += [(name, _tilted(index, value)) for name, value in (("beta", beta), ("momentum", momentum))]
    found.append(("equal", np.full(count, 1.0 / count)))
    return found


def optimised_portfolios(panel: RiskPanel, row: int, index: Floats, covariance: Covariance, draws: int) -> list[tuple[str, Floats]]:
    """Long-only portfolios of least forecast tracking error: of 100 random names, and without 20 random losers."""
    rng = np.random.default_rng(row)
    count, losers = len(index), losers_at(panel, row)
    found: list[tuple[str, Floats]] = []
    for _ in range(draws):
        found.append(("opt100", least_tracking_error(covariance, index, rng.choice(count, 100, replace=False))))
        kept = np.setdiff1d(np.arange(count), rng.choice(losers, 20, replace=False))
        found.append(("opt_drop20", least_tracking_error(covariance, index, kept)))
    return found


def least_tracking_error(covariance: Covariance, index: Floats, allowed: NDArray[np.int64]) -> Floats:
    """Long-only weights on `allowed`, summing to 1, of least variance against `index`; names that go negative are left out in turn."""
    wanted = covariance.times(index)
    kept = np.sort(allowed)
    while True:
        solved = covariance.solve(kept, np.column_stack([wanted[kept], np.ones(len(kept))]))
        weights = solved[:, 0] + solved[:, 1] * (1.0 - solved[:, 0].sum()) / solved[:, 1].sum()
        if (weights >= 0).all():
            whole = np.zeros(len(index))
            whole[kept] = weights
            return whole
        kept = kept[weights > 0]


def losers_at(panel: RiskPanel, row: int) -> NDArray[np.int64]:
    """The half of the members with the lower return over the last year."""
    year = np.nan_to_num(panel.returns[max(row - 251, 0) : row + 1])
    total = np.log1p(np.clip(year, -0.9, None)).sum(axis=0)
    return np.argsort(total, kind="stable")[: len(total) // 2]


def _renormalised(index: Floats, kept: NDArray[np.int64]) -> Floats:
    weights = np.zeros(len(index))
    weights[kept] = index[kept]
    scaled: Floats = weights / weights.sum()
    return scaled


def _tilted(index: Floats, value: Floats) -> Floats:
    z = np.clip((value - value.mean()) / value.std(), -3, 3)
    weights = index * np.maximum(1.0 + 0.3 * z, 0.0)
    scaled: Floats = weights / weights.sum()
    return scaled


def _beta_and_momentum(panel: RiskPanel, row: int) -> tuple[Floats, Floats]:
    year = np.clip(np.nan_to_num(panel.returns[max(row - 251, 0) : row + 1]), -0.25, 0.25)
    market = year.mean(axis=1)
    return (market - market.mean()) @ year / ((market - market.mean()) @ market), np.log1p(year[:-21]).sum(axis=0)
