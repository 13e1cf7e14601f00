"""Choosing a transition plan: by one person, or by two where the account or the one who chooses asks for it.  Then everybody is told.

Invariants
1. `pma.plan.chosen` is said once for a plan, when it is chosen, or when a second person, never the one who chose, approves.
2. An account follows at most one plan; a newer one takes the place of the last.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from libs.common.schemas.plan import PlanChosen, PlanWithdrawn
from libs.common.service import Service
from libs.common.unit import Unit
from services.optimizer import plan_store
from services.optimizer.plan_store import PlanRow, PlanState


class Denied(StrEnum):
    """Why a plan stays as it is; a closed list."""

    UNKNOWN = "unknown"
    NOT_WAITING = "not_waiting"
    NOT_FOLLOWED = "not_followed"
    SAME_PERSON = "same_person"


class Choice(Struct, frozen=True):
    """A plan to follow, with the account it is for; `second_person`: another one is to approve it first."""

    chosen: PlanChosen
    second_person: bool = False


async def choose(service: Service, choice: Choice) -> PlanRow:
    """Follow the plan, or let it wait for a second person; the same plan again changes nothing."""
    chosen = choice.chosen
    async with service.unit("http", chosen.chosen_by) as unit:
        await plan_store.lock_account(unit.connection, chosen.account_id)
        known = await plan_store.load_plan(unit.connection, chosen.plan.plan_id)
        if known is not None:
            return known
        waits = choice.second_person or await plan_store.asks_for_two(unit.connection, chosen.account_id)
        row = PlanRow(chosen.plan.plan_id, PlanState.WAITING, chosen.chosen_by, unit.now, None, None, chosen)
        return await (_keep(unit, row) if waits else _follow(unit, row))


async def approve(service: Service, plan_id: str, actor: str) -> PlanRow | Denied:
    """The second person's yes."""
    async with service.unit("http", actor) as unit:
        row = await _locked(unit, plan_id, PlanState.WAITING, Denied.NOT_WAITING)
        if isinstance(row, Denied):
            return row
        if row.chosen_by == actor:
            return Denied.SAME_PERSON
        decided = replace(row, decided_by=actor, decided_at=unit.now, chosen=replace(row.chosen, approved_by=actor))
        return await _follow(unit, decided)


async def refuse(service: Service, plan_id: str, actor: str) -> PlanRow | Denied:
    """The second person's no; the one who chose may take the choice back the same way."""
    async with service.unit("http", actor) as unit:
        row = await _locked(unit, plan_id, PlanState.WAITING, Denied.NOT_WAITING)
        if isinstance(row, Denied):
            return row
        return await _keep(unit, replace(row, state=PlanState.REFUSED, decided_by=actor, decided_at=unit.now))


async def withdraw(service: Service, plan_id: str, actor: str) -> PlanRow | Denied:
    """The account follows the plan no longer."""
    async with service.unit("http", actor) as unit:
        row = await _locked(unit, plan_id, PlanState.FOLLOWED, Denied.NOT_FOLLOWED)
        if isinstance(row, Denied):
            return row
        chosen = row.chosen
        withdrawn = PlanWithdrawn(chosen.account_id, chosen.household_id, plan_id, actor)
        unit.emit(withdrawn, chosen.account_id, plan_id, chosen.household_id)
        return await _keep(unit, replace(row, state=PlanState.WITHDRAWN, decided_by=actor, decided_at=unit.now))


async def _locked(unit: Unit, plan_id: str, needed: PlanState, otherwise: Denied) -> PlanRow | Denied:
    """The plan while nobody else decides on its account, if it stands as needed."""
    row = await plan_store.load_plan(unit.connection, plan_id)
    if row is None:
        return Denied.UNKNOWN
    await plan_store.lock_account(unit.connection, row.chosen.account_id)
    row = await plan_store.load_plan(unit.connection, plan_id)
    return otherwise if row is None or row.state is not needed else row


async def _follow(unit: Unit, row: PlanRow) -> PlanRow:
    chosen = row.chosen
    await plan_store.replace_followed(unit.connection, chosen.account_id)
    unit.emit(chosen, chosen.account_id, chosen.plan.plan_id, chosen.household_id)
    return await _keep(unit, replace(row, state=PlanState.FOLLOWED))


async def _keep(unit: Unit, row: PlanRow) -> PlanRow:
    await plan_store.save_plan(unit.connection, row)
    return row
