"""What ingest does with a booked trade and with holdings that come by message.  Gather, decide, apply."""

from collections.abc import Sequence

from libs.common.db import Connection
from libs.common.errors import CannotApply
from libs.common.events import Event
from libs.common.schemas.account import AccountChanged, AccountMoved
from libs.common.schemas.custody import CustodyHoldings
from libs.common.schemas.order import TradeBooked
from libs.common.unit import Unit
from services.ingest import store
from services.ingest.core.book import AccountBook, apply_snapshot, apply_trade, comes_late, publishable, quarantine
from services.ingest.core.custody_message import problem_of, snapshot_of_message


async def on_trade_booked(unit: Unit, event: Event, trade: TradeBooked) -> None:
    """Put the trade on top of the account's snapshot."""
    book = await _book(unit, trade.account_id)
    if book is None:
        raise CannotApply(f"trade {trade.trade_id}: account {trade.account_id} has no master record; send it to POST /v1/accounts")

    splits = await store.load_splits(unit.connection) if comes_late(book, trade) else ()

    after = apply_trade(book, trade, splits)

    _hold(unit, after)


async def on_custody_holdings(unit: Unit, event: Event, message: CustodyHoldings) -> None:
    """Stand the account's book on the holdings of one message; holdings that can't be trusted quarantine it, as a bad line does."""
    book = await _book(unit, message.account_id)
    if book is None:
        raise CannotApply(f"account {message.account_id} has no master record; send it to POST /v1/accounts, then redrive")
    unknown = await store.unknown_securities(unit.connection, [lot.security_id for lot in message.lots])
    splits = await store.load_splits(unit.connection)

    problem = problem_of(message, event.time.date())
    if problem is not None:
        after = quarantine(book, f"message {event.id}, {problem}")
    elif unknown:
        raise CannotApply(f"account {message.account_id}: security {', '.join(unknown)} is not in the security master")
    else:
        after = apply_snapshot(book, snapshot_of_message(message), splits)

    _hold(unit, after)


BOOKS = "books"
Changed = dict[str, tuple[Unit, AccountBook]]
"""Changed books by account, each with the unit that changed it last."""


async def _book(unit: Unit, account_id: str) -> AccountBook | None:
    """The account's book: in hand since an earlier event of the batch, or from its table."""
    held: Changed | None = unit.held(BOOKS)
    return held[account_id][1] if held and account_id in held else await store.load_book(unit.connection, account_id)


def _hold(unit: Unit, book: AccountBook) -> None:
    """Keep a changed book in hand: at the end of the batch all of them are written together."""
    unit.hold(BOOKS, {**(unit.held(BOOKS) or {}), book.intake.account_id: (unit, book)}, _finish)


async def _finish(unit: Unit, changed: Changed) -> None:
    splits = await store.load_splits(unit.connection)
    await save_all(unit.connection, [(of, *publishable(book, splits)) for of, book in changed.values()])


async def save_and_publish(unit: Unit, book: AccountBook) -> None:
    """Save a book; say account.changed when its content changed."""
    await _finish(unit, {book.intake.account_id: (unit, book)})


async def save_all(connection: Connection, books: Sequence[tuple[Unit, AccountBook, AccountChanged | None]]) -> None:
    """Save books and say what changed, each in its own unit."""
    await store.save_books(connection, [book for _, book, _ in books])
    for unit, _, changed in books:
        if changed is not None:
            unit.emit(changed, changed.account_id, changed.version, changed.household_id)


async def move_household(unit: Unit, book: AccountBook, to_household_id: str) -> None:
    """Tell the old household that the account leaves; the account.changed under the new one follows with the next save."""
    moved = AccountMoved(book.intake.account_id, book.intake.household_id, to_household_id, book.version + 1)
    unit.emit(moved, moved.account_id, moved.version, moved.from_household_id)
