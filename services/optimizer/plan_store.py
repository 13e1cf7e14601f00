"""Chosen plans as typed calls on their table, and how accounts stand against theirs."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import msgspec

from libs.common.db import Connection, Pool
from libs.common.packing import pack, unpack
from libs.common.schemas.plan import PlanChosen
from libs.common.schemas.proposal import PlanProgress, ProposalCreated, ProposalDeclined


class PlanState(StrEnum):
    """Where a chosen plan stands; a closed list."""

    WAITING = "waiting"  # for a second person
    FOLLOWED = "followed"
    REFUSED = "refused"  # by the second person
    WITHDRAWN = "withdrawn"
    REPLACED = "replaced"  # another plan is followed


class PlanRow(msgspec.Struct, frozen=True):
    """A chosen plan and who decided on it when."""

    plan_id: str
    state: PlanState
    chosen_by: str
    chosen_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    chosen: PlanChosen


COLUMNS = "plan_id, state, chosen_by, chosen_at, decided_by, decided_at, body"


def _plan(row: Mapping[str, Any]) -> PlanRow:
    known = {name: row[name] for name in ("plan_id", "chosen_by", "chosen_at", "decided_by", "decided_at")}
    return PlanRow(state=PlanState(row["state"]), chosen=msgspec.json.decode(unpack(row["body"]), type=PlanChosen), **known)


async def lock_account(connection: Connection, account_id: str) -> None:
    """One after the other decides on an account's plans."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('plans of'), hashtext($1))", account_id)


async def asks_for_two(connection: Connection, account_id: str) -> bool:
    """Whether the account, where it is known, asks for a second person."""
    body = await connection.fetchval("SELECT body FROM account WHERE account_id = $1", account_id)
    return body is not None and msgspec.json.decode(unpack(body), type=_Approval).approval == "manual"


class _Approval(msgspec.Struct):
    approval: str


async def save_plan(connection: Connection, row: PlanRow) -> None:
    """Keep a plan, or where it stands now."""
    await connection.execute(
        "INSERT INTO plan (plan_id, account_id, household_id, state, chosen_by, chosen_at, decided_by, decided_at, body) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (plan_id) DO UPDATE SET state = EXCLUDED.state, "
        "decided_by = EXCLUDED.decided_by, decided_at = EXCLUDED.decided_at, body = EXCLUDED.body",
        row.plan_id,
        row.chosen.account_id,
        row.chosen.household_id,
        row.state,
        row.chosen_by,
        row.chosen_at,
        row.decided_by,
        row.decided_at,
        pack(row.chosen),
    )


async def replace_followed(connection: Connection, account_id: str) -> None:
    """The plan that the account followed gives way."""
    await connection.execute("UPDATE plan SET state = 'replaced' WHERE account_id = $1 AND state = 'followed'", account_id)


async def adopt_plan(connection: Connection, chosen: PlanChosen, at: datetime) -> None:
    """Keep a plan whose choice was said before the database was restored; it takes the place of the one before it."""
    decided_at = None if chosen.approved_by is None else at
    row = PlanRow(chosen.plan.plan_id, PlanState.FOLLOWED, chosen.chosen_by, at, chosen.approved_by, decided_at, chosen)
    if not await connection.fetchval("SELECT state IN ('followed', 'replaced', 'withdrawn') FROM plan WHERE plan_id = $1", row.plan_id):
        await replace_followed(connection, chosen.account_id)
        await save_plan(connection, row)


async def adopt_withdrawal(connection: Connection, plan_id: str, actor: str, at: datetime) -> None:
    """Take back that a plan was withdrawn."""
    await connection.execute(
        "UPDATE plan SET state = 'withdrawn', decided_by = $2, decided_at = $3 WHERE plan_id = $1 AND state = 'followed'",
        plan_id,
        actor,
        at,
    )


async def load_plan(connection: Connection | Pool, plan_id: str) -> PlanRow | None:
    """One plan."""
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM plan WHERE plan_id = $1", plan_id)
    return None if row is None else _plan(row)


async def plans_of(pool: Pool, account_id: str) -> list[PlanRow]:
    """Every plan of an account, the newest first."""
    rows = await pool.fetch(f"SELECT {COLUMNS} FROM plan WHERE account_id = $1 ORDER BY chosen_at DESC, plan_id", account_id)
    return [_plan(row) for row in rows]


class Standing(msgspec.Struct, frozen=True):
    """How an account stood against its plan in one run's decision."""

    run_id: str
    as_of: date
    proposal_id: str
    progress: PlanProgress


async def standings(pool: Pool, account_id: str, limit: int) -> Sequence[Standing]:
    """The newest decisions of an account that follows a plan."""
    rows = await pool.fetch(
        "SELECT p.run_id, r.as_of, p.proposal_id, p.kind, p.body FROM proposal p JOIN run r USING (run_id) WHERE p.account_id = $1 "
        "ORDER BY r.as_of DESC, p.run_id LIMIT $2",
        account_id,
        limit,
    )
    found = []
    for row in rows:
        kind: type[ProposalCreated | ProposalDeclined] = ProposalCreated if row["kind"] == "created" else ProposalDeclined
        progress = msgspec.json.decode(unpack(row["body"]), type=kind).progress
        if progress is not None:
            found.append(Standing(row["run_id"], row["as_of"], row["proposal_id"], progress))
    return found
