"""Odd but readable forms through the whole analysis: it answers, within the budgets, with a reason for whatever it does not plan."""

import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from services.optimizer.core.transition.analysis import analyse
from services.optimizer.core.transition.result import Analysis
from services.optimizer.transition.analyse_form import analysed, cases_of
from services.optimizer.transition.catalogue import Catalogue, read_catalogue
from services.optimizer.transition.form import read_form
from services.optimizer.transition.market_directory import TransitionMarket, read_market

AMOUNTS = ["0", "0.01", "1", "100", "5000", "250000", "99999999999"]
DAYS = ["2026-11-20", "2026-11-19", "2026-10-25", "2025-11-20", "2024-02-29", "1999-12-31"]
SHARES = ["1", "0.000001", "0.5", "333.333333", "5000", "999999999999"]
COSTS = ["0", "0.01", "50", "500", "100000"]


def parts() -> tuple[TransitionMarket, Catalogue]:
    market, catalogue = read_market(), read_catalogue()
    assert isinstance(market, TransitionMarket)
    assert isinstance(catalogue, Catalogue)
    return market, catalogue


MARKET, CATALOGUE = parts()
ABROAD = [each.security_id for each in MARKET.securities if each.region not in ("US", "")]


def odd_form(seed: int) -> dict[str, Any]:
    """A form of extremes: fractions of a share and billions of them, no cost and absurd ones, budgets of a cent, wishes that clash."""
    r = random.Random(seed)
    few = r.sample([*ABROAD, "BNDAG", "MRTIN"], 3)
    lots = [
        {"ticker": r.choice(few), "acquired": r.choice(DAYS), "shares": r.choice(SHARES), "cost_per_share": r.choice(COSTS)}
        for _ in range(r.choice([1, 3, 12]))
    ]
    short = r.choice(["0", "0.408", "0.99"])
    form = {
        "strategy": "direct-index-international",
        "lots": lots,
        "cash": r.choice(AMOUNTS),
        "short_rate": short,
        "long_rate": r.choice(["0", short]),
    }
    wishes: dict[str, Any] = {
        "never_own": [few[0]],
        "never_sell": [few[0]],
        "owned_elsewhere": [{"ticker": few[1], "bought": "2026-11-10"}],
        "exclude": ["fossil_fuel", "tobacco", "interest_banking"],
        "tax_budget": r.choice(AMOUNTS),
        "short_gain_budget": r.choice(AMOUNTS),
        "short_gain": r.choice(AMOUNTS),
        "carried_long_loss": r.choice(AMOUNTS),
        "wind_down": [
            {"ticker": few[0], "to": r.choice(["0", "5%", "100%"]), "years": r.choice([1, 3]), "yearly": r.choice([None, "0", "1%"])}
        ],
        "charity": r.choice(AMOUNTS),
        "te_target": r.choice(["0", "0.0001", "1%", "100%"]),
        "timelines": r.choice([[1], [2, 3]]),
        "growth": r.choice(["0", "100%"]),
        "horizon_years": r.choice([1, 40]),
        "risk_aversion": r.choice(["0.01", "10000"]),
        "risk_score": r.choice([1, 50]),
    }
    return {**form, **{name: value for name, value in wishes.items() if r.random() < 0.3}}


def analysis_of(form: dict[str, Any]) -> Analysis:
    read = read_form(form)
    (case,) = cases_of(read.form, MARKET, CATALOGUE).judged
    return analysed(case, MARKET, analyse, lambda _, __: None)


@pytest.mark.parametrize("seed", range(16))
def test_an_odd_form_is_answered(seed: int) -> None:
    form = odd_form(seed)
    found = analysis_of(form)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Analysis) == found
    assert {"keep", "sell_all", "immediate"} <= {each.approach_id for each in found.approaches}
    for each in found.approaches:
        assert each.reason if each.status != "planned" else each.te_after_frac is not None
        if each.approach_id == "tax_budget" and each.status == "planned":
            budget = max(Decimal(form["tax_budget"]), Decimal(0))
            assert all(year.realised.tax_usd <= budget for year in each.years)
    risks = [point.te_frac for point in found.frontier]
    assert risks == sorted(risks, reverse=True)


def test_a_budget_below_the_tax_of_what_must_be_sold_is_told_with_one_that_would_do() -> None:
    lots = [{"ticker": each, "acquired": "2015-03-04", "shares": 100, "cost_per_share": 1} for each in ABROAD[:3]]
    form = {"strategy": "direct-index-international", "lots": lots, "short_rate": "40%", "long_rate": "20%", "never_own": ABROAD[0]}
    (refused,) = [each for each in analysis_of({**form, "tax_budget": 5}).approaches if each.approach_id == "tax_budget"]
    assert refused.status == "out_of_reach"
    assert refused.reason is not None and "instead of $5" in refused.reason
    enough = refused.reason.split("a tax budget of $")[1].split(" instead")[0]
    (planned,) = [each for each in analysis_of({**form, "tax_budget": enough}).approaches if each.approach_id == "tax_budget"]
    assert planned.status == "planned"


def test_an_approach_that_the_strategy_does_not_offer_is_refused_with_its_reason() -> None:
    strategy = CATALOGUE.find("multi-manager-international")
    assert strategy is not None
    form = {
        "strategy": strategy.strategy_id,
        "cash": 50_000,
        "short_rate": "40%",
        "long_rate": "20%",
        "tax_budget": 5,
        "long_gain_budget": 5,
    }
    refused = {each.kind: each.reason for each in analysis_of(form).approaches if each.status == "not_offered"}
    assert refused == {each.approach.value: each.reason for each in strategy.not_offered}
