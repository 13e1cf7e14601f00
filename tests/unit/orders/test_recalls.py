"""The invariants of services/orders/core/recalls.py."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.orders.core.allocation import Part, TradeDraft, draft_bust, draft_fill
from services.orders.core.recalls import called_back, shares_moved
from services.orders.core.reservations import Reservation
from tests.unit.orders.samples import AS_OF, OPENED, allocation, order, reservation

D = Decimal
CLOSED = {"R1": OPENED, "R2": OPENED + timedelta(days=1), "R3": OPENED + timedelta(days=2)}
SOLD = order(allocation("A1", "5"), allocation("A2", "3"))
GROUPS = {"AAA": "G", "AAA.B": "G", "BBB": "BBB"}


def fill(*quantities: int) -> list[TradeDraft]:
    """What a fill of run R1 booked for A1 (and A2), which are in household H."""
    parts = [Part(one, D(quantity), []) for one, quantity in zip(SOLD.allocations, quantities, strict=False)]
    return [replace(one, household_id="H") for one in draft_fill(SOLD, "e1", D(100), AS_OF, parts, D(0))]


def held(security_id: str, run_id: str, household_id: str = "H") -> Reservation:
    one = reservation("buy", GROUPS[security_id])
    return replace(one, security_id=security_id, run_id=run_id, household_id=household_id)


def names(late: list[TradeDraft], *open_reservations: Reservation) -> list[tuple[str, str]]:
    return [(item.security_id, item.run_id) for item in called_back(late, open_reservations, GROUPS.__getitem__, CLOSED)]


def test_orders_of_later_runs_in_the_group_are_called_back_and_no_others() -> None:
    everything = [held(security, run, household) for security in GROUPS for run in CLOSED for household in ("H", "other")]
    assert names(fill(2), *everything) == [("AAA", "R2"), ("AAA", "R3"), ("AAA.B", "R2"), ("AAA.B", "R3")]


def test_a_correction_of_the_price_alone_calls_nothing_back() -> None:
    first = fill(2, 1)
    corrected = [*(draft_bust(trade, "e2") for trade in first), *(replace(trade, trade_id="new", price=D(99)) for trade in first)]
    assert shares_moved(corrected) == {}
    assert names(corrected, held("AAA", "R2")) == []


def test_a_correction_that_moves_shares_between_accounts_calls_back() -> None:
    corrected = [*(draft_bust(trade, "e2") for trade in fill(2, 1)), *fill(1, 2)]
    assert shares_moved(corrected) == {("A1", "AAA"): D(-1), ("A2", "AAA"): D(1)}
    assert names(corrected, held("AAA", "R2")) == [("AAA", "R2")]


@given(st.lists(st.tuples(st.sampled_from(sorted(GROUPS)), st.sampled_from(sorted(CLOSED)), st.sampled_from(["H", "other"])), max_size=8))
def test_invariants_1_and_2(drawn: list[tuple[str, str, str]]) -> None:
    for item in called_back(fill(1), [held(*one) for one in drawn], GROUPS.__getitem__, CLOSED):
        assert (item.household_id, item.identity_group) == ("H", "G")
        assert CLOSED[item.run_id] > CLOSED["R1"]
