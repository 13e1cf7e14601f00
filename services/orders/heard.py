"""What a batch of events says of accounts, screens and ledgers: kept together at its end, then what waited for it is judged."""

from dataclasses import dataclass, field

from libs.common.events import Event
from libs.common.packing import body_of
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.screen import ScreenUpdated
from libs.common.unit import Unit
from services.orders import answer_store, store
from services.orders.judging import Judging

HEARD = "heard"


@dataclass
class Heard:
    """Of each account, screen and ledger the newest that came, its body as it came; and the unit that brought it, for what follows."""

    accounts: dict[str, tuple[AccountChanged, Event, Unit]] = field(default_factory=dict)
    screens: dict[str, tuple[ScreenUpdated, Event, Unit]] = field(default_factory=dict)
    ledgers: dict[str, tuple[LedgerUpdated, Event, Unit]] = field(default_factory=dict)


class Hearing:
    """Takes the events in hand, and keeps them."""

    def __init__(self, judging: Judging) -> None:
        self._judging = judging

    def take(self, unit: Unit, event: Event, payload: AccountChanged | ScreenUpdated | LedgerUpdated) -> None:
        """Take it in hand unless a newer version of the same is."""
        heard: Heard = unit.held(HEARD) or Heard()
        match payload:
            case AccountChanged():
                if payload.account_id not in heard.accounts or heard.accounts[payload.account_id][0].version < payload.version:
                    heard.accounts[payload.account_id] = (payload, event, unit)
            case ScreenUpdated():
                if payload.account_id not in heard.screens or heard.screens[payload.account_id][0].version < payload.version:
                    heard.screens[payload.account_id] = (payload, event, unit)
            case LedgerUpdated():
                if payload.household_id not in heard.ledgers or heard.ledgers[payload.household_id][0].version < payload.version:
                    heard.ledgers[payload.household_id] = (payload, event, unit)
        unit.hold(HEARD, heard, self._keep)

    async def _keep(self, unit: Unit, heard: Heard) -> None:
        """Keep what is newer than what is there; judge what waited for it."""
        touched = {
            **await self._keep_accounts(unit, heard),
            **await self._keep_screens(unit, heard),
            **await self._keep_ledgers(unit, heard),
        }
        for household_id in await answer_store.households_waiting(unit.connection, sorted(touched)):
            await self._judging.judge_waiting(touched[household_id], household_id)

    async def _keep_accounts(self, unit: Unit, heard: Heard) -> dict[str, Unit]:
        """What an account holds back follows it to another household."""
        if not heard.accounts:
            return {}
        before = await store.households_of(unit.connection, heard.accounts)
        moving = [one for one, _, _ in heard.accounts.values() if before.get(one.account_id, one.household_id) != one.household_id]
        if moving:
            await store.share(unit.connection)
            left = [before[one.account_id] for one in moving]
            await store.lock_households(unit.connection, [*left, *(one.household_id for one in moving)])
        rows = [
            (one.account_id, one.household_id, one.account_type, one.version, body_of(event)) for one, event, _ in heard.accounts.values()
        ]
        newer = await store.save_accounts(unit.connection, rows)
        for one in moving:
            if one.account_id in newer:
                await answer_store.move_reservations(unit.connection, one.account_id, one.household_id)
        return {heard.accounts[name][0].household_id: heard.accounts[name][2] for name in sorted(newer)}

    async def _keep_screens(self, unit: Unit, heard: Heard) -> dict[str, Unit]:
        if not heard.screens:
            return {}
        rows = [(one.account_id, one.version, body_of(event)) for one, event, _ in heard.screens.values()]
        newer = await store.save_screens(unit.connection, rows)
        return {heard.screens[name][0].household_id: heard.screens[name][2] for name in sorted(newer)}

    async def _keep_ledgers(self, unit: Unit, heard: Heard) -> dict[str, Unit]:
        if not heard.ledgers:
            return {}
        rows = [(one.household_id, one.version, body_of(event)) for one, event, _ in heard.ledgers.values()]
        newer = await store.save_ledgers(unit.connection, rows)
        return {name: heard.ledgers[name][2] for name in sorted(newer)}
