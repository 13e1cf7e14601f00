"""The simulated custodian keeps every share and every cent, whatever is booked."""

from collections import defaultdict
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from demo.sample.custodian import Custodian, CustodyAccount
from libs.common.money import ZERO
from libs.common.schemas.custody import CustodyLot
from libs.common.schemas.market import CorporateAction
from libs.common.schemas.order import BookedLot, TradeBooked
from libs.common.schemas.proposal import Side

MONDAY, TUESDAY, WEDNESDAY = date(2025, 12, 15), date(2025, 12, 16), date(2025, 12, 17)
SPLIT = CorporateAction("AAA", TUESDAY, "split", Decimal(2))


def custodian() -> Custodian:
    lots = [
        CustodyLot("L1", "AAA", Decimal(100), Decimal("1000.01"), date(2024, 3, 1)),
        CustodyLot("L2", "AAA", Decimal("7.5"), None, None),
        CustodyLot("L3", "BBB", Decimal(40), Decimal("333.33"), date(2025, 11, 28)),
    ]
    account = CustodyAccount("A1", Decimal(5000), [(TUESDAY, Decimal(12))], {lot.lot_id: lot for lot in lots})
    return Custodian("simulated-custody", MONDAY, {"A1": account})


def trade(
    seq: int, side: Side, security: str, quantity: str, price: str = "10", lots: tuple[tuple[str, str], ...] = (), day: date = MONDAY
) -> TradeBooked:
    shares = Decimal(quantity)
    amount = shares * Decimal(price) * (1 if side == "sell" else -1)
    settles = {MONDAY: TUESDAY, TUESDAY: WEDNESDAY}[day]
    booked = [BookedLot(lot, Decimal(part)) for lot, part in lots]
    fixed = ("H1", "run", "order", f"exec{seq}", security, side, shares, Decimal(price), ZERO, amount, day, settles, booked)
    return TradeBooked(f"T{seq}", seq, "fill", None, "A1", *fixed)


def bust_of(seq: int, of: TradeBooked) -> TradeBooked:
    return replace(of, trade_id=f"T{seq}", trade_seq=seq, kind="bust", ref_trade_id=of.trade_id, amount=-of.amount)


def cash(book: Custodian) -> Decimal:
    held = book.holdings("A1")
    return held.cash_settled + held.cash_unsettled


def shares(book: Custodian) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for lot in book.holdings("A1").lots:
        total[lot.security_id] = total.get(lot.security_id, ZERO) + lot.quantity
    return total


def lot_of(book: Custodian, lot_id: str) -> CustodyLot:
    return book.accounts["A1"].lots[lot_id]


def test_purchases_of_one_day_are_one_lot_at_what_was_paid() -> None:
    book = custodian()
    book.apply([trade(1, "buy", "AAA", "3", "10"), trade(2, "buy", "AAA", "2", "11")])
    assert lot_of(book, "A1-AAA-251215") == CustodyLot("A1-AAA-251215", "AAA", Decimal(5), Decimal(52), MONDAY)
    assert cash(book) == 5012 - 52


def test_a_sale_reduces_the_lots_it_names_and_their_cost_in_proportion() -> None:
    book = custodian()
    book.apply([trade(1, "sell", "AAA", "57.5", "10", (("L1", "50"), ("L2", "7.5")))])
    assert lot_of(book, "L1").quantity == 50 and lot_of(book, "L1").cost_basis == Decimal("500.01")
    assert "L2" not in book.accounts["A1"].lots


def test_a_provisional_lot_stands_for_the_custodians() -> None:
    book = custodian()
    book.apply([trade(1, "buy", "AAA", "3"), trade(2, "sell", "AAA", "2", lots=(("P-T1", "2"),))])
    assert lot_of(book, "A1-AAA-251215").quantity == 1


@pytest.mark.parametrize(("lot", "quantity"), [("L1", "100.000001"), ("L9", "1")])
def test_a_sale_of_more_than_a_lot_holds_is_refused_whole(lot: str, quantity: str) -> None:
    book = custodian()
    with pytest.raises(ValueError, match="sold of lot"):
        book.apply([trade(1, "sell", "AAA", "9", lots=(("L2", "1"), (lot, quantity)))])
    assert shares(book) == shares(custodian()) and cash(book) == cash(custodian())


def test_a_trade_is_booked_once() -> None:
    book = custodian()
    book.apply([trade(1, "buy", "AAA", "3")] * 2)
    book.apply([trade(1, "buy", "AAA", "3")])
    assert shares(book)["AAA"] == Decimal("110.5")


def test_cash_settles_on_its_date() -> None:
    book = custodian()
    book.apply([trade(1, "sell", "BBB", "10", "9", (("L3", "10"),))])
    assert book.holdings("A1").cash_unsettled == 102
    book.open_day(TUESDAY)
    assert [book.holdings("A1").cash_settled, book.holdings("A1").cash_unsettled] == [5102, 0]


def test_a_split_multiplies_lots_held_and_a_trade_from_before_it() -> None:
    late, early = trade(2, "sell", "AAA", "10", lots=(("L1", "10"),)), trade(1, "buy", "AAA", "3")
    book = custodian()
    book.apply([early])
    book.open_day(TUESDAY, [SPLIT])
    book.apply([late])
    in_time = custodian()
    in_time.apply([early, late])
    in_time.open_day(TUESDAY, [SPLIT])
    assert lot_of(book, "L1").quantity == 180 and lot_of(book, "L1").cost_basis == Decimal("900.01")
    assert shares(book) == shares(in_time)


def test_a_copy_moves_alone() -> None:
    book = custodian()
    other = book.copy()
    other.apply([trade(1, "buy", "AAA", "3")])
    other.open_day(TUESDAY, [SPLIT], [("A1", Decimal(1))])
    assert shares(book) == shares(custodian()) and cash(book) == cash(custodian()) and book.changes == []


steps = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "bust", "next_day"]), st.sampled_from(["AAA", "BBB"]), st.integers(1, 40), st.integers(1, 2000)
    ),
    max_size=25,
)


@given(steps)
def test_every_share_and_every_cent_is_accounted_for(script: list[tuple[str, str, int, int]]) -> None:
    """Invariants 1, 2 and 4: opening + trades + changes = held."""
    book, opening = custodian(), custodian()
    day = MONDAY
    booked: list[TradeBooked] = []
    busted: set[str] = set()
    for kind, security, quantity, cents in script:
        seq = len(booked) + 1
        if kind == "next_day" and day == MONDAY:
            day = TUESDAY
            book.open_day(day, [SPLIT], [("A1", Decimal(250))])
        elif kind == "buy":
            booked.append(trade(seq, "buy", security, str(quantity), str(Decimal(cents) / 100), day=day))
        elif kind == "sell":
            lots = [lot for lot in book.accounts["A1"].lots.values() if lot.security_id == security and lot.quantity >= quantity]
            if lots:
                named = ((lots[0].lot_id, str(quantity)),)
                booked.append(trade(seq, "sell", security, str(quantity), str(Decimal(cents) / 100), named, day))
        elif kind == "bust":
            last = booked[-1] if booked else None
            if last is not None and last.kind == "fill" and last.trade_id not in busted:
                busted.add(last.trade_id)
                booked.append(bust_of(seq, last))
        book.apply(booked)
    expected = defaultdict(Decimal, shares(opening))
    for one in booked:
        sign = (1 if one.side == "buy" else -1) * (-1 if one.kind == "bust" else 1)
        expected[one.security_id] += sign * one.quantity
    for change in book.changes:
        if change.security_id is not None:
            expected[change.security_id] += change.quantity
    paid = sum((one.amount for one in booked), ZERO) + sum((change.cash for change in book.changes), ZERO)
    assert {k: v for k, v in expected.items() if v} == shares(book)
    assert cash(book) == cash(opening) + paid
    assert all(lot.quantity > 0 for lot in book.accounts["A1"].lots.values())
