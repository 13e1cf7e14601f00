"""A total portfolio: mixed to a risk objective, held where taxes are least."""

from decimal import Decimal
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.optimizer.transition.case import Judged, case_of
from services.optimizer.transition.catalogue import Catalogue, read_catalogue
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.form import read_form
from services.optimizer.transition.market_directory import TransitionMarket, read_market
from services.optimizer.transition.total_portfolio import Placement, Sleeve, located, volatility_of


def parts() -> tuple[TransitionMarket, Catalogue]:
    market, catalogue = read_market(), read_catalogue()
    assert isinstance(market, TransitionMarket)
    assert isinstance(catalogue, Catalogue)
    return market, catalogue


MARKET, CATALOGUE = parts()
BASE = {"strategy": "core-equity", "cash": "500000", "short_rate": "40.8%", "long_rate": "23.8%"}
ACCOUNTS = [{"kind": "traditional_ira", "value": "200000"}, {"kind": "roth_ira", "value": "100000"}]


def asked(**given: object) -> Judged | list[FieldFault]:
    read = read_form({**BASE, "accounts": ACCOUNTS, **given})
    assert read.faults == []
    return case_of(read.form, MARKET, CATALOGUE)


def placed(**given: object) -> Placement:
    found = asked(**given)
    assert isinstance(found, Judged)
    assert found.placement is not None
    return found.placement


@pytest.mark.parametrize("score", [1, 25, 50, 75, 100])
def test_every_account_is_filled_and_its_mix_is_within_the_objective(score: int) -> None:
    found = placed(risk_score=score)
    for account, value in (("taxable", 500_000), ("traditional_ira", 200_000), ("roth_ira", 100_000)):
        assert abs(sum(each.amount_usd for each in found.placed if each.account == account) - value) <= Decimal("0.05")
    assert abs(sum(found.taxable.values()) - 1) < Decimal("1e-12")


def test_a_higher_score_is_more_risk_from_bonds_alone_to_the_strategy_alone() -> None:
    risks = [placed(risk_score=score) for score in (1, 20, 40, 60, 80, 100)]
    assert [each.volatility_frac for each in risks] == sorted(each.volatility_frac for each in risks)
    shares = [each.strategy_frac for each in risks]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert shares[0] < Decimal("0.2")  # so much of it diversifies bonds alone without adding to their risk


@pytest.mark.parametrize("objective", ["6%", "9%", "12%"])
def test_a_volatility_target_is_met_from_below(objective: str) -> None:
    found = placed(volatility_target=objective)
    target = float(objective.strip("%")) / 100
    assert target - 0.001 < found.volatility_frac <= target + 1e-9


def test_a_target_below_that_of_bonds_is_refused_with_what_is_possible() -> None:
    found = asked(volatility_target="0.5%")
    assert isinstance(found, list)
    assert [each.field for each in found] == ["volatility_target"]


def test_bonds_that_stay_in_the_taxable_account_are_municipal_where_that_pays() -> None:
    dear = [each for each in placed(risk_score=1).placed if each.account == "taxable"]
    assert "municipal-bonds" in [each.sleeve_id for each in dear]
    cheap = placed(risk_score=1, short_rate="10%", long_rate="0%").placed
    assert "municipal-bonds" not in [each.sleeve_id for each in cheap]


def test_it_saves_tax_against_the_same_mix_in_every_account() -> None:
    found = placed(risk_score=60)
    assert found.drag_usd < found.drag_pro_rata_usd


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 50)), min_size=2, max_size=4), st.integers(0, 60), st.integers(0, 60))
def test_no_other_placement_costs_less_tax(sleeves: list[tuple[int, int]], first: int, second: int) -> None:
    amounts = [(Sleeve(str(n), str(n), {}, Decimal(drag)), Decimal(size)) for n, (drag, size) in enumerate(sleeves)]
    rooms = [("traditional_ira", Decimal(first)), ("roth_ira", Decimal(second))]
    inside, taxable = located(amounts, rooms)  # type: ignore[arg-type]
    for sleeve, amount in amounts:
        assert sum(a for _, s, a in inside if s is sleeve) + sum(a for s, a in taxable if s is sleeve) == amount
    cost = sum(sleeve.drag * amount for sleeve, amount in taxable)
    for order in permutations(amounts):
        room, other = Decimal(first + second), Decimal(0)
        for sleeve, amount in order:
            taken = min(room, amount)
            room -= taken
            other += sleeve.drag * (amount - taken)
        assert cost <= other


def test_volatility_is_that_of_the_risk_model() -> None:
    for name, share in product(("BNDAG", "LNDSP"), (Decimal(1), Decimal("0.5"))):
        at = MARKET.position[name]
        expected = float(share) * float((MARKET.exposures[at] @ MARKET.exposures[at] + MARKET.specific_var[at]) ** 0.5)
        assert volatility_of({name: share}, MARKET) == pytest.approx(expected)
