"""Decisions that an expert can follow: one rule each, on a handful of names."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from libs.common.schemas.account import Budgets, CashFlow
from libs.common.schemas.ledger import AccountYear
from libs.common.schemas.proposal import ProposalCreated, ProposedTrade
from tests.unit.optimizer.samples import (
    AS_OF,
    RECENT,
    Lot,
    Security,
    World,
    earlier_buy,
    earlier_proposal,
    earlier_sale,
    must_sell,
    verdict,
    window,
    world,
)

# Ten names of equal weight at 100 dollars; most tests hold a million dollars at target, with no cash to spare, and change one thing.
NAMES = [f"N{i}" for i in range(10)]
SECURITIES = [Security(name, "100", "0.1") for name in NAMES]
AT_TARGET = [Lot(f"{name}-0", name, "990", "100") for name in NAMES]
CASH = "2000"


def changed(*lots: Lot) -> list[Lot]:
    """The account at target, with the named securities' lots replaced."""
    named = {lot.security_id for lot in lots}
    return [*(lot for lot in AT_TARGET if lot.security_id not in named), *lots]


def created(decision: World) -> ProposalCreated:
    proposal = decision.propose()
    assert isinstance(proposal, ProposalCreated), proposal
    return proposal


def trades(proposal: ProposalCreated) -> dict[str, ProposedTrade]:
    return {trade.security_id: trade for trade in proposal.trades}


LOSS = Lot("N0-0", "N0", "990", "150", RECENT)


def test_a_loss_is_harvested_and_others_take_its_place() -> None:
    proposal = created(world(SECURITIES, changed(LOSS), CASH))
    sale = trades(proposal)["N0"]
    assert (sale.side, sale.reason) == ("sell", "harvest")
    assert sale.lots[0].term == "short"
    assert sale.lots[0].gain == -50 * sale.quantity
    assert sale.tax == Decimal("0.408") * -50 * sale.quantity
    assert proposal.tax.short_loss == 50 * sale.quantity
    assert {trade.reason for trade in proposal.trades if trade.side == "buy"} == {"harvest"}
    assert "N0" not in {trade.security_id for trade in proposal.trades if trade.side == "buy"}


def test_a_loss_in_an_ira_is_worth_nothing() -> None:
    decision = world(SECURITIES, changed(LOSS), CASH, account_type="roth_ira").propose()
    assert not isinstance(decision, ProposalCreated)
    assert decision.outcome == "no_trade"


BLOCKED_LOSS = [
    ("a window after a buy elsewhere", {"ledger": {"blocked_loss_sales": [window("N0", ["N0"])]}}),
    ("an earlier account buys", {"earlier": [earlier_proposal([earlier_buy("N0", "100")])]}),
    ("a rule forbids the sale", {"verdicts": [verdict("N0", "never_sell", may_sell=False)]}),
]


@pytest.mark.parametrize("fields", [case[1] for case in BLOCKED_LOSS], ids=[case[0] for case in BLOCKED_LOSS])
def test_a_blocked_loss_is_not_sold(fields: dict[str, object]) -> None:
    decision = world(SECURITIES, changed(LOSS), CASH, **fields).propose()  # type: ignore[arg-type]
    assert not isinstance(decision, ProposalCreated)
    assert decision.outcome == "no_trade"


def test_a_loss_in_another_share_class_of_a_blocked_group_is_not_sold() -> None:
    classes = [replace(each, group="ISSUER") if each.security_id in {"N0", "N1"} else each for each in SECURITIES]
    decision = world(classes, changed(LOSS), CASH, ledger={"blocked_loss_sales": [window("ISSUER", ["N1"])]}).propose()
    assert not isinstance(decision, ProposalCreated)


def test_the_lot_that_opened_the_window_may_leave_whole_and_first() -> None:
    lots = changed(LOSS, Lot("N0-1", "N0", "10", "101", AS_OF - timedelta(days=12)))
    opened = window("N0", ["N0"], 18, "A1", ["N0-1"])
    sale = trades(created(world(SECURITIES, lots, CASH, ledger={"blocked_loss_sales": [opened]})))["N0"]
    assert sale.lots[0].lot_id == "N0-1"
    assert sale.lots[0].quantity == 10
    assert sale.quantity > 10


UNDERWEIGHT = changed(Lot("N0-0", "N0", "500", "90"))
BLOCKED_BUY = [
    ("a window after a loss", {"ledger": {"blocked_buys": [window("N0", ["N0"])]}}),
    ("an earlier account may sell at a loss", {"earlier": [earlier_proposal([earlier_sale("N0", "100", "-50")])]}),
    ("an earlier account sells an unknown basis", {"earlier": [earlier_proposal([earlier_sale("N0", "100", None, "none")])]}),
    ("a rule forbids buying", {"verdicts": [verdict("N0", "never_buy", may_buy=False)]}),
    ("the market blocks the name", {}),
]


@pytest.mark.parametrize("fields", [case[1] for case in BLOCKED_BUY], ids=[case[0] for case in BLOCKED_BUY])
def test_a_blocked_name_is_not_bought(fields: dict[str, object]) -> None:
    securities = SECURITIES if fields else [replace(SECURITIES[0], blocked="price_jump"), *SECURITIES[1:]]
    proposal = created(world(securities, UNDERWEIGHT, "59000", **fields))  # type: ignore[arg-type]
    assert "N0" not in trades(proposal)
    assert all(trade.side == "buy" for trade in proposal.trades)


def test_free_it_is_bought_with_the_spare_cash() -> None:
    buy = trades(created(world(SECURITIES, UNDERWEIGHT, "59000")))["N0"]
    assert (buy.side, buy.reason) == ("buy", "cash")
    assert buy.quantity > 400


def test_must_sell_leaves_whole_with_its_fraction() -> None:
    lots = changed(Lot("N0-0", "N0", "60.25", "90"), Lot("N0-1", "N0", "30.5", "95"))
    proposal = created(world(SECURITIES, lots, "110000", [must_sell("N0")]))
    sale = trades(proposal)["N0"]
    assert (sale.quantity, sale.reason) == (Decimal("90.75"), "restriction")
    assert proposal.unmet == []


UNMET = [
    ("a price jump", [replace(SECURITIES[0], blocked="price_jump"), *SECURITIES[1:]], {}, "price_jump"),
    ("an open window", SECURITIES, {"ledger": {"blocked_loss_sales": [window("N0", ["N0"])]}}, "wash_sale_window"),
    ("an earlier account's buy", SECURITIES, {"earlier": [earlier_proposal([earlier_buy("N0", "100")])]}, "household_intent"),
]


@pytest.mark.parametrize(("securities", "fields", "reason"), [case[1:] for case in UNMET], ids=[case[0] for case in UNMET])
def test_a_must_sell_that_cannot_be_done_is_reported(securities: list[Security], fields: dict[str, object], reason: str) -> None:
    decision = world(securities, changed(LOSS), CASH, [must_sell("N0")], **fields).propose()  # type: ignore[arg-type]
    assert [(each.security_id, each.wanted, each.reason, each.quantity) for each in decision.unmet] == [
        ("N0", "must_sell", reason, Decimal(990))
    ]


def test_less_than_one_share_stays_and_is_reported() -> None:
    decision = world(SECURITIES, changed(Lot("N0-0", "N0", "0.7", "90")), "108930", [must_sell("N0")]).propose()
    assert [(each.wanted, each.reason, each.quantity) for each in decision.unmet] == [("must_sell", "less_than_one_share", Decimal("0.7"))]


def test_an_unknown_basis_is_sold_only_if_it_must() -> None:
    lots = changed(Lot("N0-0", "N0", "3000", None))
    assert "N0" not in trades(created(world(SECURITIES, lots, "50000")))
    sale = trades(created(world(SECURITIES, lots, "50000", [must_sell("N0")])))["N0"]
    assert sale.quantity == 3000
    assert (sale.lots[0].term, sale.lots[0].gain) == ("none", None)
    assert sale.tax == Decimal("0.408") * 3000 * 100


TERMS = [("the last short day", date(2025, 1, 15), "short"), ("the first long day", date(2025, 1, 14), "long")]


@pytest.mark.parametrize(("start", "term"), [case[1:] for case in TERMS], ids=[case[0] for case in TERMS])
def test_the_term_is_that_of_the_runs_date(start: date, term: str) -> None:
    lots = changed(Lot("N0-0", "N0", "2000", "99", start))
    assert trades(created(world(SECURITIES, lots, CASH)))["N0"].lots[0].term == term


def test_an_owners_withdrawal_is_raised() -> None:
    proposal = created(world(SECURITIES, AT_TARGET, CASH, cash_flows=[CashFlow(AS_OF + timedelta(days=3), Decimal(-100_000))]))
    assert {(trade.side, trade.reason) for trade in proposal.trades} == {("sell", "cash")}
    assert proposal.cash_after >= 100_000 + Decimal("0.002") * 900_000
    assert "cash_min_usd" in {each.name for each in proposal.binding} or proposal.cash_after > 101_800


WITHDRAWALS = [("beyond the notice", 8, False), ("at the notice", 7, True), ("in the custodian's cash already", 0, False)]


@pytest.mark.parametrize(("days", "raised"), [case[1:] for case in WITHDRAWALS], ids=[case[0] for case in WITHDRAWALS])
def test_a_withdrawal_counts_from_its_notice_until_its_due_date(days: int, raised: bool) -> None:
    flows = [CashFlow(AS_OF + timedelta(days=days), Decimal(-100_000))]
    assert isinstance(world(SECURITIES, AT_TARGET, CASH, cash_flows=flows).propose(), ProposalCreated) == raised


def test_new_cash_is_invested_even_where_no_name_alone_is_worth_a_trade() -> None:
    proposal = created(world(SECURITIES, AT_TARGET, "28000", min_trade=Decimal(2_500)))
    assert {trade.reason for trade in proposal.trades} == {"cash"}
    assert all(trade.quantity * trade.price >= 2_500 for trade in proposal.trades)
    assert proposal.cash_after <= Decimal("0.02") * proposal.account_value + 2_500


def test_unsettled_cash_is_not_spent() -> None:
    proposal = created(world(SECURITIES, AT_TARGET, "30000", cash_unsettled=Decimal(60_000)))
    assert proposal.cash_after >= 60_000


def test_sales_wait_for_nothing_but_buys_pay_what_is_due() -> None:
    decision = world(SECURITIES, AT_TARGET, "60000", cash_unsettled=Decimal(-50_000)).propose()
    assert not isinstance(decision, ProposalCreated) or decision.cash_after >= 0


GAIN = Lot("N0-0", "N0", "3000", "40", RECENT)
BUDGETS = [
    ("tax", Budgets(tax=Decimal(5_000)), "tax_budget_usd", 5_000),
    ("short gains", Budgets(short_gain=Decimal(6_000)), "short_gain_budget_usd", 6_000),
]


@pytest.mark.parametrize(("budgets", "name", "limit"), [case[1:] for case in BUDGETS], ids=[case[0] for case in BUDGETS])
def test_a_budget_binds_and_says_so(budgets: Budgets, name: str, limit: int) -> None:
    proposal = created(world(SECURITIES, changed(GAIN), "40000", budgets=budgets, risk_aversion=Decimal(500)))
    binding = {each.name: each for each in proposal.binding}[name]
    assert binding.limit == limit
    assert 0.9 * limit < binding.actual <= limit


def test_what_the_year_used_is_taken_from_the_budget_and_losses_give_room() -> None:
    used = {"account_years": [AccountYear("A1", 2026, Decimal(7_000), Decimal(0))]}
    lots, budgets = changed(GAIN), Budgets(short_gain=Decimal(6_000))
    spent = world(SECURITIES, lots, "40000", budgets=budgets, risk_aversion=Decimal(500), ledger=used)
    assert "N0" not in trades(created(spent))
    lost = {"account_years": [AccountYear("A1", 2026, Decimal(-7_000), Decimal(0))]}
    room = world(SECURITIES, lots, "40000", budgets=budgets, risk_aversion=Decimal(500), ledger=lost)
    assert created(room).tax.short_gain > 6_000


def test_a_must_sell_goes_as_far_as_the_budget_and_reports_the_rest() -> None:
    proposal = created(world(SECURITIES, changed(GAIN), "40000", [must_sell("N0")], budgets=Budgets(short_gain=Decimal(6_000))))
    assert trades(proposal)["N0"].quantity == 99  # 100 shares at a gain of 60 dollars, less the cents kept for rounding
    assert [(each.wanted, each.reason) for each in proposal.unmet] == [("must_sell", "short_gain_budget")]


def test_a_maximum_weight_is_reached_by_selling() -> None:
    lots = changed(Lot("N0-0", "N0", "3000", "99"))
    proposal = created(world(SECURITIES, lots, CASH, [verdict("N0", "max_weight", max_weight=Decimal("0.08"))]))
    sale = trades(proposal)["N0"]
    assert sale.reason == "restriction"
    assert (3000 - sale.quantity) * 100 <= Decimal("0.08") * proposal.account_value + 100


def test_a_maximum_weight_is_reached_even_where_the_sale_costs_tax_and_tracking_error() -> None:
    """Left to the trade-off alone, whole shares next to the plan's would include selling none."""
    lots = changed(Lot("N0-0", "N0", "990", "10"))
    proposal = created(world(SECURITIES, lots, CASH, [verdict("N0", "max_weight", max_weight=Decimal("0.04"))]))
    left = 990 - trades(proposal)["N0"].quantity
    assert left * 100 <= Decimal("0.04") * proposal.account_value + 100
    assert not proposal.unmet


def test_a_maximum_weight_is_not_bought_beyond() -> None:
    proposal = created(world(SECURITIES, [], "1000000", [verdict("N0", "max_weight", max_weight=Decimal("0.05"))]))
    assert trades(proposal)["N0"].quantity * 100 <= Decimal("0.05") * proposal.account_value
    assert proposal.te_after_frac < proposal.te_before_frac


def test_pins_and_id_name_every_input() -> None:
    sale = earlier_proposal([earlier_sale("N5", "100", "90")], "A0")
    old = earlier_proposal([], "A9", run_id="run-0")
    proposal = created(world(SECURITIES, changed(LOSS), CASH, earlier=[sale, old]))
    pins = proposal.pins
    assert (pins.account_version, pins.screen_version, pins.ledger_version, pins.market_id, pins.as_of) == (3, 4, 5, "market-1", AS_OF)
    assert pins.intents == {"A0": "p-A0"}
    other = created(world(SECURITIES, changed(LOSS), CASH, earlier=[]))
    assert other.proposal_id != proposal.proposal_id
