"""The tables of optimizer's inputs as typed calls, written.  What a solve reads is in inputs_store.py, decisions in decision_store.py.

Events of one household share a lock, a run and a market snapshot take it alone: without that, two transactions at once could each
miss what the other brings, and a household would wait for ever.
"""

from dataclasses import dataclass, field
from datetime import datetime

from libs.common.db import Connection
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


@dataclass
class Heard:
    """What the events of one batch say of accounts, screens and ledgers: of each the newest, and which households to look at again."""

    accounts: dict[str, tuple[int, str, bool, int, bytes]] = field(default_factory=dict)
    screens: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    ledgers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    answers: set[tuple[str, str]] = field(default_factory=set)
    households: set[str] = field(default_factory=set)

    def account(self, account: AccountChanged, body: bytes) -> None:
        """The newest version; an older one changes nothing."""
        self.households.add(account.household_id)
        if account.account_id not in self.accounts or self.accounts[account.account_id][0] < account.version:
            taxable = account.account_type == "taxable"
            self.accounts[account.account_id] = (account.version, account.household_id, taxable, account.trade_seq, body)

    def screen(self, screen: ScreenUpdated, body: bytes) -> None:
        """The newest version; the same version again stands on the newest account and market.  An older one still answers its run."""
        self.households.add(screen.household_id)
        if screen.run_id is not None:
            self.answers.add((screen.run_id, screen.account_id))
        if screen.account_id not in self.screens or self.screens[screen.account_id][0] <= screen.version:
            self.screens[screen.account_id] = (screen.version, body)

    def ledger(self, ledger: LedgerUpdated, body: bytes) -> None:
        """The newest version; the same version again is as of the newest day.  An older one still answers its run."""
        self.households.add(ledger.household_id)
        if ledger.run_id is not None:
            self.answers.add((ledger.run_id, LEDGER_OF + ledger.household_id))
        if ledger.household_id not in self.ledgers or self.ledgers[ledger.household_id][0] <= ledger.version:
            self.ledgers[ledger.household_id] = (ledger.version, body)


async def save_heard(connection: Connection, heard: Heard) -> None:
    """Keep what is newer than what is there, and let households go on whose inputs have met."""
    if heard.accounts:
        await connection.execute(
            "INSERT INTO account AS a (account_id, version, household_id, taxable, trade_seq, body) SELECT * FROM unnest($1::text[], "
            "$2::int[], $3::text[], $4::boolean[], $5::int[], $6::bytea[]) ON CONFLICT (account_id) DO UPDATE SET "
            "version = EXCLUDED.version, household_id = EXCLUDED.household_id, taxable = EXCLUDED.taxable, "
            "trade_seq = EXCLUDED.trade_seq, body = EXCLUDED.body "
            "WHERE a.version < EXCLUDED.version",
            list(heard.accounts),
            *zip(*heard.accounts.values(), strict=True),
        )
    if heard.screens:
        await connection.execute(
            "INSERT INTO screen AS s (account_id, version, body) SELECT * FROM unnest($1::text[], $2::int[], $3::bytea[]) "
            "ON CONFLICT (account_id) DO UPDATE SET version = EXCLUDED.version, body = EXCLUDED.body WHERE s.version <= EXCLUDED.version",
            list(heard.screens),
            *zip(*heard.screens.values(), strict=True),
        )
    if heard.ledgers:
        await connection.execute(
            "INSERT INTO ledger AS l (household_id, version, body) SELECT * FROM unnest($1::text[], $2::int[], $3::bytea[]) "
            "ON CONFLICT (household_id) DO UPDATE SET version = EXCLUDED.version, body = EXCLUDED.body WHERE l.version <= EXCLUDED.version",
            list(heard.ledgers),
            *zip(*heard.ledgers.values(), strict=True),
        )
    if heard.answers:
        await connection.execute(
            "INSERT INTO answer (run_id, subject) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING",
            *zip(*sorted(heard.answers), strict=True),
        )
    await mark_ready(connection, sorted(heard.households))


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


async def mark_ready(connection: Connection, household_ids: list[str] | None) -> None:
    """Let those households (None: all that wait) go on whose inputs have met:
    every listed account there, screened and in a ledger that answers the run."""
    await connection.execute(
        """UPDATE household_run h SET state = 'ready' FROM run r
        WHERE h.state = 'waiting' AND ($1::text[] IS NULL OR h.household_id = ANY($1)) AND r.run_id = h.run_id
          AND EXISTS (SELECT 1 FROM market m WHERE m.market_id = r.market_id)
          AND EXISTS (SELECT 1 FROM answer w WHERE w.run_id = h.run_id AND w.subject = $2 || h.household_id)
          AND NOT EXISTS (
            SELECT 1 FROM run_account ra LEFT JOIN account a USING (account_id)
            LEFT JOIN answer w ON w.run_id = ra.run_id AND w.subject = ra.account_id
            WHERE ra.run_id = h.run_id AND ra.household_id = h.household_id
              AND (a.version IS NULL OR a.version < ra.account_version OR a.trade_seq < ra.trade_seq OR w.subject IS NULL))""",
        household_ids,
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
