"""The account book by example: files before, after and in the middle of trades; corrections, busts, splits, versions."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from libs.common.errors import CannotApply
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.order import TradeBooked
from services.ingest.core.book import AccountBook, apply_snapshot, apply_trade, cash_of, lots_of, publishable, quarantine
from services.ingest.core.snapshot import Snapshot, lot_columns
from tests.unit.ingest.book_samples import D, book_after, bust, buy, cash, day, intake, lot, sell, shares, snapshot, split

X = lot("X", "100")
OPENING = snapshot(day(0), X)
SALE = sell(1, "X", "30", day(1), price="12")  # +360
PURCHASE = buy(1, "50", day(1), price="9")  # -450

# decision 3: the same final book, wherever the file comes.  (what the custodian's lots and cash are in the file of day 1)
NOTHING_YET = snapshot(day(1), X)
SALE_WHOLE = snapshot(day(1), lot("X", "70", "700"), cash="10360")
SALE_HALF = snapshot(day(1), lot("X", "85", "850"), cash="10180")
PURCHASE_WHOLE = snapshot(day(1), X, lot("C", "50", "450", day(1)), cash="9550")
PURCHASE_HALF = snapshot(day(1), X, lot("C", "25", "225", day(1)), cash="9775")
SOLD, BOUGHT = {"X": D(70)}, {"X": D(100), "C": D(50)}

ORDERS: list[tuple[str, list[Snapshot | TradeBooked], dict[str, Decimal], str]] = [
    ("sale: file before the fill", [OPENING, NOTHING_YET, SALE], SOLD, "10360"),
    ("sale: file after the fill", [OPENING, SALE, SALE_WHOLE], SOLD, "10360"),
    ("sale: file after the fill, made before it", [OPENING, SALE, NOTHING_YET], SOLD, "10360"),
    ("sale: half reflected", [OPENING, SALE, SALE_HALF], SOLD, "10360"),
    ("sale: no file at all", [OPENING, SALE], SOLD, "10360"),
    ("purchase: file before the fill", [OPENING, NOTHING_YET, PURCHASE], {"X": D(100), "P-t1": D(50)}, "9550"),
    ("purchase: file after the fill", [OPENING, PURCHASE, PURCHASE_WHOLE], BOUGHT, "9550"),
    ("purchase: half reflected", [OPENING, PURCHASE, PURCHASE_HALF], BOUGHT, "9550"),
    ("both: sale reflected, purchase not", [OPENING, SALE, buy(2, "50", day(1), "9"), SALE_WHOLE], {"X": D(70), "P-t2": D(50)}, "9910"),
]


@pytest.mark.parametrize(("events", "lots", "money"), [case[1:] for case in ORDERS], ids=[case[0] for case in ORDERS])
def test_decision_3_the_same_book_wherever_the_file_comes(
    events: list[Snapshot | TradeBooked], lots: dict[str, Decimal], money: str
) -> None:
    book = book_after(*events)
    assert shares(book) == lots
    assert cash(book) == D(money)
    assert book.breaks == ()


def corrected(file: Snapshot, sequence: int = 2) -> Snapshot:
    return snapshot(file.business_date, *file.lots.rows(), sequence=sequence, cash=file.cash_settled)


CORRECTIONS: list[tuple[str, list[Snapshot | TradeBooked], dict[str, Decimal], str]] = [
    ("after the fill, which it lacks too", [OPENING, NOTHING_YET, SALE, corrected(NOTHING_YET)], SOLD, "10360"),
    ("after the fill, which it holds now", [OPENING, NOTHING_YET, SALE, corrected(SALE_WHOLE)], SOLD, "10360"),
    ("takes back that it held the fill", [OPENING, SALE, SALE_WHOLE, corrected(NOTHING_YET)], SOLD, "10360"),
    ("of the very first file, after the fill", [snapshot(day(1), X), SALE, corrected(SALE_WHOLE)], SOLD, "10360"),
    (
        "of a wrong number in another lot",
        [OPENING, snapshot(day(1), lot("X", "93", "930")), SALE, corrected(NOTHING_YET)],
        SOLD,
        "10360",
    ),
    (
        "between two trades",
        [OPENING, NOTHING_YET, SALE, corrected(SALE_WHOLE), sell(2, "X", "20", day(1), price="12")],
        {"X": D(50)},
        "10600",
    ),
    (
        "twice between two trades",
        [OPENING, NOTHING_YET, SALE, corrected(SALE_WHOLE), sell(2, "X", "20", day(1), "12"), corrected(SALE_WHOLE, 3)],
        {"X": D(50)},
        "10600",
    ),
]


@pytest.mark.parametrize(("events", "lots", "money"), [case[1:] for case in CORRECTIONS], ids=[case[0] for case in CORRECTIONS])
def test_a_corrected_file_replays_the_trades_on_top(events: list[Snapshot | TradeBooked], lots: dict[str, Decimal], money: str) -> None:
    book = book_after(*events)
    assert shares(book) == lots
    assert cash(book) == D(money)


def test_every_trade_records_where_it_was_reflected() -> None:
    book = book_after(OPENING, SALE)
    assert [t.reflected_in for t in book.trades] == [None]
    book = apply_snapshot(book, SALE_HALF, [])
    assert [(t.reflected, t.reflected_in) for t in book.trades] == [((D(15),), "2025-12-16/1")]
    book = apply_snapshot(book, corrected(SALE_WHOLE), [])
    assert [(t.reflected, t.reflected_in) for t in book.trades] == [((D(30),), "2025-12-16/2")]
    book = apply_snapshot(book, corrected(NOTHING_YET, 3), [])
    assert [(t.reflected, t.reflected_in) for t in book.trades] == [((D(0),), None)]


BUSTS: list[tuple[str, list[Snapshot | TradeBooked], dict[str, Decimal], str]] = [
    ("sale not reflected", [OPENING, SALE, bust(2, SALE)], {"X": D(100)}, "10000"),
    ("sale reflected, bust not", [OPENING, SALE, SALE_WHOLE, bust(2, SALE)], {"X": D(100)}, "10000"),
    ("sale and bust reflected", [OPENING, SALE, SALE_WHOLE, bust(2, SALE), snapshot(day(2), X)], {"X": D(100)}, "10000"),
    ("sale half reflected", [OPENING, SALE, SALE_HALF, bust(2, SALE), snapshot(day(2), X)], {"X": D(100)}, "10000"),
    ("purchase not reflected", [OPENING, PURCHASE, bust(2, PURCHASE)], {"X": D(100)}, "10000"),
    ("purchase reflected, bust not", [OPENING, PURCHASE, PURCHASE_WHOLE, bust(2, PURCHASE)], {"X": D(100)}, "10000"),
    (
        "purchase and bust reflected",
        [OPENING, PURCHASE, PURCHASE_WHOLE, bust(2, PURCHASE), snapshot(day(2), X)],
        {"X": D(100)},
        "10000",
    ),
]


@pytest.mark.parametrize(("events", "lots", "money"), [case[1:] for case in BUSTS], ids=[case[0] for case in BUSTS])
def test_a_bust_takes_its_trade_back_whatever_the_files_hold(
    events: list[Snapshot | TradeBooked], lots: dict[str, Decimal], money: str
) -> None:
    book = book_after(*events)
    assert shares(book) == lots
    assert cash(book) == D(money)
    assert book.breaks == ()


def test_a_bust_brings_back_a_lot_that_was_sold_whole() -> None:
    whole = sell(1, "X", "100", day(1))
    book = book_after(OPENING, whole, snapshot(day(1), cash="11000"), bust(2, whole))
    assert list(lots_of(book, []).rows()) == [lot("X", "100", None)]  # its basis is unknown until the custodian says it again
    assert cash(book) == D(10_000)
    book = apply_snapshot(book, snapshot(day(2), X), [])
    assert list(lots_of(book, []).rows()) == [X]
    assert book.breaks == ()


def test_a_trade_correction_is_a_bust_and_a_new_fill_that_one_file_may_hold_together() -> None:
    # Sold at 12, corrected to 11 on the same day; the file of day 1 holds the first sale, the file of day 2 the corrected one.
    right = sell(3, "X", "30", day(1), price="11")
    book = book_after(OPENING, SALE, SALE_WHOLE, bust(2, SALE), right)
    assert (shares(book), cash(book)) == (SOLD, D(10_330))
    book = apply_snapshot(book, snapshot(day(2), lot("X", "70", "700"), cash="10330"), [])
    assert (shares(book), cash(book), book.breaks) == (SOLD, D(10_330), ())


def test_a_correction_of_the_same_day_does_not_yet_hold_a_bust_that_came_after_it() -> None:
    right = sell(3, "X", "30", day(0), price="11")
    first = sell(1, "X", "30", day(0), price="12")
    book = book_after(OPENING, first, SALE_WHOLE, bust(2, first), right, corrected(SALE_WHOLE))
    assert (shares(book), cash(book), book.breaks) == (SOLD, D(10_330), ())


def test_a_purchase_and_a_sale_of_it_within_one_file_are_both_reflected() -> None:
    book = book_after(OPENING, buy(1, "100", day(1), "9"), sell(2, "P-t1", "40", day(1), "12"))
    book = apply_snapshot(book, snapshot(day(2), X, lot("C", "60", "540", day(1)), cash="9580"), [])
    assert (shares(book), cash(book), book.breaks) == ({"X": D(100), "C": D(60)}, D(9_580), ())
    assert book.aliases == {"P-t1": "C"}


def test_what_was_bought_and_sold_between_two_files_leaves_nothing_open() -> None:
    book = book_after(OPENING, buy(1, "100", day(1), "9"), sell(2, "P-t1", "100", day(1), "12"))
    book = apply_snapshot(book, snapshot(day(2), X, cash="10300"), [])
    assert (shares(book), cash(book), book.breaks) == ({"X": D(100)}, D(10_300), ())


def test_a_purchase_taken_back_and_made_again_is_found_in_the_one_lot_of_the_day() -> None:
    """In the file of the day the lot has a part of the first purchase; in the next all three trades are in it."""
    first, again = buy(1, "2", day(1), "9"), buy(3, "2", day(1), "10")
    book = book_after(OPENING, snapshot(day(1), X), first, bust(2, first), again)
    book = apply_snapshot(book, snapshot(day(1), X, lot("C", "1", "9", day(1)), sequence=2, cash="9991"), [])
    assert sum(shares(book).values()) == 102
    book = apply_snapshot(book, snapshot(day(2), X, lot("C", "2", "20", day(1)), cash="9980"), [])
    assert (shares(book), cash(book), book.breaks) == ({"X": D(100), "C": D(2)}, D(9_980), ())


PURCHASES: list[tuple[str, list[str], dict[str, str], dict[str, str]]] = [
    ("one lot for all of the day", ["100", "50"], {"C": "150"}, {"P-t1": "C", "P-t2": "C"}),
    ("a lot each, in another order", ["100", "50"], {"C1": "50", "C2": "100"}, {"P-t1": "C2", "P-t2": "C1"}),
    ("only the second so far", ["100", "50"], {"C": "50"}, {"P-t2": "C"}),
    ("one purchase in two lots", ["100"], {"C1": "60", "C2": "40"}, {"P-t1": "C1"}),
    ("one lot, the second in part", ["100", "50"], {"C": "120"}, {"P-t1": "C", "P-t2": "C"}),
]


@pytest.mark.parametrize(("bought", "found", "aliases"), [case[1:] for case in PURCHASES], ids=[case[0] for case in PURCHASES])
def test_decision_4_provisional_lots_are_matched_by_security_date_and_quantity(
    bought: list[str], found: dict[str, str], aliases: dict[str, str]
) -> None:
    trades = [buy(number, quantity, day(1)) for number, quantity in enumerate(bought, start=1)]
    book = book_after(OPENING, *trades, snapshot(day(1), X, *(lot(one, held, "1", day(1)) for one, held in found.items())))
    assert book.aliases == aliases
    assert sum(shares(book).values()) == 100 + sum(map(D, bought))
    assert book.breaks == ()


def test_a_lot_of_another_day_or_security_is_no_match() -> None:
    other_day, other_name = lot("C1", "50", "450", day(0)), lot("C2", "50", "450", day(1), security_id="BBB")
    book = book_after(OPENING, PURCHASE, snapshot(day(1), X, other_day, other_name))
    assert book.aliases == {}
    assert shares(book)["P-t1"] == D(50)


def test_a_sale_of_a_provisional_lot_follows_it_to_the_custodians_lot() -> None:
    book = book_after(OPENING, PURCHASE, sell(2, "P-t1", "20", day(2)))
    assert shares(book) == {"X": D(100), "P-t1": D(30)}
    book = apply_snapshot(book, PURCHASE_WHOLE, [])
    assert shares(book) == {"X": D(100), "C": D(30)}
    book = apply_snapshot(book, snapshot(day(2), X, lot("C", "30", "270", day(1)), cash="9750"), [])
    assert (shares(book), cash(book)) == ({"X": D(100), "C": D(30)}, D(9_750))


def test_a_split_between_trade_and_file_is_counted_in_new_shares() -> None:
    doubled = split("AAA", day(2), "2")
    bought = buy(2, "50", day(1), price="9")
    after = snapshot(day(2), lot("X", "140", "700"), lot("C", "100", "450", day(1)), cash="9910")
    none_yet = snapshot(day(2), lot("X", "200"))
    for events in ([OPENING, SALE, bought, after], [OPENING, SALE, bought, none_yet]):
        book = book_after(*events, splits=[doubled])
        found = shares(book, doubled)
        assert {book.aliases.get(lot_id, "C" if lot_id == "P-t2" else lot_id): held for lot_id, held in found.items()} == {
            "X": D(140),
            "C": D(100),
        }
        assert cash(book) == D(9_910)


def test_a_split_whose_ratio_has_no_end_leaves_no_dust() -> None:
    thirds = split("AAA", day(2), "0.3333333333333333")
    book = book_after(OPENING, SALE, snapshot(day(2), lot("X", "23.333333", "700"), cash="10360"), splits=[thirds])
    assert [t.lacking(0) for t in book.trades] == [D(0)]
    assert shares(book, thirds) == {"X": D("23.333333")}


def test_settlement_date_basis_holds_a_trade_from_its_settlement_on() -> None:
    """A sale of day 1 settles on day 2: the file of day 1 can't hold it, so a smaller lot there is not it."""
    opening = snapshot(day(0), X, basis="settlement_date")
    smaller = snapshot(day(1), lot("X", "70", "700"), basis="settlement_date")
    book = book_after(opening, SALE, smaller)
    assert (shares(book), cash(book)) == ({"X": D(40)}, D(10_360))
    book = book_after(opening, SALE, snapshot(day(1), X, basis="settlement_date"))
    assert (shares(book), book.breaks) == (SOLD, ())
    book = apply_snapshot(book, snapshot(day(2), lot("X", "70", "700"), basis="settlement_date", cash="10360"), [])
    assert (shares(book), cash(book), book.breaks) == (SOLD, D(10_360), ())


def test_invariant_3_trades_apply_in_their_order_once() -> None:
    first, second, third = sell(1, "X", "10", day(1)), sell(2, "X", "20", day(1)), sell(3, "X", "30", day(1))
    book = book_after(OPENING, third, first, first, third)
    assert (book.trade_seq, [t.trade_seq for t in book.waiting], shares(book)) == (1, [3], {"X": D(90)})
    book = apply_trade(book, second)
    assert (book.trade_seq, book.waiting, shares(book)) == (3, (), {"X": D(40)})
    assert apply_trade(book, second) == book


def test_invariant_4_an_older_file_or_the_same_again_changes_nothing() -> None:
    book = book_after(OPENING, SALE, SALE_WHOLE)
    assert apply_snapshot(book, OPENING, []) is book
    assert apply_snapshot(book, corrected(SALE_WHOLE, sequence=1), []) is book


def test_what_can_not_be_trusted_quarantines_and_keeps_the_last_good_book() -> None:
    book = book_after(OPENING, SALE, SALE_WHOLE)
    two_contents = apply_snapshot(book, NOTHING_YET, [])
    assert two_contents.quarantine == "2025-12-16, sequence 1 came before with other holdings: a correction has the next sequence"
    other_custodian = apply_snapshot(book, replace(snapshot(day(2)), custodian="south"), [])
    assert other_custodian.quarantine == "south sent holdings, the account master says north"
    for quarantined in (two_contents, other_custodian):
        assert shares(quarantined) == SOLD
        lifted = apply_snapshot(quarantined, snapshot(day(2), lot("X", "70", "700")), [])
        assert (lifted.quarantine, lifted.newest) == (None, snapshot(day(2), lot("X", "70", "700")))


def test_what_does_not_fit_the_custodians_lots_is_refused_and_never_negative() -> None:
    book = book_after(OPENING, sell(1, "X", "120", day(1)))
    with pytest.raises(CannotApply, match="lot X: trades not yet reflected leave -20"):
        lots_of(book, [])
    with pytest.raises(CannotApply, match="t9: that trade is not in the book"):
        book_after(OPENING, bust(1, buy(9, "1", day(1))))


def breaks(book: AccountBook) -> list[tuple[str, str | None, Decimal | None, Decimal | None]]:
    return [(b.kind, b.lot_id, b.expected, b.actual) for b in book.breaks]


def test_differences_are_breaks_for_a_person() -> None:
    book = book_after(OPENING, SALE, snapshot(day(2), X))
    assert breaks(book) == [("trade_not_reflected", "X", D(30), D(0))]
    book = book_after(OPENING, SALE, snapshot(day(2), lot("X", "60", "600")))
    assert breaks(book) == [("lot_smaller_than_trades", "X", None, D(-10))]
    book = book_after(OPENING, PURCHASE, snapshot(day(2), X, lot("C", "55", "495", day(1))))
    assert breaks(book) == [("lot_larger_than_trades", "C", None, D(5))]
    other_lot = book_after(snapshot(day(0), X, lot("Y", "50")), SALE, snapshot(day(2), X, lot("Y", "20")))
    assert breaks(other_lot) == [("trade_not_reflected", "X", D(30), D(0)), ("lot_smaller_than_trades", "Y", None, D(-30))]


def test_a_purchase_carries_its_cost_into_a_lot_that_holds_only_a_part() -> None:
    odd = buy(1, "3", day(1), price="3.335")  # 10.005 is 10.00
    book = book_after(OPENING, odd, snapshot(day(1), X, lot("C", "1", "3.33", day(1)), cash="9996.67"))
    assert {one.lot_id: one.cost_basis for one in lots_of(book, []).rows()} == {"X": D(1000), "C": D("10.00")}
    assert cash(book) == D("9990.00")


def test_purchases_leave_settled_cash_and_proceeds_are_unsettled() -> None:
    assert cash_of(book_after(OPENING, SALE, buy(2, "50", day(1), "9"))) == (D(9_550), D(360))


def published(book: AccountBook) -> tuple[AccountBook, AccountChanged]:
    book, changed = publishable(book, [])
    assert changed is not None
    return book, changed


def test_invariant_2_the_version_rises_with_the_content_and_not_with_the_date() -> None:
    book, first = published(book_after(OPENING))
    assert (first.version, first.business_date, first.state) == (1, day(0), "open")
    book = apply_snapshot(book, snapshot(day(1), X, cash="10000.00"), [])
    book, nothing = publishable(book, [])
    assert (nothing, book.version) == (None, 1)
    book, second = published(apply_trade(book, SALE))
    assert (second.version, second.business_date, second.trade_seq, second.cash_unsettled) == (2, day(1), 1, D(360))
    book, third = published(quarantine(book, "line 7"))
    assert (third.version, third.state, third.state_reason, third.lots) == (3, "quarantined", "line 7", second.lots)
    book, fourth = published(apply_snapshot(book, snapshot(day(2), lot("X", "70", "700"), cash="10360"), []))
    assert (fourth.version, fourth.state, fourth.state_reason) == (4, "open", None)
    assert fourth.lots == second.lots


def test_a_book_without_holdings_says_nothing() -> None:
    book = apply_trade(AccountBook(intake()), SALE)
    assert publishable(book, []) == (book, None)
    assert (list(lots_of(book, []).rows()), cash_of(book)) == ([], (0, 0))


def test_published_lots_are_in_one_order_and_aliases_name_held_lots_only() -> None:
    book = book_after(snapshot(day(0), lot("Z", "1"), lot("B", "1", security_id="AAB"), X), PURCHASE)
    book = apply_snapshot(book, snapshot(day(1), lot("Z", "1"), X, lot("C", "50", "450", day(1))), [])
    _, changed = published(book)
    assert changed.lots.lot_id == ["X", "Z", "C"]
    assert changed.aliases == {"P-t1": "C"}
    book = apply_snapshot(book, snapshot(day(2), X), [])
    assert published(book)[1].aliases == {}


def test_trades_settled_long_ago_are_forgotten() -> None:
    book = book_after(OPENING, SALE, SALE_WHOLE)
    held = lot("X", "70", "700")
    assert len(apply_snapshot(book, snapshot(day(16), held), []).trades) == 1
    assert apply_snapshot(book, snapshot(day(17), held), []).trades == ()


def test_lots_touched_by_trades_take_their_place_among_the_others() -> None:
    opening = snapshot(day(0), lot("X", "100"), lot("Y", "5", security_id="BBB"), lot("Z", "7", None, None))
    book = book_after(opening, sell(1, "Y", "5", day(1)), sell(2, "X", "1", day(1)), buy(3, "3", day(1), security_id="BBB"))
    found = lots_of(book, [])
    assert found == lot_columns(found.rows())
    assert list(zip(found.lot_id, found.quantity, strict=True)) == [("Z", "7"), ("X", "99"), ("P-t3", "3")]
