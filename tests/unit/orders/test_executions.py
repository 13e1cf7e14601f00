"""The invariants of services/orders/core/executions.py and allocation.py, each on any order and any consistent desk; then examples."""

from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.money import cents_half_even
from libs.common.schemas.order import ExecutionReported, OrderPlaced
from services.orders.core.allocation import TradeDraft, share_fill
from services.orders.core.executions import Fault, Outcome, apply_execution, fault_of
from services.orders.core.order_state import OrderRecord, avg_px, cum_qty, leaves_qty, order_ended, state_of
from tests.unit.orders.desk_scripts import Desk, stories
from tests.unit.orders.samples import allocation, execution, order

D = Decimal
FEE = D("0.0137")
PER_ACCOUNT = ("A0", "A1", "A2", "A3")


class Books:
    """What the accounts' books hold after the trades booked, kept apart from the order's own record."""

    def __init__(self) -> None:
        self.shares: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.lots: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.cash: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.trades: dict[str, TradeDraft] = {}
        self.busted: set[str] = set()

    def book(self, trade: TradeDraft) -> None:
        assert trade.trade_id not in self.trades, "a trade id is used once"
        self.trades[trade.trade_id] = trade
        sign = 1
        if trade.kind == "bust":
            assert trade.ref_trade_id is not None and trade.ref_trade_id not in self.busted
            self.busted.add(trade.ref_trade_id)
            original = self.trades[trade.ref_trade_id]
            assert (trade.amount, trade.fees) == (-original.amount, -original.fees)
            assert (trade.quantity, trade.lots, trade.account_id) == (original.quantity, original.lots, original.account_id)
            sign = -1
        self.shares[trade.account_id] += sign * trade.quantity
        self.cash[trade.account_id] += trade.amount
        for lot in trade.lots:
            self.lots[trade.account_id, lot.lot_id] += sign * lot.quantity


def check_step(record: OrderRecord, books: Books, trades: list[TradeDraft]) -> None:
    """Invariants 1, 2 and 5 as the books and the record show them."""
    assert 0 <= cum_qty(record) <= record.order.order_qty
    whole = sum((int(books.shares[a]) for a in PER_ACCOUNT), 0)
    assert whole == cum_qty(record), "the accounts' whole shares are the order's"
    for given_ in record.order.allocations:
        account = given_.alloc_account
        assert 0 <= books.shares[account] <= given_.alloc_qty + given_.fraction
        if record.order.side == "sell":
            assert sum((books.lots[account, lot.custodial_lot_id] for lot in given_.lots), D(0)) == books.shares[account]
            assert all(0 <= books.lots[account, lot.custodial_lot_id] <= lot.quantity for lot in given_.lots)
    by_execution: defaultdict[str, list[TradeDraft]] = defaultdict(list)
    for trade in trades:
        if trade.kind == "fill":
            by_execution[trade.exec_id].append(trade)
    for fill in record.fills:
        if fill.exec_ids[-1] in by_execution and not fill.busted:
            parts = by_execution[fill.exec_ids[-1]]
            assert sum(part.quantity for part in parts) == fill.last_qty
            assert sum(part.fees for part in parts) == cents_half_even(FEE * fill.last_qty)
            assert all(part.price == fill.last_px for part in parts)


def play(placed: OrderPlaced, reports: list[ExecutionReported]) -> tuple[OrderRecord, Books]:
    """Apply the reports one by one and check each step."""
    record, books = OrderRecord(placed), Books()
    for report in reports:
        assert fault_of(record, report) is None
        was_ended = record.ended
        step = apply_execution(record, report, FEE)
        record = step.record
        for trade in step.trades:
            books.book(trade)
        check_step(record, books, step.trades)
        assert record.ended or not was_ended, "an ended order never reopens"
    return record, books


@given(stories())
def test_each_step_keeps_fills_within_the_order_and_parts_within_allocations(story: tuple[OrderPlaced, Desk]) -> None:
    placed, desk = story
    record, _ = play(placed, desk.reported)
    assert cum_qty(record) == sum(desk.live.values(), D(0)), "the desk's own count"
    assert not record.early and not record.excess, "nothing waits when the desk's order is kept"


@given(stories(), st.data())
@settings(max_examples=150)
def test_repeated_and_shuffled_reports_end_with_the_same_shares(story: tuple[OrderPlaced, Desk], data: st.DataObject) -> None:
    placed, desk = story
    in_order, books = play(placed, desk.reported)
    repeats = data.draw(st.lists(st.sampled_from(desk.reported), max_size=3))
    shuffled, other = play(placed, data.draw(st.permutations([*desk.reported, *repeats])))
    assert cum_qty(shuffled) == cum_qty(in_order)
    assert not shuffled.early and not shuffled.excess
    if desk.ended or desk.room == 0:
        assert state_of(shuffled) == state_of(in_order)
        assert shuffled.ended and in_order.ended
    if desk.room == 0:
        assert {a: other.shares[a] for a in PER_ACCOUNT} == {a: books.shares[a] for a in PER_ACCOUNT}


@given(stories(), st.data())
def test_a_replay_changes_nothing(story: tuple[OrderPlaced, Desk], data: st.DataObject) -> None:
    placed, desk = story
    record, _ = play(placed, desk.reported)
    for report in data.draw(st.permutations(desk.reported)):
        again = apply_execution(record, report, FEE)
        assert (again.record, again.trades, again.outcome) == (record, [], Outcome.DUPLICATE)


@given(stories(amends=False))
def test_lots_are_used_in_their_order(story: tuple[OrderPlaced, Desk]) -> None:
    placed, desk = story
    _, books = play(placed, desk.reported)
    for given_ in placed.allocations:
        used = [(books.lots[given_.alloc_account, lot.custodial_lot_id], lot.quantity) for lot in given_.lots]
        begun = [i for i, (taken, _) in enumerate(used) if taken > 0]
        assert all(used[i][0] == used[i][1] for i in begun[:-1]), "a lot is begun only when those before it are used up"
        assert begun == list(range(len(begun)))


@given(stories())
def test_busting_everything_leaves_nothing(story: tuple[OrderPlaced, Desk]) -> None:
    placed, desk = story
    for root in sorted(desk.live):
        desk.amend(root, D(0), None, by_newest=True)
    record, books = play(placed, desk.reported)
    assert cum_qty(record) == 0 and avg_px(record) is None
    assert not any(books.shares.values()) and not any(books.cash.values()) and not any(books.lots.values())


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=8), st.data())
def test_a_fill_is_shared_pro_rata_to_what_is_lacking(lacking: list[int], data: st.DataObject) -> None:
    total = sum(lacking)
    filled = data.draw(st.integers(0, total))
    parts = share_fill([D(each) for each in lacking], D(filled))
    assert sum(parts) == filled
    for part, lacks in zip(parts, lacking, strict=True):
        assert part <= lacks
        assert abs(part - (D(filled) * lacks / total if total else 0)) < 1


def test_a_fill_beyond_what_is_lacking_is_a_bug() -> None:
    with pytest.raises(ValueError, match="exceeds"):
        share_fill([D(3), D(4)], D(8))


TWO = order(allocation("A0", "3.5", "2.7"), allocation("A1", "4"))  # 6 and 4 shares, 0.2 in lieu

# id, reports -> state, cum, leaves, ended, avg, shares by account
EXAMPLES: list[tuple[str, list[ExecutionReported], str, int, int, bool, str | None, dict[str, str]]] = [
    ("acknowledged", [execution("n", "new")], "new", 0, 10, False, None, {}),
    ("partly filled", [execution("1", "partial_fill", 5, "100")], "partially_filled", 5, 5, False, "100", {"A0": "3", "A1": "2"}),
    ("filled", [execution("1", "fill", 10, "100")], "filled", 10, 0, True, "100", {"A0": "6.2", "A1": "4"}),
    (
        "filled in two",
        [execution("1", "partial_fill", 4, "100"), execution("2", "fill", 6, "101")],
        "filled",
        10,
        0,
        True,
        "100.6",
        {"A0": "6.2", "A1": "4"},
    ),
    ("rejected", [execution("x", "rejected")], "rejected", 0, 0, True, None, {}),
    ("cancelled", [execution("x", "cancelled")], "cancelled", 0, 0, True, None, {}),
    (
        "expired with a part",
        [execution("1", "partial_fill", 5, "100"), execution("x", "expired")],
        "expired",
        5,
        0,
        True,
        "100",
        {"A0": "3", "A1": "2"},
    ),
    (
        "late fill after a cancel",
        [execution("x", "cancelled"), execution("1", "partial_fill", 5, "100")],
        "cancelled",
        5,
        0,
        True,
        "100",
        {"A0": "3", "A1": "2"},
    ),
    (
        "filled after all",
        [execution("x", "cancelled"), execution("1", "fill", 10, "100")],
        "filled",
        10,
        0,
        True,
        "100",
        {"A0": "6.2", "A1": "4"},
    ),
    (
        "rejected after a part is a cancel of the rest",
        [execution("1", "partial_fill", 5, "100"), execution("x", "rejected")],
        "cancelled",
        5,
        0,
        True,
        "100",
        {"A0": "3", "A1": "2"},
    ),
    (
        "cancelled, then expired: the first word holds",
        [execution("y", "expired", minute=2), execution("x", "cancelled", minute=1)],
        "cancelled",
        0,
        0,
        True,
        None,
        {},
    ),
    (
        "filled, then busted",
        [execution("1", "fill", 10, "100"), execution("b", "trade_cancel", ref="1")],
        "cancelled",
        0,
        0,
        True,
        None,
        {},
    ),
    (
        "bust before its fill",
        [execution("b", "trade_cancel", ref="1"), execution("1", "partial_fill", 5, "100")],
        "new",
        0,
        10,
        False,
        None,
        {},
    ),
    (
        "a part busted makes room",
        [execution("1", "partial_fill", 5, "100"), execution("b", "trade_cancel", ref="1"), execution("2", "fill", 10, "99")],
        "filled",
        10,
        0,
        True,
        "99",
        {"A0": "6.2", "A1": "4"},
    ),
    (
        "corrected to fewer shares",
        [execution("1", "partial_fill", 5, "100"), execution("c", "trade_correct", 2, "98", ref="1", minute=1)],
        "partially_filled",
        2,
        8,
        False,
        "98",
        {"A0": "1", "A1": "1"},
    ),
    (
        "more than the order stays with the desk",
        [execution("1", "partial_fill", 5, "100"), execution("2", "fill", 6, "100")],
        "partially_filled",
        5,
        5,
        False,
        "100",
        {"A0": "3", "A1": "2"},
    ),
]


@pytest.mark.parametrize(
    ("reports", "state", "cum", "leaves", "ended", "average", "shares"), [e[1:] for e in EXAMPLES], ids=[e[0] for e in EXAMPLES]
)
def test_states(
    reports: list[ExecutionReported], state: str, cum: int, leaves: int, ended: bool, average: str | None, shares: dict[str, str]
) -> None:
    record, books = play(TWO, reports)
    assert (state_of(record), cum_qty(record), leaves_qty(record), record.ended) == (state, cum, leaves, ended)
    assert avg_px(record) == (None if average is None else D(average))
    assert {a: q for a, q in books.shares.items() if q} == {a: D(q) for a, q in shares.items()}


def test_cash_in_lieu_at_the_average_price_once_the_position_is_gone() -> None:
    _, books = play(TWO, [execution("1", "partial_fill", 4, "100"), execution("2", "fill", 6, "101")])
    (in_lieu,) = (trade for trade in books.trades.values() if trade.kind == "cash_in_lieu")
    assert (in_lieu.account_id, in_lieu.quantity, in_lieu.price) == ("A0", D("0.2"), (4 * D(100) + 6 * D(101)) / 10)
    assert (in_lieu.amount, in_lieu.fees) == (D("20.12"), 0)
    assert [(lot.lot_id, lot.quantity) for lot in in_lieu.lots] == [("lot-1", D("0.2"))]


def test_a_bust_returns_the_cash_in_lieu_and_a_refill_pays_it_again() -> None:
    reports = [
        execution("1", "fill", 10, "100"),
        execution("b", "trade_cancel", ref="1"),
        execution("2", "fill", 10, "90"),
    ]
    record, books = play(TWO, reports)
    assert [trade.kind for trade in books.trades.values()] == [
        "fill",
        "fill",
        "cash_in_lieu",
        "bust",
        "bust",
        "bust",
        "fill",
        "fill",
        "cash_in_lieu",
    ]
    assert books.cash["A0"] == 6 * 90 + D("0.2") * 90 - D("0.08") and books.cash["A1"] == 4 * 90 - D("0.06")
    assert record.in_lieu[0].exec_id == "2"


def test_a_fill_beyond_the_order_waits_until_a_bust_makes_room() -> None:
    reports = [execution("1", "partial_fill", 8, "100"), execution("2", "partial_fill", 3, "100"), execution("b", "trade_cancel", ref="1")]
    record, _ = play(TWO, reports[:2])
    assert (cum_qty(record), [fill.last_qty for fill in record.excess]) == (8, [3])
    record, books = play(TWO, reports)
    standing = sum((t.quantity if t.kind == "fill" else -t.quantity for t in books.trades.values()), D(0))
    assert (cum_qty(record), record.excess, standing) == (3, [], 3)


def test_a_price_correction_leaves_shares_and_lots_as_they_were() -> None:
    """Shared anew, 7 of the 15 left would go 3, 1, 3; they went 4, 0, 3 when nothing was filled yet."""
    three = order(allocation("A0", "5", "3"), allocation("A1", "1"), allocation("A2", "7"))
    reports = [
        execution("1", "partial_fill", 7, "100"),
        execution("2", "partial_fill", 1, "100"),
        execution("c", "trade_correct", 7, "100.5", ref="1", minute=5),
    ]
    _, books = play(three, reports)
    first = [(t.account_id, t.quantity, t.lots) for t in books.trades.values() if t.exec_id == "1"]
    corrected = [(t.account_id, t.quantity, t.lots) for t in books.trades.values() if t.exec_id == "c" and t.kind == "fill"]
    assert first == corrected
    assert {account: quantity for account, quantity, _ in first} == {"A0": D(4), "A2": D(3)}


def test_the_later_correction_stands_whichever_comes_first() -> None:
    early, late = (
        execution("c1", "trade_correct", 5, "98", ref="1", minute=1),
        execution("c2", "trade_correct", 5, "97", ref="c1", minute=2),
    )
    for reports in ([early, late], [late, early]):
        record, _ = play(TWO, [execution("1", "partial_fill", 5, "100"), *reports])
        assert avg_px(record) == D(97)


def test_a_bust_finds_its_fill_by_a_correction_that_still_waits_for_room() -> None:
    reports = [
        execution("1", "partial_fill", 1, "100"),
        execution("2", "partial_fill", 1, "100"),
        execution("c", "trade_correct", 10, "99", ref="1", minute=1),
        execution("b", "trade_cancel", ref="c", minute=2),
    ]
    record, _ = play(TWO, reports)
    assert cum_qty(record) == 1 and not record.early


def test_a_bust_of_a_correction_of_a_fill_that_comes_last() -> None:
    """Nothing of the three fits until the bust is applied through the correction's name."""
    one_each = order(allocation("A0", "1"), allocation("A1", "1"))
    reports = [
        execution("2", "partial_fill", 1, "100"),
        execution("c", "trade_correct", 2, "99", ref="1", minute=1),
        execution("b", "trade_cancel", ref="c", minute=2),
        execution("1", "partial_fill", 1, "100"),
    ]
    record, _ = play(one_each, reports)
    assert cum_qty(record) == 1 and not record.early and not record.excess


def test_order_ended_says_how_it_stands() -> None:
    record, _ = play(TWO, [execution("1", "partial_fill", 5, "100"), execution("x", "expired")])
    ended = order_ended(record)
    assert (ended.state, ended.cum_qty, ended.avg_px, ended.accounts) == ("expired", D(5), D(100), ["A0", "A1"])


FAULTS: list[tuple[str, ExecutionReported, Fault]] = [
    ("half a share", execution("1", "partial_fill", "0.5", "100"), Fault.NOT_WHOLE_SHARES),
    ("no shares", execution("1", "fill", 0, "100"), Fault.NOT_WHOLE_SHARES),
    ("no price", execution("1", "fill", 5), Fault.NO_PRICE),
    ("a price of zero", execution("1", "fill", 5, "0"), Fault.NO_PRICE),
    ("a bust of nothing", execution("1", "trade_cancel"), Fault.NO_REFERENCE),
    ("a correction of nothing", execution("1", "trade_correct", 5, "100"), Fault.NO_REFERENCE),
]


@pytest.mark.parametrize(("report", "fault"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_faults(report: ExecutionReported, fault: Fault) -> None:
    assert fault_of(OrderRecord(TWO), report) is fault
