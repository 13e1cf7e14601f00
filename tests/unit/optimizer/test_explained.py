"""What is said of a plan: each trade's share of tax, cost and risk, the limits with their prices, and the losses that were left."""

from decimal import Decimal as D
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.schemas.account import Budgets, HarvestPolicy, HarvestThreshold, PlanLimits
from libs.common.schemas.proposal import LossesLeft, ProposalCreated, ProposalDeclined, TaxEstimate
from services.optimizer.core.attribution import variance_shares
from services.optimizer.core.branch import Multipliers, Plan
from services.optimizer.core.build import build_problem
from services.optimizer.core.evaluate import active_weights, no_trade, variance
from services.optimizer.core.inputs import Case, join
from services.optimizer.core.market import prepare
from services.optimizer.core.plan_rules import PlanRules, WeightRow
from services.optimizer.core.policy import DEFAULT_POLICY
from services.optimizer.core.shadow import bindings
from tests.unit.optimizer.samples import Lot, Security, World, must_sell, random_world, verdict, window, world

NO_TAX = TaxEstimate(D(0), D(0), D(0), D(0), D(0))
AAA, BBB = Security("AAA", "100", "0.5"), Security("BBB", "100", "0.5")


def case_of(made: World) -> Case | None:
    snapshot = prepare(made.market)
    case = join(made.account, made.screen, made.ledger, snapshot, made.run, made.earlier, DEFAULT_POLICY)  # type: ignore[arg-type]
    return case if isinstance(case, Case) else None


@given(st.integers(0, 400), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_the_shares_of_risk_add_up_to_its_change(seed: int, draw: int) -> None:
    case = case_of(random_world(seed))
    if case is None:
        return
    problem, random = build_problem(case), np.random.default_rng(draw)
    plan = Plan(problem.size * random.random(len(problem.size)), 0.1 * random.random(len(problem.held)))
    shares = variance_shares(problem, plan)
    before, after = (variance(problem, active_weights(problem, each)) for each in (no_trade(problem), plan))
    assert float(shares.sum()) == pytest.approx(after - before, abs=1e-12)
    assert not variance_shares(problem, no_trade(problem)).any()


def test_a_proposals_trades_add_up_in_tax_cost_and_risk() -> None:
    lots = [Lot("a", "AAA", "700", "120"), Lot("b", "BBB", "200", "90")]
    made = world([AAA, BBB], lots, cash="10000").propose()
    assert isinstance(made, ProposalCreated)
    assert sum(trade.tax for trade in made.trades) == made.tax.tax
    assert sum(trade.cost for trade in made.trades) == made.cost
    change = float(made.te_after_frac) ** 2 - float(made.te_before_frac) ** 2
    assert sum(float(trade.te_variance_bps2 or 0) for trade in made.trades) == pytest.approx(1e8 * change, abs=0.1)
    dollars = sum(trade.risk or D(0) for trade in made.trades)
    assert float(dollars) == pytest.approx(20 * change * float(made.account_value), rel=1e-3)


def test_a_gain_that_is_kept_is_offset_for_gain_deferral() -> None:
    """AAA, far above target at a large gain, stays; TWIN moves with it and is sold below its target in its stead."""
    securities = [AAA, Security("TWIN", "100", "0.25"), Security("BBB", "100", "0.25")]
    lots = [Lot("a", "AAA", "700", "5"), Lot("t", "TWIN", "200", "100"), Lot("b", "BBB", "100", "100")]
    made = world(securities, lots, cash="0", min_trade=D(0), cash_min_frac=D(0), budgets=Budgets(tax=D(0))).propose()
    assert isinstance(made, ProposalCreated)
    assert "gain_deferral" in {trade.reason for trade in made.trades}
    assert "AAA" not in {trade.security_id for trade in made.trades if trade.side == "sell"}


def tight(budget: str) -> ProposalCreated:
    lots = [Lot("a", "AAA", "80000", "20"), Lot("b", "BBB", "20000", "100")]
    made = world([AAA, BBB], lots, cash="0", min_trade=D(0), cash_min_frac=D(0), budgets=Budgets(tax=D(budget))).propose()
    assert isinstance(made, ProposalCreated)
    return made


def test_a_budgets_price_is_what_more_of_it_brings_in_numbers_and_in_words() -> None:
    """Another thousand, solved again, lowers the objective and tracking error by what the price and the words foretell."""
    first, second = tight("200000"), tight("201000")
    (binding,) = [each for each in first.binding if each.name == "tax_budget_usd"]
    assert binding.unit == "1,000 USD" and binding.shadow_price_bps is not None and binding.says is not None
    assert first.certificate is not None and second.certificate is not None
    gained = first.certificate.objective_bps - second.certificate.objective_bps
    assert float(gained) == pytest.approx(float(binding.shadow_price_bps), rel=0.15)
    fell = float(first.te_after_frac - second.te_after_frac) * 1e4
    assert binding.says.startswith("the next 1,000 of tax budget lowers tracking error by about ")
    assert fell == pytest.approx(float(binding.says.split("about ")[1].split(" bp")[0]), rel=0.15)


def test_every_kind_of_limit_is_said() -> None:
    case = case_of(world([AAA, BBB], [Lot("a", "AAA", "800", "20")], cash="20000"))
    assert case is not None
    problem = build_problem(case)
    rows = (
        WeightRow("weight_most:sector:any", np.array([1.0, 1.0]), 0.9),
        WeightRow("weight_least:factor:f1", np.array([-0.1, 0.0]), -0.01),
    )
    problem = type(problem)(**{name: getattr(problem, name) for name in problem.__slots__} | {"rules": PlanRules(0.05, 0.1, weights=rows)})
    names = ("weight_most:sector:any", "weight_least:factor:f1", "turnover_frac", "tracking_error_frac")
    multipliers = Multipliers(cash=-0.01, rules=tuple((name, 0.02) for name in names))
    found = bindings(case, problem, multipliers, NO_TAX, D(20000), no_trade(problem), [])
    said = {each.name: each for each in found}
    cap = said["tracking_error_frac"]
    assert set(said) == {
        "cash_max_usd",
        "turnover_frac",
        "tracking_error_frac",
        "weight_most:sector:any_frac",
        "weight_least:factor:f1_frac",
    }
    assert (cap.limit, cap.unit) == (D("0.05"), "1 bp of tracking error")
    assert cap.shadow_price_bps == D("0.001")  # 0.02 times the cap of 0.05, times 1 bp, in bp
    assert said["weight_most:sector:any_frac"].limit == D("0.9") and said["weight_least:factor:f1_frac"].limit == D("0.01")
    assert float(said["weight_least:factor:f1_frac"].actual) == pytest.approx(0.1 * problem.held[0])
    assert all(each.says and each.unit for each in found)


THRESHOLD = HarvestPolicy("threshold", [HarvestThreshold(1, 0, D("0.3"))])
LEFT = [
    ("a rule", {"verdicts": [verdict("AAA", "never_sell", may_sell=False)]}, "120", "restriction"),
    ("a window", {"ledger": {"blocked_loss_sales": [window("AAA", ["AAA"])]}}, "120", "wash_sale_window"),
    ("the policy", {"harvest": HarvestPolicy("off")}, "120", "harvest_off"),
    ("the threshold", {"harvest": THRESHOLD}, "120", "below_threshold"),
    ("its cost", {}, "100.05", "below_cost"),
]


@pytest.mark.parametrize(("fields", "basis", "reason"), [case[1:] for case in LEFT], ids=[case[0] for case in LEFT])
def test_a_loss_that_is_left_says_why(fields: dict[str, object], basis: str, reason: str) -> None:
    lots = [Lot("a", "AAA", "500", basis), Lot("b", "BBB", "500", "70")]
    made = world([AAA, BBB], lots, cash="500", cash_min_frac=D(0), **fields).propose()  # type: ignore[arg-type]
    assert isinstance(made, ProposalDeclined)
    assert made.outcome == "no_trade"
    loss = (D(basis) - 100) * 500
    assert made.losses_left == [LossesLeft(reason, 1, loss)]


def test_losses_of_a_plan_that_gains_less_than_it_costs_are_below_cost() -> None:
    lots = [Lot("a", "AAA", "500", "100.2"), Lot("b", "BBB", "500", "70")]
    made = world([AAA, BBB], lots, cash="500", cash_min_frac=D(0), risk_aversion=D(1)).propose()
    assert isinstance(made, ProposalDeclined) and made.outcome == "no_trade"
    assert [each.reason for each in made.losses_left] in (["below_cost"], ["risk"])


def test_what_is_taken_is_not_left() -> None:
    lots = [Lot("a", "AAA", "500", "150"), Lot("b", "BBB", "500", "70")]
    made = world([AAA, BBB], lots, cash="500", verdicts=[must_sell("AAA")]).propose()
    assert isinstance(made, ProposalCreated)
    assert made.losses_left == []


def test_an_ira_leaves_no_losses() -> None:
    lots = [Lot("a", "AAA", "500", "150"), Lot("b", "BBB", "500", "170")]
    made = world([AAA, BBB], lots, cash="500", account_type="traditional_ira", cash_min_frac=D(0)).propose()
    assert made.losses_left == []


def test_a_budget_that_keeps_what_was_asked_from_being_done_has_no_price() -> None:
    """Its multiplier is the penalty for the must-sell, not what the budget is worth."""
    lots = [Lot("a", "AAA", "500", "20"), Lot("b", "BBB", "500", "70")]
    made = world([AAA, BBB], lots, cash="500", verdicts=[must_sell("AAA")], budgets=Budgets(tax=D(1000))).propose()
    assert isinstance(made, ProposalCreated)
    assert [each.reason for each in made.unmet if each.wanted == "must_sell"] == ["tax_budget"]
    (budget,) = [each for each in made.binding if each.name == "tax_budget_usd"]
    assert (budget.shadow_price_bps, budget.says) == (None, "it keeps what was asked from being done")


def test_a_number_of_trades_that_is_used_up_is_named_without_a_price() -> None:
    lots = [Lot("a", "AAA", "700", "120"), Lot("b", "BBB", "200", "90")]
    made = world([AAA, BBB], lots, cash="10000", limits=PlanLimits(trades=1)).propose()
    assert isinstance(made, ProposalCreated) and len(made.trades) == 1
    (used,) = [each for each in made.binding if each.name == "trades"]
    assert (used.limit, used.actual, used.shadow_price_bps) == (D(1), D(1), None)
    assert used.says == "the plan trades as many names as it may"


def test_an_account_without_a_plan_lists_no_losses() -> None:
    lots = [Lot("a", "AAA", "900", "120"), Lot("b", "BBB", "100", "90")]
    made = world([AAA, BBB], lots, cash="0", limits=PlanLimits(D("0.001"), D("0.001"))).propose()
    assert isinstance(made, ProposalDeclined) and made.code == "limits_conflict"
    assert made.losses_left == [] and made.relaxations


SPREAD = [Lot("a", "AAA", "700", "120"), Lot("b", "BBB", "300", "100")]


@pytest.mark.parametrize(("mode", "reason"), [("objective", "harvest"), ("off", "drift")])
def test_no_sale_is_a_harvest_where_harvesting_is_off(mode: Literal["objective", "off"], reason: str) -> None:
    proposal = world([AAA, BBB], SPREAD, "0", harvest=HarvestPolicy(mode), cash_min_frac=D(0)).propose()
    assert isinstance(proposal, ProposalCreated)
    assert [trade.reason for trade in proposal.trades if trade.side == "sell"] == [reason]


@pytest.mark.parametrize(("limits", "reason"), [(PlanLimits(turnover_frac=D("0.1")), "turnover_frac"), (PlanLimits(trades=1), "trades")])
def test_a_limit_that_stands_against_raising_cash_is_said(limits: PlanLimits, reason: str) -> None:
    proposal = world([AAA, BBB], SPREAD, "0", cash_target=D(80_000), limits=limits).propose()
    assert isinstance(proposal, ProposalCreated)
    assert [(each.wanted, each.reason) for each in proposal.unmet] == [("cash_raise", reason)]
