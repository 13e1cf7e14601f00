"""The harvest policy: which losses count, when a small gain is realised on purpose, and that substitutes come from risk."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from libs.common.schemas.account import HarvestPolicy, HarvestThreshold
from libs.common.schemas.market import RiskModel
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from services.optimizer.core.harvest import applying, policy_prices, refresh_credit
from services.optimizer.core.inputs import Case, join
from services.optimizer.core.market import prepare
from services.optimizer.core.policy import DEFAULT_POLICY, HOUSE_THRESHOLDS, HarvestSettings
from tests.unit.optimizer.samples import AS_OF, OLD, Lot, Security, World, world

SETTINGS = HarvestSettings()
SHORT, LONG = D("0.408"), D("0.238")
FIVE = HarvestPolicy("threshold", [HarvestThreshold(1, 0, D("0.05"))])

# (month, age of the lot in days, the house's threshold)
HOUSE = [
    (1, 10, 0.05),
    (9, 334, 0.05),
    (9, 335, 0.02),
    (9, 366, 0.02),
    (9, 367, 0.05),
    (10, 10, 0.03),
    (11, 340, 0.01),
    (12, 10, 0.01),
    (12, 340, 0.005),
    (12, 2000, 0.01),
]


@pytest.mark.parametrize(("month", "age", "loss"), HOUSE)
def test_the_houses_threshold_falls_towards_the_years_end_and_before_a_loss_turns_long(month: int, age: int, loss: float) -> None:
    assert applying(HOUSE_THRESHOLDS, month, age) == loss


def test_nothing_is_asked_before_the_first_threshold_begins() -> None:
    late = [HarvestThreshold(6, 0, D("0.1"))]
    assert [applying(late, month, 0) for month in (5, 6)] == [0.0, 0.1]


def case_of(given: World) -> Case:
    snapshot = prepare(given.market)
    case = join(given.account, given.screen, given.ledger, snapshot, given.run, [], DEFAULT_POLICY)  # type: ignore[arg-type]
    assert isinstance(case, Case)
    return case


def prices(basis: str, policy: HarvestPolicy, start: date = OLD, account_type: str = "taxable") -> float:
    lots = [Lot("a", "AAA", "100", basis, start)]
    made = world([Security("AAA", "100", "1")], lots, cash="0", account_type=account_type, harvest=policy)  # type: ignore[arg-type]
    (price,) = policy_prices(case_of(made), SETTINGS)
    return price


LOSS_PRICES = [
    ("by the objective every loss counts", "100.01", HarvestPolicy(), 0.0),
    ("off: its whole saving is taken out", "150", HarvestPolicy("off"), 0.238 * 0.5),
    ("below the threshold: taken out", "104", FIVE, 0.238 * 0.04),
    ("a loss of exactly the threshold counts", "105.263157894736842106", FIVE, 0.0),
    ("above the threshold: it counts", "120", FIVE, 0.0),
    ("a gain is no matter of thresholds", "80", FIVE, 0.0),
]


@pytest.mark.parametrize(("basis", "policy", "expected"), [case[1:] for case in LOSS_PRICES], ids=[case[0] for case in LOSS_PRICES])
def test_a_loss_below_its_threshold_saves_nothing_in_the_objective(basis: str, policy: HarvestPolicy, expected: float) -> None:
    assert prices(basis, policy) == pytest.approx(expected, abs=1e-12)


def test_a_short_term_loss_is_taken_out_at_the_short_rate() -> None:
    recent = AS_OF - timedelta(days=100)
    assert prices("104", FIVE, recent) == pytest.approx(0.408 * 0.04)


def test_nothing_is_priced_in_an_ira() -> None:
    assert prices("104", FIVE, account_type="traditional_ira") == 0.0


REFRESH = HarvestPolicy(refresh_gain_frac=D("0.02"))


def test_a_small_gain_has_a_credit_up_to_the_policys_size() -> None:
    """Per dollar of gain the credit grows by less than the tax, so that small gains come first."""
    new, little, most, above = (prices(basis, REFRESH) for basis in ("100", "99", "98", "97.9"))
    assert new < 0.0
    assert new < little + 0.238 * 0.01 < most + 0.238 * 0.02
    assert above == 0.0


def test_new_shares_in_their_lock_up_are_not_refreshed() -> None:
    locked, free = (AS_OF - timedelta(days=days) for days in (31, 32))
    assert prices("99", REFRESH, locked) == 0.0
    assert prices("99", REFRESH, free) < 0.0


@given(st.floats(0.9, 1.0), st.floats(0.05, 1.0), st.floats(0.0, 0.5), st.floats(0.0, 0.5))
def test_a_credit_is_never_negative_and_less_where_the_lock_up_is_longer(
    basis: float, volatility: float, short: float, long: float
) -> None:
    credits = [refresh_credit(basis, volatility, short, long, replace(SETTINGS, lock_up_days=days)) for days in (0, 31, 200)]
    assert all(each >= 0 for each in credits)
    if short >= 0.5 * long:
        assert credits == sorted(credits, reverse=True)


def test_the_credit_is_the_difference_of_two_normal_options() -> None:
    """At the money, E[(1 - S)+] is deviation / sqrt(2 pi)."""
    settings = HarvestSettings(lock_up_days=0, later_tax_frac=0.0)
    assert refresh_credit(1.0, 0.4, 0.408, 0.238, settings) == pytest.approx((0.408 - 0.238) * 0.4 / (2 * 3.141592653589793) ** 0.5)


SMALL = [Security("AAA", "100", "0.5"), Security("BBB", "100", "0.5")]


def decision(basis: str, policy: HarvestPolicy) -> ProposalCreated | ProposalDeclined:
    lots = [Lot("a", "AAA", "500", basis), Lot("b", "BBB", "500", "70")]
    return world(SMALL, lots, cash="1000", min_trade=D(0), risk_aversion=D(1), harvest=policy).propose()


def sold(made: ProposalCreated | ProposalDeclined) -> dict[str, str]:
    return {trade.security_id: trade.reason for trade in getattr(made, "trades", []) if trade.side == "sell"}


def test_the_same_loss_is_taken_or_left_by_the_policy() -> None:
    assert sold(decision("104", HarvestPolicy())) == {"AAA": "harvest"}
    assert "AAA" not in sold(decision("104", FIVE))
    assert sold(decision("120", FIVE)) == {"AAA": "harvest"}
    assert "AAA" not in sold(decision("120", HarvestPolicy("off")))


def test_a_small_gain_is_sold_on_purpose_only_where_the_policy_asks_for_it() -> None:
    assert "AAA" not in sold(decision("99.5", HarvestPolicy()))
    assert sold(decision("99.5", REFRESH)).get("AAA") == "refresh"


TWINS = [
    Security("AAA", "100", "0.25", sector="Energy"),
    Security("LIKE", "40", "0.25", sector="Health"),
    Security("OTHER", "40", "0.25", sector="Energy"),
    Security("THIRD", "40", "0.25", sector="Energy"),
]


def test_substitutes_are_whatever_carries_the_same_risk_whatever_their_sector() -> None:
    """AAA is sold at a loss; LIKE moves with it in the risk model, and OTHER and THIRD, of AAA's sector, do not."""
    lots = [
        Lot("a", "AAA", "250", "150"),
        *(Lot(name, name, "625", "40") for name in ("LIKE", "OTHER", "THIRD")),
    ]
    base = world(TWINS, lots, cash="0", min_trade=D(0), cash_min_frac=D(0), cash_max_frac=D("0.005"))
    rows = {"AAA": [0.3, 0.0], "LIKE": [0.3, 0.0], "OTHER": [0.0, 0.3], "THIRD": [0.05, 0.3]}
    names = list(rows)
    risk = RiskModel(names, ["one", "two"], list(rows.values()), [0.01] * len(names))
    made = replace(base, market=structs.replace(base.market, risk=risk)).propose()
    assert isinstance(made, ProposalCreated)
    bought = {trade.security_id: trade.quantity * trade.price for trade in made.trades if trade.side == "buy"}
    assert sold(made)["AAA"] == "harvest"
    assert bought["LIKE"] > 4 * sum((spent for name, spent in bought.items() if name != "LIKE"), D(0))
