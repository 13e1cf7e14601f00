"""Limits that a plan keeps in fractional shares only: which, and how much looser whole shares need them."""

from dataclasses import replace
from decimal import Decimal as D

import pytest
from msgspec import structs

from libs.common.schemas.account import PlanLimits, WeightBound
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined, Relaxation
from tests.unit.optimizer.samples import Lot, Security, World, world

SECURITIES = [Security(f"N{i}", "400", "0.1", group=f"N{i}", sector="A" if i < 5 else "B") for i in range(10)]
LOTS = [Lot(f"N{i}-0", f"N{i}", "20" if i == 0 else "9", "390" if i % 2 else "410") for i in range(10)]

# a share is a hundredth of the account
CASES = [
    ("tracking_error_frac", PlanLimits(D("0.0018"))),
    ("tracking_error_frac", PlanLimits(D("0.0001"))),
    ("weight_most:sector:A_frac", PlanLimits(weights=[WeightBound("sector", "A", D("0.4999"), D("0.5001"))])),
    ("weight_least:security:N3_frac", PlanLimits(weights=[WeightBound("security", "N3", D("0.1"), D("0.10001"))])),
]


def limited(limits: PlanLimits) -> World:
    return world(SECURITIES, LOTS, "200", limits=limits, min_trade=D(0), cash_max_frac=D(1))


def mended(limits: PlanLimits, relaxation: Relaxation) -> PlanLimits:
    side, _, _ = relaxation.name.partition(":")
    if side == "tracking_error_frac":
        return structs.replace(limits, tracking_error_frac=relaxation.needed)
    (bound,) = limits.weights
    changed = structs.replace(bound, **{"most_frac" if side == "weight_most" else "least_frac": relaxation.needed})
    return structs.replace(limits, weights=[changed])


@pytest.mark.parametrize(("name", "limits"), CASES)
def test_the_limit_that_whole_shares_break_is_named_with_what_is_enough(name: str, limits: PlanLimits) -> None:
    declined = limited(limits).propose()
    assert isinstance(declined, ProposalDeclined)
    assert (declined.outcome, declined.code) == ("infeasible", "limits_conflict")
    (relaxation,) = declined.relaxations
    assert relaxation.name == name and name in declined.message and "whole shares" in declined.message
    assert (declined.limit, declined.actual) == (relaxation.limit, relaxation.needed)
    again = replace(limited(limits), account=structs.replace(limited(limits).account, limits=mended(limits, relaxation))).propose()
    assert isinstance(again, ProposalCreated), again


def test_a_cap_far_out_of_reach_asks_for_no_more_than_one_that_is_nearer() -> None:
    needed = [limited(limits).propose().relaxations[0].needed for _, limits in CASES[:2]]  # type: ignore[union-attr]
    assert needed[0] == needed[1] < D("0.002")
