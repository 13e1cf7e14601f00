"""A form as a case: what can be judged is in it, the rest is listed, and the client's name is nowhere."""

from dataclasses import replace as with_
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.optimizer.core.dual.tax_law import Nets
from services.optimizer.core.transition.case import ApproachKind, RestrictionKind, TransitionCase, WindDown
from services.optimizer.transition.analyse_form import MOST_COMPARED, cases_of, distance
from services.optimizer.transition.case import Judged, case_of
from services.optimizer.transition.catalogue import Catalogue, read_catalogue
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.form import read_form
from services.optimizer.transition.intake_file import read_intake
from services.optimizer.transition.market_directory import TransitionMarket, read_market

EXAMPLES = Path(__file__).parents[4] / "docs/examples/transition"
RATES = {"short_rate": "40.8%", "long_rate": "23.8%"}


def parts() -> tuple[TransitionMarket, Catalogue]:
    market, catalogue = read_market(), read_catalogue()
    assert isinstance(market, TransitionMarket)
    assert isinstance(catalogue, Catalogue)
    return market, catalogue


MARKET, CATALOGUE = parts()
LARGE = sorted((s for s in MARKET.securities if s.size == "large" and s.region == "US"), key=lambda s: -s.cap_usd)
HELD, OTHER = LARGE[0].security_id, LARGE[1].security_id
TOBACCO = next(s.security_id for s in LARGE if "tobacco" in s.categories)
LOT = {"ticker": HELD, "acquired": "2019-03-04", "shares": "100", "cost_per_share": "12.50"}


def found(**given: Any) -> Judged | list[FieldFault]:
    read = read_form({"strategy": "direct-index-large-cap", "lots": [LOT], **RATES, **given})
    assert read.faults == []
    return case_of(read.form, MARKET, CATALOGUE)


def judged(**given: Any) -> Judged:
    result = found(**given)
    assert isinstance(result, Judged)
    return result


@pytest.mark.parametrize("name", ["seasoned.json", "concentrated.json", "cash.json", "legacy_funds.json", "lots.csv"])
def test_every_sample_becomes_cases_without_the_name(name: str) -> None:
    read = read_intake(EXAMPLES / name)
    asked = cases_of(read.form, MARKET, CATALOGUE)
    assert [*read.faults, *asked.faults] == []
    assert len(asked.judged) == (3 if name == "cash.json" else 1)
    for each in asked.judged:
        case = each.case
        assert read.form.client_name not in repr(case) + repr(each.not_judged) + repr(each.words)
        assert abs(float(case.names.target.sum()) + case.target_cash_frac - 1) < 1e-12
        assert list(case.names.security_id) == sorted(case.names.security_id)
        assert case.lots.name.tolist() == sorted(case.lots.name.tolist())
        assert min(case.names.price_usd) > 0
        assert float(case.names.specific_var.min()) > 0
        assert case.simulated


def test_lots_are_exact() -> None:
    case = judged(cash="5.25", lots=[{**LOT, "shares": "10.5", "cost_per_share": "3.333"}]).case
    price = LARGE[0].price_usd
    assert price is not None
    assert case.lots.basis_usd == (Decimal("35.00"),)
    assert case.value_usd == (Decimal("10.5") * price + Decimal("5.25")).quantize(Decimal("0.01"))


@pytest.mark.parametrize(
    ("lot", "field", "why"),
    [
        ({**LOT, "ticker": "NOBODY"}, "lots[1].ticker", "The market has no security NOBODY"),
        ({**LOT, "acquired": "2031-01-01"}, "lots[1].acquired", "was acquired on 2031-01-01, after 2026-11-20"),
    ],
)
def test_a_lot_that_can_t_be_judged_is_marked_and_listed_and_the_others_are_judged(lot: dict[str, str], field: str, why: str) -> None:
    result = judged(lots=[LOT, lot])
    assert result.case.lots.shares == (Decimal(100),)
    assert [each.field for each in result.faults] == [field]
    assert [each.what for each in result.not_judged] == [f"Lot 2: 100 {lot['ticker']}"]
    assert why in result.not_judged[0].why


def test_a_lot_keeps_its_number_when_others_before_it_are_left_out() -> None:
    lots = [LOT, {**LOT, "shares": "x"}, {**LOT, "acquired": ""}, {**LOT, "acquired": "2031-01-01"}]
    result = case_of(read_form({"strategy": "direct-index-large-cap", "lots": lots, **RATES}).form, MARKET, CATALOGUE)
    assert isinstance(result, Judged)
    assert [each.field for each in result.faults] == ["lots[3].acquired"]
    assert f"Lot 4: 100 {HELD}" in [each.what for each in result.not_judged]
    table = f"ticker,acquired,shares,cost per share\n{HELD},2019-03-04,x,5\n{HELD},2031-01-01,7,5\n{HELD},2019-03-04,7,5"
    result = case_of(read_form({"strategy": "direct-index-large-cap", "lots": table, **RATES}).form, MARKET, CATALOGUE)
    assert isinstance(result, Judged)
    assert [(each.line, each.field) for each in result.faults] == [(3, "lots[1].acquired")]
    assert f"Line 3: 7 {HELD}" in [each.what for each in result.not_judged]


def test_a_wish_keeps_its_number_when_others_before_it_are_left_out() -> None:
    given = {"wind_down": [{"ticker": HELD, "years": 99}, "NOBODY"], "owned_elsewhere": [7, "NOBODY"]}
    result = case_of(read_form({"strategy": "direct-index-large-cap", "lots": [LOT], **RATES, **given}).form, MARKET, CATALOGUE)
    assert isinstance(result, Judged)
    assert [each.field for each in result.faults] == ["owned_elsewhere[1]", "wind_down[1].ticker"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"carried_short_loss": "1e7"},
        {"charity": -5},
        {"charity": 10**12},
        {"te_target": "1000%"},
        {"tax_budget": [1]},
        {"wind_down": [{"ticker": HELD, "to": "-0.05"}]},
        {"wind_down": [7]},
        {"wind_down": [HELD, HELD]},
        {"min_trade": 10**9},
        {"owned_elsewhere": "NOBODY"},
        {"owned_elsewhere": [{"ticker": OTHER, "bought": "2031-01-01"}]},
        {"never_own": "NOBODY"},
        {"exclude": "sugar"},
        {"state": "California"},
        {"accounts": [{"kind": "sock", "value": 5}]},
        {"colour": "blue"},
        {"market": "/etc"},
        {"lots": [LOT, {**LOT, "broker": "x"}]},
        {"lots": [LOT, {**LOT, "shares": "x"}]},
        {"lots": [LOT, 7]},
        {"strategy": None, "compare": ["direct-index-large-cap", "sell-high"]},
    ],
)
def test_every_fault_of_a_form_that_is_analysed_is_listed_once(wrong: dict[str, Any]) -> None:
    read = read_form({"strategy": "direct-index-large-cap", "lots": [LOT], **RATES, **wrong})
    asked = cases_of(read.form, MARKET, CATALOGUE)
    (fault,) = [*read.faults, *asked.faults]
    (case,) = asked.judged
    (listed,) = [each for each in case.not_judged if fault.message in each.why]
    assert listed.what
    assert len(case.not_judged) == 1


def test_lots_without_a_price_or_a_risk_are_listed() -> None:
    at = MARKET.position[OTHER]
    securities = list(MARKET.securities)
    securities[at] = with_(securities[at], price_usd=None)
    covered = MARKET.in_risk_model.copy()
    covered[MARKET.position[TOBACCO]] = False
    market = with_(MARKET, securities=tuple(securities), in_risk_model=covered)
    form = read_form(
        {"strategy": "direct-index-large-cap", "lots": [LOT, {**LOT, "ticker": OTHER}, {**LOT, "ticker": TOBACCO}], **RATES}
    ).form
    result = case_of(form, market, CATALOGUE)
    assert isinstance(result, Judged)
    assert OTHER not in result.case.names.security_id
    assert f"{OTHER} has no price on 2026-11-20" in [each.why for each in result.not_judged]
    assert f"{TOBACCO} is not in the risk model" in [each.why for each in result.not_judged]
    assert abs(float(result.case.names.target.sum()) + result.case.target_cash_frac - 1) < 1e-12


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"strategy": "sell-high"}, "strategy"),
        ({"short_rate": None}, "short_rate"),
        ({"lots": []}, "lots"),
        ({"lots": [{**LOT, "ticker": "NOBODY"}]}, "lots"),
    ],
)
def test_what_stands_in_the_way_of_any_analysis_is_said(given: dict[str, Any], field: str) -> None:
    result = found(**given)
    assert isinstance(result, list)
    assert field in [each.field for each in result]
    assert all(each.message and each.remedy for each in result)


def test_wishes_become_restrictions_in_the_clients_words() -> None:
    result = judged(
        exclude="tobacco",
        never_own=[OTHER],
        never_sell=HELD.lower(),
        owned_elsewhere=[{"ticker": LARGE[2].security_id, "bought": "2026-11-10"}, {"ticker": "BNDAG"}],
    )
    case, at = result.case, {name: i for i, name in enumerate(result.case.names.security_id)}
    kinds = {each.words: (each.kind, each.names) for each in case.restrictions}
    assert kinds["No tobacco"][0] is RestrictionKind.NEVER_OWN
    assert at[TOBACCO] in kinds["No tobacco"][1]
    assert kinds[f"Never own {OTHER}"] == (RestrictionKind.NEVER_OWN, (at[OTHER],))
    assert kinds[f"Keep {HELD}"] == (RestrictionKind.NEVER_SELL, (at[HELD],))
    assert kinds[f"Owned elsewhere: {LARGE[2].security_id}"] == (RestrictionKind.NEVER_BUY, (at[LARGE[2].security_id],))
    assert case.tax.bought_elsewhere == ((at[LARGE[2].security_id], date(2026, 11, 10)),)
    assert len(case.restrictions) == 4  # BNDAG is neither held nor wanted
    assert len({each.restriction_id for each in case.restrictions}) == 4


def test_wishes_that_name_nothing_known_are_marked_and_listed() -> None:
    result = judged(exclude="sugar", never_own="NOBODY", never_sell="NOBODY", owned_elsewhere="NOBODY", wind_down=f"{OTHER}: 5%")
    assert sorted(each.field for each in result.faults) == [
        "exclude",
        "never_own",
        "never_sell",
        "owned_elsewhere[0]",
        "wind_down[0].ticker",
    ]
    assert result.case.restrictions == ()
    assert [each.why for each in result.not_judged] == [each.message for each in result.faults]


def test_a_smallest_trade_above_a_hundredth_of_the_account_is_marked_and_left_out() -> None:
    result = judged(cash=100_000, lots=[], min_trade="1,000.01")
    assert [each.field for each in result.faults] == ["min_trade"]
    assert result.case.min_trade_usd == 0
    assert judged(cash=100_000, lots=[], min_trade=1000).case.min_trade_usd == 1000


def test_a_wish_that_comes_twice_counts_once() -> None:
    bought = [{"ticker": OTHER, "bought": "2026-11-10"}, {"ticker": OTHER, "bought": "2026-11-12"}, OTHER]
    result = judged(owned_elsewhere=bought, wind_down=[f"{HELD}: 5%", f"{HELD}: 9%"])
    at = result.case.names.security_id.index(OTHER)
    assert result.case.tax.bought_elsewhere == ((at, date(2026, 11, 12)),)
    assert len(result.case.restrictions) == 1
    assert [each.ceiling_frac for each in result.case.wishes.wind_downs] == [0.05]
    assert [each.field for each in result.faults] == ["wind_down[1].ticker"]


def test_a_purchase_elsewhere_in_the_future_is_marked() -> None:
    result = judged(owned_elsewhere=[{"ticker": OTHER, "bought": "2027-01-01"}])
    assert [each.field for each in result.faults] == ["owned_elsewhere[0].bought"]
    assert result.case.tax.bought_elsewhere == ()


def test_budgets_year_and_wishes_are_carried_over() -> None:
    year = {
        "long_gain": 700,
        "short_gain": 100,
        "short_loss": 50,
        "carried_short_loss": 500,
        "carried_long_loss": 200,
    }
    result = judged(
        tax_budget=1000,
        short_gain_budget=0,
        long_gain_budget=900,
        charity=50,
        te_target="1%",
        timelines="2,4",
        growth="7%",
        wind_down=f"{HELD}:10%:2:30%",
        **year,
    )
    case = result.case
    assert case.tax.year == Nets(Decimal(-450), Decimal(500))
    assert (case.tax.tax_budget_usd, case.tax.short_budget_usd, case.tax.long_budget_usd) == (1000, 0, 900)
    assert case.wishes.wind_downs == (WindDown(case.names.security_id.index(HELD), 0.1, 2, 0.3),)
    assert (case.wishes.gift_usd, case.wishes.te_target_frac, case.wishes.timelines) == (50, 0.01, (2, 4))
    assert case.outlook.growth_frac == 0.07


def test_an_approach_that_is_not_offered_comes_with_its_reason() -> None:
    case = judged(strategy="multi-manager-large-cap").case
    assert {kind for kind, _ in case.not_offered} == {ApproachKind.TAX_BUDGET, ApproachKind.GAIN_BUDGET}
    assert judged(strategy="core-equity").case.not_offered == ()


def test_two_classes_of_an_issuer_are_one_group() -> None:
    case = judged().case
    pair = next(i for i, name in enumerate(case.names.security_id) if name.endswith(".B"))
    group = case.names.group
    assert int(np.sum(group == group[pair])) == 2


def test_what_is_kept_outside_and_what_funds_hold_is_listed() -> None:
    result = judged(outside="a house: 500000", exclude="tobacco", lots=[{**LOT, "ticker": "LNDSP"}])
    assert [each.what for each in result.not_judged] == ["Kept outside: a house", "Exclusions inside LNDSP"]


def test_without_a_strategy_the_nearest_are_compared() -> None:
    read = read_form({"lots": [{**LOT, "ticker": each.security_id} for each in LARGE[:40]], **RATES})
    asked = cases_of(read.form, MARKET, CATALOGUE)
    away = [distance(each.case) for each in asked.judged]
    assert len(away) == MOST_COMPARED
    assert away == sorted(away)
    every = [case_of(read.form, MARKET, CATALOGUE, each.strategy_id) for each in CATALOGUE.for_clients()]
    assert away[0] == min(distance(each.case) for each in every if isinstance(each, Judged))


def test_lots_of_one_id_are_told_apart() -> None:
    case: TransitionCase = judged(lots=[{**LOT, "lot_id": "A"}, {**LOT, "lot_id": "A"}, {**LOT, "lot_id": "B"}]).case
    assert len(set(case.lots.lot_id)) == 3
