"""The invariants at the top of services/ingest/core/market.py, and examples of each decision."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.schemas.market import MarketPublished
from services.ingest.core.market import MarketSettings, build_market, half_spread_bps, price_from_float_half_even, target_model
from services.ingest.core.market_inputs import Action, MarketInputs, ModelWeights, PriceBasis, Security, WideTable
from services.ingest.core.market_moves import MoveBounds, is_suspicious
from services.ingest.core.market_returns import capitalisation_by_day, row_actions, total_returns

SETTINGS = MarketSettings()
MONDAY = date(2024, 6, 24)
NAN = float("nan")


def security(security_id: str, *, adv_usd: float = 1e8, market_cap_usd: float | None = None, half_spread: float | None = None) -> Security:
    return Security(
        security_id, f"{security_id} Inc", security_id, security_id, "Energy", "Oil", ("b", "a", "b"), adv_usd, half_spread, market_cap_usd
    )


def inputs(
    closes: dict[str, list[float]],
    actions: tuple[Action, ...] = (),
    price_basis: PriceBasis = "unadjusted",
    days: list[date] | None = None,
) -> MarketInputs:
    """A market of the given closes, the last on MONDAY unless `days` says otherwise."""
    length = len(next(iter(closes.values())))
    dates = np.busday_offset(np.datetime64(MONDAY), np.arange(1 - length, 1)) if days is None else np.array(days)
    ids = sorted(closes)
    return MarketInputs(
        simulated=True,
        price_basis=price_basis,
        securities=tuple(security(security_id) for security_id in ids),
        closes=WideTable(
            dates.astype("datetime64[D]"), np.column_stack([np.array(closes[security_id], dtype=np.float64) for security_id in ids])
        ),
        models=(ModelWeights("index", tuple(ids), tuple(Decimal(1) / len(ids) for _ in ids)),),
        actions=actions,
    )


def blocked(market: MarketPublished, security_id: str = "A") -> str | None:
    return market.securities.blocked[market.securities.security_id.index(security_id)]


def split(value: str, ex_date: date = MONDAY, security_id: str = "A") -> Action:
    return Action(security_id, ex_date, "split", Decimal(value))


@pytest.mark.parametrize(
    ("closes", "actions", "expected"),
    [
        pytest.param([100, 101], (), None, id="an ordinary day"),
        pytest.param([100, 33.4], (), "price_jump", id="a three-for-one split nobody told us of"),
        pytest.param([100, 33.4], (split("3"),), None, id="the same with its action"),
        pytest.param([100, 50.8], (), "price_jump", id="a two-for-one split on a good day is within minus half, and found"),
        pytest.param([100, 50.8], (split("2"),), None, id="the same with its action"),
        pytest.param([100, 66.0], (), "price_jump", id="a three-for-two split"),
        pytest.param([100, 66.0], (split("1.5"),), None, id="the same with its action"),
        pytest.param([10, 101], (), "price_jump", id="a reverse split"),
        pytest.param([10, 101], (split("0.1"),), None, id="the same with its action"),
        pytest.param([100, 101], (split("2"),), "price_jump", id="an action without a move"),
        pytest.param([100, 50], (split("2", MONDAY - timedelta(days=7)),), "price_jump", id="an action of another day"),
        pytest.param([100, 50.5], (split("2", MONDAY - timedelta(days=1)),), None, id="an ex-date on a weekend shows on Monday"),
        pytest.param([100, 33], (split("3", security_id="B"),), "price_jump", id="an action of another name"),
        pytest.param([100, 45], (Action("A", MONDAY, "dividend", Decimal(55)),), None, id="a special dividend explains its fall"),
        pytest.param([100, 78], (), None, id="a bad day is no split"),
        pytest.param([100, 149], (), None, id="just inside"),
        pytest.param([100, 151], (), "price_jump", id="just outside"),
        pytest.param([100, NAN, 33], (), "price_jump", id="across a missing close"),
        pytest.param([100, NAN, 33], (split("3", MONDAY - timedelta(days=3)),), None, id="across a missing close, with its action"),
        pytest.param([100, 33, 33, 33, 33, 33, 33], (), "price_jump", id="six days later it is still blocked"),
        pytest.param([100, *[33] * 10], (), None, id="two weeks later the custodians have booked it"),
        pytest.param([NAN, 33], (), None, id="a first close is no move"),
    ],
)
def test_invariant_3_unexplained_moves_are_blocked(closes: list[float], actions: tuple[Action, ...], expected: str | None) -> None:
    market = build_market(inputs({"A": closes, "B": [50.0] * len(closes)}, actions), MONDAY, SETTINGS)
    assert blocked(market) == expected
    assert blocked(market, "B") == ("price_jump" if any(a.security_id == "B" for a in actions) else None)


@pytest.mark.parametrize("price_basis", ["unadjusted", "split_adjusted"])
def test_prices_adjusted_already_get_no_split_again(price_basis: PriceBasis) -> None:
    smooth = build_market(inputs({"A": [100, 101]}, (split("2"),), price_basis), MONDAY, SETTINGS)
    assert blocked(smooth) == ("price_jump" if price_basis == "unadjusted" else None)
    assert [a.ratio for a in smooth.corporate_actions] == ([Decimal(2)] if price_basis == "unadjusted" else [])


@given(st.floats(0.01, 100.0), st.sampled_from(["2", "3", "1.5", "4", "0.1"]), st.floats(0.87, 1.14))
def test_invariant_3_a_split_with_its_action_is_never_blocked(price: float, ratio: str, move: float) -> None:
    closes = {"A": [price, price * move / float(ratio)], "B": [1.0, 1.0]}
    assert blocked(build_market(inputs(closes, (split(ratio),)), MONDAY, SETTINGS)) is None


@given(st.floats(0.95, 1.05), st.sampled_from([1.5, 2.0, 3.0, 5.0, 10.0, 0.5, 0.25, 0.1]))
def test_invariant_3_a_split_without_its_action_is_always_blocked(move: float, ratio: float) -> None:
    assert is_suspicious(move / ratio, MoveBounds())


@pytest.mark.parametrize(
    ("days", "as_of", "expected"),
    [
        pytest.param(0, MONDAY, None, id="today"),
        pytest.param(5, MONDAY, None, id="five days old"),
        pytest.param(6, MONDAY, "no_price", id="six days old"),
        pytest.param(-1, MONDAY, "no_price", id="nothing at or before the date"),
    ],
)
def test_invariant_4_names_without_a_recent_price_are_blocked(days: int, as_of: date, expected: str | None) -> None:
    market = build_market(inputs({"A": [100.0]}, days=[as_of - timedelta(days=days)]), as_of, SETTINGS)
    assert blocked(market) == expected
    assert market.securities.price == ([None] if days < 0 else ["100"])


def test_a_price_from_before_an_effective_split_is_no_price() -> None:
    market = build_market(inputs({"A": [100.0, 101.0]}, (split("2", MONDAY + timedelta(days=1)),)), MONDAY + timedelta(days=1), SETTINGS)
    assert blocked(market) == "no_price"


def test_the_last_close_at_or_before_the_date_is_the_price() -> None:
    market = build_market(inputs({"A": [1.0, 2.0, NAN], "B": [1.0, 2.0, 37.40999984741211]}), MONDAY, SETTINGS)
    assert market.securities.price == ["2", "37.41"]


def test_only_recent_splits_are_published() -> None:
    actions = tuple(split("2", MONDAY - timedelta(days=ago)) for ago in (-1, 0, 9, 10))
    market = build_market(inputs({"A": [100.0] * 30}, actions), MONDAY, SETTINGS)
    assert [(a.security_id, a.ex_date) for a in market.corporate_actions] == [("A", MONDAY - timedelta(days=9)), ("A", MONDAY)]


def long_market() -> MarketInputs:
    rng = np.random.default_rng(11)
    paths = 100.0 * np.cumprod(1.0 + rng.normal(0.0, 0.02, (400, 50)), axis=0)
    made = inputs({f"N{i:02d}": paths[:, i].tolist() for i in range(50)}, (split("2", MONDAY - timedelta(days=3), "N07"),))
    return replace(made, capitalisation=WideTable(made.closes.dates[::20], paths[::20] * 1e8))


def test_invariant_1_no_look_ahead_bit_for_bit() -> None:
    made = long_market()
    as_of = MONDAY - timedelta(days=40)
    later = made.closes.dates > np.datetime64(as_of)
    cap = made.capitalisation
    assert cap is not None
    changed = replace(
        made,
        closes=WideTable(made.closes.dates, np.where(later[:, None], 1.0, made.closes.values)),
        capitalisation=WideTable(cap.dates, np.where((cap.dates > np.datetime64(as_of))[:, None], 5.0, cap.values)),
        actions=(split("7", as_of + timedelta(days=1), "N03"), split("3", MONDAY, "N04")),
    )
    assert (made.closes.values != changed.closes.values).any()
    first, second = (msgspec.json.encode(build_market(each, as_of, SETTINGS)) for each in (made, changed))
    assert first == second


def test_invariant_5_the_id_is_of_the_content() -> None:
    made = long_market()
    market = build_market(made, MONDAY, SETTINGS)
    assert market.market_id == build_market(made, MONDAY, SETTINGS).market_id
    assert market.market_id != build_market(replace(made, simulated=False), MONDAY, SETTINGS).market_id
    assert market.market_id != build_market(made, MONDAY - timedelta(days=1), SETTINGS).market_id


@given(st.lists(st.decimals("0", "1", places=9), min_size=1, max_size=40).filter(lambda weights: sum(weights) > 0))
def test_invariant_2_weights_sum_to_exactly_1(weights: list[Decimal]) -> None:
    ids = tuple(f"N{i:02d}" for i in range(len(weights)))
    total = sum(weights, Decimal(0))
    model = target_model(ModelWeights("s", ids[::-1], tuple(weight / total for weight in weights)))
    found = [Decimal(text) for text in model.weight_frac]
    assert sum(found, Decimal(0)) == 1
    assert all(weight > 0 and weight % Decimal("1e-8") == 0 for weight in found)
    assert model.security_id == sorted(model.security_id)


def test_securities_are_in_order_and_categories_sorted_once() -> None:
    securities = build_market(inputs({"B": [1.0], "A": [2.0]}), MONDAY, SETTINGS).securities
    assert securities.security_id == ["A", "B"]
    assert securities.categories == [["a", "b"], ["a", "b"]]


@pytest.mark.parametrize(
    ("price", "adv_usd", "sd_day", "expected"),
    [
        pytest.param(100.0, 1e8, 0.015, 2.0, id="the form's centre"),
        pytest.param(100.0, 1e9, 0.015, round(2 * 10**-0.4, 4), id="more volume is tighter"),
        pytest.param(100.0, 1e8, 0.06, 4.0, id="four times the sd is twice as wide"),
        pytest.param(5.0, 1e9, 0.015, 10.0, id="half a cent of five dollars"),
        pytest.param(500.0, 1e12, 0.015, 0.3, id="never below 0.3"),
        pytest.param(0.2, 1e8, 0.015, 100.0, id="never above 100"),
        pytest.param(None, 1e8, 0.015, 100.0, id="no price"),
    ],
)
def test_half_spread_form_of_the_reference(price: float | None, adv_usd: float, sd_day: float, expected: float) -> None:
    assert half_spread_bps(price, adv_usd, sd_day) == expected


def test_a_half_spread_that_is_given_is_taken() -> None:
    made = replace(inputs({"A": [100.0]}), securities=(security("A", half_spread=7.5),))
    assert build_market(made, MONDAY, SETTINGS).securities.half_spread_bps == [7.5]


@pytest.mark.parametrize(("close", "price"), [(0.1, "0.1"), (2.0000005, "2"), (2.0000015, "2.000002"), (123456.789, "123456.789")])
def test_price_crossing_rounds_half_even_at_six_places(close: float, price: str) -> None:
    assert price_from_float_half_even(close) == Decimal(price)


def test_total_returns_hold_splits_and_dividends() -> None:
    actions = (split("4", MONDAY), Action("A", MONDAY - timedelta(days=3), "dividend", Decimal(2)))
    made = inputs({"A": [100.0, 99.0, 26.0], "B": [10.0, NAN, 11.0]}, actions)
    found = total_returns(made.closes.values, row_actions(made))
    np.testing.assert_allclose(found, [[NAN, NAN], [0.01, NAN], [26 * 4 / 99 - 1, NAN]])


@pytest.mark.parametrize(
    ("given", "latest", "expected"),
    [
        pytest.param([[NAN, 7.0], [5.0, NAN]], (None, None), [[7.0, 7.0], [5.0, 7.0]], id="given, carried forward; a gap from volume"),
        pytest.param(None, (3e9, 1e9), [[2e9, 1e9], [3e9, 1e9]], id="the latest, moved back with the price and its split"),
        pytest.param(None, (3e9, None), [[2e9, 2e9], [3e9, 3e9]], id="unknown: volume times the median ratio"),
        pytest.param(None, (None, None), [[1e8, 1e8], [1e8, 1e8]], id="nothing known: volume"),
    ],
)
def test_capitalisation_and_its_fallbacks(
    given: list[list[float]] | None, latest: tuple[float | None, float | None], expected: list[list[float]]
) -> None:
    made = inputs({"A": [100.0, 75.0], "B": [50.0, 50.0]}, (split("2"),))
    made = replace(
        made,
        securities=tuple(security(name, market_cap_usd=cap) for name, cap in zip("AB", latest, strict=True)),
        capitalisation=WideTable(made.closes.dates, np.array(given)) if given else None,
    )
    np.testing.assert_allclose(capitalisation_by_day(made, row_actions(made)), expected)
