"""The invariants at the top of services/ingest/core/risk/model.py, and forecasts against a covariance that is known."""

from dataclasses import replace
from datetime import date, timedelta

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.schemas.market import RiskModel
from services.ingest.core.risk import RiskPanel, RiskSettings, fit_risk_model
from tests.unit.ingest.risk.known_market import LAST_DAY, Floats, columns, known_market, sigma_of

SETTINGS = RiskSettings()
EARLIER = LAST_DAY - timedelta(days=150)


def assert_sound(model: RiskModel, securities: int) -> None:
    exposures = np.array(model.exposures).reshape(securities, len(model.factors))
    assert np.isfinite(exposures).all()
    assert len(model.specific_var_ann) == len(model.security_id) == securities
    assert all(0 < value < 100 for value in model.specific_var_ann)


def random_active_weights(cap_usd: Floats, names: int, rng: np.random.Generator) -> Floats:
    """`names` random securities weighted by capitalisation, against all of them."""
    index = cap_usd / cap_usd.sum()
    kept = rng.choice(len(index), names, replace=False)
    weights = np.zeros(len(index))
    weights[kept] = index[kept] / index[kept].sum()
    return weights - index


def test_reference_a_forecast_tracking_error_is_the_true_one() -> None:
    """Short half-lives leave one date's forecast a few hundredths off, so the mean over markets is held to 1 +- .05."""
    ratios = []
    for seed in range(1, 5):
        market = known_market(securities=500, seed=seed)
        sigma = sigma_of(fit_risk_model(market.panel, LAST_DAY, SETTINGS))
        rng = np.random.default_rng(seed)
        actives = [random_active_weights(market.panel.cap_usd[-1], 100, rng) for _ in range(40)]
        ratios.append(np.mean([np.sqrt((a @ sigma @ a) / (a @ market.sigma_ann @ a)) for a in actives]))
    assert 0.95 <= np.mean(ratios) <= 1.05
    assert all(0.90 <= ratio <= 1.10 for ratio in ratios)


def test_the_recommended_model_has_twenty_columns() -> None:
    model = fit_risk_model(known_market().panel, LAST_DAY, SETTINGS)
    assert [name.split(":")[0] for name in model.factors] == ["sector"] * 11 + ["style"] * 4 + ["residual"] * 5
    assert_sound(model, 300)


def test_residual_factors_find_what_sectors_and_styles_leave() -> None:
    """Pairs that share an unnamed factor are more correlated under the model with residual factors, as they are in truth."""
    market = known_market()
    true = market.sigma_ann
    with_residual = sigma_of(fit_risk_model(market.panel, LAST_DAY, SETTINGS))
    without = sigma_of(fit_risk_model(market.panel, LAST_DAY, replace(SETTINGS, residual_factors=0)))
    off_diagonal = ~np.eye(len(true), dtype=bool)
    assert np.corrcoef(with_residual[off_diagonal], true[off_diagonal])[0, 1] > np.corrcoef(without[off_diagonal], true[off_diagonal])[0, 1]


@pytest.mark.parametrize("field", ["returns", "cap_usd"])
def test_invariant_2_no_look_ahead_bit_for_bit(field: str) -> None:
    panel = known_market().panel
    later = panel.dates > np.datetime64(EARLIER)
    changed = getattr(panel, field).copy()
    changed[later] = changed[later] * -3.0 + 0.1 if field == "returns" else changed[later] * 7.0
    other = replace(panel, **{field: changed})
    assert msgspec.json.encode(fit_risk_model(panel, EARLIER, SETTINGS)) == msgspec.json.encode(fit_risk_model(other, EARLIER, SETTINGS))


def test_invariant_2_the_fit_day_itself_is_read() -> None:
    """The look-ahead test can fail: changing the last day that may be read changes the model."""
    panel = known_market().panel
    changed = panel.returns.copy()
    changed[np.searchsorted(panel.dates, np.datetime64(EARLIER), side="right") - 1] += 0.05
    other = replace(panel, returns=changed)
    assert fit_risk_model(panel, EARLIER, SETTINGS) != fit_risk_model(other, EARLIER, SETTINGS)


def test_invariant_3_order_of_securities_does_not_matter() -> None:
    panel = known_market().panel
    order = np.random.default_rng(5).permutation(len(panel.security_id))
    sigma = sigma_of(fit_risk_model(panel, LAST_DAY, SETTINGS))
    permuted = sigma_of(fit_risk_model(columns(panel, order), LAST_DAY, SETTINGS))
    np.testing.assert_allclose(permuted, sigma[np.ix_(order, order)], rtol=1e-6, atol=1e-8)


def test_invariant_4_a_second_fit_is_byte_identical_and_leaves_its_input_alone() -> None:
    panel = known_market().panel
    before = panel.returns.copy()
    first, second = (msgspec.json.encode(fit_risk_model(panel, LAST_DAY, SETTINGS)) for _ in range(2))
    assert first == second
    np.testing.assert_array_equal(panel.returns, before)


@given(
    securities=st.integers(1, 60),
    days=st.integers(0, 320),
    sectors=st.integers(1, 4),
    missing=st.sampled_from([0.0, 0.05, 0.6, 0.98, 1.0]),
    flat=st.booleans(),
    seed=st.integers(0, 999),
)
@settings(max_examples=60)
def test_invariants_1_and_2_whatever_is_missing(securities: int, days: int, sectors: int, missing: float, flat: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    returns = rng.normal(0.0, 0.02, (days, securities))
    returns[:, rng.random(securities) < 0.2] = np.nan
    returns[rng.random((days, securities)) < missing] = np.nan
    if flat:
        returns[:, 0] = 0.0
    panel = RiskPanel(
        dates=np.busday_offset(np.datetime64("2022-01-03"), np.arange(days)).astype("datetime64[D]"),
        security_id=tuple(f"N{i}" for i in range(securities)),
        sector=tuple(f"S{i % sectors}" for i in range(securities)),
        returns=returns,
        cap_usd=np.exp(rng.normal(23.0, 1.0, (days, securities))),
    )
    as_of = date(2022, 9, 1)
    model = fit_risk_model(panel, as_of, SETTINGS)
    assert_sound(model, securities)
    assert model == fit_risk_model(panel.until(as_of), as_of, SETTINGS)


def test_a_crash_of_one_day_does_not_blow_up_the_model() -> None:
    """A return of one name far outside is clipped to 25 hundredths around the day's median."""
    panel = known_market().panel
    wild, clipped = panel.returns.copy(), panel.returns.copy()
    wild[-5, 7] = 40.0
    clipped[-5, 7] = np.median(panel.returns[-5]) + 0.25
    models = [fit_risk_model(replace(panel, returns=returns), LAST_DAY, SETTINGS) for returns in (wild, clipped)]
    np.testing.assert_allclose(models[0].specific_var_ann, models[1].specific_var_ann, rtol=0.02)
