"""A trade that reaches the book after a file that holds it is not counted twice."""

from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.common.schemas.order import TradeBooked
from services.ingest.core.book import AccountBook, apply_snapshot, apply_trade, lots_of
from services.ingest.core.snapshot import Snapshot
from tests.unit.ingest.book_samples import D, book_after, bust, buy, cash, day, lot, sell, shares, snapshot
from tests.unit.ingest.test_reconcile import OPENING, History

X = lot("X", "100", "1000")
START = snapshot(day(0), X)
SALE, PURCHASE = sell(1, "X", "30", day(0), "12"), buy(1, "50", day(0), "9")
SOLD = snapshot(day(1), lot("X", "70", "700"), cash="10360")
HALF = snapshot(day(1), lot("X", "85", "850"), cash="10180")
BOUGHT = snapshot(day(1), X, lot("C", "50", "450", day(0)), cash="9550")

LATE: list[tuple[str, list[Snapshot | TradeBooked], dict[str, Decimal], str]] = [
    ("a sale that the file holds", [START, SOLD, SALE], {"X": D(70)}, "10360"),
    ("a sale of which the file holds half", [START, HALF, SALE], {"X": D(70)}, "10360"),
    ("a sale that the file lacks", [START, snapshot(day(1), X), SALE], {"X": D(70)}, "10360"),
    (
        "a sale of the file's own day, which the first file of the day can't hold",
        [START, SOLD, sell(1, "X", "30", day(1), "12")],
        {"X": D(40)},
        "10720",
    ),
    (
        "a sale that a later file of its day holds",
        [START, snapshot(day(1), X), snapshot(day(1), *SOLD.lots.rows(), sequence=2, cash="10360"), sell(1, "X", "30", day(1), "12")],
        {"X": D(70)},
        "10360",
    ),
    (
        "a sale of a lot that a later file of its day corrects",
        [START, snapshot(day(1), X), snapshot(day(1), lot("X", "93", "930"), sequence=2), sell(1, "X", "30", day(1), "12")],
        {"X": D(63)},
        "10360",
    ),
    ("a purchase that the file holds", [START, BOUGHT, PURCHASE], {"X": D(100), "C": D(50)}, "9550"),
    ("a sale and its bust, the file holds neither", [START, snapshot(day(1), X), SALE, bust(2, SALE)], {"X": D(100)}, "10000"),
    ("a sale that the file holds, and its bust", [START, SOLD, SALE, bust(2, SALE)], {"X": D(100)}, "10000"),
]


@pytest.mark.parametrize(("events", "lots", "money"), [case[1:] for case in LATE], ids=[case[0] for case in LATE])
def test_the_same_book_when_the_trade_comes_after_the_file(
    events: list[Snapshot | TradeBooked], lots: dict[str, Decimal], money: str
) -> None:
    book = book_after(*events)
    assert shares(book) == lots
    assert cash(book) == D(money)
    assert book.breaks == ()


@dataclass
class Raced(History):
    """A history of a custodian in order whose trades reach a second book before a file or, if it is the first of its date, after it.

    Shares come and go in a lot in one direction alone: a purchase and its sale that both come late leave no trace in the lot.
    """

    raced: AccountBook = field(default_factory=lambda: book_after(OPENING))
    on_the_way: list[TradeBooked] = field(default_factory=list)

    def trade(self) -> None:
        self.late = True
        super().trade()
        self.late = False
        self.on_the_way.append(self.custodian.events[-1])

    def arrive(self) -> None:
        for one in self.on_the_way:
            self.raced = apply_trade(self.raced, one, self.custodian.splits)
        self.on_the_way = []

    def deliver(self) -> None:
        super().deliver()
        late = self.sequence == 1 and self.data.draw(st.booleans())
        if not late:
            self.arrive()
        file = self.custodian.snapshot(day(self.today), self.sequence, self.pace[0], D(self.pace[1]))
        self.raced = apply_snapshot(self.raced, file, self.custodian.splits)
        self.arrive()

    def raced_lots(self) -> dict[str, Decimal]:
        found: dict[str, Decimal] = {}
        for one in lots_of(self.raced, self.custodian.splits).rows():
            name = self.custodian.named(one.lot_id)
            found[name] = found.get(name, D(0)) + one.quantity
        return found


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_files_and_fills_in_any_order_end_in_the_same_book(data: st.DataObject) -> None:
    history = Raced(data, late=False)
    for act in data.draw(st.lists(st.sampled_from(["trade", "trade", "correction", "file"]), max_size=12)):
        if act == "trade":
            history.trade()
        else:
            history.file(new_date=act == "file")
            assert history.raced_lots() == history.truth_lots()
    history.today += 1
    history.sequence, history.pace = 1, (len(history.custodian.events), 0)
    history.deliver()
    assert history.raced_lots() == history.truth_lots()
    assert cash(history.raced) == history.truth().cash_settled
