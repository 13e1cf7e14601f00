"""What is certain, what is open, and what a trade would mean: the books asked about a day."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.wash_sale.core.book import Book
from services.wash_sale.core.certainty import Judgement, certainty_of, of_year
from services.wash_sale.core.history_fields import BadHistory
from services.wash_sale.core.history_file import HistoryBooks, books_of_history
from services.wash_sale.core.history_rows import history_rows
from services.wash_sale.core.household_questions import meaning_of
from services.wash_sale.core.intended import IntendedTrade, Meaning, try_out
from services.wash_sale.core.open_windows import open_windows
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.securities import NO_SECURITY_FACTS
from services.wash_sale.core.tax_events import LotPart
from tests.unit.wash_sale import samples
from tests.unit.wash_sale.own_cases import L1, ROTH, S1, SOLD, T1, T2, Row, after, buy, case, sell

D = Decimal


def books(*transactions: Row, accounts: Any = (T1, T2, ROTH), **more: Any) -> HistoryBooks:
    found = books_of_history(case("H", list(transactions), [], [], [], accounts, **more))
    assert not isinstance(found, BadHistory), found.text()
    return found


def day(days: int) -> date:
    return SOLD + timedelta(days=days)


@pytest.mark.parametrize(
    ("transactions", "as_of", "covered", "certainty"),
    [
        pytest.param([L1, S1], day(0), True, "provisional", id="the day of the loss"),
        pytest.param([L1, S1], day(30), True, "provisional", id="the last day of the window"),
        pytest.param([L1, S1], day(31), True, "confirmed", id="the window has ended"),
        pytest.param([L1, S1], day(31), False, "unknowable", id="an account that no feed covers may have bought"),
        pytest.param([L1, S1, buy("L2", after(1), 100, 4100)], day(2), False, "confirmed", id="denied in full"),
        pytest.param([L1, S1, buy("L2", after(1), 99, 4100)], day(2), True, "provisional", id="denied in part"),
        pytest.param([L1, sell("S1", after(0), 5000, {"L1": 100})], day(0), False, "confirmed", id="no loss"),
    ],
)
def test_certainty_of_a_sale(transactions: list[Row], as_of: date, covered: bool, certainty: str) -> None:
    assert certainty_of(books(*transactions).rows[0], as_of, covered).certainty == certainty


@pytest.mark.parametrize(("as_of", "certainty"), [(date(2026, 1, 30), "provisional"), (date(2026, 1, 31), "confirmed")])
def test_a_december_sale_is_provisional_until_30_january(as_of: date, certainty: str) -> None:
    rows = books(L1, sell("S1", "2025-12-31", 4000, {"L1": 100})).rows
    judged = of_year(rows, 2025, as_of, all_covered=True)
    assert (judged.certainty, judged.until) == (certainty, date(2026, 1, 30) if certainty == "provisional" else None)


def test_a_year_without_december_losses_is_provisional_only_while_it_lasts() -> None:
    rows = books(L1, S1).rows
    assert of_year(rows, 2025, date(2025, 12, 31), all_covered=True).until == date(2026, 1, 30)
    assert of_year(rows, 2025, date(2026, 1, 1), all_covered=True).certainty == "confirmed"


def test_open_windows() -> None:
    book = books(L1, buy("R", after(-4), 30, 1200, account="ROTH"), S1, buy("L9", after(2), 80, 3200)).book
    assert [(w.blocks, w.cause, w.until) for w in open_windows(book, day(2))] == [("loss_sales", "L9", day(32))]
    book = books(L1, S1, buy("L9", after(2), 80, 3200, account="T2")).book
    assert [(w.blocks, w.cause, w.until) for w in open_windows(book, day(30))] == [("buys", "S1", day(30))]
    assert open_windows(book, day(31)) == []


def test_a_file_that_names_a_day_gets_windows_and_certainties() -> None:
    found = books(L1, S1, buy("L2", after(3), 40, 1640), as_of=after(10))
    answer = history_rows(found)
    assert [row["certainty"] for row in answer["sales"]] == ["provisional"]
    assert [(w["blocks"], w["cause"], w["until"]) for w in answer["windows"]] == [("buys", "S1", after(30))]
    uncovered = books(L1, S1, accounts=(T1, {**T2, "covered": False}), as_of=after(31))
    assert [row["certainty"] for row in history_rows(uncovered)["sales"]] == ["unknowable"]


def meaning(book: Book, as_of: date, *trades: IntendedTrade) -> list[Meaning]:
    before = (list(book.rows), list(book.washes), sorted(book.layers(), key=repr), list(book.losses))
    found = try_out(book, trades, as_of)
    assert (list(book.rows), list(book.washes), sorted(book.layers(), key=repr), list(book.losses)) == before
    return found


def selling(quantity: int, price: str, lots: dict[str, int] | None = None, account: str = "T1", name: str = "i1") -> IntendedTrade:
    chosen = None if lots is None else tuple(LotPart(lot, D(part)) for lot, part in lots.items())
    return IntendedTrade(name, account, "XYZ", "sell", D(quantity), D(price), chosen)


def buying(quantity: int, price: str, account: str = "T1", name: str = "i2") -> IntendedTrade:
    return IntendedTrade(name, account, "XYZ", "buy", D(quantity), D(price))


def test_a_loss_sale_with_a_purchase_ten_days_before_in_another_account() -> None:
    book = books(L1, buy("L2", after(-10), 40, 1600, account="T2"), accounts=(T1, T2)).book
    (found,) = meaning(book, day(0), selling(100, "40", {"L1": 100}))
    assert (found.gain, found.denied, found.permanently_denied) == (D(-1000), D(400), D(0))
    assert [(w.replacement_account_id, w.replacement_lot_id) for w in found.washes] == [("T2", "L2")]
    assert found.first_free_day == day(21)  # 31 days after the purchase
    (later,) = meaning(book, day(21), selling(100, "40", {"L1": 100}))
    assert (later.denied, later.first_free_day) == (D(0), None)
    assert meaning(book, day(20), selling(100, "40", {"L1": 100}))[0].denied == D(400)


def test_the_last_purchase_with_free_shares_decides_the_first_free_day() -> None:
    book = books(L1, buy("L2", after(-20), 200, 8000), buy("L3", after(-1), 10, 400)).book
    (found,) = meaning(book, day(0), selling(100, "40", {"L1": 100}))
    assert [w.replacement_lot_id for w in found.washes] == ["L2"]
    assert found.first_free_day == day(30)


def test_what_is_sold_itself_does_not_deny() -> None:
    book = books(L1, buy("L2", after(-5), 50, 2500)).book
    (found,) = meaning(book, day(0), selling(50, "40", {"L2": 50}))
    assert (found.gain, found.denied) == (D(-500), D(0))


def test_a_purchase_in_a_roth_would_make_a_loss_gone() -> None:
    book = books(L1, S1).book
    (found,) = meaning(book, day(12), buying(60, "41", "ROTH"))
    assert (found.denied, found.permanently_denied, found.first_free_day) == (D(600), D(600), day(31))
    assert [w.loss_id for w in found.washes] == ["S1"]


@pytest.mark.parametrize(
    ("transactions", "trade", "covered", "certainty", "until"),
    [
        pytest.param([L1], selling(100, "40"), True, "provisional", day(42), id="a loss may still be washed"),
        pytest.param([L1], selling(100, "40"), False, "unknowable", None, id="an account that no feed covers may have bought"),
        pytest.param([L1], selling(100, "60"), False, "confirmed", None, id="a gain"),
        pytest.param([L1, buy("L2", after(1), 100, 4000)], selling(100, "40", {"L1": 100}), False, "confirmed", None, id="denied in full"),
        pytest.param([L1, S1], buying(60, "41"), True, "confirmed", None, id="a purchase"),
        pytest.param([L1, S1], buying(60, "41"), False, "unknowable", None, id="a purchase for losses that no feed shows"),
        pytest.param([L1], selling(101, "40"), True, None, None, id="a trade that can't be made"),
    ],
)
def test_how_certain_a_meaning_is(
    transactions: list[Row], trade: IntendedTrade, covered: bool, certainty: str | None, until: date | None
) -> None:
    (found,) = try_out(books(*transactions).book, [trade], day(12), covered)
    assert (found.certain and found.certain.certainty, found.certain and found.certain.until) == (certainty, until)


def test_a_purchase_after_a_sale_of_unknown_basis_denies_nobody_knows_what() -> None:
    first = samples.account(lots=[samples.lot("L1", "XYZ", "10", None, None)])
    ledger = samples.applied([first, samples.sell("s", 1, samples.START, "90", {"L1": "10"})])
    found = meaning_of(ledger, NO_SECURITY_FACTS, [IntendedTrade("i", "A1", "XYZ", "buy", D(5), D(9))], samples.START)
    assert not isinstance(found, Refusal) and found[0].certain == Judgement("unknowable", None, "unknown_basis")


def test_a_list_is_judged_together() -> None:
    sale, purchase = meaning(books(L1).book, day(0), selling(100, "40"), buying(30, "40", "T2"))
    assert (sale.denied, sale.first_free_day) == (D(300), day(31))
    assert (purchase.denied, purchase.first_free_day) == (D(300), day(31))
    purchase, sale = meaning(books(L1).book, day(0), buying(30, "40", "T2"), selling(100, "40"))
    assert (sale.denied, purchase.denied) == (D(300), D(300))
    assert (sale.first_free_day, purchase.first_free_day) == (day(31), day(31))


def test_what_can_not_be_sold_is_said_and_the_rest_is_judged() -> None:
    too_much, sale = meaning(books(L1).book, day(0), selling(101, "40", name="i0"), selling(100, "40"))
    assert too_much.refusal is not None and "oversold" in too_much.refusal
    assert (sale.refusal, sale.gain) == (None, D(-1000))
