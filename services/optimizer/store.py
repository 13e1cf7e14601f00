"""The tables of optimizer's inputs as typed calls, and which households' inputs have met; decisions are in decision_store.py.

Events of one household share a lock, a run and a market snapshot take it alone: without that, two transactions at once could each
miss what the other brings, and a household would wait for ever.
"""

from datetime import datetime

import msgspec

from libs.common.db import Connection, Pool
from libs.common.packing import unpack
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.market import MarketPublished, RunOpened
from libs.common.schemas.order import OrderEnded, OrderPlaced
from libs.common.schemas.screen import ScreenUpdated

LOCK = "hashtext('optimizer joins')"
LEDGER_OF = "household:"
MARKETS_KEPT = 3
RUNS_OF_ENDED_ORDERS_KEPT = 3


async def share(connection: Connection) -> None:
    """Let no run and no market in until this transaction ends."""
    await connection.execute(f"SELECT pg_advisory_xact_lock_shared({LOCK})")


async def alone(connection: Connection) -> None:
    """Let nothing else in until this transaction ends."""
    await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")


async def save_account(connection: Connection, account: AccountChanged, body: bytes) -> None:
    """Keep the newest version; an older one changes nothing."""
    await connection.execute(
        "INSERT INTO account AS a (account_id, household_id, taxable, version, trade_seq, body) VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT (account_id) DO UPDATE SET household_id = $2, taxable = $3, version = $4, trade_seq = $5, body = $6 "
        "WHERE a.version < $4",
        account.account_id,
        account.household_id,
        account.account_type == "taxable",
        account.version,
        account.trade_seq,
        body,
    )


async def save_screen(connection: Connection, screen: ScreenUpdated, body: bytes) -> None:
    """Keep the newest version; the same version again stands on the newest account and market."""
    await connection.execute(
        "INSERT INTO screen AS s (account_id, version, body) VALUES ($1, $2, $3) "
        "ON CONFLICT (account_id) DO UPDATE SET version = $2, body = $3 WHERE s.version <= $2",
        screen.account_id,
        screen.version,
        body,
    )


async def save_ledger(connection: Connection, ledger: LedgerUpdated, body: bytes) -> None:
    """Keep the newest version; the same version again is as of the newest day."""
    await connection.execute(
        "INSERT INTO ledger AS l (household_id, version, body) VALUES ($1, $2, $3) "
        "ON CONFLICT (household_id) DO UPDATE SET version = $2, body = $3 WHERE l.version <= $2",
        ledger.household_id,
        ledger.version,
        body,
    )


async def save_answer(connection: Connection, run_id: str | None, subject: str) -> None:
    """Note that a run was answered for an account's screen, or for a household's ledger (`LEDGER_OF` before its id)."""
    if run_id is not None:
        await connection.execute("INSERT INTO answer (run_id, subject) VALUES ($1, $2) ON CONFLICT DO NOTHING", run_id, subject)


async def save_market(connection: Connection, market: MarketPublished, body: bytes) -> None:
    """Keep a snapshot, and of the older ones the last few and those that something still waits for."""
    await connection.execute(
        "INSERT INTO market (market_id, as_of, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", market.market_id, market.as_of, body
    )
    await connection.execute(
        "DELETE FROM market WHERE market_id NOT IN (SELECT market_id FROM market ORDER BY arrival DESC LIMIT $1) AND market_id NOT IN ("
        "SELECT r.market_id FROM run r JOIN household_run h USING (run_id) WHERE h.state IN ('waiting', 'ready'))",
        MARKETS_KEPT,
    )


async def save_run(connection: Connection, run: RunOpened, body: bytes, correlationid: str, now: datetime) -> None:
    """Keep a run with the households that it asks about; what older runs still wait for is given up."""
    fresh = await connection.fetchval(
        "INSERT INTO run (run_id, as_of, market_id, opened_at, correlationid, body) VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT DO NOTHING RETURNING 1",
        run.run_id,
        run.as_of,
        run.market_id,
        run.opened_at,
        correlationid,
        body,
    )
    if fresh is None:
        return
    included = [account for account in run.accounts if account.excluded is None]
    await connection.execute("UPDATE household_run SET state = 'superseded' WHERE state IN ('waiting', 'ready')")
    await connection.execute("DELETE FROM answer WHERE run_id IN (SELECT run_id FROM run WHERE run_id <> $1)", run.run_id)
    await connection.executemany(
        "INSERT INTO run_account (run_id, account_id, household_id, account_version, trade_seq) VALUES ($1, $2, $3, $4, $5)",
        [(run.run_id, a.account_id, a.household_id, a.account_version, a.trade_seq) for a in included],
    )
    await connection.executemany(
        "INSERT INTO household_run (run_id, household_id, state, since) VALUES ($1, $2, 'waiting', $3)",
        [(run.run_id, household_id, now) for household_id in sorted({a.household_id for a in included})],
    )


async def mark_ready(connection: Connection, household_id: str | None) -> None:
    """Let those households go on whose inputs have met: every listed account there, screened and in a ledger that answers the run."""
    await connection.execute(
        """UPDATE household_run h SET state = 'ready' FROM run r
        WHERE h.state = 'waiting' AND ($1::text IS NULL OR h.household_id = $1) AND r.run_id = h.run_id
          AND EXISTS (SELECT 1 FROM market m WHERE m.market_id = r.market_id)
          AND EXISTS (SELECT 1 FROM answer w WHERE w.run_id = h.run_id AND w.subject = $2 || h.household_id)
          AND NOT EXISTS (
            SELECT 1 FROM run_account ra LEFT JOIN account a USING (account_id)
            LEFT JOIN answer w ON w.run_id = ra.run_id AND w.subject = ra.account_id
            WHERE ra.run_id = h.run_id AND ra.household_id = h.household_id
              AND (a.version IS NULL OR a.version < ra.account_version OR a.trade_seq < ra.trade_seq OR w.subject IS NULL))""",
        household_id,
        LEDGER_OF,
    )


async def save_order(connection: Connection, order: OrderPlaced) -> None:
    """Note which accounts have an open order; one that ended before this came is not open."""
    if await connection.fetchval("SELECT 1 FROM ended_order WHERE cl_ord_id = $1", order.cl_ord_id):
        return
    await connection.executemany(
        "INSERT INTO open_order (cl_ord_id, account_id, household_id, proposal_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        [(order.cl_ord_id, a.alloc_account, a.household_id, a.proposal_id) for a in order.allocations],
    )


async def end_order(connection: Connection, order: OrderEnded) -> None:
    """Nothing of the order is open any more; that it ended is remembered for a few runs, in case its placing comes later."""
    await connection.execute("DELETE FROM open_order WHERE cl_ord_id = $1", order.cl_ord_id)
    await connection.execute(
        "INSERT INTO ended_order (cl_ord_id, run_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", order.cl_ord_id, order.run_id
    )
    await connection.execute(
        "DELETE FROM ended_order WHERE run_id IN (SELECT run_id FROM run ORDER BY opened_at DESC OFFSET $1)", RUNS_OF_ENDED_ORDERS_KEPT
    )


class ReadyHousehold(msgspec.Struct, frozen=True):
    """A household of a run whose inputs have met."""

    run_id: str
    household_id: str


async def ready_households(pool: Pool) -> list[ReadyHousehold]:
    """What can be solved, the largest households first, so that no long one is left for the end."""
    rows = await pool.fetch(
        "SELECT h.run_id, h.household_id FROM household_run h JOIN run_account ra USING (run_id, household_id) "
        "WHERE h.state = 'ready' GROUP BY h.run_id, h.household_id ORDER BY count(*) DESC, h.household_id"
    )
    return [ReadyHousehold(row["run_id"], row["household_id"]) for row in rows]


class Waiting(msgspec.Struct, frozen=True):
    """How many households wait for their inputs, and since when the oldest does."""

    households: int
    oldest: datetime | None


async def count_waiting(pool: Pool) -> Waiting:
    """The joins that have not met."""
    row = await pool.fetchrow("SELECT count(*) AS n, min(since) AS oldest FROM household_run WHERE state = 'waiting'")
    return Waiting(row["n"], row["oldest"])


class AccountInputs(msgspec.Struct, frozen=True):
    """One account's packed inputs; `open_orders` counts its orders at the desk: with any it must not be decided now.

    `said` is its decision in this run, tagged as in pool.py, where that was said before a restore.
    """

    account_id: str
    account: bytes
    screen: bytes
    open_orders: int
    said: bytes | None = None


class HouseholdInputs(msgspec.Struct, frozen=True):
    """Everything that a household's decisions rest on, read in one transaction; `versions` tells whether it is still so.

    `working` are the packed proposals of the household that still have open orders.
    """

    run_id: str
    household_id: str
    market_id: str
    correlationid: str
    run: bytes
    ledger: bytes
    accounts: list[AccountInputs]
    working: list[bytes]
    versions: list[tuple[str, int, int]]


async def load_inputs(connection: Connection, ready: ReadyHousehold) -> HouseholdInputs | None:
    """The inputs of a household, its accounts in the order in which they are decided; None when it is not ready any more."""
    row = await connection.fetchrow(
        "SELECT r.market_id, r.correlationid, r.body AS run, l.body AS ledger, l.version FROM household_run h JOIN run r USING (run_id) "
        "JOIN ledger l USING (household_id) WHERE h.run_id = $1 AND h.household_id = $2 AND h.state = 'ready' FOR UPDATE OF h",
        ready.run_id,
        ready.household_id,
    )
    if row is None:
        return None
    rows = await connection.fetch(
        "SELECT a.account_id, a.version, s.version AS screen_version, a.body AS account, s.body AS screen, "
        "(SELECT count(*) FROM open_order o WHERE o.account_id = a.account_id) AS open_orders, p.kind, p.body AS said FROM run_account ra "
        "JOIN account a USING (account_id) JOIN screen s USING (account_id) LEFT JOIN proposal p USING (run_id, account_id) "
        "WHERE ra.run_id = $1 AND ra.household_id = $2 "
        'ORDER BY NOT a.taxable, a.account_id COLLATE "C"',
        ready.run_id,
        ready.household_id,
    )
    working = await connection.fetch(
        "SELECT p.proposal_id, p.body, count(*) AS orders FROM open_order o JOIN proposal p USING (proposal_id) "
        "WHERE o.household_id = $1 GROUP BY p.proposal_id ORDER BY p.proposal_id",
        ready.household_id,
    )
    versions = [(r["account_id"], r["version"], r["screen_version"]) for r in rows]
    at_the_desk = [(r["proposal_id"], r["orders"], 0) for r in working]
    return HouseholdInputs(
        ready.run_id,
        ready.household_id,
        row["market_id"],
        row["correlationid"],
        row["run"],
        row["ledger"],
        [AccountInputs(r["account_id"], r["account"], r["screen"], r["open_orders"], _tagged(r["kind"], r["said"])) for r in rows],
        [r["body"] for r in working],
        [*versions, *at_the_desk, ("ledger", row["version"], 0)],
    )


def _tagged(kind: str | None, body: bytes | None) -> bytes | None:
    """A decision as it goes to the solver: its JSON with its kind in front."""
    return None if kind is None or body is None else kind[:1].encode() + unpack(body)


async def load_market(pool: Pool, market_id: str) -> bytes:
    """The packed body of a snapshot."""
    body: bytes = await pool.fetchval("SELECT body FROM market WHERE market_id = $1", market_id)
    return body
