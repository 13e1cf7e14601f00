"""What stands beside a netted year: harvest thresholds, and what the taxpayer's other accounts are about to realise."""

from dataclasses import replace
from decimal import Decimal as D

import pytest
from msgspec import structs

from libs.common.schemas.account import HarvestPolicy, LossPolicy
from libs.common.schemas.proposal import ProposalCreated, TaxEstimate
from services.optimizer.core.dual.tax_law import Nets
from services.optimizer.core.harvest import policy_prices
from services.optimizer.core.inputs import Case, join
from services.optimizer.core.market import prepare
from services.optimizer.core.policy import DEFAULT_POLICY, HarvestSettings
from services.optimizer.core.tax_position import tax_position
from tests.unit.optimizer.samples import OLD, RECENT, Lot, Security, World, earlier_proposal, world
from tests.unit.optimizer.test_harvest import case_of
from tests.unit.optimizer.test_netting_proposal import decided, netted_world

ONE = [Security("AAA", "100", "1")]
OFF = HarvestPolicy("off")

# (term, the year so far, what the policy takes out of a loss of 5,000 on 10,000 sold)
TAKEN_OUT = [
    ("long", {}, 0.37 * 3000 / 10_000),  # ordinary income, up to the limit
    ("long", {"short_loss": "3000"}, 0.0),  # nothing but a carry without worth
    ("long", {"short_gain": "9000"}, 0.408 * 5000 / 10_000),
    ("short", {"long_gain": "9000"}, 0.238 * 5000 / 10_000),
    ("short", {"short_gain": "2000", "long_gain": "1000"}, (0.408 * 2000 + 0.238 * 1000 + 0.37 * 2000) / 10_000),
]


@pytest.mark.parametrize(("term", "nets", "expected"), TAKEN_OUT)
def test_a_netted_years_own_saving_is_taken_out(term: str, nets: dict[str, str], expected: float) -> None:
    lots = [Lot("a", "AAA", "100", "150", OLD if term == "long" else RECENT)]
    made = netted_world(world(ONE, lots, harvest=OFF), nets)
    assert policy_prices(case_of(made), HarvestSettings()) == pytest.approx([expected])


def test_what_is_carried_is_taken_out_at_its_worth() -> None:
    made = netted_world(world(ONE, [Lot("a", "AAA", "100", "150")], harvest=OFF), {"short_loss": "3000"}, carried_frac=D("0.1"))
    assert policy_prices(case_of(made), HarvestSettings()) == pytest.approx([0.1 * 0.5])


def test_a_lot_whose_loss_is_worth_nothing_is_sold_for_risk_as_without_the_policy() -> None:
    """Far too much of AAA, at a loss that would only be carried: the policy has nothing to take out, and must not keep it."""
    lots = [Lot("a", "AAA", "800", "110"), Lot("b", "BBB", "200", "100")]
    two = [Security("AAA", "100", "0.5"), Security("BBB", "100", "0.5")]
    plans = []
    for policy in (HarvestPolicy(), OFF):
        made = netted_world(world(two, lots, cash="1000", risk_aversion=D(2), harvest=policy), {"carried_long_loss": "90000"})
        plans.append([(trade.security_id, trade.side, trade.quantity) for trade in decided(made)[1].trades])
    assert plans[0] == plans[1] and plans[0]


def with_earlier(made: World, tax: TaxEstimate, taxpayer_id: str = "T", run_id: str = "run-1") -> World:
    earlier = structs.replace(earlier_proposal([], run_id=run_id, tax=tax), taxpayer_id=taxpayer_id)
    return replace(made, earlier=[earlier])


GAIN = TaxEstimate(D(9000), D(0), D(0), D(700), D(0))
SEEN = [
    ("the same taxpayer in the same run", "T", "run-1", Nets(D(9000), D(-700))),
    ("another taxpayer", "U", "run-1", Nets()),
    ("an older run, of which part may be booked", "T", "run-0", Nets()),
]


@pytest.mark.parametrize(("taxpayer", "run_id", "expected"), [each[1:] for each in SEEN], ids=[each[0] for each in SEEN])
def test_the_year_starts_from_what_the_taxpayers_earlier_proposals_realise(taxpayer: str, run_id: str, expected: Nets) -> None:
    made = netted_world(world(ONE, [Lot("a", "AAA", "100", "150")]), {"long_gain": "500"})
    seen = with_earlier(made, GAIN, taxpayer, run_id)
    case = join(seen.account, seen.screen, seen.ledger, prepare(seen.market), seen.run, seen.earlier, DEFAULT_POLICY)  # type: ignore[arg-type]
    assert isinstance(case, Case)
    position = tax_position(case)
    assert position is not None
    assert position.year == expected + Nets(long=D(500))
    assert position.budget_year == Nets(long=D(500))  # budgets are the account's own


def test_two_accounts_of_a_taxpayer_do_not_use_the_same_loss_twice() -> None:
    """A short gain of the year is worth offsetting once: what the first account harvests is not there for the second."""
    two = [Security("AAA", "100", "0.5"), Security("BBB", "100", "0.5")]
    lots = [Lot("loss", "AAA", "500", "140", RECENT), Lot("b", "BBB", "500", "100")]
    made = netted_world(world(two, lots, cash="1000", risk_aversion=D(5)), {"short_gain": "5000"})
    made = replace(made, account=structs.replace(made.account, losses=LossPolicy("netted", ordinary_limit=D(0))))
    first = decided(made)[1]
    assert first.tax.short_loss > 4_900 and first.taxpayer_id == "T"
    second = replace(made, earlier=[structs.replace(first, account_id="A0", trades=[])]).propose()
    assert not isinstance(second, ProposalCreated) or second.tax.short_loss <= 5_000 - first.tax.short_loss + 200
