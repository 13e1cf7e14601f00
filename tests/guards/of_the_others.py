"""Guards of ingest, restrictions, wash_sale and the optimizer: files and trades that come again or late, and older versions."""

from tests.guards.removal import Removal

BOOK = "services/ingest/core/book.py"
BOOK_TESTS = "tests/unit/ingest/test_book.py"
INGEST = "tests/integration/test_ingest_service.py"

OF_INGEST = (
    Removal(
        "a file is known by its content",
        "services/ingest/deliveries.py",
        "    if before is None:\n        return None, DeliveryState.RECEIVING",
        "    if before is None or True:\n        return None, DeliveryState.RECEIVING",
        (f"{INGEST}::test_files_are_taken_repeated_corrected_late_and_held",),
    ),
    Removal(
        "a part of a delivery comes once",
        "services/ingest/deliveries.py",
        "    if await delivery_store.part_taken(connection, delivery_id, header.part):",
        "    if False:",
        (f"{INGEST}::test_files_are_taken_repeated_corrected_late_and_held",),
        ("UniqueViolationError",),
    ),
    Removal(
        "a delivery of an older date is late",
        "services/ingest/core/delivery.py",
        "    if earlier is not None and business_date < earlier.business_date:",
        "    if False and earlier is not None:",
        ("tests/unit/ingest/test_delivery.py::test_what_becomes_of_a_delivery",),
    ),
    Removal(
        "a file with far fewer accounts waits for a person",
        "services/ingest/core/delivery.py",
        "    if earlier is not None and accounts < earlier.accounts * fewest_accounts_frac:",
        "    if False and earlier is not None:",
        ("tests/unit/ingest/test_delivery.py::test_what_becomes_of_a_delivery",),
    ),
    Removal(
        "holdings that are not newer change nothing",
        BOOK,
        "    if book.newest is not None and snapshot.order <= book.newest.order:",
        "    if book.newest is not None and snapshot.order <= book.newest.order and False:",
        (f"{BOOK_TESTS}::test_invariant_4_an_older_file_or_the_same_again_changes_nothing",),
    ),
    Removal(
        "other holdings under the same date and sequence are not believed",
        BOOK,
        "        if snapshot.order == book.newest.order and snapshot != book.newest:",
        "        if False:",
        (f"{BOOK_TESTS}::test_what_can_not_be_trusted_quarantines_and_keeps_the_last_good_book",),
    ),
    Removal(
        "a trade is on the book once",
        BOOK,
        "    if trade.trade_seq <= book.trade_seq or any(t.trade_seq == trade.trade_seq for t in book.waiting):",
        "    if False:",
        (f"{BOOK_TESTS}::test_invariant_3_trades_apply_in_their_order_once",),
    ),
    Removal(
        "trades wait for their predecessors",
        BOOK,
        "    while queue and queue[0].trade_seq == book.trade_seq + 1:",
        "    while queue:",
        (f"{BOOK_TESTS}::test_invariant_3_trades_apply_in_their_order_once",),
    ),
    Removal(
        "the version rises with the content alone",
        BOOK,
        "    if digest == book.digest:",
        "    if digest == book.digest and False:",
        (f"{BOOK_TESTS}::test_invariant_2_the_version_rises_with_the_content_and_not_with_the_date",),
    ),
    Removal(
        "no lot goes below zero",
        BOOK,
        "        if lot.quantity < 0:",
        "        if lot.quantity < 0 and False:",
        (f"{BOOK_TESTS}::test_what_does_not_fit_the_custodians_lots_is_refused_and_never_negative",),
    ),
    Removal(
        "a trade that comes after its file is found there",
        BOOK,
        "        book = _find_late(_apply_next(book, queue.pop(0)), splits)",
        "        book = _apply_next(book, queue.pop(0))",
        ("tests/unit/ingest/test_late_trades.py::test_the_same_book_when_the_trade_comes_after_the_file",),
        ("AssertionError", "CannotApply"),
    ),
    Removal(
        "a book is in one hand",
        "services/ingest/store.py",
        "ORDER BY account_id FOR UPDATE",
        "ORDER BY account_id",
        ("tests/integration/test_locks.py::test_a_trade_waits_for_the_file_that_has_its_account_in_hand_and_loses_nothing_of_it",),
    ),
    Removal(
        "a run opens once",
        "services/ingest/daily.py",
        "        if not fresh:",
        "        if not fresh and False:",
        (f"{INGEST}::test_a_day_with_a_bad_line_a_missing_account_and_a_run",),
    ),
    Removal(
        "a file that ends looks for records that came meanwhile",
        "services/ingest/deliveries.py",
        "    await delivery_store.records_alone(unit.connection)\n",
        "",
        ("tests/integration/test_locks.py::test_a_record_and_its_first_file_find_each_other_whichever_ends_first",),
    ),
)

OF_READERS = (
    Removal(
        "restrictions: an account version that is not newer changes nothing",
        "services/restrictions/core/household.py",
        "    if before is not None and before.version >= changed.version:",
        "    if before is not None and before.version >= changed.version and False:",
        ("tests/unit/restrictions/test_household.py::test_invariant_1_what_is_not_newer_changes_nothing",),
    ),
    Removal(
        "wash_sale: an account version that is not newer changes nothing",
        "services/wash_sale/core/transitions.py",
        "    if payload.version <= account.version:",
        "    if payload.version <= account.version and False:",
        ("tests/unit/wash_sale/test_repeats.py::test_an_older_version_that_comes_late_changes_nothing",),
    ),
    Removal(
        "wash_sale: a trade is booked once",
        "services/wash_sale/core/transitions.py",
        "(trade.trade_seq <= account.trade_seq or account.departed)",
        "account.departed",
        ("tests/unit/wash_sale/test_repeats.py::test_a_trade_that_comes_again_is_booked_once",),
    ),
    Removal(
        "wash_sale: the version rises with the content alone",
        "services/wash_sale/saying.py",
        "        changed = digest != household.said_digest\n",
        "        changed = True\n",
        (
            "tests/integration/test_wash_sale_service.py::test_a_run_on_other_securities_that_say_the_same_of_a_household_is_answered_with_its_version",
        ),
    ),
    Removal(
        "restrictions: the version rises with the verdicts alone",
        "services/restrictions/core/household.py",
        "    return [screen for screen in screens if _version(state, screen.account_id) != screen.version]",
        "    return screens",
        ("tests/unit/restrictions/test_household.py::test_an_edit_that_names_nothing_changes_no_screen",),
    ),
    Removal(
        "restrictions: a household that an account of the batch left is looked at again",
        "services/restrictions/once_a_batch.py",
        "        forget_households(unit)  # it leaves another one, which may be among them\n",
        "        pass\n",
        ("tests/unit/restrictions/test_once_a_batch.py::test_a_household_that_an_account_leaves_is_looked_at_again",),
    ),
    Removal(
        "optimizer: no buy in the window after a loss",
        "services/optimizer/core/windows.py",
        "    for window in ledger.blocked_buys:\n        if as_of <= window.until:",
        "    for window in ledger.blocked_buys:\n        if False:",
        ("tests/unit/optimizer/test_windows.py::test_a_window_holds_through_its_last_day",),
    ),
    Removal(
        "optimizer: what moved during the solve is solved again",
        "services/optimizer/solving.py",
        "if now.get(inputs.of) == inputs.versions]",
        "if inputs.of in now]",
        ("tests/integration/test_optimizer_service.py::test_inputs_that_move_during_the_solve_are_solved_again",),
    ),
)

REMOVALS = (*OF_INGEST, *OF_READERS)
