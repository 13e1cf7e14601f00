"""The tables of optimizer as typed calls; SQL lives here and nowhere else in the service.

Events of one household share a lock, a run and a market snapshot take it alone: without that, two transactions at once could each
miss what the other brings, and a household would wait for ever.
"""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec
import zstandard

from libs.common.db import Connection, Pool
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.market import MarketPublished, RunOpened
from libs.common.schemas.order import OrderPlaced
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.schemas.screen import ScreenUpdated
from services.optimizer.core.household_order import in_household_order

LOCK = "hashtext('optimizer joins')"


def pack(value: msgspec.Struct) -> bytes:
    """A state value as one compressed body."""
    return zstandard.ZstdCompressor(level=1).compress(msgspec.json.encode(value))


def unpack(body: bytes) -> bytes:
    """The JSON of a packed body."""
    return zstandard.ZstdDecompressor().decompress(body)


async def share(connection: Connection) -> None:
    """Let no run and no market in until this transaction ends."""
    await connection.execute(f"SELECT pg_advisory_xact_lock_shared({LOCK})")


async def alone(connection: Connection) -> None:
    """Let nothing else in until this transaction ends."""
    await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")


async def save_account(connection: Connection, account: AccountChanged) -> None:
    """Keep the newest version; an older one changes nothing."""
    await connection.execute(
        "INSERT INTO account AS a (account_id, household_id, version, trade_seq, body) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (account_id) DO UPDATE SET household_id = $2, version = $3, trade_seq = $4, body = $5 WHERE a.version < $3",
        account.account_id,
        account.household_id,
        account.version,
        account.trade_seq,
        pack(account),
    )


async def save_screen(connection: Connection, screen: ScreenUpdated) -> None:
    """Keep the newest version; the same version again may answer a run."""
    await connection.execute(
        "INSERT INTO screen AS s (account_id, version, answered_run, body) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (account_id) DO UPDATE SET version = $2, answered_run = coalesce($3, s.answered_run), body = $4 "
        "WHERE s.version < $2 OR (s.version = $2 AND $3 IS NOT NULL)",
        screen.account_id,
        screen.version,
        screen.run_id,
        pack(screen),
    )


async def save_ledger(connection: Connection, ledger: LedgerUpdated) -> None:
    """Keep the newest version; the same version again may answer a run."""
    await connection.execute(
        "INSERT INTO ledger AS l (household_id, version, answered_run, body) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (household_id) DO UPDATE SET version = $2, answered_run = coalesce($3, l.answered_run), body = $4 "
        "WHERE l.version < $2 OR (l.version = $2 AND $3 IS NOT NULL)",
        ledger.household_id,
        ledger.version,
        ledger.run_id,
        pack(ledger),
    )


async def save_market(connection: Connection, market: MarketPublished) -> None:
    """Keep a snapshot."""
    await connection.execute(
        "INSERT INTO market (market_id, as_of, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        market.market_id,
        market.as_of,
        pack(market),
    )


async def save_run(connection: Connection, run: RunOpened, now: datetime) -> None:
    """Keep a run with the households that it asks about; what older runs still wait for is given up."""
    fresh = await connection.fetchval(
        "INSERT INTO run (run_id, as_of, market_id, opened_at, body) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING 1",
        run.run_id,
        run.as_of,
        run.market_id,
        run.opened_at,
        pack(run),
    )
    if fresh is None:
        return
    included = [account for account in run.accounts if account.excluded is None]
    await connection.execute("UPDATE household_run SET state = 'superseded' WHERE state IN ('waiting', 'ready')")
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
        """UPDATE household_run h SET state = 'ready' FROM run r, ledger l
        WHERE h.state = 'waiting' AND ($1::text IS NULL OR h.household_id = $1) AND r.run_id = h.run_id
          AND l.household_id = h.household_id AND l.answered_run = h.run_id
          AND EXISTS (SELECT 1 FROM market m WHERE m.market_id = r.market_id)
          AND NOT EXISTS (
            SELECT 1 FROM run_account ra LEFT JOIN account a USING (account_id) LEFT JOIN screen s USING (account_id)
            WHERE ra.run_id = h.run_id AND ra.household_id = h.household_id
              AND (a.version IS NULL OR a.version < ra.account_version OR a.trade_seq < ra.trade_seq
                   OR s.answered_run IS DISTINCT FROM h.run_id))""",
        household_id,
    )


async def save_order(connection: Connection, order: OrderPlaced) -> None:
    """Note which accounts have an open order; one that ended before this came is not open."""
    if await connection.fetchval("SELECT 1 FROM ended_order WHERE cl_ord_id = $1", order.cl_ord_id):
        return
    await connection.executemany(
        "INSERT INTO open_order (cl_ord_id, account_id, household_id, proposal_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        [(order.cl_ord_id, a.alloc_account, a.household_id, a.proposal_id) for a in order.allocations],
    )


async def end_order(connection: Connection, cl_ord_id: str) -> None:
    """Nothing of the order is open any more."""
    await connection.execute("INSERT INTO ended_order (cl_ord_id) VALUES ($1) ON CONFLICT DO NOTHING", cl_ord_id)
    await connection.execute("DELETE FROM open_order WHERE cl_ord_id = $1", cl_ord_id)


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
    """One account's packed inputs with their versions; `open_orders` says that it must not be decided now."""

    account_id: str
    account: bytes
    screen: bytes
    open_orders: bool


class HouseholdInputs(msgspec.Struct, frozen=True):
    """Everything that a household's decisions rest on, read in one snapshot; `versions` tells whether it is still so.

    `open_proposals` are the packed proposals of the household that still have open orders.
    """

    run_id: str
    household_id: str
    market_id: str
    run: bytes
    ledger: bytes
    accounts: list[AccountInputs]
    open_proposals: list[bytes]
    versions: list[tuple[str, int, int]]


async def load_inputs(connection: Connection, ready: ReadyHousehold) -> HouseholdInputs | None:
    """The inputs of a household, its accounts in the household's order; None when it is not ready any more."""
    row = await connection.fetchrow(
        "SELECT r.market_id, r.body AS run, l.body AS ledger, l.version FROM household_run h JOIN run r USING (run_id) "
        "JOIN ledger l USING (household_id) WHERE h.run_id = $1 AND h.household_id = $2 AND h.state = 'ready' FOR UPDATE OF h",
        ready.run_id,
        ready.household_id,
    )
    if row is None:
        return None
    rows = await connection.fetch(
        "SELECT a.account_id, a.version, s.version AS screen_version, a.body AS account, s.body AS screen, "
        "EXISTS (SELECT 1 FROM open_order o WHERE o.account_id = a.account_id) AS open_orders FROM run_account ra "
        "JOIN account a USING (account_id) JOIN screen s USING (account_id) WHERE ra.run_id = $1 AND ra.household_id = $2",
        ready.run_id,
        ready.household_id,
    )
    open_rows = await connection.fetch(
        "SELECT DISTINCT p.proposal_id, p.body FROM open_order o JOIN proposal p USING (proposal_id) WHERE o.household_id = $1 "
        "ORDER BY p.proposal_id",
        ready.household_id,
    )
    accounts = [AccountInputs(r["account_id"], r["account"], r["screen"], r["open_orders"]) for r in rows]
    decoded = {a.account_id: msgspec.json.decode(unpack(a.account), type=AccountChanged) for a in accounts}
    accounts.sort(key=lambda a: in_household_order(decoded[a.account_id]))
    versions = [(r["account_id"], r["version"], r["screen_version"]) for r in rows]
    return HouseholdInputs(
        ready.run_id,
        ready.household_id,
        row["market_id"],
        row["run"],
        row["ledger"],
        accounts,
        [r["body"] for r in open_rows],
        [*sorted(versions), ("ledger", row["version"], len(open_rows))],
    )


async def load_market(pool: Pool, market_id: str) -> bytes:
    """The packed body of a snapshot."""
    body: bytes = await pool.fetchval("SELECT body FROM market WHERE market_id = $1", market_id)
    return body


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
