"""After a restore: wash_sale takes back the ledgers that it had said, then accounts, trades, markets and runs since the backup.

Handlers only keep facts, so they say nothing twice.  When the service runs again it compares each household that changed with what was
said of it last, and says what differs.
"""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from libs.common.db import Connection
from libs.common.events import Event, encode_payload
from libs.common.ids import bytes_id
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.unit import Unit
from services.wash_sale import history_store, said_store


class LedgersSaid:
    """What wash_sale said, taken back."""

    def __init__(self) -> None:
        self._answered: set[tuple[str, str]] = set()

    async def begin(self, connection: Connection) -> None:
        """Nothing: handlers say nothing."""

    async def adopt(self, connection: Connection, event: Event, payload: Any) -> None:
        """Take one event back, as often as it comes."""
        if not isinstance(payload, LedgerUpdated):
            return
        if payload.run_id is not None:
            self._answered.add((payload.run_id, payload.household_id))
        content = replace(payload, version=0, run_id=None)
        said = replace(payload, run_id=None)
        await said_store.adopt_ledger(connection, said, bytes_id(encode_payload(content)))
        await history_store.keep_said(connection, said, event.time)

    async def finish(self, unit: Unit) -> Sequence[str]:
        """What runs had their answer for is not answered again."""
        await said_store.end_answered(unit.connection, self._answered)
        return []
