"""The check of a finished proposal finds what is wrong with one, rule by rule, and nothing in one that the core made."""

from collections.abc import Callable
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from libs.common.schemas.account import Budgets
from libs.common.schemas.proposal import LotInstruction, ProposalCreated, ProposedTrade
from services.optimizer.core.inputs import Case
from services.optimizer.core.verify import broken_rule
from tests.unit.optimizer.samples import OLD, Lot, Security, World, random_world, verdict, world
from tests.unit.optimizer.test_explained import case_of

SECURITIES = [Security("AAA", "100", "0.5"), Security("BBB", "50", "0.5"), Security("CCC", "20", "0")]
LOTS = [
    Lot("A1", "AAA", "300", "90", OLD),
    Lot("A2", "AAA", "200.5", "80", OLD),
    Lot("B1", "BBB", "20", "40", OLD),
    Lot("C1", "CCC", "100", "10", OLD),
]


def sound(made: World) -> tuple[Case, ProposalCreated]:
    case, proposal = case_of(made), made.propose()
    assert case is not None and isinstance(proposal, ProposalCreated)
    assert broken_rule(case, proposal) is None
    return case, proposal


def trade_of(proposal: ProposalCreated, security_id: str) -> ProposedTrade:
    return next(each for each in proposal.trades if each.security_id == security_id)


def with_trade(proposal: ProposalCreated, security_id: str, **changed: object) -> ProposalCreated:
    trades = [structs.replace(each, **changed) if each.security_id == security_id else each for each in proposal.trades]
    return structs.replace(proposal, trades=trades)


def with_lots(proposal: ProposalCreated, *lots: tuple[str, str]) -> ProposalCreated:
    """The sale of AAA from these lots, and of as many shares."""
    taken = [LotInstruction(lot_id, D(shares), "long", D(0)) for lot_id, shares in lots]
    return with_trade(proposal, "AAA", lots=taken, quantity=sum((each.quantity for each in taken), D(0)))


Spoiled = Callable[[ProposalCreated], ProposalCreated]
SPOILED: dict[str, tuple[Spoiled, str]] = {
    "price": (lambda made: with_trade(made, "BBB", price=D("50.01")), "not at its pinned price"),
    "nothing bought": (lambda made: with_trade(made, "BBB", quantity=D(0)), "trades 0 shares"),
    "half a share bought": (lambda made: with_trade(made, "BBB", quantity=D("1.5")), "not whole shares without lots"),
    "a buy with lots": (lambda made: with_trade(made, "BBB", lots=trade_of(made, "AAA").lots), "not whole shares without lots"),
    "half a share sold": (lambda made: with_lots(made, ("A1", "10.5")), "neither whole shares nor the whole position"),
    "too few of lots": (lambda made: with_trade(made, "AAA", quantity=trade_of(made, "AAA").quantity + 1), "do not sum to the sale"),
    "a lot twice": (lambda made: with_lots(made, ("A1", "10"), ("A1", "10")), "sold twice"),
    "another's lot": (lambda made: with_lots(made, ("B1", "10")), "not of AAA"),
    "no lot of the account": (lambda made: with_lots(made, ("Z9", "10")), "not of AAA"),
    "more than the lot": (lambda made: with_lots(made, ("A1", "301")), "oversold"),
    "less than nothing of a lot": (lambda made: with_lots(made, ("A1", "-1"), ("A2", "11")), "oversold"),
    "cash": (lambda made: structs.replace(made, cash_after=made.cash_after + D("0.01")), "cash goes from"),
    "tax": (lambda made: structs.replace(made, tax=structs.replace(made.tax, tax=D(10**9))), "exceeds"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_what_is_wrong_is_found(name: str) -> None:
    case, proposal = sound(world(SECURITIES, LOTS, "1000", budgets=Budgets(tax=D(10**6))))
    spoil, says = SPOILED[name]
    assert says in (broken_rule(case, spoil(proposal)) or "")


@pytest.mark.parametrize(
    ("security_id", "kind", "allowed", "says"),
    [("BBB", "never_buy", {"may_buy": False}, "may not be bought"), ("AAA", "never_sell", {"may_sell": False}, "may not be sold")],
)
def test_what_the_screen_forbids_is_found(security_id: str, kind: str, allowed: dict[str, bool], says: str) -> None:
    _, proposal = sound(world(SECURITIES, LOTS, "1000"))
    forbidding = case_of(world(SECURITIES, LOTS, "1000", [verdict(security_id, kind, **allowed)]))
    assert forbidding is not None
    assert says in (broken_rule(forbidding, proposal) or "")


@given(st.integers(0, 10_000))
def test_nothing_is_found_in_what_the_core_makes(seed: int) -> None:
    made = random_world(seed)
    proposal = made.propose()
    case = case_of(made)
    if isinstance(proposal, ProposalCreated):
        assert case is not None and broken_rule(case, proposal) is None
