"""A book whose database came from a backup: it says nothing before it holds again what it held, then only what differs."""

import pytest
from msgspec.structs import replace

from libs.common.schemas.account import AccountChanged
from libs.common.schemas.order import TradeBooked
from services.ingest.core.book import (
    AccountBook,
    SaidBefore,
    adopt_said,
    apply_snapshot,
    apply_trade,
    publishable,
    quarantine,
    why_unusable,
)
from services.ingest.core.snapshot import Snapshot
from tests.unit.ingest.book_samples import day, intake, lot, sell, snapshot

OPENING = snapshot(day(0), lot("X", "100"))
FILE_1 = snapshot(day(1), lot("X", "100"), lot("Y", "5"))
CORRECTION_1 = snapshot(day(1), lot("X", "100"), lot("Y", "6"), sequence=2)
FILE_2 = snapshot(day(2), lot("X", "100"), lot("Y", "7"))
SALE = sell(1, "X", "30", day(1), price="12")
Step = Snapshot | TradeBooked | str


def after(book: AccountBook, *steps: Step) -> tuple[AccountBook, list[AccountChanged]]:
    """The book after these steps (a text quarantines), and what it said at each."""
    said = []
    for step in steps:
        if isinstance(step, Snapshot):
            book = apply_snapshot(book, step, [])
        else:
            book = quarantine(book, step) if isinstance(step, str) else apply_trade(book, step)
        book, changed = publishable(book, [])
        said += [] if changed is None else [changed]
    return book, said


def restored(*lost: Step) -> tuple[AccountBook, AccountChanged]:
    """The book of the backup, standing behind the last version that it said in the steps since; and that version."""
    backup, _ = after(AccountBook(intake()), OPENING)
    _, said = after(backup, *lost)
    adopted = adopt_said(backup, said[-1])
    assert adopted is not None
    return adopted, said[-1]


CASES: list[tuple[str, list[Step], list[Step]]] = [
    ("a file", [FILE_1], [FILE_1]),
    ("a trade", [SALE], [SALE]),
    ("file and trade", [FILE_1, SALE], [FILE_1, SALE]),
    ("trade before the file this time", [FILE_1, SALE], [SALE, FILE_1]),
    ("a corrected file", [FILE_1, CORRECTION_1], [FILE_1, CORRECTION_1]),
    ("a bad line of the day", [FILE_1, "bad line"], [FILE_1, "bad line"]),
]


@pytest.mark.parametrize(("lost", "again"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_invariant_5_what_comes_again_is_not_said_again(lost: list[Step], again: list[Step]) -> None:
    book, last = restored(*lost)
    book, said = after(book, *again)
    assert said == []
    assert (book.version, book.said_before) == (last.version, None)


def test_until_then_runs_leave_the_account_out() -> None:
    book, _ = restored(FILE_1, SALE)
    reason = why_unusable(book)
    assert reason is not None
    assert f"the file of {FILE_1.business_date}, trades up to number 1" in reason
    book, _ = after(book, FILE_1)
    assert why_unusable(book) is not None
    book, _ = after(book, SALE)
    assert why_unusable(book) is None


def test_what_moved_on_is_said_above_the_last_version() -> None:
    book, last = restored(FILE_1, SALE)
    book, said = after(book, FILE_2, SALE)
    assert [each.version for each in said] == [last.version + 1]
    assert book.said_before is None


def test_a_correction_that_is_not_sent_again_keeps_the_book_silent_until_the_next_day() -> None:
    book, last = restored(FILE_1, CORRECTION_1)
    book, said = after(book, FILE_1)
    assert (said, why_unusable(book) is None) == ([], False)
    book, said = after(book, FILE_2)
    assert [each.version for each in said] == [last.version + 1]


def test_the_master_record_is_the_one_that_was_said() -> None:
    backup, _ = after(AccountBook(intake()), OPENING)
    edited, said = publishable(replace(backup, intake=replace(intake(), do_not_trade=True)), [])
    assert said is not None
    adopted = adopt_said(backup, said)
    assert adopted is not None
    assert adopted.intake == edited.intake
    settled, news = publishable(adopted, [])
    assert (news, settled.said_before, settled.version) == (None, None, said.version)


def test_an_account_unknown_to_the_backup_is_known_by_what_was_said() -> None:
    _, said = after(AccountBook(intake()), OPENING, FILE_1)
    adopted = adopt_said(None, said[-1])
    assert adopted == replace(AccountBook(intake()), version=2, digest=adopted.digest if adopted else "", said_before=SaidBefore(day(1), 0))


def test_older_versions_are_no_news() -> None:
    book, last = restored(FILE_1)
    assert adopt_said(book, last) is None
    assert adopt_said(book, replace(last, version=1)) is None
