"""The owner's limits in whole decisions: kept by every proposal, in whole shares, or said to conflict."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from msgspec import structs

from libs.common.schemas.account import PlanLimits, WeightBound
from libs.common.schemas.proposal import ProposalCreated
from services.optimizer.core.build import build_problem
from services.optimizer.core.decline import Decline
from services.optimizer.core.inputs import join
from services.optimizer.core.kept import excess
from services.optimizer.core.market import prepare
from services.optimizer.core.planned import Planned, plan_of
from services.optimizer.core.policy import DEFAULT_POLICY
from tests.unit.optimizer.instances import load, world_of
from tests.unit.optimizer.samples import Lot, Security, World, world

SECURITIES = [Security(f"N{i}", "100", "0.1", group=f"N{i}") for i in range(10)]
LOTS = [Lot(f"N{i}-0", f"N{i}", "2000" if i == 0 else "900", "150" if i % 2 else "90") for i in range(10)]
CASES = [
    ("a cap on tracking error", PlanLimits(tracking_error_frac=Decimal("0.012"))),
    ("turnover", PlanLimits(turnover_frac=Decimal("0.05"))),
    ("a number of trades", PlanLimits(trades=4)),
    ("a least holding", PlanLimits(min_holding=Decimal(40_000))),
    ("a weight", PlanLimits(weights=[WeightBound("security", "N1", most_frac=Decimal("0.03"))])),
    ("a weight that holds a sale", PlanLimits(weights=[WeightBound("security", "N2", most_frac=Decimal("0.08"))])),
    ("several", PlanLimits(Decimal("0.03"), Decimal("0.3"), 8, None, Decimal(20_000))),
]


def given(limits: PlanLimits) -> World:
    return world(SECURITIES, LOTS, "20000", limits=limits, cash_max_frac=Decimal(1))


def planned(decision: World) -> tuple[Planned | Decline, object]:
    snapshot = prepare(decision.market)
    assert not isinstance(snapshot, Decline)
    case = join(decision.account, decision.screen, decision.ledger, snapshot, decision.run, [], DEFAULT_POLICY)
    assert not isinstance(case, Decline), case
    problem = build_problem(case)
    return plan_of(case, problem, DEFAULT_POLICY), problem


@pytest.mark.parametrize("limits", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_a_limit_is_kept_in_whole_shares(limits: PlanLimits) -> None:
    decision = given(limits)
    plan, problem = planned(decision)
    assert isinstance(plan, Planned), plan
    over = excess(problem, plan.weights)  # type: ignore[arg-type]
    assert max(over.tracking_error, over.turnover, over.trades, over.names, *over.weights, 0.0) <= 1e-12
    proposal = decision.propose()
    assert isinstance(proposal, ProposalCreated)
    held = {lot.security_id: Decimal(0) for lot in LOTS}
    for lot in LOTS:
        held[lot.security_id] += Decimal(lot.quantity)
    for trade in proposal.trades:
        left = held[trade.security_id] + (trade.quantity if trade.side == "buy" else -trade.quantity)
        assert left == 0 or limits.min_holding is None or left * trade.price >= limits.min_holding
    assert limits.trades is None or len(proposal.trades) <= limits.trades
    assert limits.tracking_error_frac is None or proposal.te_after_frac <= limits.tracking_error_frac


def test_without_limits_the_same_account_goes_beyond_each() -> None:
    """So that the cases above show something."""
    plan, _ = planned(given(PlanLimits()))
    assert isinstance(plan, Planned)
    for _, limits in CASES[:-1]:
        _, limited = planned(given(limits))
        over = excess(limited, plan.weights)  # type: ignore[arg-type]
        beyond = over.beyond(0.0)
        small = limits.min_holding is not None
        assert beyond or small


def test_limits_that_conflict_are_said_with_a_proof() -> None:
    limits = PlanLimits(tracking_error_frac=Decimal("0.0001"), turnover_frac=Decimal("0.01"))
    decision = given(limits).propose()
    assert not isinstance(decision, ProposalCreated)
    assert (decision.outcome, decision.code) == ("infeasible", "limits_conflict")


@pytest.mark.parametrize("cap", ["0.0150", "0.0140"])
def test_a_cap_holds_on_a_published_instance(cap: str) -> None:
    instance = load("100_1")
    base = world_of(instance)
    account = structs.replace(base.account, limits=PlanLimits(tracking_error_frac=Decimal(cap)))
    decision = replace(base, account=account).propose()
    assert isinstance(decision, ProposalCreated)
    assert decision.te_after_frac <= Decimal(cap)
    assert decision.certificate is not None
    assert decision.certificate.gap_bps <= Decimal("0.5")
    assert np.isfinite(float(decision.certificate.lower_bound_bps))
