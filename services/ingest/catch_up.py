"""After a restore: ingest takes back the versions of accounts, the master records, the markets and the runs that it had said.

Holdings come again: those by message from Kafka, those by file from the sender.  Until a book holds again what it held when it last
said something, it says nothing and runs leave it out (`said_before` in core/book.py).
"""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from libs.common.db import Connection
from libs.common.events import Event
from libs.common.schemas.account import AccountChanged, AccountMoved
from libs.common.schemas.market import MarketPublished, RunOpened
from libs.common.unit import Unit
from services.ingest import store
from services.ingest.core.book import adopt_said
from services.ingest.handlers import save_and_publish

ACTOR = "catch-up"


class BooksSaid:
    """What ingest said, taken back."""

    async def begin(self, connection: Connection) -> None:
        """Nothing: a book knows by itself what it said before."""

    async def adopt(self, connection: Connection, event: Event, payload: Any) -> None:
        """Take one event back; as often as it comes, those of an account in their order."""
        match payload:
            case AccountChanged():
                book = await store.load_book(connection, payload.account_id)
                adopted = adopt_said(book, payload)
                if adopted is not None:
                    await store.save_book(connection, adopted)
                    if book is None or book.intake != adopted.intake:
                        await store.record_edit(connection, adopted.intake, ACTOR, event.time)
            case AccountMoved():
                book = await store.load_book(connection, payload.account_id)
                if book is not None and book.version < payload.version:
                    intake = replace(book.intake, household_id=payload.to_household_id)
                    await store.save_book(connection, replace(book, intake=intake, version=payload.version))
            case MarketPublished():
                await store.save_market(connection, payload, event.time)
            case RunOpened():
                await store.save_run(connection, payload)

    async def finish(self, unit: Unit) -> Sequence[str]:
        """Look whether books hold already what they held; say for which custodians and days files are to be sent again."""
        lacking: dict[tuple[str, str], list[str]] = {}
        for book in await store.load_books_that_said(unit.connection):
            await save_and_publish(unit, book)
            now = await store.load_book(unit.connection, book.intake.account_id)
            if now is not None and now.said_before is not None:
                day = now.said_before.business_date.isoformat()
                lacking.setdefault((day, book.intake.custodian), []).append(book.intake.account_id)
        return [
            f"send {custodian}'s files of {day} again, after earlier ones ({len(accounts)} accounts wait: {', '.join(accounts[:5])} ...)"
            for (day, custodian), accounts in sorted(lacking.items())
        ] + ["files, master records of accounts without holdings, and releases since the backup that changed no account: send them again"]
