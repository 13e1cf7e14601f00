"""The published snapshot as the market of an analysis: its prices, models and risk, and what can't be traded."""

from datetime import date
from decimal import Decimal

from msgspec.structs import replace

from libs.common.schemas.market import MarketPublished, RiskModel, SecurityColumns, TargetModel
from services.optimizer.transition.analyse_form import cases_of
from services.optimizer.transition.catalogue import Catalogue, read_catalogue
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.form import read_form
from services.optimizer.transition.market_directory import TransitionMarket
from services.optimizer.transition.published_market import catalogue_of, published_market

IDS = ["ACORN", "BOLT", "CRANE", "DELTA"]
PUBLISHED = MarketPublished(
    "m-1",
    date(2026, 11, 20),
    True,
    SecurityColumns(
        security_id=IDS,
        issuer_id=IDS,
        identity_group=["ACORN", "BOLT", "BOLT", "DELTA"],
        sector=["S"] * 4,
        industry=["I"] * 4,
        categories=[["tobacco"], [], [], []],
        price=["10", "20.5", "30", "40"],
        half_spread_bps=[2.0] * 4,
        adv_usd=[1e6] * 4,
        blocked=[None, None, None, "price_jump"],
    ),
    [
        TargetModel("core-equity", ["ACORN", "BOLT", "DELTA"], ["0.5", "0.25", "0.25"]),
        TargetModel("house-model", ["BOLT", "CRANE"], ["0.5", "0.5"]),
        TargetModel("broken", ["BOLT"], ["0.5"]),
    ],
    RiskModel(IDS, ["Market"], [[0.2], [0.3], [0.25], [0.2]], [0.04] * 4),
    [],
)
FORM = {"short_rate": "40%", "long_rate": "20%", "cash": 1000, "exclude": "tobacco"}


def market_and_catalogue() -> tuple[TransitionMarket, Catalogue]:
    market, catalogue = published_market(PUBLISHED), read_catalogue()
    assert isinstance(market, TransitionMarket)
    assert isinstance(catalogue, Catalogue)
    return market, catalogue_of(catalogue, market)


def test_its_strategies_are_those_it_has_models_of() -> None:
    _, catalogue = market_and_catalogue()
    assert [(each.strategy_id, each.label) for each in catalogue.for_clients()] == [
        ("core-equity", "Core equity"),
        ("house-model", "house-model"),
    ]


def test_a_form_is_judged_on_it() -> None:
    market, catalogue = market_and_catalogue()
    lots = [{"ticker": each, "acquired": "2020-01-02", "shares": 10, "cost_per_share": 5} for each in IDS]
    read = read_form({**FORM, "strategy": "core-equity", "lots": lots})
    (judged,) = cases_of(read.form, market, catalogue).judged
    case = judged.case
    assert case.names.security_id == ("ACORN", "BOLT", "CRANE")
    assert case.value_usd == Decimal("1605.00")
    assert case.names.group.tolist() == [0, 1, 1]
    assert [round(float(each), 6) for each in case.names.target / case.names.target.sum()] == [0.666667, 0.333333, 0]
    assert [each.words for each in case.restrictions] == ["No tobacco"]
    assert {each.why for each in judged.not_judged} == {"Nothing may trade in DELTA (price_jump)"}
    assert case.simulated


def test_a_strategy_without_a_model_is_refused() -> None:
    market, catalogue = market_and_catalogue()
    for strategy in ("direct-index-large-cap", "broken"):
        asked = cases_of(read_form({**FORM, "strategy": strategy}).form, market, catalogue)
        assert (asked.judged, [each.field for each in asked.faults]) == ([], ["strategy"])


def test_a_market_that_is_no_table_is_a_fault() -> None:
    twice = replace(PUBLISHED, securities=replace(PUBLISHED.securities, security_id=["ACORN", "ACORN", "CRANE", "DELTA"]))
    assert isinstance(published_market(twice), FieldFault)
