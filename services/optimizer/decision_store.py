"""The decisions as typed calls on their table."""

from collections.abc import Sequence
from datetime import date

import msgspec

from libs.common.db import Connection, Pool
from libs.common.packing import pack, unpack
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from services.optimizer.inputs_store import ReadyHousehold

INSERT_PROPOSAL = (
    "INSERT INTO proposal (proposal_id, run_id, account_id, household_id, kind, code, body) VALUES ($1, $2, $3, $4, $5, $6, $7)"
)


def _row(decision: ProposalCreated | ProposalDeclined) -> tuple[object, ...]:
    created = isinstance(decision, ProposalCreated)
    place = (decision.proposal_id, decision.run_id, decision.account_id, decision.household_id)
    return (*place, "created" if created else "declined", getattr(decision, "code", None), pack(decision))


async def save_decisions(
    connection: Connection, households: Sequence[ReadyHousehold], decisions: Sequence[ProposalCreated | ProposalDeclined]
) -> None:
    """Keep the decisions of these households in their runs."""
    await connection.executemany(INSERT_PROPOSAL, [_row(decision) for decision in decisions])
    await connection.execute(
        "UPDATE household_run h SET state = 'decided' FROM unnest($1::text[], $2::text[]) AS d (run_id, household_id) "
        "WHERE h.run_id = d.run_id AND h.household_id = d.household_id",
        [one.run_id for one in households],
        [one.household_id for one in households],
    )


async def adopt_decision(connection: Connection, decision: ProposalCreated | ProposalDeclined) -> None:
    """Keep a decision that was said before the database was restored."""
    await connection.execute(f"{INSERT_PROPOSAL} ON CONFLICT DO NOTHING", *_row(decision))


async def mark_decided(connection: Connection) -> None:
    """Households of runs all of whose listed accounts have their decision are decided."""
    await connection.execute(
        "UPDATE household_run h SET state = 'decided' WHERE state <> 'decided' AND NOT EXISTS (SELECT 1 FROM run_account a "
        "LEFT JOIN proposal p USING (run_id, account_id) WHERE a.run_id = h.run_id AND a.household_id = h.household_id "
        "AND p.proposal_id IS NULL)"
    )


class ProposalRow(msgspec.Struct, frozen=True):
    """A decision in a list."""

    proposal_id: str
    run_id: str
    account_id: str
    kind: str
    code: str | None


async def list_proposals(pool: Pool, run_id: str | None, account_id: str | None, after: str, limit: int) -> list[ProposalRow]:
    """Decisions by id, of one run or one account where given."""
    rows = await pool.fetch(
        "SELECT proposal_id, run_id, account_id, kind, code FROM proposal WHERE ($1::text IS NULL OR run_id = $1) "
        "AND ($2::text IS NULL OR account_id = $2) AND proposal_id > $3 ORDER BY proposal_id LIMIT $4",
        run_id,
        account_id,
        after,
        limit,
    )
    return [ProposalRow(**dict(row)) for row in rows]


async def proposal_json(pool: Pool, proposal_id: str) -> bytes | None:
    """A decision as it was said."""
    body = await pool.fetchval("SELECT body FROM proposal WHERE proposal_id = $1", proposal_id)
    return None if body is None else unpack(body)


class RunProgress(msgspec.Struct, frozen=True):
    """How far the households of a run are."""

    run_id: str
    as_of: date
    households: dict[str, int]


async def run_progress(pool: Pool, run_id: str) -> RunProgress | None:
    """Households of a run by state; None for a run that is not known."""
    as_of = await pool.fetchval("SELECT as_of FROM run WHERE run_id = $1", run_id)
    if as_of is None:
        return None
    rows = await pool.fetch("SELECT state, count(*) AS n FROM household_run WHERE run_id = $1 GROUP BY state ORDER BY state", run_id)
    return RunProgress(run_id, as_of, {row["state"]: row["n"] for row in rows})
