"""The decisions as typed calls on their table."""

from collections.abc import Sequence
from datetime import date

import msgspec

from libs.common.db import Connection, Pool
from libs.common.packing import pack, unpack
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from services.optimizer.store import ReadyHousehold


async def save_decisions(connection: Connection, ready: ReadyHousehold, decisions: Sequence[ProposalCreated | ProposalDeclined]) -> None:
    """Keep the household's decisions of the run."""
    rows = [
        (
            d.proposal_id,
            d.run_id,
            d.account_id,
            d.household_id,
            "created" if isinstance(d, ProposalCreated) else "declined",
            d.code if isinstance(d, ProposalDeclined) else None,
            pack(d),
        )
        for d in decisions
    ]
    await connection.executemany(
        "INSERT INTO proposal (proposal_id, run_id, account_id, household_id, kind, code, body) VALUES ($1, $2, $3, $4, $5, $6, $7)", rows
    )
    await connection.execute(
        "UPDATE household_run SET state = 'decided' WHERE run_id = $1 AND household_id = $2", ready.run_id, ready.household_id
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
