"""The tables of what proposals rest on (accounts, screens, ledgers, markets, runs) as typed calls, and the locks.

Whoever judges a proposal shares one lock and holds the proposal's household.  Whoever books executions, closes a run or turns the
kill switch stands alone: so nothing is accepted behind a close or a kill, and nobody judges between a trade and the end of its
reservation.  The lock is held until the transaction ends.
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime
from functools import lru_cache

import msgspec
from msgspec import Struct

from libs.common.db import Connection, Pool
from libs.common.packing import pack, unpack
from libs.common.schemas.account import AccountChanged, AccountType
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.market import MarketPublished, RunOpened, SecurityColumns
from libs.common.schemas.proposal import ProposalCreated
from libs.common.schemas.screen import ScreenUpdated
from services.orders.core.evidence import Quotes, quotes_of

LOCK = "hashtext('orders')"
NEWEST_MARKET = "SELECT market_id FROM market ORDER BY as_of DESC, arrival DESC LIMIT 1"
SOLVER_OF_RUN = "SELECT solver_version FROM run_solver WHERE run_id = $3 ORDER BY first_decided_at DESC, solver_version DESC LIMIT 1"

_account_decoder = msgspec.json.Decoder(AccountChanged)
_screen_decoder = msgspec.json.Decoder(ScreenUpdated)
_ledger_decoder = msgspec.json.Decoder(LedgerUpdated)
_securities_decoder = msgspec.json.Decoder(SecurityColumns)
_run_decoder = msgspec.json.Decoder(RunOpened)


async def share(connection: Connection) -> None:
    """Let nothing that stands alone in until this transaction ends."""
    await connection.execute(f"SELECT pg_advisory_xact_lock_shared({LOCK})")


async def alone(connection: Connection) -> None:
    """Let nothing else in until this transaction ends."""
    await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")


async def lock_households(connection: Connection, household_ids: Iterable[str]) -> None:
    """Lock the households' rows until the transaction ends, in one order for all who do."""
    await connection.execute(
        "INSERT INTO household SELECT unnest($1::text[]) ON CONFLICT (household_id) DO UPDATE SET household_id = EXCLUDED.household_id",
        sorted(set(household_ids)),
    )


async def kill_switch_is_on(connection: Connection | Pool) -> bool:
    """How the kill switch stands."""
    is_on: bool = await connection.fetchval("SELECT is_on FROM kill_switch")
    return is_on


async def save_accounts(connection: Connection, accounts: Collection[tuple[str, str, AccountType, int, bytes]]) -> set[str]:
    """Keep accounts (id, household, type, version, packed body) that are newer than what is kept; returns whose."""
    rows = await connection.fetch(
        "INSERT INTO account AS a (account_id, household_id, account_type, version, body) SELECT * FROM unnest("
        "$1::text[], $2::text[], $3::text[], $4::int[], $5::bytea[]) ON CONFLICT (account_id) DO UPDATE SET "
        "household_id = EXCLUDED.household_id, account_type = EXCLUDED.account_type, version = EXCLUDED.version, body = EXCLUDED.body "
        "WHERE a.version < EXCLUDED.version RETURNING account_id",
        *zip(*accounts, strict=True),
    )
    return {row["account_id"] for row in rows}


async def save_screens(connection: Connection, screens: Collection[tuple[str, int, bytes]]) -> set[str]:
    """Keep screens (account, version, packed body) that are newer than what is kept; returns whose."""
    rows = await connection.fetch(
        "INSERT INTO screen AS s (account_id, version, body) SELECT * FROM unnest($1::text[], $2::int[], $3::bytea[]) "
        "ON CONFLICT (account_id) DO UPDATE SET version = EXCLUDED.version, body = EXCLUDED.body "
        "WHERE s.version < EXCLUDED.version RETURNING account_id",
        *zip(*screens, strict=True),
    )
    return {row["account_id"] for row in rows}


async def save_ledgers(connection: Connection, ledgers: Collection[tuple[str, int, bytes]]) -> set[str]:
    """Keep ledgers (household, version, packed body) that are newer than what is kept; returns whose."""
    rows = await connection.fetch(
        "INSERT INTO ledger AS l (household_id, version, body) SELECT * FROM unnest($1::text[], $2::int[], $3::bytea[]) "
        "ON CONFLICT (household_id) DO UPDATE SET version = EXCLUDED.version, body = EXCLUDED.body "
        "WHERE l.version < EXCLUDED.version RETURNING household_id",
        *zip(*ledgers, strict=True),
    )
    return {row["household_id"] for row in rows}


@lru_cache(maxsize=2)
def _ledger_of(body: bytes) -> LedgerUpdated:
    """The ledger in a row's body; the accounts of a household, which are judged one after the other, share it."""
    return _ledger_decoder.decode(unpack(body))


class Member(Struct, frozen=True):
    """An account of a household, and the sequence of the last trade booked for it (0: none)."""

    account_id: str
    account_type: AccountType
    trade_seq: int


class Surroundings(Struct, frozen=True):
    """What is kept around one proposal: newest account, screen and ledger, and how kill switch, run and markets stand.

    `members` are the household's accounts, `answers` the ids of their proposals or declines in the run.
    """

    kill_switch: bool
    run_closed: bool
    account: AccountChanged | None
    screen: ScreenUpdated | None
    ledger: LedgerUpdated | None
    newest_market_id: str | None
    run_market_seen: bool
    solver_version: str | None
    members: list[Member]
    answers: dict[str, str]


MEMBERS = "FROM account m LEFT JOIN account_seq q USING (account_id) WHERE m.household_id = $2 ORDER BY m.account_id"
ANSWERS = "FROM run_account r WHERE r.run_id = $3 AND r.household_id = $2 AND r.proposal_id IS NOT NULL ORDER BY r.account_id"


async def load_surroundings(connection: Connection, proposal: ProposalCreated) -> Surroundings:
    """All of it in one round trip."""
    row = await connection.fetchrow(
        "SELECT (SELECT is_on FROM kill_switch) AS kill_switch, "
        "coalesce((SELECT closed_at IS NOT NULL FROM run WHERE run_id = $3), false) AS run_closed, "
        "(SELECT body FROM account WHERE account_id = $1) AS account, "
        "(SELECT body FROM screen WHERE account_id = $1) AS screen, "
        "(SELECT body FROM ledger WHERE household_id = $2) AS ledger, "
        f"({NEWEST_MARKET}) AS newest_market_id, "
        "EXISTS (SELECT 1 FROM market WHERE market_id = $4) AS run_market_seen, "
        f"({SOLVER_OF_RUN}) AS solver_version, "
        f"ARRAY(SELECT m.account_id {MEMBERS}) AS members, ARRAY(SELECT m.account_type {MEMBERS}) AS types, "
        f"ARRAY(SELECT coalesce(q.trade_seq, 0) {MEMBERS}) AS trade_seqs, "
        f"ARRAY(SELECT r.account_id {ANSWERS}) AS answered, ARRAY(SELECT r.proposal_id {ANSWERS}) AS answers",
        proposal.account_id,
        proposal.household_id,
        proposal.run_id,
        proposal.pins.market_id,
    )
    return Surroundings(
        kill_switch=row["kill_switch"],
        run_closed=row["run_closed"],
        account=None if row["account"] is None else _account_decoder.decode(unpack(row["account"])),
        screen=None if row["screen"] is None else _screen_decoder.decode(unpack(row["screen"])),
        ledger=None if row["ledger"] is None else _ledger_of(row["ledger"]),
        newest_market_id=row["newest_market_id"],
        run_market_seen=row["run_market_seen"],
        solver_version=row["solver_version"],
        members=[Member(*member) for member in zip(row["members"], row["types"], row["trade_seqs"], strict=True)],
        answers=dict(zip(row["answered"], row["answers"], strict=True)),
    )


async def note_solver(connection: Connection, run_id: str, solver_version: str, decided_at: datetime) -> str:
    """Note that this solver decides in the run; returns the one that began last."""
    await connection.execute(
        "INSERT INTO run_solver AS s (run_id, solver_version, first_decided_at) VALUES ($1, $2, $3) "
        "ON CONFLICT (run_id, solver_version) DO UPDATE SET first_decided_at = $3 WHERE s.first_decided_at > $3",
        run_id,
        solver_version,
        decided_at,
    )
    newest: str = await connection.fetchval(SOLVER_OF_RUN.replace("$3", "$1"), run_id)
    return newest


async def households_of(connection: Connection, account_ids: Collection[str]) -> dict[str, str]:
    """The household that each account is in now."""
    rows = await connection.fetch("SELECT account_id, household_id FROM account WHERE account_id = ANY($1)", list(account_ids))
    return {row["account_id"]: row["household_id"] for row in rows}


async def save_market(connection: Connection, market: MarketPublished) -> bool:
    """Keep a snapshot's securities; False when it came before."""
    return bool(
        await connection.fetchval(
            "INSERT INTO market (market_id, as_of, securities) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING 1",
            market.market_id,
            market.as_of,
            pack(market.securities),
        )
    )


async def load_quotes(connection: Connection, market_id: str) -> Quotes:
    """A snapshot that has come, by security."""
    row = await connection.fetchrow("SELECT as_of, securities FROM market WHERE market_id = $1", market_id)
    as_of: date = row["as_of"]
    return quotes_of(market_id, as_of, _securities_decoder.decode(unpack(row["securities"])))


async def save_run(connection: Connection, run: RunOpened) -> bool:
    """Keep a run; False when it came before."""
    return bool(
        await connection.fetchval(
            "INSERT INTO run (run_id, as_of, market_id, opened_at, cutoff_at, body) VALUES ($1, $2, $3, $4, $5, $6) "
            "ON CONFLICT DO NOTHING RETURNING 1",
            run.run_id,
            run.as_of,
            run.market_id,
            run.opened_at,
            run.cutoff_at,
            pack(run),
        )
    )


async def load_run(connection: Connection | Pool, run_id: str) -> RunOpened | None:
    """A run as it was opened."""
    body = await connection.fetchval("SELECT body FROM run WHERE run_id = $1", run_id)
    return None if body is None else _run_decoder.decode(unpack(body))


async def is_closed(connection: Connection, run_id: str) -> bool:
    """Whether the run's blocks are placed."""
    return bool(await connection.fetchval("SELECT closed_at IS NOT NULL FROM run WHERE run_id = $1", run_id))


async def closed_at(connection: Connection, run_ids: Collection[str]) -> dict[str, datetime]:
    """When each of these runs sent its orders."""
    rows = await connection.fetch("SELECT run_id, closed_at FROM run WHERE run_id = ANY($1) AND closed_at IS NOT NULL", list(run_ids))
    return {row["run_id"]: row["closed_at"] for row in rows}


async def newest_market_id(connection: Connection) -> str | None:
    """The newest snapshot that has come."""
    found: str | None = await connection.fetchval(f"SELECT ({NEWEST_MARKET})")
    return found


async def mark_closed(connection: Connection, run_id: str, by: str, at: datetime) -> None:
    """The run's blocks are placed."""
    await connection.execute("UPDATE run SET closed_at = $2, closed_by = $3 WHERE run_id = $1", run_id, at, by)
