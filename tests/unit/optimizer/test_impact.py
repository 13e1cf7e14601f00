"""Impact by traded volume: off unless the house sets it, then part of the objective and its bound, and trades in thin names shrink."""

from dataclasses import replace
from decimal import Decimal as D

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from libs.common.schemas.proposal import ProposalCreated
from services.optimizer.core.branch import Plan
from services.optimizer.core.build import build_problem
from services.optimizer.core.evaluate import evaluate, no_trade
from services.optimizer.core.policy import DEFAULT_POLICY
from services.optimizer.core.propose import propose
from tests.unit.optimizer.samples import Lot, Security, World, random_world, world
from tests.unit.optimizer.test_harvest import case_of

SECURITIES = [Security("AAA", "100", "0.5"), Security("BBB", "100", "0.5")]
LOTS = [Lot("a", "AAA", "800", "100"), Lot("b", "BBB", "200", "100")]


def thin(made: World, security_id: str, adv_usd: float) -> World:
    """The same decision where one name trades so many dollars a day."""
    columns = made.market.securities
    volume = [adv_usd if each == security_id else old for each, old in zip(columns.security_id, columns.adv_usd, strict=True)]
    return replace(made, market=structs.replace(made.market, securities=structs.replace(columns, adv_usd=volume)))


def decided(made: World, coefficient: float) -> ProposalCreated:
    policy = replace(DEFAULT_POLICY, impact_coefficient=coefficient)
    found = propose(made.account, made.screen, made.ledger, made.market, made.run, made.earlier, policy=policy)
    assert isinstance(found, ProposalCreated), found
    return found


def bought(made: ProposalCreated) -> dict[str, D]:
    return {trade.security_id: trade.quantity for trade in made.trades if trade.side == "buy"}


def test_it_is_off_unless_set() -> None:
    assert DEFAULT_POLICY.impact_coefficient == 0.0
    assert build_problem(case_of(world(SECURITIES, LOTS))).impact is None


def test_a_trade_costs_its_part_of_the_volume_in_daily_volatilities() -> None:
    made = thin(world(SECURITIES, LOTS), "BBB", 5e5)
    problem = build_problem(case_of(made), replace(DEFAULT_POLICY, impact_coefficient=10.0))
    plan = Plan(np.zeros(len(problem.size)), np.array([0.0, 0.1]))
    own = np.sqrt(problem.exposures[1] @ problem.exposures[1] + problem.specific_var[1]) / np.sqrt(252)
    dollars = 0.1 * problem.invested_usd
    expected = 10.0 * own * dollars**2 / 5e5 / problem.invested_usd
    assert evaluate(problem, plan).cost == pytest.approx(0.1 * problem.cost_frac[1] + expected)
    assert evaluate(problem, no_trade(problem)).cost == 0.0


@pytest.mark.parametrize("volume", [0.0, float("nan")])
def test_a_name_without_a_volume_costs_what_the_least_traded_one_costs(volume: float) -> None:
    policy = replace(DEFAULT_POLICY, impact_coefficient=1.0)
    missing, least = (build_problem(case_of(thin(world(SECURITIES, LOTS), "BBB", each)), policy).impact for each in (volume, 1e7))
    assert missing is not None and least is not None
    assert missing.tolist() == least.tolist()


def test_less_is_bought_of_what_trades_little() -> None:
    three = [Security("AAA", "100", "0.2"), Security("BBB", "100", "0.4"), Security("CCC", "100", "0.4")]
    made = world(three, [Lot("a", "AAA", "200", "100")], cash="80000", min_trade=D(0))
    small, plain = (bought(decided(thin(made, "BBB", 1e5), coefficient)) for coefficient in (10.0, 0.0))
    assert abs(plain["BBB"] - plain["CCC"]) <= 2
    assert small["BBB"] < small["CCC"] and small["BBB"] < plain["BBB"]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 500), st.floats(0.5, 30.0))
def test_a_plan_with_impact_is_certified_by_its_bound(seed: int, coefficient: float) -> None:
    made, policy = random_world(seed), replace(DEFAULT_POLICY, impact_coefficient=coefficient)
    found = propose(made.account, made.screen, made.ledger, made.market, made.run, made.earlier, policy=policy)
    if isinstance(found, ProposalCreated) and found.certificate is not None:
        assert found.solve_status == "certified"
        assert found.certificate.gap_bps <= D("0.5")
