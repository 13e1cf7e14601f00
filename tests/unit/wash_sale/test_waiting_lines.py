"""Lines of purchases and losses: what is used up goes, going back brings it back, and a line alone gives the books that a group gives."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import pytest

from services.wash_sale.core.book import Book
from services.wash_sale.core.booking import book_event
from services.wash_sale.core.identity import IdentityEntry, IdentityTable
from services.wash_sale.core.lots import Layer
from services.wash_sale.core.policy import DEFAULT_POLICY
from services.wash_sale.core.tax_events import Fill, LotIn, Sale, TaxAccount, TaxEvent
from services.wash_sale.core.undo_log import UndoLog
from services.wash_sale.core.waiting_lines import MANY_DEAD, WaitingLines

FIRST = date(2025, 1, 2)
ACCOUNTS = {name: TaxAccount(name, "A", taxable=name != "R", scope="A") for name in ("T", "U", "R")} | {
    "F": TaxAccount("F", "F", taxable=True, scope="F")
}
ALONE = IdentityTable()
WITH_ANOTHER = IdentityTable([IdentityEntry("X", "G"), IdentityEntry("Y", "G")])


def crowded(seed: int, count: int = 400) -> Iterator[TaxEvent]:
    """Twenty events a day in one security, prices that wander: hundreds of purchases and losses within each window."""
    draw = random.Random(seed)
    price, held = 100.0, dict.fromkeys(ACCOUNTS, 0)
    for number in range(count):
        day, account = FIRST + timedelta(days=number // 20), draw.choice(tuple(ACCOUNTS))
        price = max(1.0, price * (1 + draw.gauss(-0.001, 0.02)))
        quantity = draw.randint(1, 30)
        dollars = quantity * Decimal(f"{price:.2f}")
        if held[account] >= quantity and draw.random() < 0.6:
            held[account] -= quantity
            yield Sale(f"s{number}", day, (Fill(f"s{number}", account, "X", Decimal(quantity), dollars),))
        else:
            held[account] += quantity
            layer = Layer(account, f"L{number}", f"L{number}", "X", Decimal(quantity), dollars, day, day)
            yield LotIn(f"L{number}", day, layer, acquisition=True)


def booked(events: list[TaxEvent], identity: IdentityTable) -> Book:
    book = Book(ACCOUNTS, identity, DEFAULT_POLICY)
    for event in events:
        assert book_event(book, event) is None
    return book


@pytest.mark.parametrize("seed", range(5))
def test_one_line_and_a_group_of_two_give_the_same_books(seed: int) -> None:
    events = list(crowded(seed))
    one, two = booked(events, ALONE), booked(events, WITH_ANOTHER)
    assert (one.rows, one.washes, list(one.layers())) == (two.rows, two.washes, list(two.layers()))
    assert len(one.washes) > 100


@pytest.mark.parametrize("seed", range(3))
def test_going_back_and_on_again_gives_the_same_books(seed: int) -> None:
    events = list(crowded(seed))
    book = booked(events[:150], ALONE)
    mark = book.undo.mark()
    for event in events[150:]:
        assert book_event(book, event) is None
    first = (list(book.rows), list(book.washes), sorted(book.layers(), key=repr))
    book.undo.back_to(mark)
    for event in events[150:]:
        assert book_event(book, event) is None
    assert (book.rows, book.washes, sorted(book.layers(), key=repr)) == first


def test_what_is_used_up_goes_from_its_line_and_comes_back() -> None:
    undo, used = UndoLog(), set(range(3, 3 + 2 * MANY_DEAD))
    lines: WaitingLines[int] = WaitingLines(undo, lambda number: FIRST + timedelta(days=number))
    for number in range(50):
        lines.add("X", number)
    mark = undo.mark()
    met: list[int] = []

    def meet(number: int) -> bool:
        met.append(number)
        return len(met) < 3

    lines.walk("X", FIRST + timedelta(days=2), lambda number: number not in used, meet)
    assert met == [2, 35, 36]
    assert list(lines.of("X")) == [0, 1, 2, *range(35, 50)]
    undo.back_to(mark)
    assert list(lines.of("X")) == list(range(50))
    assert lines.waiting("X", FIRST + timedelta(days=48), lambda number: True) == [48, 49] and lines.waiting("Y", FIRST, bool) == []
