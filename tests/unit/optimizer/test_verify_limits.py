"""The last look at the owner's limits: a plan made without them is caught by each, one made with them by none."""

from decimal import Decimal as D

import pytest
from msgspec import structs

from libs.common.schemas.account import PlanLimits, WeightBound
from libs.common.schemas.proposal import ProposalCreated
from services.optimizer.core.inputs import Case, join
from services.optimizer.core.market import prepare
from services.optimizer.core.policy import DEFAULT_POLICY
from services.optimizer.core.verify_limits import limit_faults
from tests.unit.optimizer.samples import Lot, Security, World, world

SECURITIES = [Security(f"N{i}", "100", "0.1", sector="A" if i < 5 else "B") for i in range(10)]
LOTS = [Lot(f"N{i}-0", f"N{i}", "2000" if i == 0 else "900", "150" if i % 2 else "90") for i in range(10)]
CASES = [
    ("trades", PlanLimits(trades=4), "names trade, more than 4"),
    ("names", PlanLimits(names=7), "names would be held, more than 7"),
    ("turnover", PlanLimits(turnover_frac=D("0.05")), "more than the turnover allows"),
    ("tracking error", PlanLimits(tracking_error_frac=D("0.012")), "exceeds its cap"),
    ("least holding", PlanLimits(min_holding=D(85_000)), "less than the least holding"),
    ("security", PlanLimits(weights=[WeightBound("security", "N2", most_frac=D("0.08"))]), "dollars of security N2"),
    ("sector", PlanLimits(weights=[WeightBound("sector", "A", most_frac=D("0.4"))]), "dollars of sector A"),
    ("relative", PlanLimits(weights=[WeightBound("sector", "B", D("0.1"), None, relative=True)]), "dollars of sector B"),
    ("factor", PlanLimits(weights=[WeightBound("factor", "f1", D("0.02"), None, relative=True)]), "to factor f1"),
]


def limited(limits: PlanLimits) -> World:
    return world(SECURITIES, LOTS, "20000", limits=limits, cash_max_frac=D(1), min_trade=D(0))


def case_of(made: World) -> Case:
    snapshot = prepare(made.market)
    case = join(made.account, made.screen, made.ledger, snapshot, made.run, [], DEFAULT_POLICY)  # type: ignore[arg-type]
    assert isinstance(case, Case)
    return case


@pytest.mark.parametrize(("limits", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_plan_made_without_the_limit_is_caught(limits: PlanLimits, said: str) -> None:
    plan = limited(PlanLimits()).propose()
    assert isinstance(plan, ProposalCreated)
    faults = list(limit_faults(case_of(limited(limits)), plan))
    assert faults and all(said in fault for fault in faults)


KEPT = [case for case in CASES if case[0] != "factor"]


@pytest.mark.parametrize("limits", [case[1] for case in KEPT], ids=[case[0] for case in KEPT])
def test_a_plan_made_with_it_is_not(limits: PlanLimits) -> None:
    made = limited(limits)
    plan = made.propose()
    assert isinstance(plan, ProposalCreated), plan
    assert list(limit_faults(case_of(made), plan)) == []


def test_a_limit_on_the_most_is_no_limit_on_the_least() -> None:
    plan = limited(PlanLimits()).propose()
    assert isinstance(plan, ProposalCreated)
    wide = PlanLimits(D(1), D(2), 10, 10, D(0), [WeightBound("sector", "A", D(0), D(1)), WeightBound("factor", "f1", D(-1), D(1))])
    assert list(limit_faults(case_of(limited(wide)), structs.replace(plan, trades=plan.trades))) == []
