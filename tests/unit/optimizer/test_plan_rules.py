"""Plan limits of an account: what they become in numbers, and those that are refused before any solve."""

from decimal import Decimal as D

import numpy as np
import pytest

from libs.common.schemas.account import Budgets, HarvestPolicy, HarvestThreshold, LossPolicy, PlanLimits, WeightBound
from libs.common.schemas.proposal import ProposalDeclined
from services.optimizer.core.inputs import Case, join
from services.optimizer.core.limits import cash_band
from services.optimizer.core.market import prepare
from services.optimizer.core.plan_rules import PlanRules, plan_rules
from services.optimizer.core.policy import DEFAULT_POLICY
from tests.unit.optimizer.samples import Lot, Security, World, world

SECURITIES = [
    Security("AAA", "10", "0.5", sector="Energy"),
    Security("BBB", "20", "0.3", sector="Health"),
    Security("CCC", "50", "0.2", sector="Energy"),
]
LOTS = [Lot("a", "AAA", "100", "9"), Lot("b", "BBB", "100", "25")]


def limited(*weights: WeightBound, **limits: object) -> World:
    return world(SECURITIES, LOTS, cash="1000", limits=PlanLimits(weights=list(weights), **limits))  # type: ignore[arg-type]


def case_of(given: World) -> Case:
    snapshot = prepare(given.market)
    case = join(given.account, given.screen, given.ledger, snapshot, given.run, [], DEFAULT_POLICY)  # type: ignore[arg-type]
    assert isinstance(case, Case)
    return case


def rules_of(given: World, value: D = D(4000), invested: D = D(4000)) -> PlanRules:
    snapshot = prepare(given.market)
    return plan_rules(given.account, snapshot, [0, 1, 2], np.array([0.5, 0.3, 0.2]), value, invested)  # type: ignore[arg-type]


def test_no_limits_are_no_limits() -> None:
    assert rules_of(limited()) == PlanRules()


def test_limits_are_fractions_of_what_is_invested() -> None:
    given = limited(tracking_error_frac=D("0.01"), turnover_frac=D("0.2"), trades=5, names=3, min_holding=D(100))
    assert rules_of(given, D(4000), D(2000)) == PlanRules(0.01, 0.4, 5, 3, 0.05)


ENERGY = np.array([1.0, 0.0, 1.0])
BOUNDS = [
    ("absolute", WeightBound("sector", "Energy", D("0.1"), D("0.4")), [("most", 0.4), ("least", -0.1)], ENERGY),
    ("relative", WeightBound("sector", "Energy", D("-0.1"), D("0.1"), relative=True), [("most", 0.8), ("least", -0.6)], ENERGY),
    ("one side", WeightBound("security", "BBB", None, D("0.25")), [("most", 0.25)], np.array([0.0, 1.0, 0.0])),
]


@pytest.mark.parametrize(("bound", "expected", "names"), [case[1:] for case in BOUNDS], ids=[case[0] for case in BOUNDS])
def test_a_bound_is_a_row_for_each_side(bound: WeightBound, expected: list[tuple[str, float]], names: np.ndarray) -> None:
    rows = rules_of(limited(bound)).weights
    assert [row.name for row in rows] == [f"weight_{side}:{bound.by}:{bound.target}" for side, _ in expected]
    assert [row.bound for row in rows] == pytest.approx([limit for _, limit in expected])
    for row, (side, _) in zip(rows, expected, strict=True):
        assert np.array_equal(row.coefficient, names if side == "most" else -names)


def test_a_factor_bound_counts_exposures_from_the_strategys_own() -> None:
    given = limited(WeightBound("factor", "f1", most_frac=D("0.02"), relative=True))
    (row,) = rules_of(given).weights
    exposures = np.array(given.market.risk.exposures)[:, 1]
    assert np.array_equal(row.coefficient, exposures)
    assert row.bound == pytest.approx(exposures @ [0.5, 0.3, 0.2] + 0.02)


REFUSED = [
    (limited(WeightBound("sector", "Enrgy", most_frac=D("0.1"))), "limits.weights[0], sector Enrgy", "no sector of that name"),
    (limited(WeightBound("factor", "value", most_frac=D("0.1"))), "limits.weights[0], factor value", "no factor of that name"),
    (limited(WeightBound("sector", "Energy", D("0.5"), D("0.4"))), "limits.weights[0], sector Energy", "least against most"),
    (limited(WeightBound("sector", "Energy", most_frac=D("-0.8"), relative=True)), "limits.weights[0]", "least against most"),
    (
        limited(WeightBound("sector", "Energy", D("0.5")), WeightBound("sector", "Energy", None, D("-0.3"), relative=True)),
        "limits.weights[1], sector Energy",
        "least against most",
    ),
    (limited(WeightBound("sector", "Energy", D("0.6")), WeightBound("sector", "Health", D("0.6"))), "by sector", "more than cash leaves"),
]


@pytest.mark.parametrize(("given", "place", "said"), REFUSED, ids=[f"{case[1]}: {case[2]}" for case in REFUSED])
def test_a_bound_that_no_account_could_keep_is_refused_by_its_place(given: World, place: str, said: str) -> None:
    decision = given.propose()
    assert isinstance(decision, ProposalDeclined)
    assert (decision.outcome, decision.code) == ("refused", "invalid_account")
    assert place in decision.message and said in decision.message


VALUES = [
    (PlanLimits(tracking_error_frac=D(0)), "limits.tracking_error_frac"),
    (PlanLimits(tracking_error_frac=D("NaN")), "limits.tracking_error_frac"),
    (PlanLimits(turnover_frac=D("-0.1")), "limits.turnover_frac"),
    (PlanLimits(trades=-1), "limits.trades"),
    (PlanLimits(names=0), "limits.names"),
    (PlanLimits(min_holding=D(-1)), "limits.min_holding"),
    (PlanLimits(weights=[WeightBound("sector", "Energy", most_frac=D("NaN"))]), "limits.weights[0].most_frac"),
]


@pytest.mark.parametrize(("limits", "field"), VALUES)
def test_a_limit_that_is_no_such_number_is_refused_by_its_member(limits: PlanLimits, field: str) -> None:
    decision = world(SECURITIES, LOTS, cash="1000", limits=limits).propose()
    assert isinstance(decision, ProposalDeclined) and decision.code == "invalid_account"
    assert decision.message.startswith(field)


SETTINGS: list[tuple[dict[str, object], str]] = [
    ({"losses": LossPolicy("netted", D("0.9"))}, "losses.carried_frac"),
    ({"harvest": HarvestPolicy("threshold", [HarvestThreshold(1, 0, D(7))])}, "harvest.thresholds[0].loss_frac"),
    ({"harvest": HarvestPolicy(refresh_gain_frac=D("NaN"))}, "harvest.refresh_gain_frac"),
    ({"budgets": Budgets(tax=D("-5"))}, "budgets.tax"),
]


@pytest.mark.parametrize(("fields", "member"), SETTINGS)
def test_a_setting_that_is_no_such_number_is_refused_by_its_member(fields: dict[str, object], member: str) -> None:
    decision = world(SECURITIES, LOTS, cash="1000", **fields).propose()  # type: ignore[arg-type]
    assert isinstance(decision, ProposalDeclined) and decision.code == "invalid_account"
    assert decision.message.startswith(member)


def test_wanted_cash_takes_the_bands_place() -> None:
    band = cash_band(case_of(world(SECURITIES, LOTS, cash="1000", cash_target=D(250))))
    assert (band.before, band.least, band.most) == (1000, 250, 250)
    spent = cash_band(case_of(world(SECURITIES, LOTS, cash="0", cash_target=D(0), cash_unsettled=D(400))))
    assert (spent.least, spent.most) == (400, 400)


@pytest.mark.parametrize("cash_target", [D(-1), D("NaN")])
def test_wanted_cash_that_is_no_amount_is_refused(cash_target: D) -> None:
    decision = world(SECURITIES, LOTS, cash="1000", cash_target=cash_target).propose()
    assert isinstance(decision, ProposalDeclined) and decision.code == "invalid_account"
    assert "cash_target" in decision.message
