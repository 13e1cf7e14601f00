"""The tables of a run's answers (run_account, decision) and of reservations as typed calls."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from libs.common.db import Connection, Pool
from libs.common.packing import pack, unpack
from libs.common.schemas.market import RunOpened
from libs.common.schemas.proposal import ProposalCreated
from services.orders.core.blocks import cl_ord_id_of
from services.orders.core.decision import Wait
from services.orders.core.reservations import Reservation
from services.orders.core.run_state import UNENDED, Progress

_proposal_decoder = msgspec.json.Decoder(ProposalCreated)
_reservations_decoder = msgspec.json.Decoder(list[Reservation])
UNENDED_NAMES = sorted(UNENDED)
READ_TOGETHER = 200


class Answer(Struct, frozen=True):
    """How far an account is in a run, with its proposal if it made one."""

    run_id: str
    account_id: str
    household_id: str
    progress: Progress
    proposal_id: str | None
    proposal: ProposalCreated | None = None


class DecisionRow(Struct, frozen=True):
    """One decision about a proposal, as it is kept for good: who, when, what and why."""

    run_id: str
    account_id: str
    household_id: str
    proposal_id: str
    progress: Progress
    actor: str
    decided_at: datetime
    code: str | None = None
    message: str | None = None
    subject: str | None = None
    limit_value: Decimal | None = None
    actual_value: Decimal | None = None


def _answer(row: Any) -> Answer:
    proposal = None if row["proposal"] is None else _proposal_decoder.decode(unpack(row["proposal"]))
    return Answer(row["run_id"], row["account_id"], row["household_id"], Progress(row["progress"]), row["proposal_id"], proposal)


async def save_awaited(connection: Connection, run: RunOpened) -> None:
    """Await an answer for each account of a run; an answer that came before the run stays."""
    await connection.executemany(
        "INSERT INTO run_account (run_id, account_id, household_id, progress, message, changed_at) VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT (run_id, account_id) DO NOTHING",
        [
            (
                run.run_id,
                member.account_id,
                member.household_id,
                Progress.AWAITED if member.excluded is None else Progress.EXCLUDED,
                member.excluded,
                run.opened_at,
            )
            for member in run.accounts
        ],
    )


async def load_answer(connection: Connection, run_id: str, account_id: str) -> Answer | None:
    """An account's answer in a run."""
    row = await connection.fetchrow("SELECT * FROM run_account WHERE run_id = $1 AND account_id = $2", run_id, account_id)
    return None if row is None else _answer(row)


async def find_answer(connection: Connection | Pool, proposal_id: str) -> Answer | None:
    """The answer that a proposal is."""
    row = await connection.fetchrow("SELECT * FROM run_account WHERE proposal_id = $1", proposal_id)
    return None if row is None else _answer(row)


async def save_answer(
    connection: Connection, answer: Answer, at: datetime, awaited: str | None, code: str | None, message: str | None
) -> None:
    """Write how far an account is in a run."""
    await connection.execute(
        "INSERT INTO run_account (run_id, account_id, household_id, progress, proposal_id, proposal, awaited, code, message, changed_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (run_id, account_id) DO UPDATE SET household_id = $3, "
        "progress = $4, proposal_id = $5, proposal = $6, awaited = $7, code = $8, message = $9, changed_at = $10",
        answer.run_id,
        answer.account_id,
        answer.household_id,
        answer.progress,
        answer.proposal_id,
        None if answer.proposal is None else pack(answer.proposal),
        awaited,
        code,
        message,
        at,
    )


async def save_proposal(connection: Connection, proposal: ProposalCreated) -> None:
    """Keep the proposal of an answer that was known without it."""
    await connection.execute(
        "UPDATE run_account SET proposal = $3 WHERE run_id = $1 AND account_id = $2",
        proposal.run_id,
        proposal.account_id,
        pack(proposal),
    )


async def save_awaited_input(connection: Connection, waiting: Answer, wait: Wait) -> None:
    """What a proposal waits for by now; since when it waits stays."""
    await connection.execute(
        "UPDATE run_account SET awaited = $3, message = $4 WHERE run_id = $1 AND account_id = $2",
        waiting.run_id,
        waiting.account_id,
        wait.awaited,
        wait.message,
    )


async def log_decision(connection: Connection, row: DecisionRow) -> int:
    """Keep a decision for good; returns its number, which rises."""
    names = DecisionRow.__struct_fields__
    places = ", ".join(f"${i + 1}" for i in range(len(names)))
    values = [getattr(row, name) for name in names]
    inserted = f"INSERT INTO decision ({', '.join(names)}) VALUES ({places}) RETURNING decision_id"
    number: int = await connection.fetchval(inserted, *values)
    return number


async def answers_of_run(connection: Connection, run_id: str, progress: Collection[Progress]) -> AsyncIterator[Answer]:
    """A run's answers with one of these progresses, household by household; those passed may be written meanwhile."""
    last = ("", "")
    while True:
        rows = await connection.fetch(
            "SELECT * FROM run_account WHERE run_id = $1 AND progress = ANY($2) AND (household_id, account_id) > ($3, $4) "
            "ORDER BY household_id, account_id LIMIT $5",
            run_id,
            sorted(progress),
            *last,
            READ_TOGETHER,
        )
        for row in rows:
            yield _answer(row)
        if len(rows) < READ_TOGETHER:
            return
        last = (rows[-1]["household_id"], rows[-1]["account_id"])


async def progress_of_run(connection: Connection, run_id: str) -> list[Progress]:
    """How far each account of a run is."""
    rows = await connection.fetch("SELECT progress FROM run_account WHERE run_id = $1", run_id)
    return [Progress(row["progress"]) for row in rows]


async def waiting_in(connection: Connection, household_id: str) -> list[Answer]:
    """Proposals of a household that wait for something newer."""
    rows = await connection.fetch(
        "SELECT * FROM run_account WHERE household_id = $1 AND progress = 'waiting' AND proposal IS NOT NULL ORDER BY run_id, account_id",
        household_id,
    )
    return [_answer(row) for row in rows]


async def households_waiting(connection: Connection | Pool, among: Sequence[str] | None = None) -> list[str]:
    """Households (of these, where some are given) with proposals that wait for something newer."""
    rows = await connection.fetch(
        "SELECT DISTINCT household_id FROM run_account WHERE progress = 'waiting' AND ($1::text[] IS NULL OR household_id = ANY($1)) "
        "ORDER BY household_id",
        among,
    )
    return [row["household_id"] for row in rows]


async def runs_to_close(pool: Pool, now: datetime) -> list[str]:
    """Open runs that may close: at their cut-off, or with every account ended."""
    rows = await pool.fetch(
        "SELECT run_id FROM run r WHERE closed_at IS NULL AND (cutoff_at <= $1 OR NOT EXISTS "
        "(SELECT 1 FROM run_account a WHERE a.run_id = r.run_id AND progress = ANY($2))) ORDER BY opened_at, run_id",
        now,
        UNENDED_NAMES,
    )
    return [row["run_id"] for row in rows]


class HeldBack(Struct, frozen=True):
    """What a household holds back, and how many orders each of its accounts has open at the desk."""

    reservations: list[Reservation]
    open_orders: dict[str, int]


async def load_held_back(connection: Connection, household_id: str) -> HeldBack:
    """What proposals hold back that are not placed yet, or whose order has not ended; what no longer holds anything is forgotten."""
    rows = await connection.fetch(
        "SELECT proposal_id, placed, body FROM reservation WHERE household_id = $1 ORDER BY proposal_id", household_id
    )
    by_proposal = {row["proposal_id"]: _reservations_decoder.decode(unpack(row["body"])) for row in rows}
    placed = {row["proposal_id"] for row in rows if row["placed"]}
    ended = await _ended_orders(connection, [item for proposal_id in placed for item in by_proposal[proposal_id]])
    held = {
        proposal_id: [item for item in items if proposal_id not in placed or order_of(item) not in ended]
        for proposal_id, items in by_proposal.items()
    }
    empty = [proposal_id for proposal_id in placed if not held[proposal_id]]
    if empty:
        await connection.execute("DELETE FROM reservation WHERE proposal_id = ANY($1)", empty)
    open_orders = Counter(item.account_id for proposal_id in placed for item in held[proposal_id])
    return HeldBack([item for items in held.values() for item in items], dict(open_orders))


async def placed_in(connection: Connection, household_ids: Collection[str]) -> list[Reservation]:
    """What households hold back for orders that have left, ended or not."""
    rows = await connection.fetch("SELECT body FROM reservation WHERE household_id = ANY($1) AND placed", list(household_ids))
    return [item for row in rows for item in _reservations_decoder.decode(unpack(row["body"]))]


def order_of(reservation: Reservation) -> str:
    """The id of the order that a reservation lasts for."""
    return cl_ord_id_of(reservation.run_id, reservation.security_id, reservation.side)


async def _ended_orders(connection: Connection, placed: Sequence[Reservation]) -> set[str]:
    if not placed:
        return set()
    rows = await connection.fetch(
        "SELECT cl_ord_id FROM block WHERE cl_ord_id = ANY($1) AND ended", sorted({order_of(item) for item in placed})
    )
    return {row["cl_ord_id"] for row in rows}


async def save_reservations(connection: Connection, proposal: ProposalCreated, reservations: list[Reservation]) -> None:
    """Hold exactly these for a proposal, from now until they are placed and their orders end."""
    await connection.execute(
        "INSERT INTO reservation (proposal_id, household_id, account_id, placed, body) VALUES ($1, $2, $3, false, $4) "
        "ON CONFLICT (proposal_id) DO UPDATE SET body = $4",
        proposal.proposal_id,
        proposal.household_id,
        proposal.account_id,
        pack(reservations),
    )


async def forget_reservations(connection: Connection, proposal_id: str) -> None:
    """Hold nothing for a proposal that leaves no order."""
    await connection.execute("DELETE FROM reservation WHERE proposal_id = $1", proposal_id)


async def mark_placed(connection: Connection, proposal_ids: Sequence[str]) -> None:
    """From now on what these proposals hold back ends with their orders."""
    await connection.execute("UPDATE reservation SET placed = true WHERE proposal_id = ANY($1)", list(proposal_ids))


async def move_reservations(connection: Connection, account_id: str, household_id: str) -> None:
    """What an account holds back goes with it to another household."""
    await connection.execute("UPDATE reservation SET household_id = $2 WHERE account_id = $1", account_id, household_id)
