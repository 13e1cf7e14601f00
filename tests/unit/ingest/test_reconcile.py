"""Reconciling booked trades with files: any history of trades, any pace of the custodian, any order of files gives the same book."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.common.money import ZERO
from libs.common.schemas.order import TradeBooked
from services.ingest.core.book import AccountBook, apply_snapshot, apply_trade, lots_of
from services.ingest.core.lot_steps import Step, adds_up, explained
from services.ingest.core.reconcile import reconcile
from services.ingest.core.snapshot import Snapshot
from tests.unit.ingest.book_samples import D, PacedCustodian, book_after, bust, buy, cash, day, lot, snapshot, split, trade

NAMES = ("AAA", "BBB")
OPENING = snapshot(day(0), lot("X1", "100"), lot("X2", "40"), lot("Y1", "60", security_id="BBB"))
WHOLE_SHARES = st.integers(1, 30).map(Decimal)
PRICES = st.sampled_from(["9", "10.01", "12.5"])
STEPS = st.lists(st.tuples(st.integers(-30, 30).filter(bool), st.booleans()), max_size=6).map(
    lambda rows: [Step(number, 0, "X", D(shares), due) for number, (shares, due) in enumerate(rows)]
)


@given(steps=STEPS, change=st.integers(-120, 120).map(Decimal))
def test_steps_are_explained_within_their_size_and_the_change(steps: list[Step], change: Decimal) -> None:
    shown = explained(steps, change)
    for step, shares in zip(steps, shown, strict=True):  # invariant 1
        assert min(ZERO, step.shares) <= shares <= max(ZERO, step.shares)
    assert min(ZERO, change) <= sum(shown, ZERO) <= max(ZERO, change)  # invariant 2
    if adds_up(steps, change):  # invariant 3
        assert sum(shown, ZERO) == change
        assert all(shares in (0, step.shares) for step, shares in zip(steps, shown, strict=True))


@given(steps=STEPS, data=st.data())
def test_one_way_steps_are_found_at_any_point(steps: list[Step], data: st.DataObject) -> None:
    """Only sales (or only purchases): what the custodian did in order is found share by share."""
    sales = [Step(s.trade, 0, "X", -abs(s.shares), s.due) for s in steps]
    point = data.draw(st.integers(0, len(sales)))
    part = data.draw(st.integers(0, int(-sales[point].shares) - 1)) if point < len(sales) else 0
    done = [s.shares if n < point else D(-part) if n == point else ZERO for n, s in enumerate(sales)]
    assert explained(sales, sum(done, ZERO)) == done


@dataclass
class History:
    """A random history: our book, the custodian that follows at its own pace, and where each of its files stood.

    A late custodian holds any part of what was traded, also days after; then shares come and go in a lot in one direction alone, since of a
    purchase and its sale that it holds neither of nothing can be seen.  One that is in order holds in the first file of a date all that
    was traded before it, and in corrections any part of what came since.
    """

    data: st.DataObject
    late: bool
    custodian: PacedCustodian = field(default_factory=lambda: PacedCustodian(OPENING))
    book: AccountBook = field(default_factory=lambda: book_after(OPENING))
    today: int = 0
    sequence: int = 1
    least: tuple[int, int] = (0, 0)
    pace: tuple[int, int] = (0, 0)

    def trade(self) -> None:
        """Buy, sell of the book's lots, or take an earlier trade back."""
        draw, seq, on = self.data.draw, len(self.custodian.events) + 1, day(self.today)
        kind = draw(st.sampled_from(["buy", "sell"] if self.late else ["buy", "sell", "sell", "bust"]))
        held = [one for one in lots_of(self.book, self.custodian.splits).rows() if one.quantity >= 2]
        if self.late:
            held = [one for one in held if one.lot_id in OPENING.lots.lot_id]
        back = [t for t in self.custodian.events if t.kind == "fill" and self._can_be_taken_back(t)]
        event: TradeBooked
        if kind == "sell" and held:
            name = draw(st.sampled_from(sorted({one.security_id for one in held})))
            chosen = [one for one in held if one.security_id == name][: draw(st.integers(1, 2))]
            parts = [(one.lot_id, D(draw(st.integers(1, int(one.quantity))))) for one in chosen]
            event = trade(seq, "sell", sum((shares for _, shares in parts), ZERO), on, parts, draw(PRICES), name)
        elif kind == "bust" and back:
            event = bust(seq, draw(st.sampled_from(back)))
        else:
            event = buy(seq, draw(WHOLE_SHARES), on, draw(PRICES), draw(st.sampled_from(NAMES)))
        self.custodian.events.append(event)
        self.book = apply_trade(self.book, event, self.custodian.splits)

    def _can_be_taken_back(self, fill: TradeBooked) -> bool:
        """Not twice, not after a split (its lots would have other numbers), and a purchase only while its lot still holds as much."""
        if any(t.ref_trade_id == fill.trade_id for t in self.custodian.events):
            return False
        if any(one.ex_date > fill.trade_date for one in self.custodian.splits):
            return False
        held = self.truth_lots()
        return fill.side == "sell" or held.get(self.custodian.lot_of(fill), ZERO) >= fill.quantity

    def file(self, new_date: bool) -> None:
        """A file of a later date, or a correction of the same: it holds the first trades, up to anywhere, perhaps a part of the next."""
        draw, count = self.data.draw, len(self.custodian.events)
        if new_date:
            self.today += 1
            self.sequence, self.least = 1, self.pace if self.late else (count, 0)
            if draw(st.integers(0, 5)) == 5:
                self.custodian.splits.append(split(draw(st.sampled_from(NAMES)), day(self.today), "2"))
        else:
            self.sequence += 1
        whole = draw(st.integers(self.least[0], count))
        least = self.least[1] if whole == self.least[0] else 0
        most = int(self.custodian.events[whole].quantity) - 1 if whole < count and self.custodian.events[whole].kind == "fill" else 0
        self.pace = (whole, draw(st.integers(least, max(least, most))))
        self.deliver()

    def deliver(self) -> None:
        file = self.custodian.snapshot(day(self.today), self.sequence, self.pace[0], D(self.pace[1]))
        self.book = apply_snapshot(self.book, file, self.custodian.splits)

    def truth(self) -> Snapshot:
        return self.custodian.snapshot(day(self.today), 99, len(self.custodian.events))

    def truth_lots(self) -> dict[str, Decimal]:
        return self.truth().quantities()

    def book_lots(self) -> dict[str, Decimal]:
        """The book's shares by the custodian's lot ids."""
        found: dict[str, Decimal] = {}
        for one in lots_of(self.book, self.custodian.splits).rows():
            name = self.custodian.named(one.lot_id)
            found[name] = found.get(name, ZERO) + one.quantity
        return found

    def check(self) -> None:
        """After a file or a trade: invariants 1 and 4, and the cash where the files leave no doubt which trades they hold."""
        for one in self.book.trades:
            assert all(ZERO <= part <= wanted.quantity for part, wanted in zip(one.reflected, one.lots, strict=True))
        assert self.book_lots() == self.truth_lots()
        if self._evidence_is_right():
            assert cash(self.book) == self.truth().cash_settled

    def _evidence_is_right(self) -> bool:
        """Whether the book found exactly the trades that the custodian's file holds (a round trip in one lot leaves no trace in it)."""
        whole, part = self.pace
        held = {t.trade_id: t.quantity if n < whole else D(part) for n, t in enumerate(self.custodian.events[: whole + 1])}
        return all(sum(t.reflected, ZERO) == held.get(t.trade.trade_id, ZERO) for t in self.book.trades)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), late=st.booleans())
def test_book_invariant_1_any_history_and_any_files_give_the_undisturbed_book(data: st.DataObject, late: bool) -> None:
    history = History(data, late)
    for act in data.draw(st.lists(st.sampled_from(["trade", "trade", "correction", "file"]), max_size=12)):
        if act == "trade":
            history.trade()
        else:
            history.file(new_date=act == "file")
        if not (act == "trade" and any(one.ex_date == day(history.today) for one in history.custodian.splits)):
            history.check()
    history.today += 1
    history.sequence, history.pace = 1, (len(history.custodian.events), 0)
    history.deliver()
    assert history.book_lots() == history.truth_lots()
    assert cash(history.book) == history.truth().cash_settled
    assert not any(t.lacking(part) for t in history.book.trades for part in range(len(t.lots)))
    assert history.book.breaks == ()


@settings(max_examples=60)
@given(data=st.data(), late=st.booleans())
def test_reconcile_invariant_3_the_same_file_again_changes_nothing(data: st.DataObject, late: bool) -> None:
    history = History(data, late)
    for act in data.draw(st.lists(st.sampled_from(["trade", "trade", "file"]), min_size=2, max_size=8)):
        if act == "trade":
            history.trade()
        else:
            history.file(new_date=True)
    book = history.book
    assert book.newest is not None
    again = reconcile(book.before, book.newest, book.trades, book.aliases, history.custodian.splits)
    twice = reconcile(book.before, book.newest, again.trades, again.aliases, history.custodian.splits)
    assert (twice.trades, twice.aliases, twice.breaks) == (again.trades, again.aliases, again.breaks)
    assert book.newest.quantities() == history.custodian.snapshot(day(history.today), 1, history.pace[0], D(history.pace[1])).quantities()


def test_a_file_can_not_hold_a_trade_of_a_later_date() -> None:
    """The lot shrank on day 1; the sale is of day 2: the custodian's own doing, and a person must look."""
    book = book_after(OPENING, trade(1, "sell", "30", day(2), [("X1", "30")]))
    book = apply_snapshot(book, snapshot(day(1), lot("X1", "70"), lot("X2", "40"), lot("Y1", "60", security_id="BBB")), [])
    assert {one.lot_id: one.quantity for one in lots_of(book, []).rows()} == {"X1": 40, "X2": 40, "Y1": 60}
    assert [b.kind for b in book.breaks] == ["lot_smaller_than_trades"]


def test_without_trades_a_file_is_taken_as_it_is() -> None:
    nothing = reconcile(OPENING, snapshot(date(2025, 12, 16)), (), {}, [])
    assert (nothing.trades, nothing.breaks) == ((), ())
