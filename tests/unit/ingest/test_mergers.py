"""A merger between two files: our trades in what ended are found in what came, and none of them counts twice."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from libs.common.schemas.order import TradeBooked
from services.ingest.core.book import lots_of
from services.ingest.core.share_actions import Merger, ShareAction, share_today
from services.ingest.core.snapshot import Snapshot
from tests.unit.ingest.book_samples import D, book_after, buy, day, lot, sell, snapshot, split

E = day(2)
HALF: Sequence[ShareAction] = [Merger("AAA", E, "BBB", D("0.5"))]
CASH: Sequence[ShareAction] = [Merger("AAA", E, None, D(0))]
BEFORE = snapshot(day(0), lot("X1", "100"))


@pytest.mark.parametrize(
    ("actions", "after", "until", "share"),
    [
        pytest.param(HALF, 1, 2, ("BBB", D("0.5")), id="merger"),
        pytest.param(HALF, 2, 9, ("AAA", D(1)), id="counted after it"),
        pytest.param(HALF, 0, 1, ("AAA", D(1)), id="not yet"),
        pytest.param(CASH, 0, 2, (None, D(0)), id="cash alone"),
        pytest.param([*HALF, split("AAA", E, "4"), split("BBB", E, "3")], 0, 2, ("BBB", D(2)), id="terms after the day's splits"),
        pytest.param([*HALF, split("BBB", day(3), "3")], 0, 3, ("BBB", D("1.5")), id="a later split of what came"),
        pytest.param([*HALF, Merger("BBB", day(3), "CCC", D(4))], 0, 3, ("CCC", D(2)), id="one after the other"),
    ],
)
def test_what_a_share_is_today(actions: Sequence[ShareAction], after: int, until: int, share: object) -> None:
    assert share_today(actions, "AAA", day(after), day(until)) == share


def held(actions: Sequence[ShareAction], *events: Snapshot | TradeBooked) -> list[tuple[str, str, Decimal]]:
    book = book_after(BEFORE, *events, splits=actions)
    assert not book.breaks
    return [(one.lot_id, one.security_id, one.quantity) for one in lots_of(book, actions).rows()]


@pytest.mark.parametrize("kept", [True, False])
def test_a_sale_before_the_merger_is_in_the_shares_that_came(kept: bool) -> None:
    actions: list[ShareAction] = [Merger("AAA", E, "BBB", D(2))]
    after = lot("X1" if kept else "N1", "180", security_id="BBB")
    sale = sell(1, "X1", "10", day(1))
    for later in ([], [snapshot(day(3), after)]):
        assert held(actions, sale, snapshot(E, after), *later) == [(after.lot_id, "BBB", D(180))]


def test_a_purchase_before_the_merger_is_found_under_the_security_that_came() -> None:
    shown = [lot("N1", "50", security_id="BBB"), lot("N2", "20", security_id="BBB", acquired=day(1))]
    assert held(HALF, buy(1, "40", on=day(1)), snapshot(E, *shown)) == [("N1", "BBB", D(50)), ("N2", "BBB", D(20))]


def test_a_purchase_that_the_file_lacks_is_held_as_what_came() -> None:
    book = book_after(BEFORE, buy(1, "40", on=day(1)), snapshot(E, lot("N1", "50", security_id="BBB")), splits=HALF)
    assert [(one.security_id, one.quantity, one.provisional) for one in lots_of(book, HALF).rows()] == [
        ("BBB", D(50), False),
        ("BBB", D(20), True),
    ]


def test_shares_that_were_paid_out_are_gone() -> None:
    book = book_after(BEFORE, buy(1, "40", on=day(1)), snapshot(E), splits=CASH)
    assert (list(lots_of(book, CASH).rows()), book.breaks) == ([], ())
    assert [one.lacking(0) for one in book.trades] == [D(0)]
