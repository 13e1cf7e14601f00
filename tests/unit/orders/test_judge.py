"""Every refusal by one change of a proposal that passes, every wait, and what an accepted proposal reserves."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from libs.common.schemas.ledger import LedgerAccount
from libs.common.schemas.order import BookedLot
from libs.common.schemas.proposal import ProposalCreated, ProposedTrade
from services.orders.core.decision import Accepted, RefusalCode, Refused, Wait
from services.orders.core.evidence import Evidence, run_facts
from services.orders.core.judge import judge
from tests.unit.orders.samples import (
    ACCOUNT,
    AS_OF,
    EVIDENCE,
    HOUSEHOLD,
    LEDGER,
    LOTS,
    PINS,
    POLICY,
    RUN,
    SCREEN,
    buy,
    proposal,
    quotes,
    reservation,
    sell,
    tax_columns,
    verdict,
    window,
)

D = Decimal
ONE_DAY = timedelta(days=1)


def evidence(**changes: object) -> Evidence:
    return replace(EVIDENCE, **changes)


def account(**changes: object) -> Evidence:
    return evidence(account=replace(ACCOUNT, **changes))


def screened(*verdicts: object) -> Evidence:
    return evidence(screen=replace(SCREEN, verdicts=list(verdicts)))


def ledger(**changes: object) -> Evidence:
    return evidence(ledger=replace(LEDGER, **changes))


def household(**changes: object) -> Evidence:
    return evidence(household=replace(HOUSEHOLD, **changes))


def pinned(**changes: object) -> ProposalCreated:
    return proposal(pins=replace(PINS, **changes))


def own_ledger(**changes: object) -> Evidence:
    own = replace(LedgerAccount("A1", 3, 7, tax_columns(LOTS), []), **changes)
    return ledger(accounts=[LEDGER.accounts[0], own])


PASSES = proposal()
LOSS = sell("AAA", "100", a1="5")  # basis 150 a share at a price of 100
UNKNOWN_BASIS = sell("CCC", "20", c1="5")

# id, proposal, evidence, code, subject, limit, actual
REFUSALS: list[tuple[str, ProposalCreated, Evidence, RefusalCode, str | None, Decimal | None, Decimal | None]] = [
    ("the kill switch is on", PASSES, evidence(kill_switch=True), RefusalCode.KILL_SWITCH, None, None, None),
    ("the run has closed", PASSES, evidence(run=run_facts(RUN, True)), RefusalCode.RUN_CLOSED, None, None, None),
    ("an account the run does not list", proposal(account_id="A9"), EVIDENCE, RefusalCode.NOT_IN_RUN, None, None, None),
    ("an account the run excludes", proposal(account_id="X1"), EVIDENCE, RefusalCode.NOT_IN_RUN, None, None, None),
    ("an account of another household", proposal(account_id="Z1"), EVIDENCE, RefusalCode.NOT_IN_RUN, None, None, None),
    ("answered before", PASSES, evidence(prior_proposal_id="other"), RefusalCode.DUPLICATE, "other", None, None),
    ("pinned to another date", pinned(as_of=AS_OF - ONE_DAY), EVIDENCE, RefusalCode.STALE_PIN, "as_of", None, None),
    ("pinned to another market", pinned(market_id="market-0"), EVIDENCE, RefusalCode.STALE_PIN, "market_id", None, None),
    ("pinned below the run's version", pinned(account_version=2), EVIDENCE, RefusalCode.STALE_PIN, "account_version", D(2), D(3)),
    ("pinned above the run's version", pinned(account_version=4), account(version=4), RefusalCode.STALE_PIN, "account_version", D(4), D(3)),
    ("account moved", PASSES, account(version=4), RefusalCode.STALE_PIN, "account_version", D(3), D(4)),
    ("screen moved", PASSES, evidence(screen=replace(SCREEN, version=5)), RefusalCode.STALE_PIN, "screen_version", D(4), D(5)),
    ("ledger moved", PASSES, ledger(version=10), RefusalCode.STALE_PIN, "ledger_version", D(9), D(10)),
    ("a trade the account lacks", PASSES, household(booked_seq={"A1": 8}), RefusalCode.STALE_PIN, "trade_seq", D(7), D(8)),
    ("a trade the ledger lacks", PASSES, household(booked_seq={"A0": 1}), RefusalCode.STALE_PIN, "ledger_version", D(0), D(1)),
    ("another intent", PASSES, household(answers={"A0": "other"}), RefusalCode.STALE_PIN, "intents", None, None),
    ("an earlier account unseen", pinned(intents={}), EVIDENCE, RefusalCode.HOUSEHOLD_ORDER, "A0", None, None),
    ("parked", PASSES, account(state="parked", state_reason="why"), RefusalCode.ACCOUNT_NOT_OPEN, None, None, None),
    ("do not trade", PASSES, account(do_not_trade=True), RefusalCode.DO_NOT_TRADE, None, None, None),
    ("orders at the desk", PASSES, evidence(open_orders=2), RefusalCode.OPEN_ORDERS, None, D(0), D(2)),
    ("a lot disagrees", PASSES, own_ledger(disagreements=["a1"]), RefusalCode.LOTS_DISAGREE, "a1", D(0), D(1)),
    ("ledger without the account", PASSES, ledger(accounts=LEDGER.accounts[:1]), RefusalCode.LOTS_DISAGREE, None, None, None),
    ("no quantity", proposal(buy("BBB", "0", "50")), EVIDENCE, RefusalCode.MALFORMED, "BBB", None, D(0)),
    ("bought and sold", proposal(LOSS, buy("AAA", "1", "100")), EVIDENCE, RefusalCode.MALFORMED, "AAA", None, D(1)),
    ("lots short", proposal(replace(LOSS, quantity=D(6))), EVIDENCE, RefusalCode.MALFORMED, "AAA", None, D(6)),
    ("a lot twice", proposal(replace(LOSS, quantity=D(10), lots=LOSS.lots * 2)), EVIDENCE, RefusalCode.MALFORMED, "AAA", None, D(10)),
    ("a buy with lots", proposal(replace(LOSS, side="buy")), EVIDENCE, RefusalCode.MALFORMED, "AAA", None, D(5)),
    ("part of a fraction", proposal(sell("BBB", "50", b1="10.5")), EVIDENCE, RefusalCode.NOT_WHOLE_SHARES, "BBB", D("30.5"), D("10.5")),
    ("a fraction bought", proposal(buy("BBB", "1.5", "50")), EVIDENCE, RefusalCode.NOT_WHOLE_SHARES, "BBB", D("30.5"), D("1.5")),
    ("under a share", proposal(sell("BBB.B", "55", s1="0.4")), EVIDENCE, RefusalCode.LESS_THAN_ONE_SHARE, "BBB.B", D(1), D("0.4")),
    ("unknown name", proposal(buy("QQQ", "1", "1")), EVIDENCE, RefusalCode.UNKNOWN_SECURITY, "QQQ", None, None),
    ("price jump", proposal(sell("JMP", "10", j1="5")), EVIDENCE, RefusalCode.SECURITY_BLOCKED, "JMP", None, None),
    ("no price", proposal(sell("NOP", "10", n1="5")), EVIDENCE, RefusalCode.NO_PRICE, "NOP", None, None),
    ("price moved up", PASSES, evidence(quotes=quotes(AAA="101.01")), RefusalCode.PRICE_COLLAR, "AAA", D(100), D("101.00")),
    ("price moved down", PASSES, evidence(quotes=quotes(BBB="49.49")), RefusalCode.PRICE_COLLAR, "BBB", D(100), D("102.00")),
    ("may not buy", PASSES, screened(verdict("BBB", may_buy=False)), RefusalCode.MAY_NOT_BUY, "BBB", D(0), D(8)),
    ("may not sell", PASSES, screened(verdict("AAA", may_sell=False)), RefusalCode.MAY_NOT_SELL, "AAA", D(0), D(5)),
    ("no such lot", proposal(sell("AAA", "100", zz="5")), EVIDENCE, RefusalCode.LOT_NOT_OPEN, "zz", None, None),
    ("another name's lot", proposal(sell("AAA", "100", c1="5")), EVIDENCE, RefusalCode.LOT_NOT_OPEN, "c1", None, None),
    ("oversold", proposal(sell("AAA", "100", a2="21")), EVIDENCE, RefusalCode.LOT_OVERSOLD, "a2", D(20), D(21)),
    (
        "a lot that is reserved",
        proposal(sell("AAA", "100", a2="15")),
        household(reservations=[replace(reservation("gain_sale", "AAA", "A1", "p0"), lots=[BookedLot("a2", D(10))])]),
        RefusalCode.LOT_OVERSOLD,
        "a2",
        D(10),
        D(15),
    ),
    ("buy after a loss", PASSES, ledger(blocked_buys=[window("BBB.B", "BBB")]), RefusalCode.BUY_IN_WINDOW, "BBB", None, None),
    ("loss after a buy", proposal(LOSS), ledger(blocked_loss_sales=[window("AAA")]), RefusalCode.LOSS_SALE_IN_WINDOW, "AAA", None, D(5)),
    (
        "unknown basis after a buy",
        proposal(UNKNOWN_BASIS),
        ledger(blocked_loss_sales=[window("CCC")]),
        RefusalCode.LOSS_SALE_IN_WINDOW,
        "CCC",
        None,
        D(5),
    ),
    (
        "part of the window's own lot",
        proposal(LOSS),
        ledger(blocked_loss_sales=[window("AAA", lot_ids=("a1",), account_id="A1")]),
        RefusalCode.LOSS_SALE_IN_WINDOW,
        "AAA",
        None,
        D(5),
    ),
    (
        "the window's own lot sold after another",
        proposal(sell("CCC", "20", c1="40", P_1="4")),
        ledger(blocked_loss_sales=[window("CCC", lot_ids=("P-1",), account_id="A1")]),
        RefusalCode.LOSS_SALE_IN_WINDOW,
        "CCC",
        None,
        D(44),
    ),
    (
        "buy of what another may sell at a loss",
        PASSES,
        household(reservations=[reservation("loss_sale", "BBB")]),
        RefusalCode.RESERVATION_CONFLICT,
        "BBB",
        None,
        None,
    ),
    (
        "loss sale of what another buys",
        proposal(LOSS),
        household(reservations=[reservation("buy", "AAA")]),
        RefusalCode.RESERVATION_CONFLICT,
        "AAA",
        None,
        None,
    ),
    (
        "a buy and a loss sale of one group",
        proposal(replace(LOSS, security_id="BBB.B", price=D(55), lots=sell("BBB.B", "55", b2="5").lots), buy("BBB", "1", "50")),
        evidence(
            account=replace(
                ACCOUNT,
                lots=replace(ACCOUNT.lots, lot_id=["b2", *ACCOUNT.lots.lot_id[1:]], security_id=["BBB.B", *ACCOUNT.lots.security_id[1:]]),
            )
        ),
        RefusalCode.RESERVATION_CONFLICT,
        "BBB",
        None,
        None,
    ),
    (
        "cash short of the half spread",
        proposal(buy("BBB", "20", "50")),
        EVIDENCE,
        RefusalCode.INSUFFICIENT_CASH,
        None,
        D(1000),
        D("1000.20"),
    ),
    (
        "cash reserved",
        proposal(buy("BBB", "8", "50")),
        household(reservations=[reservation("buy", "CCC", "A1", "p0", "600.00")]),
        RefusalCode.INSUFFICIENT_CASH,
        None,
        D(400),
        D("400.08"),
    ),
    (
        "cash owed",
        proposal(buy("BBB", "8", "50")),
        account(cash_unsettled=D(-700)),
        RefusalCode.INSUFFICIENT_CASH,
        None,
        D(300),
        D("400.08"),
    ),
    (
        "unsettled cash",
        proposal(buy("BBB", "8", "50")),
        account(cash_settled=D(100), cash_unsettled=D(700)),
        RefusalCode.INSUFFICIENT_CASH,
        None,
        D(100),
        D("400.08"),
    ),
    (
        "too many orders",
        PASSES,
        evidence(blocks=frozenset({(f"N{i}", "buy") for i in range(4)})),
        RefusalCode.TOO_MANY_ORDERS,
        None,
        D(5),
        D(6),
    ),
]


@pytest.mark.parametrize(
    ("asked", "known", "code", "subject", "limit", "actual"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_refusal(
    asked: ProposalCreated, known: Evidence, code: RefusalCode, subject: str | None, limit: Decimal | None, actual: Decimal | None
) -> None:
    free = replace(POLICY, fee_per_share=D(0))
    decision = judge(asked, known, free)
    assert isinstance(decision, Refused), decision
    assert (decision.code, decision.subject, decision.limit, decision.actual) == (code, subject, limit, actual)


def test_above_the_maximum_weight_only_when_buying() -> None:
    """BBB after the buy: 38.5 x 50 = 1925 of an account of 1000 + 3000 + 1525 + 880 + 50 + 22 = 6477 dollars."""
    bound = D("1925") / D("6477")
    over = screened(verdict("BBB", max_weight_frac=bound - D("0.0006")))
    refused = judge(PASSES, over, POLICY)
    assert isinstance(refused, Refused) and refused.code is RefusalCode.ABOVE_MAX_WEIGHT
    assert refused.actual == bound
    assert isinstance(judge(PASSES, screened(verdict("BBB", max_weight_frac=bound - D("0.0004"))), POLICY), Accepted)
    assert isinstance(judge(PASSES, screened(verdict("AAA", max_weight_frac=D(0))), POLICY), Accepted), "a sale lowers what is too high"


def test_below_the_minimum_weight_only_when_selling_freely() -> None:
    bound = D("2500") / D("6477")
    under = judge(PASSES, screened(verdict("AAA", min_weight_frac=bound + D("0.0006"))), POLICY)
    assert isinstance(under, Refused) and under.code is RefusalCode.BELOW_MIN_WEIGHT
    forced = screened(verdict("AAA", min_weight_frac=bound + D("0.0006"), must_sell=True))
    assert isinstance(judge(PASSES, forced, POLICY), Accepted)


def test_every_refusal_has_an_example() -> None:
    shown = {row[3] for row in REFUSALS} | {RefusalCode.ABOVE_MAX_WEIGHT, RefusalCode.BELOW_MIN_WEIGHT}
    assert shown == set(RefusalCode)


WAITS: list[tuple[str, Evidence, str]] = [
    ("the run", evidence(run=None), "run"),
    ("the account", evidence(account=None), "account"),
    ("an older account", account(version=2), "account"),
    ("a member of the household", household(account_types={"A0": "taxable", "A1": "taxable", "X1": "taxable"}), "account"),
    ("the screen", evidence(screen=None), "screen"),
    ("an older screen", evidence(screen=replace(SCREEN, version=3)), "screen"),
    ("the ledger", evidence(ledger=None), "ledger"),
    ("an older ledger", ledger(version=8), "ledger"),
    ("any market", evidence(quotes=None), "market"),
    ("the run's market", evidence(run_market_seen=False), "market"),
    ("an earlier account's answer", household(answers={}), "household_proposal"),
]


@pytest.mark.parametrize(("known", "awaited"), [row[1:] for row in WAITS], ids=[row[0] for row in WAITS])
def test_waits_for_what_is_newer_than_seen(known: Evidence, awaited: str) -> None:
    decision = judge(PASSES, known, POLICY)
    assert isinstance(decision, Wait) and decision.awaited == awaited


def test_what_has_moved_is_refused_even_while_something_else_is_awaited() -> None:
    decision = judge(PASSES, replace(EVIDENCE, screen=replace(SCREEN, version=5), ledger=None), POLICY)
    assert isinstance(decision, Refused) and decision.code is RefusalCode.STALE_PIN


def test_the_ira_comes_after_the_taxable_accounts() -> None:
    late = proposal(account_id="0R", pins=replace(PINS, account_version=1, intents={"A0": "proposal-A0"}))
    known = evidence(account=replace(ACCOUNT, account_id="0R", version=1), household=replace(HOUSEHOLD, booked_seq={}))
    decision = judge(late, known, POLICY)
    assert isinstance(decision, Refused) and (decision.code, decision.subject) == (RefusalCode.HOUSEHOLD_ORDER, "A1")


ALLOWED: list[tuple[str, ProposalCreated, Evidence]] = [
    (
        "all of the window's lots sold out",
        proposal(sell("AAA", "100", a1="10")),
        ledger(blocked_loss_sales=[window("AAA", lot_ids=("a1",))]),
    ),
    (
        "the window's own lot sold before another",
        proposal(sell("CCC", "20", P_1="4", c1="40")),
        ledger(blocked_loss_sales=[window("CCC", lot_ids=("P-1",))]),
    ),
    ("a gain inside a loss window", PASSES, ledger(blocked_loss_sales=[window("AAA")])),
    ("a buy a day after the window", PASSES, ledger(blocked_buys=[window("BBB", until=AS_OF - ONE_DAY)])),
    ("a buy in another group's window", PASSES, ledger(blocked_buys=[window("CCC")])),
    ("price at the collar", PASSES, evidence(quotes=quotes(AAA="101"))),
    ("a whole position with its fraction", proposal(sell("BBB", "50", b1="30.5")), EVIDENCE),
    ("a gain sale beside a buy of the group", PASSES, household(reservations=[reservation("buy", "AAA")])),
    ("a buy beside a buy", PASSES, household(reservations=[reservation("buy", "BBB")])),
    ("its own reservation", PASSES, household(reservations=[reservation("loss_sale", "BBB", "A1", "proposal-A1", "900")])),
    ("a sale while cash is negative", proposal(sell("AAA", "100", a2="5")), account(cash_settled=D(-900))),
    ("the last free order", PASSES, evidence(blocks=frozenset({(f"N{i}", "buy") for i in range(3)}))),
    ("an order shared with others", PASSES, evidence(blocks=frozenset({("AAA", "sell"), *((f"N{i}", "buy") for i in range(3))}))),
]


@pytest.mark.parametrize(("asked", "known"), [row[1:] for row in ALLOWED], ids=[row[0] for row in ALLOWED])
def test_allowed(asked: ProposalCreated, known: Evidence) -> None:
    decision = judge(asked, known, POLICY)
    assert isinstance(decision, Accepted), decision


def test_what_an_accepted_proposal_reserves() -> None:
    decision = judge(PASSES, EVIDENCE, POLICY)
    assert isinstance(decision, Accepted)
    sale, purchase = decision.reservations
    assert (sale.kind, sale.identity_group, [(lot.lot_id, lot.quantity) for lot in sale.lots]) == ("gain_sale", "AAA", [("a2", D(5))])
    half_spread, fee = D("0.0002"), D("0.01")
    assert (purchase.kind, purchase.cash) == ("buy", 8 * 50 * (1 + half_spread) + 8 * fee)


LOSS_KINDS: list[tuple[str, ProposedTrade, str, str]] = [
    ("basis above the price", LOSS, "taxable", "loss_sale"),
    ("basis below the price", sell("AAA", "100", a2="5"), "taxable", "gain_sale"),
    ("one lot of two at a loss", sell("AAA", "100", a2="5", a1="1"), "taxable", "loss_sale"),
    ("basis unknown", UNKNOWN_BASIS, "taxable", "loss_sale"),
    ("a loss in an IRA", LOSS, "traditional_ira", "gain_sale"),
    ("a gain within the collar", sell("AAA", "50.4", a2="5"), "taxable", "loss_sale"),  # basis 50, collar 1 %: 49.896
    ("a gain beyond the collar", sell("AAA", "50.6", a2="5"), "taxable", "gain_sale"),  # 50.094
]


@pytest.mark.parametrize(("trade", "account_type", "kind"), [row[1:] for row in LOSS_KINDS], ids=[row[0] for row in LOSS_KINDS])
def test_a_sale_that_could_become_a_loss_is_reserved_as_one(trade: ProposedTrade, account_type: str, kind: str) -> None:
    known = replace(account(account_type=account_type), quotes=quotes(AAA=str(trade.price)) if trade.security_id == "AAA" else quotes())
    decision = judge(proposal(trade), known, POLICY)
    assert isinstance(decision, Accepted), decision
    assert [item.kind for item in decision.reservations] == [kind]


@pytest.mark.parametrize("side", ["proposal", "account"])
def test_manual_approval_wherever_it_is_asked_for(side: str) -> None:
    asked = replace(PASSES, approval="manual") if side == "proposal" else PASSES
    decision = judge(asked, account(approval="manual") if side == "account" else EVIDENCE, POLICY)
    assert isinstance(decision, Accepted) and decision.approval == "manual"


def test_the_kill_switch_beats_everything() -> None:
    nothing_known = replace(EVIDENCE, kill_switch=True, run=None, account=None, screen=None, ledger=None, quotes=None)
    decision = judge(PASSES, nothing_known, POLICY)
    assert isinstance(decision, Refused) and decision.code is RefusalCode.KILL_SWITCH
