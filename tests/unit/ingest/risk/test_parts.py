"""The parts of the risk model against values that can be worked out by hand."""

from datetime import date

import numpy as np
import pytest

from services.ingest.core.risk.exposures import exposures_after, factor_names, sector_dummies
from services.ingest.core.risk.factor_returns import daily_factors, months
from services.ingest.core.risk.model import factor_covariance
from services.ingest.core.risk.panel import RiskPanel, cap_weighted_returns, clean_returns, half_life_weights, weighted_mean_square
from services.ingest.core.risk.residual_factors import residual_factors
from services.ingest.core.risk.settings import RiskSettings
from services.ingest.core.risk.specific import UNKNOWN_UNIVERSE_SD, specific_variance
from tests.unit.ingest.risk.known_market import LAST_DAY, known_market

SETTINGS = RiskSettings()
NAN = float("nan")


@pytest.mark.parametrize(
    ("returns", "kept"),
    [
        pytest.param([0.01, 0, 0, 0, 0, 0.01], [1, 1, 1, 1, 1, 1], id="four zeros in a row are a quiet week"),
        pytest.param([0.01, 0, 0, 0, 0, 0, 0.01], [1, 0, 0, 0, 0, 0, 1], id="five are a price that nobody updated"),
        pytest.param([0, 0, 0, NAN, 0, 0, 0], [1, 1, 1, 0, 1, 1, 1], id="a missing day ends a run"),
        pytest.param([0.01, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0], id="a run that still goes on"),
    ],
)
def test_stale_runs_are_missing(returns: list[float], kept: list[int]) -> None:
    cleaned = clean_returns(np.array(returns)[:, None], SETTINGS)
    assert np.isfinite(cleaned[:, 0]).astype(int).tolist() == kept


def test_returns_are_clipped_around_the_median_of_the_day() -> None:
    assert clean_returns(np.array([[-0.10, -0.10, 0.90, -0.60]]), SETTINGS).tolist() == [[-0.10, -0.10, 0.15, -0.35]]


def test_half_life() -> None:
    assert half_life_weights(5, 2.0).tolist() == [0.25, 2**-1.5, 0.5, 2**-0.5, 1.0]


def test_weighted_mean_square_counts_only_the_days_known() -> None:
    values = np.array([[1.0, NAN, NAN], [3.0, 2.0, NAN]])
    np.testing.assert_array_equal(weighted_mean_square(values, np.array([1.0, 3.0])), [(1 + 3 * 9) / 4, 4.0, NAN])


def test_market_return_is_weighted_by_the_previous_close() -> None:
    panel = RiskPanel(
        dates=np.array(["2024-01-02", "2024-01-03"], dtype="datetime64[D]"),
        security_id=("A", "B", "C"),
        sector=("S", "S", "S"),
        returns=np.array([[NAN, NAN, NAN], [0.10, 0.02, NAN]]),
        cap_usd=np.array([[1.0, 3.0, 9.0], [50.0, 1.0, 1.0]]),
    )
    np.testing.assert_allclose(cap_weighted_returns(panel), [0.0, (0.10 + 3 * 0.02) / 4])


def test_styles_have_cap_weighted_mean_0_and_sector_dummies_sum_to_1() -> None:
    panel = known_market().panel
    dummies = sector_dummies(panel.sector)
    exposures = exposures_after(panel, cap_weighted_returns(panel), len(panel.dates), dummies, SETTINGS)
    names = factor_names(panel.sector, SETTINGS)
    assert names[-4:] == ["style:size", "style:momentum", "style:beta", "style:volatility"]
    assert (exposures[:, :-4].sum(axis=1) == 1.0).all()
    assert np.abs(exposures[:, -4:]).max() <= SETTINGS.style_clip
    size = exposures[:, names.index("style:size")]
    inside = np.abs(size) < SETTINGS.style_clip
    assert np.corrcoef(size[inside], np.log(panel.cap_usd[-1])[inside])[0, 1] == pytest.approx(1.0)
    assert np.average(exposures[:, -4:], axis=0, weights=panel.cap_usd[-1]) == pytest.approx(0.0, abs=0.1)


def test_factor_returns_are_found_again() -> None:
    """Returns made from known factor returns alone are explained whole."""
    panel = known_market().panel
    exposures = exposures_after(panel, cap_weighted_returns(panel), len(panel.dates), sector_dummies(panel.sector), SETTINGS)
    factor = np.random.default_rng(3).normal(0.0, 0.01, (5, exposures.shape[1]))
    found = daily_factors(factor @ exposures.T, exposures, panel.cap_usd[-1], SETTINGS)
    np.testing.assert_allclose(found.factor, factor, atol=1e-9)
    np.testing.assert_allclose(found.specific, 0.0, atol=1e-9)


def test_a_sector_without_returns_has_a_factor_return_of_0() -> None:
    exposures = sector_dummies(("A", "A", "B"))
    found = daily_factors(np.array([[0.01, 0.03, NAN]]), exposures, np.ones(3), SETTINGS)
    np.testing.assert_allclose(found.factor, [[0.02, 0.0]], atol=1e-9)
    np.testing.assert_allclose(found.specific, [[-0.01, 0.01, NAN]], atol=1e-9)


def test_months_are_calendar_months() -> None:
    dates = np.array(["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02", "2024-03-01"], dtype="datetime64[D]")
    assert list(months(dates, 1)) == [(1, 2), (2, 4), (4, 5)]
    assert list(months(dates, 5)) == []


def test_factor_covariance_has_fast_volatilities_and_slow_correlations() -> None:
    """Two factors, perfectly correlated throughout, whose volatility doubled 100 days ago."""
    rng = np.random.default_rng(1)
    one = rng.choice([-0.01, 0.01], 756)
    one[-100:] *= 2.0
    covariance = factor_covariance(np.column_stack([one, one]), SETTINGS)
    recent = 1.0 - 2.0 ** (-100 / 21)
    assert covariance[0, 0] == pytest.approx(0.0004 * recent + 0.0001 * (1.0 - recent), rel=1e-9)
    assert covariance[0, 1] == pytest.approx(covariance[0, 0], rel=1e-6)


def test_with_few_days_correlations_are_drawn_to_0() -> None:
    one = np.random.default_rng(1).normal(0.0, 0.01, 4)
    covariance = factor_covariance(np.column_stack([one, one]), SETTINGS)
    assert covariance[0, 1] == pytest.approx(0.5 * covariance[0, 0])
    assert (np.linalg.eigvalsh(covariance) > 0).all()


def test_shrunk_loadings_reproduce_a_common_factor() -> None:
    """One strong factor in the residuals: its loadings come back, up to sign, and what is left has it no more."""
    rng = np.random.default_rng(2)
    true = rng.normal(0.0, 0.01, 200)
    specific = rng.standard_normal((504, 1)) * true + rng.normal(0.0, 0.01, (504, 200))
    found = residual_factors(specific, ("S",) * 200, SETTINGS)
    assert found.loadings.shape == (200, 5)
    assert abs(np.corrcoef(found.loadings[:, 0], true)[0, 1]) > 0.97
    assert (found.loadings[:, 0] ** 2).sum() == pytest.approx((true**2).sum(), rel=0.25)
    assert found.left.var() == pytest.approx(0.01**2, rel=0.1)


def test_a_name_without_a_full_window_gets_loadings_toward_its_sector() -> None:
    """Sector A loads on the common factor, sector B does not; a new name of A with no evidence of its own has A's mean."""
    rng = np.random.default_rng(4)
    sectors = ("A",) * 60 + ("B",) * 60
    common = rng.standard_normal((504, 1)) * np.where(np.arange(120) < 60, 0.01, 0.0)
    specific = common + rng.normal(0.0, 0.01, (504, 120))
    specific[:-2, 0] = np.nan
    specific[:-2, 60] = np.nan
    found = residual_factors(specific, sectors, SETTINGS)
    standard = found.loadings[:, 0] / np.sqrt(weighted_mean_square(specific, half_life_weights(504, 252)))
    assert standard[0] == pytest.approx(standard[1:60].mean(), rel=0.15)
    assert abs(standard[60]) < 0.15 * abs(standard[0])


@pytest.mark.parametrize(("days", "multiplier"), [(0, 2.0), (30, 1.6), (60, 1.2), (93, 1.1), (126, 1.0), (300, 1.0)])
def test_new_listings_have_a_raised_prior(days: int, multiplier: float) -> None:
    """A name whose own variance is the universe's: what it has above that is the prior's multiplier, weighted 40 / (n + 40)."""
    left = np.full((504, 21), 0.02)
    left[: 504 - days, 0] = np.nan
    variance = specific_variance(left, SETTINGS)
    share = days / (days + 40)
    assert variance[0] == pytest.approx(0.02**2 * (share + (1 - share) * multiplier**2))
    assert variance[1] == pytest.approx(0.02**2)


def test_a_universe_without_returns_has_a_plain_prior() -> None:
    assert specific_variance(np.full((0, 2), NAN), SETTINGS) == pytest.approx(4 * UNKNOWN_UNIVERSE_SD**2)


def test_until_keeps_the_day_itself() -> None:
    panel = known_market().panel
    assert panel.until(LAST_DAY).dates[-1] == np.datetime64(LAST_DAY)
    assert len(panel.until(date(1990, 1, 1)).dates) == 0
