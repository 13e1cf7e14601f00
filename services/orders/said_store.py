"""What orders had said before its database was restored, put back into its tables.  Each statement may run again without effect."""

from collections.abc import Collection

import msgspec

from libs.common.db import Connection
from libs.common.packing import pack, unpack
from libs.common.schemas.decision import KillSwitchTurned, ProposalJudged
from libs.common.schemas.order import OrderCancelled, OrderPlaced, TradeBooked
from services.orders.answer_store import order_of
from services.orders.block_store import block_row
from services.orders.core.order_state import OrderRecord
from services.orders.core.reservations import Reservation
from services.orders.core.run_state import UNENDED

_reservations_decoder = msgspec.json.Decoder(list[Reservation])


async def adopt_decision(connection: Connection, said: ProposalJudged, reservations: list[Reservation]) -> None:
    """Keep the decision; the newest about an account's answer in a run is where that stands, with what it holds back."""
    await connection.execute(
        "INSERT INTO decision (decision_id, run_id, account_id, household_id, proposal_id, progress, code, message, subject, limit_value, "
        "actual_value, actor, decided_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING",
        said.number,
        said.run_id,
        said.account_id,
        said.household_id,
        said.proposal_id,
        said.progress,
        said.code,
        said.message,
        said.subject,
        said.limit,
        said.actual,
        said.actor,
        said.decided_at,
    )
    newest = await connection.fetchval("SELECT max(decision_id) FROM decision WHERE proposal_id = $1", said.proposal_id)
    if said.is_answer and said.number == newest:
        await _stand_as(connection, said, reservations)


async def _stand_as(connection: Connection, said: ProposalJudged, reservations: list[Reservation]) -> None:
    await connection.execute(
        "INSERT INTO run_account (run_id, account_id, household_id, progress, proposal_id, code, message, changed_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (run_id, account_id) DO UPDATE SET household_id = $3, progress = $4, "
        "proposal_id = $5, awaited = NULL, code = $6, message = $7, changed_at = $8",
        said.run_id,
        said.account_id,
        said.household_id,
        said.progress,
        said.proposal_id,
        said.code,
        said.message,
        said.decided_at,
    )
    await connection.execute("DELETE FROM reservation WHERE proposal_id = $1 AND NOT placed", said.proposal_id)
    if reservations:
        await connection.execute(
            "INSERT INTO reservation (proposal_id, household_id, account_id, placed, body) VALUES ($1, $2, $3, false, $4) "
            "ON CONFLICT DO NOTHING",
            said.proposal_id,
            said.household_id,
            said.account_id,
            pack(reservations),
        )


async def adopt_order(connection: Connection, order: OrderPlaced) -> None:
    """Keep a block as it left; what the desk did with it comes again."""
    await connection.execute(
        "INSERT INTO block (cl_ord_id, cum_qty, avg_px, state, ended, held, changed_at, record, run_id, security_id, side, order_qty) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING",
        *block_row(OrderRecord(order), order.transact_time),
        order.run_id,
        order.security_id,
        order.side,
        order.order_qty,
    )


async def adopt_cancel(connection: Connection, cancel: OrderCancelled) -> None:
    """The desk was asked to cancel this block."""
    await connection.execute(
        "UPDATE block SET cancel_asked_at = $2 WHERE cl_ord_id = $1 AND cancel_asked_at IS NULL", cancel.cl_ord_id, cancel.transact_time
    )


async def adopt_trade(connection: Connection, trade: TradeBooked, said_at: object) -> None:
    """Keep a trade under its number; the account's next ones go on above it."""
    await connection.execute(
        "INSERT INTO trade (trade_id, account_id, trade_seq, cl_ord_id, exec_id, kind, booked_at) VALUES ($1, $2, $3, $4, $5, $6, $7) "
        "ON CONFLICT DO NOTHING",
        trade.trade_id,
        trade.account_id,
        trade.trade_seq,
        trade.cl_ord_id,
        trade.exec_id,
        trade.kind,
        said_at,
    )
    await connection.execute(
        "INSERT INTO account_seq AS s (account_id, trade_seq) VALUES ($1, $2) "
        "ON CONFLICT (account_id) DO UPDATE SET trade_seq = greatest(s.trade_seq, $2)",
        trade.account_id,
        trade.trade_seq,
    )


async def adopt_kill_switch(connection: Connection, turned: KillSwitchTurned) -> None:
    """Keep a turn of the switch; it stands as its newest turn left it."""
    await connection.execute(
        "INSERT INTO kill_switch_change (change_id, is_on, actor, reason, changed_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        turned.number,
        turned.on,
        turned.actor,
        turned.reason,
        turned.changed_at,
    )
    await connection.execute("UPDATE kill_switch SET is_on = (SELECT is_on FROM kill_switch_change ORDER BY change_id DESC LIMIT 1)")


async def go_on_counting(connection: Connection) -> None:
    """New decisions and turns of the switch get numbers above those taken back."""
    for table, column in (("decision", "decision_id"), ("kill_switch_change", "change_id")):
        await connection.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column})) FROM {table} HAVING max({column}) IS NOT NULL"
        )


async def place_held_back(connection: Connection, closed_runs: Collection[str]) -> None:
    """What closed runs held back lasts now until its orders end; what left no order is held back no more."""
    known = {row["cl_ord_id"] for row in await connection.fetch("SELECT cl_ord_id FROM block WHERE run_id = ANY($1)", list(closed_runs))}
    for row in await connection.fetch("SELECT proposal_id, body FROM reservation WHERE NOT placed ORDER BY proposal_id"):
        held = _reservations_decoder.decode(unpack(row["body"]))
        if not held or held[0].run_id not in closed_runs:
            continue
        ordered = [item for item in held if order_of(item) in known]
        await connection.execute(
            "UPDATE reservation SET placed = true, body = $2 WHERE proposal_id = $1", row["proposal_id"], pack(ordered)
        )


async def expire_in_closed_runs(connection: Connection) -> None:
    """Accounts of closed runs that never got an answer have ended too."""
    await connection.execute(
        "UPDATE run_account a SET progress = 'expired', message = $2 FROM run r "
        "WHERE r.run_id = a.run_id AND r.closed_at IS NOT NULL AND a.progress = ANY($1)",
        sorted(UNENDED),
        "the run's cut-off came first",
    )


async def orders_of_runs(connection: Connection) -> dict[str, int]:
    """How many blocks each run has."""
    rows = await connection.fetch("SELECT run_id, count(*) AS orders FROM block GROUP BY run_id")
    return {row["run_id"]: row["orders"] for row in rows}
