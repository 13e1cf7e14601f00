"""The tables of blocks, booked trades, executions that could not be booked, and the kill switch as typed calls."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from libs.common.db import Connection, Pool
from libs.common.packing import pack, unpack
from libs.common.schemas.order import ExecutionReported, OrderPlaced, TradeBooked
from libs.common.topics import EXECUTIONS
from services.orders.core.allocation import TradeDraft
from services.orders.core.order_state import OrderRecord, avg_px, cum_qty, state_of

TO_RECALL = "recall IS NOT NULL AND cancel_asked_at IS NULL AND NOT ended"

_record_decoder = msgspec.json.Decoder(OrderRecord)


def block_row(record: OrderRecord, at: datetime) -> tuple[Any, ...]:
    """What a block's row says of its record, changed at that time."""
    held = len(record.early) + len(record.excess)
    return (record.order.cl_ord_id, cum_qty(record), avg_px(record), state_of(record), record.ended, held, at, pack(record))


async def save_placed(connection: Connection, orders: Sequence[OrderPlaced], at: datetime) -> None:
    """Keep new blocks and the accounts in them."""
    await connection.executemany(
        "INSERT INTO block (cl_ord_id, cum_qty, avg_px, state, ended, held, changed_at, record, run_id, security_id, side, order_qty) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        [(*block_row(OrderRecord(order), at), order.run_id, order.security_id, order.side, order.order_qty) for order in orders],
    )


class FirstSight(Struct, frozen=True):
    """Whether an execution had not come before, and its block (None when there is none)."""

    fresh: bool
    record: OrderRecord | None


async def note_execution(connection: Connection, exec_id: str, cl_ord_id: str) -> FirstSight:
    """Note that an execution came; the caller stands alone."""
    row = await connection.fetchrow(
        "WITH noted AS (INSERT INTO inbox (topic, id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1) "
        "SELECT EXISTS (SELECT 1 FROM noted) AS fresh, (SELECT record FROM block WHERE cl_ord_id = $3) AS record",
        EXECUTIONS,
        exec_id,
        cl_ord_id,
    )
    return FirstSight(row["fresh"], None if row["record"] is None else _record_decoder.decode(unpack(row["record"])))


async def save_records(connection: Connection, records: Sequence[OrderRecord], at: datetime) -> None:
    """Write blocks as they stand."""
    await connection.executemany(
        "UPDATE block SET cum_qty = $2, avg_px = $3, state = $4, ended = $5, held = $6, changed_at = $7, record = $8 WHERE cl_ord_id = $1",
        [block_row(record, at) for record in records],
    )


async def save_unbooked(connection: Connection, execution: ExecutionReported, fault: str, at: datetime) -> None:
    """Keep an execution that can't be booked, for a person."""
    await connection.execute(
        "INSERT INTO unbooked_execution (exec_id, cl_ord_id, fault, received_at, body) VALUES ($1, $2, $3, $4, $5)",
        execution.exec_id,
        execution.cl_ord_id,
        fault,
        at,
        pack(execution),
    )


async def number_trades(connection: Connection, drafts: Sequence[TradeDraft]) -> list[TradeBooked]:
    """Give each trade its account's next sequence number; the rows stay locked until the transaction ends."""
    counts = Counter(draft.account_id for draft in drafts)
    rows = await connection.fetch(
        "INSERT INTO account_seq AS s (account_id, trade_seq) SELECT * FROM unnest($1::text[], $2::int[]) AS n ORDER BY 1 "
        "ON CONFLICT (account_id) DO UPDATE SET trade_seq = s.trade_seq + EXCLUDED.trade_seq RETURNING account_id, trade_seq",
        list(counts),
        list(counts.values()),
    )
    last = {row["account_id"]: row["trade_seq"] - counts[row["account_id"]] for row in rows}
    numbered = []
    for draft in drafts:
        last[draft.account_id] += 1
        numbered.append(draft.numbered(last[draft.account_id]))
    return numbered


async def save_trades(connection: Connection, trades: Sequence[TradeBooked], at: datetime) -> None:
    """Keep which trades were booked under which numbers; their content is in their block's record."""
    await connection.copy_records_to_table(
        "trade",
        columns=("trade_id", "account_id", "trade_seq", "cl_ord_id", "exec_id", "kind", "booked_at"),
        records=[(t.trade_id, t.account_id, t.trade_seq, t.cl_ord_id, t.exec_id, t.kind, at) for t in trades],
    )


async def set_kill_switch(connection: Connection, is_on: bool, actor: str, reason: str, at: datetime) -> int | None:
    """Turn the kill switch; returns the turn's number, None when it stood so already."""
    changed = await connection.fetchval("UPDATE kill_switch SET is_on = $1 WHERE is_on <> $1 RETURNING 1", is_on)
    if changed is None:
        return None
    number: int = await connection.fetchval(
        "INSERT INTO kill_switch_change (is_on, actor, reason, changed_at) VALUES ($1, $2, $3, $4) RETURNING change_id",
        is_on,
        actor,
        reason,
        at,
    )
    return number


async def ask_to_cancel_open(connection: Connection, at: datetime) -> Collection[str]:
    """Mark every open block as asked to be cancelled, and name those not asked before."""
    rows = await connection.fetch(
        "UPDATE block SET cancel_asked_at = $1 WHERE NOT ended AND cancel_asked_at IS NULL RETURNING cl_ord_id",
        at,
    )
    return sorted(row["cl_ord_id"] for row in rows)


async def note_recall(connection: Connection, cl_ord_ids: Collection[str], reason: str) -> None:
    """Mark blocks as to be called back from the desk; those that have ended or were asked to be cancelled stay as they are."""
    await connection.execute(
        "UPDATE block SET recall = $2 WHERE cl_ord_id = ANY($1) AND NOT ended AND cancel_asked_at IS NULL", list(cl_ord_ids), reason
    )


async def any_recall(pool: Pool) -> bool:
    """Whether blocks are marked to be called back and not asked for yet."""
    return bool(await pool.fetchval(f"SELECT EXISTS (SELECT 1 FROM block WHERE {TO_RECALL})"))


async def take_recalls(connection: Connection, at: datetime) -> list[tuple[str, str]]:
    """The open blocks to call back, with the reason, each once."""
    rows = await connection.fetch(f"UPDATE block SET cancel_asked_at = $1 WHERE {TO_RECALL} RETURNING cl_ord_id, recall", at)
    return sorted((row["cl_ord_id"], row["recall"]) for row in rows)
