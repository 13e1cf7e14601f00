"""The invariants of services/orders/core/reservations.py."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from libs.common.schemas.order import BookedLot
from services.orders.core.reservations import (
    Conflict,
    Reservation,
    ReservationKind,
    find_conflict,
    release_trade,
    reserve,
    reserved_cash,
    reserved_lots,
    without_proposal,
)
from tests.unit.orders.samples import reservation

D = Decimal
KINDS: list[ReservationKind] = ["buy", "loss_sale", "gain_sale"]
GROUPS = ["G1", "G2"]


@st.composite
def wanted(draw: st.DrawFn) -> tuple[str, list[Reservation]]:
    """What one proposal would hold."""
    number = draw(st.integers(0, 5))
    picks = draw(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(GROUPS)), min_size=1, max_size=3))
    return f"p{number}", [reservation(kind, group, f"A{number % 3}", f"p{number}") for kind, group in picks]


@given(st.lists(st.one_of(wanted(), st.tuples(st.sampled_from(["p0", "p1", "p2"]), st.sampled_from(GROUPS))), max_size=12))
def test_no_household_ever_holds_a_buy_and_a_loss_sale_of_one_group(
    steps: list[tuple[str, list[Reservation]] | tuple[str, str]],
) -> None:
    held: list[Reservation] = []
    for proposal_id, what in steps:
        if isinstance(what, str):
            held = release_trade(held, [proposal_id], what)
        else:
            outcome = reserve(held, proposal_id, what)
            if not isinstance(outcome, Conflict):
                held = outcome
        for group in GROUPS:
            kinds = {item.kind for item in held if item.identity_group == group}
            assert not {"buy", "loss_sale"} <= kinds


@given(wanted())
def test_reserving_twice_holds_once(what: tuple[str, list[Reservation]]) -> None:
    proposal_id, items = what
    once = reserve([], proposal_id, items)
    if isinstance(once, Conflict):
        assert find_conflict([], items) == once
    else:
        assert reserve(once, proposal_id, items) == once


@given(st.lists(wanted(), max_size=5), st.sampled_from(["p0", "p1"]), st.sampled_from(GROUPS))
def test_releasing_takes_exactly_what_was_held_for_that_trade(
    many: list[tuple[str, list[Reservation]]], proposal_id: str, group: str
) -> None:
    held = [item for _, items in many for item in items]
    left = release_trade(held, [proposal_id], group)
    assert left == [item for item in held if not (item.proposal_id == proposal_id and item.security_id == group)]
    assert without_proposal(held, proposal_id) == [item for item in held if item.proposal_id != proposal_id]


def test_lots_and_cash_held_back_are_the_accounts_own() -> None:
    sale = Reservation("p1", "R", "H", "A1", "S", "S", "gain_sale", [BookedLot("x", D(2)), BookedLot("y", D(1))], D(0))
    again = Reservation("p2", "R", "H", "A1", "S", "S", "gain_sale", [BookedLot("x", D(3))], D(0))
    held = [sale, again, reservation("buy", "B", "A1", cash="5.50"), reservation("buy", "B", "A2", cash="7")]
    assert reserved_lots(held, "A1") == {"x": D(5), "y": D(1)}
    assert reserved_cash(held, "A1") == D("5.50")
