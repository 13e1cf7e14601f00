"""What the HTTP interface shows: runs, answers, refusals, orders, executions that wait for a person.  Reads only."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from libs.common.db import Pool
from libs.common.packing import unpack
from libs.common.schemas.order import ExecutionReported
from libs.common.schemas.proposal import ProposalCreated

_proposal_decoder = msgspec.json.Decoder(ProposalCreated)
_execution_decoder = msgspec.json.Decoder(ExecutionReported)


class RunRow(Struct, frozen=True):
    """A run: its state (open, closed), accounts by progress, orders placed and ended."""

    run_id: str
    as_of: date
    market_id: str
    opened_at: datetime
    cutoff_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    state: str
    accounts: dict[str, int]
    orders: int
    orders_ended: int


class AccountRow(Struct, frozen=True):
    """An account's answer in a run."""

    account_id: str
    household_id: str
    progress: str
    proposal_id: str | None
    awaited: str | None
    code: str | None
    message: str | None
    changed_at: datetime


class RefusalRow(Struct, frozen=True):
    """A refused proposal; `security_id` is None, since orders refuses the whole proposal; `subject` names what it failed on."""

    run_id: str
    proposal_id: str
    account_id: str
    household_id: str
    security_id: None
    code: str
    message: str
    subject: str | None
    limit: Decimal | None
    actual: Decimal | None
    actor: str
    decided_at: datetime


class ApprovalRow(Struct, frozen=True):
    """A proposal that waits for a person: what it would buy and sell in dollars at pinned prices."""

    proposal_id: str
    run_id: str
    account_id: str
    household_id: str
    since: datetime
    cutoff_at: datetime
    trades: int
    buys: Decimal
    sells: Decimal
    tax: Decimal
    te_before_frac: Decimal
    te_after_frac: Decimal


class OrderRow(Struct, frozen=True):
    """A block order as it stands; `held` counts executions that wait for another, or for room."""

    cl_ord_id: str
    run_id: str
    security_id: str
    side: str
    order_qty: Decimal
    cum_qty: Decimal
    avg_px: Decimal | None
    state: str
    ended: bool
    held: int
    cancel_asked_at: datetime | None
    changed_at: datetime


class UnbookedRow(Struct, frozen=True):
    """An execution that can't be read as one of our orders', and why."""

    exec_id: str
    cl_ord_id: str
    fault: str
    received_at: datetime
    execution: ExecutionReported


def _run(row: Any, accounts: dict[str, int]) -> RunRow:
    closed = row["closed_at"] is not None
    return RunRow(
        row["run_id"],
        row["as_of"],
        row["market_id"],
        row["opened_at"],
        row["cutoff_at"],
        row["closed_at"],
        row["closed_by"],
        "closed" if closed else "open",
        accounts,
        row["orders"],
        row["orders_ended"],
    )


async def runs(pool: Pool, run_id: str | None = None) -> list[RunRow]:
    """Every run, the newest first; or the one asked for."""
    rows = await pool.fetch(
        "SELECT run_id, as_of, market_id, opened_at, cutoff_at, closed_at, closed_by, "
        "(SELECT count(*) FROM block b WHERE b.run_id = r.run_id) AS orders, "
        "(SELECT count(*) FROM block b WHERE b.run_id = r.run_id AND ended) AS orders_ended "
        "FROM run r WHERE $1::text IS NULL OR run_id = $1 ORDER BY opened_at DESC, run_id",
        run_id,
    )
    counts = await pool.fetch(
        "SELECT run_id, progress, count(*) AS accounts FROM run_account WHERE $1::text IS NULL OR run_id = $1 "
        "GROUP BY run_id, progress ORDER BY run_id, progress",
        run_id,
    )
    by_run: dict[str, dict[str, int]] = {}
    for row in counts:
        by_run.setdefault(row["run_id"], {})[row["progress"]] = row["accounts"]
    return [_run(row, by_run.get(row["run_id"], {})) for row in rows]


async def run_accounts(pool: Pool, run_id: str) -> list[AccountRow]:
    """The answers of a run's accounts."""
    names = ", ".join(AccountRow.__struct_fields__)
    rows = await pool.fetch(f"SELECT {names} FROM run_account WHERE run_id = $1 ORDER BY household_id, account_id", run_id)
    return [AccountRow(**dict(row)) for row in rows]


async def refusals(pool: Pool, run_id: str | None = None) -> list[RefusalRow]:
    """Refused proposals, by run and account, in the order of the decisions."""
    rows = await pool.fetch(
        "SELECT run_id, proposal_id, account_id, household_id, NULL AS security_id, code, message, subject, limit_value AS limit, "
        "actual_value AS actual, actor, decided_at FROM decision WHERE code IS NOT NULL AND ($1::text IS NULL OR run_id = $1) "
        "ORDER BY run_id, account_id, decision_id",
        run_id,
    )
    return [RefusalRow(**dict(row)) for row in rows]


async def approvals(pool: Pool) -> list[ApprovalRow]:
    """Proposals that wait for a person, those whose cut-off comes first before the others."""
    rows = await pool.fetch(
        "SELECT proposal, changed_at, cutoff_at FROM run_account JOIN run USING (run_id) WHERE progress = 'waiting_approval' "
        "ORDER BY cutoff_at, household_id, account_id"
    )
    return [_approval(_proposal_decoder.decode(unpack(row["proposal"])), row["changed_at"], row["cutoff_at"]) for row in rows]


def _approval(proposal: ProposalCreated, since: datetime, cutoff_at: datetime) -> ApprovalRow:
    dollars = {
        side: sum((trade.quantity * trade.price for trade in proposal.trades if trade.side == side), Decimal(0)) for side in ("buy", "sell")
    }
    return ApprovalRow(
        proposal.proposal_id,
        proposal.run_id,
        proposal.account_id,
        proposal.household_id,
        since,
        cutoff_at,
        len(proposal.trades),
        dollars["buy"],
        dollars["sell"],
        proposal.tax.tax,
        proposal.te_before_frac,
        proposal.te_after_frac,
    )


async def proposal_body(pool: Pool, proposal_id: str) -> bytes | None:
    """The JSON of a proposal."""
    body = await pool.fetchval("SELECT proposal FROM run_account WHERE proposal_id = $1", proposal_id)
    return None if body is None else unpack(body)


async def orders(pool: Pool, run_id: str | None, state: str | None, after: str, limit: int) -> list[OrderRow]:
    """Block orders by id, from after the one named."""
    names = ", ".join(OrderRow.__struct_fields__)
    rows = await pool.fetch(
        f"SELECT {names} FROM block WHERE cl_ord_id > $3 AND ($1::text IS NULL OR run_id = $1) AND ($2::text IS NULL OR state = $2) "
        "ORDER BY cl_ord_id LIMIT $4",
        run_id,
        state,
        after,
        limit,
    )
    return [OrderRow(**dict(row)) for row in rows]


async def order_body(pool: Pool, cl_ord_id: str) -> bytes | None:
    """The JSON of a block's whole record: the order, its fills with what each booked, and what is held."""
    body = await pool.fetchval("SELECT record FROM block WHERE cl_ord_id = $1", cl_ord_id)
    return None if body is None else unpack(body)


async def unbooked(pool: Pool) -> list[UnbookedRow]:
    """Executions that wait for a person."""
    rows = await pool.fetch("SELECT * FROM unbooked_execution ORDER BY received_at, exec_id")
    return [
        UnbookedRow(row["exec_id"], row["cl_ord_id"], row["fault"], row["received_at"], _execution_decoder.decode(unpack(row["body"])))
        for row in rows
    ]
