"""Guards of orders: what is judged before anything leaves, what is held back, and what is booked once."""

from tests.guards.removal import ASSERTED, Removal

JUDGE = "tests/unit/orders/test_judge.py::test_refusal"
SERVICE = "tests/integration/test_orders_service.py"
PINS = "services/orders/core/pins.py"
STORE = "services/orders/store.py"
EXECUTIONS = "tests/unit/orders/test_executions.py"

CHECKS = (
    Removal(
        "a lot is not sold beyond what it holds",
        "services/orders/core/means.py",
        "            if instruction.quantity > free:",
        "            if instruction.quantity > free and False:",
        (f"{JUDGE}[oversold]",),
    ),
    Removal(
        "a lot that is reserved is not free",
        "services/orders/core/means.py",
        "            free = lot.quantity - reserved.get(instruction.lot_id, ZERO)",
        "            free = lot.quantity",
        (f"{JUDGE}[a lot that is reserved]",),
    ),
    Removal(
        "cash that is not there is not spent",
        "services/orders/core/means.py",
        "    if cost > spendable:",
        "    if cost > spendable and False:",
        (f"{JUDGE}[cash short of the half spread]",),
    ),
    Removal(
        "cash that is reserved is not spent again",
        "services/orders/core/means.py",
        " - reserved_cash(others, case.proposal.account_id)",
        "",
        (f"{JUDGE}[cash reserved]",),
    ),
    Removal(
        "no buy in the window after a loss",
        "services/orders/core/windows.py",
        "            for window in open_window(case.ledger.blocked_buys, case, security):",
        "            for window in open_window([], case, security):",
        (f"{JUDGE}[buy after a loss]",),
    ),
    Removal(
        "no loss sale in the window after a buy",
        "services/orders/core/windows.py",
        "            for window in open_window(case.ledger.blocked_loss_sales, case, security):",
        "            for window in open_window([], case, security):",
        (f"{JUDGE}[loss after a buy]",),
    ),
    Removal(
        "an unknown basis may be a loss",
        "services/orders/core/windows.py",
        "    if layer.tax_basis is None:\n        return True\n    return layer.tax_basis >",
        "    return layer.tax_basis is not None and layer.tax_basis >",
        (f"{JUDGE}[unknown basis after a buy]",),
    ),
    Removal(
        "a security with a price jump does not trade",
        "services/orders/core/prices.py",
        "        if quote.blocked is not None:",
        "        if quote.blocked is not None and False:",
        (f"{JUDGE}[price jump]",),
    ),
    Removal(
        "a price that left the collar refuses",
        "services/orders/core/prices.py",
        "        if moved > collar:",
        "        if moved > collar and False:",
        (f"{JUDGE}[price moved up]",),
    ),
    Removal(
        "the screen's word on a buy",
        "services/orders/core/rules.py",
        '        if trade.side == "buy" and not verdict.may_buy:',
        '        if trade.side == "buy" and not verdict.may_buy and False:',
        (f"{JUDGE}[may not buy]",),
    ),
    Removal(
        "the screen's word on a sale",
        "services/orders/core/rules.py",
        '        if trade.side == "sell" and not verdict.may_sell:',
        '        if trade.side == "sell" and not verdict.may_sell and False:',
        (f"{JUDGE}[may not sell]",),
    ),
    Removal(
        "a household does not buy what it may sell at a loss",
        "services/orders/core/reservations.py",
        "        if other is not None:",
        "        if other is not None and False:",
        (
            "tests/unit/orders/test_reservations.py::test_no_household_ever_holds_a_buy_and_a_loss_sale_of_one_group",
            f"{JUDGE}[loss sale of what another buys]",
        ),
    ),
    Removal(
        "one proposal of an account in a run",
        "services/orders/core/judge.py",
        "    if evidence.prior_proposal_id is not None:",
        "    if evidence.prior_proposal_id is not None and False:",
        (f"{JUDGE}[answered before]",),
    ),
    Removal(
        "open orders keep an account out",
        "services/orders/core/standing.py",
        "    if case.open_orders:",
        "    if case.open_orders and False:",
        (f"{JUDGE}[orders at the desk]",),
    ),
    Removal(
        "the kill switch",
        "services/orders/core/judge.py",
        "    if evidence.kill_switch:",
        "    if evidence.kill_switch and False:",
        ("tests/unit/orders/test_judge.py::test_the_kill_switch_beats_everything",),
    ),
    Removal(
        "a closed run takes no more",
        "services/orders/core/judge.py",
        "    if run.closed:",
        "    if run.closed and False:",
        (f"{JUDGE}[the run has closed]",),
    ),
    Removal(
        "the cut-off ends what people may decide",
        "services/orders/core/approval.py",
        "    if now >= cutoff_at:",
        "    if now >= cutoff_at and False:",
        ("tests/unit/orders/test_run_state.py::test_only_what_waits_for_a_person_can_be_decided",),
    ),
    Removal(
        "the cut-off closes a run",
        "services/orders/core/run_state.py",
        "    return now >= cutoff_at or all(progress not in UNENDED for progress in accounts)",
        "    return all(progress not in UNENDED for progress in accounts)",
        ("tests/unit/orders/test_run_state.py::test_a_run_closes_when_all_have_ended_or_at_its_cut_off",),
    ),
    Removal(
        "what leaves is judged once more at the close",
        "services/orders/core/run_state.py",
        "    if progress not in LEAVING or isinstance(recheck, Accepted):",
        "    if progress not in LEAVING or recheck is not None:",
        (
            "tests/unit/orders/test_run_state.py::test_after_the_close_every_account_has_ended_and_what_leaves_passed_again",
            f"{SERVICE}::test_what_moved_after_acceptance_is_refused_at_the_close",
        ),
    ),
)

PINNED = (
    Removal(
        "pin: as_of",
        PINS,
        "    if pins.as_of != opened.as_of:",
        "    if pins.as_of != opened.as_of and False:",
        (f"{JUDGE}[pinned to another date]",),
    ),
    Removal(
        "pin: market",
        PINS,
        "    if pins.market_id != opened.market_id:",
        "    if pins.market_id != opened.market_id and False:",
        (f"{JUDGE}[pinned to another market]",),
    ),
    Removal(
        "pin: account version of the run",
        PINS,
        "    if pins.account_version != account.account_version:",
        "    if pins.account_version != account.account_version and False:",
        (f"{JUDGE}[pinned above the run's version]",),
    ),
    Removal(
        "pin: account version",
        PINS,
        '        ("account_version", pins.account_version, evidence.account),\n',
        "",
        (f"{JUDGE}[account moved]",),
    ),
    Removal(
        "pin: screen version",
        PINS,
        '        ("screen_version", pins.screen_version, evidence.screen),\n',
        "",
        (f"{JUDGE}[screen moved]",),
    ),
    Removal(
        "pin: ledger version",
        PINS,
        '        ("ledger_version", pins.ledger_version, evidence.ledger),\n',
        "",
        (f"{JUDGE}[ledger moved]",),
    ),
    Removal(
        "pin: the account's own trades",
        PINS,
        "    if own > account.trade_seq:",
        "    if own > account.trade_seq and False:",
        (f"{JUDGE}[a trade the account lacks]",),
    ),
    Removal(
        "pin: the household's trades in the ledger",
        PINS,
        "            if last > held.trade_seq:",
        "            if last > held.trade_seq and False:",
        (f"{JUDGE}[a trade the ledger lacks]",),
    ),
    Removal(
        "pin: intents of the household's earlier accounts",
        PINS,
        "        if household.answers[account_id] != proposal_id:",
        "        if household.answers[account_id] != proposal_id and False:",
        (f"{JUDGE}[another intent]",),
    ),
    Removal(
        "no earlier account of the household is passed over",
        PINS,
        "        if account_id not in intents:",
        "        if account_id not in intents and False:",
        (f"{JUDGE}[an earlier account unseen]",),
    ),
)

BOOKED_ONCE = (
    Removal(
        "an execution counts once: the order's own memory",
        "services/orders/core/executions.py",
        "    if execution.exec_id in record.seen:",
        "    if execution.exec_id in record.seen and False:",
        (f"{EXECUTIONS}::test_a_replay_changes_nothing",),
    ),
    Removal(
        "an execution counts once: the inbox",
        "services/orders/block_store.py",
        '"SELECT EXISTS (SELECT 1 FROM noted) AS fresh, ',
        '"SELECT true AS fresh, ',
        (f"{SERVICE}::test_an_execution_that_nobody_can_book_waits_once_however_often_it_comes",),
    ),
    Removal(
        "no fill beyond the order",
        "services/orders/core/executions.py",
        "    if not has_room(record, fill.last_qty):",
        "    if not has_room(record, fill.last_qty) and False:",
        (f"{EXECUTIONS}::test_a_fill_beyond_the_order_waits_until_a_bust_makes_room",),
        (*ASSERTED, "ValueError"),
    ),
    Removal(
        "a lot of an instruction is used once",
        "services/orders/core/allocation.py",
        "        part = min(left, lot.quantity - used.get(lot.custodial_lot_id, ZERO))",
        "        part = min(left, lot.quantity)",
        (f"{EXECUTIONS}::test_lots_are_used_in_their_order",),
    ),
    Removal(
        "each account's trades are numbered on",
        "services/orders/block_store.py",
        "trade_seq = s.trade_seq + EXCLUDED.trade_seq",
        "trade_seq = EXCLUDED.trade_seq",
        (f"{SERVICE}::test_busts_and_corrections_are_booked_and_what_is_not_ours_waits_for_a_person",),
    ),
    Removal(
        "a run closes once",
        "services/orders/closing.py",
        "        await store.alone(unit.connection)\n        run = await store.load_run(unit.connection, run_id)\n",
        "        run = await store.load_run(unit.connection, run_id)\n",
        (f"{SERVICE}::test_a_person_cuts_a_run_off_once",),
        (*ASSERTED, "UniqueViolationError"),
    ),
)

STALE = "tests/integration/test_stale_proposals.py"
LATE = "tests/integration/test_late_bookings.py"
LOCKS = "tests/integration/test_locks.py"

VERSIONS = (
    Removal(
        "an older account version changes nothing",
        STORE,
        '"WHERE a.version < EXCLUDED.version RETURNING account_id"',
        '"RETURNING account_id"',
        (f"{STALE}::test_an_older_version_that_comes_late_changes_nothing[account]",),
    ),
    Removal(
        "an older screen changes nothing",
        STORE,
        '"WHERE s.version < EXCLUDED.version RETURNING account_id"',
        '"RETURNING account_id"',
        (f"{STALE}::test_an_older_version_that_comes_late_changes_nothing[screen]",),
    ),
    Removal(
        "an older ledger changes nothing",
        STORE,
        '"WHERE l.version < EXCLUDED.version RETURNING household_id"',
        '"RETURNING household_id"',
        (f"{STALE}::test_an_older_version_that_comes_late_changes_nothing[ledger]",),
    ),
    Removal(
        "pin: the solver's version",
        PINS,
        "        or moved_solver(proposal, evidence)\n",
        "",
        (f"{STALE}::test_a_solver_that_began_to_decide_later_makes_the_earlier_ones_decisions_stale",),
    ),
    Removal(
        "a late booking calls back what was sent without it",
        "services/orders/booking.py",
        "        if booking.late and news:",
        "        if booking.late and news and False:",
        (f"{LATE}::test_a_late_fill_calls_back_what_a_later_run_sent_without_it[a sale of the same lot]",),
    ),
    Removal(
        "an order calls back nothing of its own run",
        "services/orders/core/recalls.py",
        " and all(closed_at[run_id] < closed_at[item.run_id] for run_id in runs)",
        "",
        ("tests/unit/orders/test_recalls.py::test_invariants_1_and_2",),
    ),
)

LOCKED = (
    Removal(
        "nobody judges while something stands alone",
        "services/orders/judging.py",
        "        await store.share(unit.connection)\n        await store.lock_households",
        "        await store.lock_households",
        (f"{LOCKS}::test_nobody_judges_while_something_stands_alone",),
    ),
    Removal(
        "nobody judges in a household beside another",
        "services/orders/judging.py",
        "        await store.lock_households(unit.connection, missing)\n",
        "",
        (f"{LOCKS}::test_nobody_judges_in_a_household_beside_another",),
    ),
    Removal(
        "a batch's households are locked in one order",
        "services/orders/handlers.py",
        "        await lock_for(unit, *{p.household_id for p in payloads if isinstance(p, ProposalCreated | ProposalDeclined)})\n",
        "",
        (f"{LOCKS}::test_a_batch_takes_its_households_in_one_order_so_that_two_batches_never_wait_in_a_ring",),
    ),
    Removal(
        "a run opens while nobody judges",
        "services/orders/handlers.py",
        "            await store.alone(unit.connection)\n",
        "            pass\n",
        (f"{LOCKS}::test_a_run_opens_while_nobody_judges",),
    ),
    Removal(
        "no fill is booked while somebody judges",
        "services/orders/booking.py",
        "        await store.alone(unit.connection)\n",
        "",
        (f"{LOCKS}::test_no_fill_is_booked_while_somebody_judges",),
    ),
    Removal(
        "what is reserved follows its account",
        "services/orders/heard.py",
        "                await answer_store.move_reservations(unit.connection, one.account_id, one.household_id)\n",
        "                pass\n",
        (f"{SERVICE}::test_what_is_reserved_follows_the_account_to_another_household",),
    ),
)

REMOVALS = (*CHECKS, *VERSIONS, *LOCKED, *PINNED, *BOOKED_ONCE)
