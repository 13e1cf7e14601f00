"""The invariants of services/desk_simulator/core.py, the behaviours, and that a demo's worth of orders shows them."""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.common.clock import trade_date_of
from libs.common.ids import content_id
from libs.common.schemas.order import ExecutionReported, OrderPlaced
from services.desk_simulator.core import Behaviour, Proportions, behaviour_of, decide, decide_cancel
from tests.unit.orders.samples import allocation, order

D = Decimal
NO_SHARES = D(0)
DEFAULT = Proportions()
ALL_KINDS = Proportions(1_000, 2_000, 1_000, 1_000, 1_000, 1_000, 1_000, price_move_bps=300)
ONLY: dict[Behaviour, Proportions] = {
    behaviour: replace(Proportions(0, 0, 0, 0), **({} if behaviour is Behaviour.WHOLE else {behaviour.value: 10_000}))
    for behaviour in Behaviour
}


def placed(number: int, shares: int = 10, price: str = "100", collar_bps: int = 50, on: date = date(2026, 3, 2)) -> OrderPlaced:
    one = order(allocation("A0", quantity=str(shares)), side="buy")
    return replace(one, cl_ord_id=content_id("order", number), reference_price=D(price), price_collar_bps=collar_bps, trade_date=on)


any_order = st.builds(
    placed,
    st.integers(0, 10_000),
    st.integers(1, 500),
    st.decimals("0.05", "900", places=4).map(str),
    st.integers(0, 500),
    st.dates(date(2025, 1, 1), date(2027, 12, 31)),
)


@dataclass
class Position:
    """What a receiver of the reports makes of them, in order."""

    filled: Decimal = NO_SHARES
    ended: bool = False

    def take(self, report: ExecutionReported, reported: dict[str, ExecutionReported]) -> None:
        if report.exec_type in ("partial_fill", "fill"):
            self.filled += report.last_qty
        if report.exec_type in ("trade_cancel", "trade_correct"):
            assert report.exec_ref_id is not None
            self.filled += report.last_qty - reported[report.exec_ref_id].last_qty
        self.ended = self.ended or report.exec_type in ("cancelled", "rejected", "expired")


@given(any_order)
def test_the_desk_never_contradicts_itself(one: OrderPlaced) -> None:
    reported: dict[str, ExecutionReported] = {}
    position = Position()
    for report in decide(one, ALL_KINDS):
        position.take(report, reported)
        assert report.exec_id not in reported
        reported[report.exec_id] = report
        assert 0 <= position.filled <= one.order_qty
        assert (report.cum_qty, report.leaves_qty) == (position.filled, 0 if position.ended else one.order_qty - position.filled)
        assert report.trade_date == one.trade_date == trade_date_of(report.transact_time)
        if report.last_px is not None:
            assert report.last_px > 0
            assert abs(report.last_px - one.reference_price) <= one.reference_price * one.price_collar_bps / 10_000
        assert report.last_qty == int(report.last_qty)


@given(any_order)
def test_the_same_order_always_gets_the_same_reports(one: OrderPlaced) -> None:
    assert decide(one, ALL_KINDS) == decide(replace(one, transact_time=one.transact_time.replace(year=2020)), ALL_KINDS)


KINDS: list[tuple[Behaviour, set[tuple[str, ...]]]] = [
    (Behaviour.WHOLE, {("new", "fill")}),
    (Behaviour.PARTS, {("new", "partial_fill", "fill"), ("new", "partial_fill", "partial_fill", "fill")}),
    (Behaviour.PART_THEN_EXPIRED, {("new", "partial_fill", "expired"), ("new", "partial_fill", "partial_fill", "expired")}),
    (Behaviour.LATE_AFTER_CANCEL, {("new", "partial_fill", "cancelled", "partial_fill")}),
    (Behaviour.BUSTED, {("new", "fill", "trade_cancel", "fill")}),
    (Behaviour.CORRECTED, {("new", "fill", "trade_correct")}),
    (Behaviour.REJECTED, {("rejected",)}),
    (Behaviour.RESTING, {("new",)}),
]


@pytest.mark.parametrize(("behaviour", "reports"), KINDS, ids=[kind[0] for kind in KINDS])
def test_behaviours(behaviour: Behaviour, reports: set[tuple[str, ...]]) -> None:
    seen = {tuple(report.exec_type for report in decide(placed(number), ONLY[behaviour])) for number in range(30)}
    assert seen == reports


def test_one_share_does_not_come_in_parts() -> None:
    assert behaviour_of(placed(1, shares=1), ONLY[Behaviour.PARTS]) is Behaviour.WHOLE


def test_a_demo_of_six_hundred_orders_shows_each_usual_behaviour_in_about_its_proportion() -> None:
    counts = Counter(behaviour_of(placed(number), DEFAULT) for number in range(600))
    assert counts[Behaviour.PARTS] == pytest.approx(600 * 0.25, abs=45)
    assert 3 <= counts[Behaviour.REJECTED] <= 30
    assert counts[Behaviour.PART_THEN_EXPIRED] >= 1 and counts[Behaviour.LATE_AFTER_CANCEL] >= 1
    assert not counts.keys() & {Behaviour.BUSTED, Behaviour.CORRECTED, Behaviour.RESTING}


def test_only_a_resting_order_can_be_cancelled() -> None:
    resting = ONLY[Behaviour.RESTING]
    (new,) = decide(placed(1), resting)
    (cancelled,) = decide_cancel(placed(1), resting, "kill switch")
    assert (cancelled.exec_type, cancelled.leaves_qty, cancelled.text) == ("cancelled", 0, "kill switch")
    assert cancelled.exec_id != new.exec_id and cancelled.transact_time > new.transact_time
    assert decide_cancel(placed(1), ONLY[Behaviour.WHOLE], "kill switch") == []
