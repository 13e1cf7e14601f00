"""Guards of a restore: what is noticed, and what a service that catches up neither says nor does again."""

from tests.guards.removal import Removal

NOTICED = "tests/integration/test_restored_noticed.py"
RESTORED = "libs/common/restored.py"
BOOK = "services/ingest/core/book.py"
BOOK_TESTS = "tests/unit/ingest/test_book_restored.py"

REMOVALS = (
    Removal(
        "a database behind its word is noticed",
        RESTORED,
        "        if number > known.get(lane, 0):",
        "        if False and number > known.get(lane, 0):",
        (f"{NOTICED}::test_a_process_that_lives_through_a_restore_notices_it_after_the_pause",),
        ("TimeoutError",),
    ),
    Removal(
        "a catch-up that was broken off is noticed",
        RESTORED,
        "    if unfinished:",
        "    if unfinished and False:",
        (f"{NOTICED}::test_a_catch_up_that_was_broken_off_is_noticed_too",),
        ("TimeoutError",),
    ),
    Removal(
        "a restored book is silent while it lacks what it held",
        BOOK,
        "    return newest.business_date < said.business_date or book.trade_seq < said.trade_seq",
        "    return False",
        (f"{BOOK_TESTS}::test_invariant_5_what_comes_again_is_not_said_again",),
    ),
    Removal(
        "a restored book is silent at the same place with other content",
        BOOK,
        "    if book.said_before == SaidBefore(book.newest.business_date, book.trade_seq):",
        "    if False:",
        (f"{BOOK_TESTS}::test_a_correction_that_is_not_sent_again_keeps_the_book_silent_until_the_next_day",),
    ),
    Removal(
        "runs leave out what a restored book lacks",
        BOOK,
        "    if book.quarantine is None and book.said_before is not None:",
        "    if False:",
        (f"{BOOK_TESTS}::test_until_then_runs_leave_the_account_out",),
    ),
    Removal(
        "wishes that were taken before command nothing",
        "services/restrictions/core/household.py",
        "    taken_before = before is not None and before.wishes_version >= changed.version",
        "    taken_before = False",
        ("tests/unit/restrictions/test_record.py::test_an_older_wish_that_comes_again_does_not_undo_a_newer_one",),
    ),
)
