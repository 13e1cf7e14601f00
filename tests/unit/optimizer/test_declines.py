"""Every decline that inputs can cause, with its outcome and numbers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec import structs

from libs.common.schemas.account import CashFlow, PlanLimits, WeightBound
from libs.common.schemas.market import MarketPublished
from libs.common.schemas.proposal import ProposalDeclined
from libs.common.schemas.screen import Verdict
from services.optimizer.core.chain import SOLVER_VERSION
from services.optimizer.core.decline import Decline, DeclineCode
from tests.unit.optimizer.samples import AS_OF, Lot, Security, World, verdict, with_account, world

SECURITIES = [Security("AA", "100", "0.6"), Security("BB", "50", "0.4"), Security("CC", "20")]
LOTS = [Lot("L1", "AA", "60", "80"), Lot("L2", "BB", "75", "60")]


def base(**fields: object) -> World:
    return world(SECURITIES, LOTS, "200", **fields)  # type: ignore[arg-type]


def declined(decision: World) -> ProposalDeclined:
    outcome = decision.propose()
    assert isinstance(outcome, ProposalDeclined), outcome
    return outcome


def with_market(change: Callable[[MarketPublished], MarketPublished]) -> World:
    given = base()
    return replace(given, market=change(given.market))


def with_columns(**columns: object) -> World:
    return with_market(lambda m: structs.replace(m, securities=structs.replace(m.securities, **columns)))


def with_risk(**fields: object) -> World:
    return with_market(lambda m: structs.replace(m, risk=structs.replace(m.risk, **fields)))


def with_ledger(**fields: object) -> World:
    given = base()
    return replace(given, ledger=structs.replace(given.ledger, **fields))


def with_ledger_account(**fields: object) -> World:
    given = base()
    held = structs.replace(given.ledger.accounts[0], **fields)
    return replace(given, ledger=structs.replace(given.ledger, accounts=[held]))


def with_lot_quantity(quantity: str) -> World:
    columns = base().ledger.accounts[0].lots
    return with_ledger_account(lots=structs.replace(columns, quantity=[quantity, *columns.quantity[1:]]))


def with_screen(**fields: object) -> World:
    given = base()
    return replace(given, screen=structs.replace(given.screen, **fields))


def verdict_between(least: str, most: str) -> Verdict:
    return verdict("AA", "weights", min_weight=Decimal(least), max_weight=Decimal(most))


REFUSED = [
    ("parked", lambda: with_account(base(), state="parked", state_reason="lot missing"), DeclineCode.ACCOUNT_NOT_OPEN),
    ("do not trade", lambda: with_account(base(), do_not_trade=True), DeclineCode.DO_NOT_TRADE),
    ("newer account", lambda: with_account(base(), version=4), DeclineCode.STALE_INPUTS),
    ("more trades", lambda: with_account(base(), trade_seq=3), DeclineCode.STALE_INPUTS),
    ("ledger of another day", lambda: with_ledger(as_of=AS_OF - timedelta(days=1)), DeclineCode.STALE_INPUTS),
    ("screen of another market", lambda: with_screen(market_id="market-0"), DeclineCode.STALE_INPUTS),
    ("screen of an older account", lambda: with_screen(account_version=2), DeclineCode.STALE_INPUTS),
    ("ledger of an older account", lambda: with_ledger_account(account_version=2), DeclineCode.STALE_INPUTS),
    ("ledger without the last trade", lambda: with_ledger_account(trade_seq=1), DeclineCode.STALE_INPUTS),
    ("ledger disagrees", lambda: with_ledger_account(disagreements=["L2"]), DeclineCode.LOTS_DISAGREE),
    ("another quantity", lambda: with_lot_quantity("59"), DeclineCode.LOTS_DISAGREE),
    ("ledger lacks the account", lambda: with_ledger_account(account_id="A9"), DeclineCode.LOTS_DISAGREE),
    ("unknown strategy", lambda: with_account(base(), strategy_id="other"), DeclineCode.UNKNOWN_STRATEGY),
    ("no price of a held name", lambda: with_columns(price=["100", None, "20"]), DeclineCode.PRICE_MISSING),
    ("no risk row", lambda: with_risk(security_id=["AA", "XX", "CC"]), DeclineCode.RISK_MISSING),
    ("no risk aversion", lambda: with_account(base(), risk_aversion=Decimal(0)), DeclineCode.INVALID_ACCOUNT),
    ("cash band upside down", lambda: with_account(base(), cash_min_frac=Decimal("0.5")), DeclineCode.INVALID_ACCOUNT),
    ("price is not a number", lambda: with_columns(price=["NaN", "50", "20"]), DeclineCode.INVALID_MARKET),
    ("price negative", lambda: with_columns(price=["-1", "50", "20"]), DeclineCode.INVALID_MARKET),
    ("specific variance zero", lambda: with_risk(specific_var_ann=[0.1, 0.0, 0.1]), DeclineCode.INVALID_MARKET),
    ("exposure infinite", lambda: with_risk(exposures=[[float("inf")] * 3] * 3), DeclineCode.INVALID_MARKET),
    ("least weight above most", lambda: with_screen(verdicts=[verdict_between("0.3", "0.2")]), DeclineCode.INVALID_ACCOUNT),
    ("nothing there", lambda: world(SECURITIES, [], "0"), DeclineCode.EMPTY_ACCOUNT),
]


@pytest.mark.parametrize(("build", "code"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(build: Callable[[], World], code: DeclineCode) -> None:
    answer = declined(build())
    assert (answer.outcome, answer.code) == ("refused", code.value)
    assert answer.pins is not None
    assert answer.pins.solver_version == SOLVER_VERSION


def test_a_model_that_does_not_sum_to_one_is_refused() -> None:
    def heavier(market: MarketPublished) -> MarketPublished:
        return structs.replace(market, models=[structs.replace(market.models[0], weight_frac=["0.6", "0.5"])])

    assert declined(with_market(heavier)).code == DeclineCode.INVALID_MARKET.value


FAULTS = [
    ("price", lambda: with_columns(price=["-1", "50", "20"]), "price of AA is -1"),
    ("spread", lambda: with_columns(half_spread_bps=[3.0, float("nan"), 3.0]), "half_spread_bps of BB is nan"),
    ("variance", lambda: with_risk(specific_var_ann=[0.1, -1.0, 0.1]), "specific_var_ann of BB is -1.0"),
    ("exposures", lambda: with_risk(exposures=[[0.1] * 3, [0.1] * 2, [0.1] * 3]), "exposures of BB are not 3 finite numbers"),
    ("bounds", lambda: with_screen(verdicts=[verdict_between("0.3", "0.2")]), "min_weight_frac of AA is above its max_weight_frac"),
]


@pytest.mark.parametrize(("build", "message"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])
def test_a_fault_names_the_field_and_the_security(build: Callable[[], World], message: str) -> None:
    assert declined(build()).message == message


def test_a_fault_of_a_security_that_the_account_has_nothing_to_do_with_refuses_nobody() -> None:
    plain, faulty = base().propose(), with_columns(price=["100", "50", "-1"]).propose()
    assert faulty == plain


def test_numbers_of_a_disagreement() -> None:
    answer = declined(with_lot_quantity("59"))
    assert (answer.limit, answer.actual) == (Decimal(60), Decimal(59))


def test_a_withdrawal_of_more_than_the_account_is_infeasible() -> None:
    answer = declined(base(cash_flows=[CashFlow(AS_OF + timedelta(days=2), Decimal(-20_000))]))
    assert (answer.outcome, answer.code) == ("infeasible", "cash_short")
    assert [(each.name, each.limit, each.needed) for each in answer.relaxations] == [("withdrawals_usd", answer.limit, answer.actual)]
    assert (answer.limit, answer.actual) == (Decimal(20_000), Decimal("9950.00"))


def test_limits_that_ask_for_purchases_beyond_settled_cash_are_infeasible_with_both_amounts() -> None:
    bound = WeightBound("security", "AA", least_frac=Decimal("0.5"))
    given = world(SECURITIES, [], "100", cash_unsettled=Decimal(10_000), limits=PlanLimits(weights=[bound]))
    answer = declined(given)
    assert (answer.outcome, answer.code) == ("infeasible", "limits_conflict")
    assert answer.message.startswith("dollars of settled cash")
    assert answer.limit == Decimal(100) and answer.actual is not None and answer.actual > Decimal(5_000)


@pytest.mark.parametrize(
    ("limits", "name"), [(PlanLimits(trades=0), "limits.trades"), (PlanLimits(turnover_frac=Decimal(0)), "limits.turnover_frac")]
)
def test_a_limit_of_no_trades_says_that_it_forbids_them(limits: PlanLimits, name: str) -> None:
    lots = [Lot("L1", "AA", "10", "100"), Lot("L2", "BB", "180", "50")]
    answer = declined(world(SECURITIES, lots, limits=limits, cash_min_frac=Decimal(0)))
    assert (answer.outcome, answer.code, answer.limit) == ("no_trade", "limit_forbids", Decimal(0))
    assert name in answer.message and answer.actual is not None and answer.actual > 100


def test_an_account_at_its_target_says_so() -> None:
    at_target = [Lot("L1", "AA", "60", "100"), Lot("L2", "BB", "80", "50")]
    answer = declined(world(SECURITIES, at_target, cash_min_frac=Decimal(0)))
    assert (answer.outcome, answer.code) == ("no_trade", "at_target")
    assert answer.te_before_frac is not None


def test_wishes_below_the_minimum_trade_say_so() -> None:
    near = [Lot("L1", "AA", "59", "100"), Lot("L2", "BB", "80", "50")]
    answer = declined(world(SECURITIES, near, "250", min_trade=Decimal(5_000), cash_max_frac=Decimal("0.05")))
    assert (answer.outcome, answer.code) == ("no_trade", "below_min_trade")
    assert answer.limit == Decimal(5_000)


def test_a_gain_below_its_cost_is_not_worth_trading() -> None:
    dear = [replace(each, half_spread_bps=20.0) for each in SECURITIES]
    near = [Lot("L1", "AA", "604", "100"), Lot("L2", "BB", "792", "50")]
    answer = declined(world(dear, near, "100", min_trade=Decimal(0), cash_min_frac=Decimal(0), risk_aversion=Decimal(20)))
    assert answer.outcome == "no_trade"
    assert answer.code in {"gain_below_cost", "at_target", "below_min_trade"}


def test_every_code_has_an_outcome() -> None:
    assert {Decline(code, "").outcome for code in DeclineCode} == {"no_trade", "refused", "infeasible"}
