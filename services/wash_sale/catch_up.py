"""After a restore: wash_sale takes back the ledgers that it had said, then accounts, trades, markets and runs since the backup, and at
the end what people told of lots, which by then are there.

Handlers only keep facts, so they say nothing twice.  When the service runs again it compares each household that changed with what was
said of it last, and says what differs.
"""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from libs.common.db import Connection
from libs.common.events import Event, encode_payload
from libs.common.ids import bytes_id
from libs.common.schemas.ledger import LedgerUpdated, LotTold
from libs.common.unit import Unit
from services.wash_sale import history_store, said_store, store
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.told_lots import take_told
from services.wash_sale.handlers import SecurityTables


class LedgersSaid:
    """What wash_sale said, taken back."""

    def __init__(self) -> None:
        self._answered: set[tuple[str, str]] = set()
        self._told: dict[bytes, LotTold] = {}
        self._households = store.Households()

    async def begin(self, connection: Connection) -> None:
        """Nothing: handlers say nothing."""

    async def adopt(self, connection: Connection, event: Event, payload: Any) -> None:
        """Take one event back, as often as it comes."""
        if isinstance(payload, LotTold):
            self._told[encode_payload(payload)] = payload
        if not isinstance(payload, LedgerUpdated):
            return
        if payload.run_id is not None:
            self._answered.add((payload.run_id, payload.household_id))
        content = replace(payload, version=0, run_id=None)
        said = replace(payload, run_id=None)
        await said_store.adopt_ledger(connection, said, bytes_id(encode_payload(content)))
        await history_store.keep_said(connection, said, event.time)

    async def finish(self, unit: Unit) -> Sequence[str]:
        """What runs had their answer for is not answered again; what was told is taken again, in its order."""
        await said_store.end_answered(unit.connection, self._answered)
        securities = await SecurityTables().newest(unit.connection)
        refused = []
        for told in sorted(self._told.values(), key=lambda each: each.told_at):
            household = await self._households.load(unit.connection, told.household_id)
            facts = take_told(household.facts, told, securities)
            if isinstance(facts, Refusal):
                refused.append(f"tell again of lot {told.lot_id} of account {told.account_id}: {facts.text()}")
            elif facts is not household.facts:
                await self._households.save(unit.connection, [store.Changed(facts, household.as_of, frozenset({told.account_id}))])
        return refused
