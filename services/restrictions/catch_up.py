"""After a restore: restrictions takes back the rules and the screens that it had said, then the events since the backup in silence.

Rules come first, with who made them, so no edit is made again or undone.  Screens that were said stand; those of accounts that
moved on since, and runs that had no answer, are said at the end.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from libs.common.db import Connection
from libs.common.events import Event
from libs.common.schemas.rule import RulesEdited
from libs.common.schemas.screen import ScreenUpdated
from libs.common.unit import Unit
from services.restrictions import store
from services.restrictions.handlers import Screener
from services.restrictions.record import edit_of, with_wishes


class ScreensSaid:
    """What restrictions said, taken back."""

    def __init__(self, screener: Screener) -> None:
        self._screener = screener
        self._answered: defaultdict[str, set[str]] = defaultdict(set)

    async def begin(self, connection: Connection) -> None:
        """From now on take events without a word."""
        self._screener.silent = True

    async def adopt(self, connection: Connection, event: Event, payload: Any) -> None:
        """Take one event back; in any order, as often as it comes."""
        match payload:
            case RulesEdited():
                edits = [edit_of(said) for said in payload.edits]
                await store.save_edits(connection, edits, payload.actor, payload.edited_at, payload.cause)
                if payload.account_id is not None:
                    account = with_wishes(await store.load_account(connection, payload.account_id), payload)
                    if account is not None:
                        await store.save_account(connection, account)
            case ScreenUpdated():
                if payload.run_id is not None:
                    self._answered[payload.run_id].add(payload.account_id)
                last = await store.load_screen(connection, payload.account_id)
                if last is None or last.version <= payload.version:
                    await store.save_screens(connection, [payload])

    async def finish(self, unit: Unit) -> Sequence[str]:
        """Say the screens that were never said, and answer the runs that had no answer."""
        self._screener.silent = False
        await store.alone(unit.connection)
        for run_id in sorted(self._answered):
            await store.expect_no_answer(unit.connection, run_id, sorted(self._answered[run_id]))
        await store.end_answered(unit.connection)
        behind = await store.behind_their_accounts(unit.connection)
        states = await store.load_households(unit.connection, dict.fromkeys(behind, ()))
        for household_id, account_ids in behind.items():
            await self._screener.say_changed(unit, states[household_id], account_ids, "account")
        await self._screener.answer_ready(unit, await store.load_all_waiting(unit.connection))
        return []
