"""The tables of wash_sale as typed calls; SQL lives here and nowhere else in the service."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

import msgspec
from msgspec import Struct

from libs.common.db import Connection, Pool
from libs.common.ids import bytes_id
from libs.common.packing import pack, unpack
from libs.common.schemas.ledger import LedgerUpdated, RealisedSale
from libs.common.schemas.market import CorporateAction, MarketPublished, RunAccount, RunOpened
from services.wash_sale.core.household import HouseholdLedger


class _SaidSales(Struct, frozen=True):
    """The part of a said ledger that is read back: its sales."""

    sales: list[RealisedSale]


_facts_decoder = msgspec.json.Decoder(HouseholdLedger)
_said_decoder = msgspec.json.Decoder(LedgerUpdated)
_sales_decoder = msgspec.json.Decoder(_SaidSales)
_groups_decoder = msgspec.json.Decoder(dict[str, str])

FIRST_DAY = date(1, 1, 1)
KEPT_PACKED_BYTES = 1024 * 1024  # some fifty times as much when decoded


class Household(Struct, frozen=True):
    """A household as stored: its facts, the latest day that came with them, and the version and content digest last said of it."""

    facts: HouseholdLedger
    as_of: date = FIRST_DAY
    version: int = 0
    said_digest: str = ""
    unsaid: bool = False


class Households:
    """Loads and saves households' facts, and keeps the last ones decoded: by the digest of the stored body, so never a stale one."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, HouseholdLedger]] = {}
        self._sizes: dict[str, int] = {}
        self._packed_bytes = 0

    async def load(self, connection: Connection, household_id: str) -> Household:
        """A household, locked until the transaction ends; an empty one if it is new."""
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"wash_sale household {household_id}")
        row = await connection.fetchrow(
            "SELECT facts_digest, as_of, version, said_digest, unsaid FROM household WHERE household_id = $1", household_id
        )
        if row is None:
            return Household(HouseholdLedger(household_id))
        digest, kept = row["facts_digest"], self._kept.get(household_id)
        if kept is None or kept[0] != digest:
            body = await connection.fetchval("SELECT facts FROM household WHERE household_id = $1", household_id)
            kept = self._keep(digest, _facts_decoder.decode(unpack(body)), len(body))
        return Household(kept[1], row["as_of"], row["version"], row["said_digest"], row["unsaid"])

    async def save(self, connection: Connection, facts: HouseholdLedger, as_of: date, touched: Collection[str]) -> None:
        """Write changed facts, to be said; `touched` are the accounts that changed."""
        body = pack(facts)
        digest = bytes_id(body)
        early = sum(map(len, facts.waiting.values())) + sum(len(account.pending) for account in facts.accounts.values())
        seen = [facts.accounts[account_id] for account_id in sorted(touched) if account_id in facts.accounts]
        await connection.execute(
            "WITH h AS (INSERT INTO household (household_id, facts, facts_digest, as_of, early_inputs, unsaid) "
            "VALUES ($1, $2, $3, $4, $5, true) ON CONFLICT (household_id) DO UPDATE "
            "SET facts = $2, facts_digest = $3, as_of = $4, early_inputs = $5, unsaid = true, refused = NULL) "
            "INSERT INTO account_seen (household_id, account_id, account_version, trade_seq, departed) "
            "SELECT $1, * FROM unnest($6::text[], $7::int[], $8::int[], $9::boolean[]) ON CONFLICT (household_id, account_id) "
            "DO UPDATE SET account_version = EXCLUDED.account_version, trade_seq = EXCLUDED.trade_seq, departed = EXCLUDED.departed",
            facts.household_id,
            body,
            digest,
            as_of,
            early,
            [account.account_id for account in seen],
            [account.version for account in seen],
            [account.trade_seq for account in seen],
            [account.departed for account in seen],
        )
        self._keep(digest, facts, len(body))

    def _keep(self, digest: str, facts: HouseholdLedger, packed_bytes: int) -> tuple[str, HouseholdLedger]:
        """Keep the newest; of the others as many as their sizes allow, so that large households don't fill the memory."""
        self._packed_bytes += packed_bytes - self._sizes.pop(facts.household_id, 0)
        self._kept.pop(facts.household_id, None)
        kept = self._kept[facts.household_id] = (digest, facts)
        self._sizes[facts.household_id] = packed_bytes
        while self._packed_bytes > KEPT_PACKED_BYTES and len(self._kept) > 1:
            oldest = next(iter(self._kept))
            del self._kept[oldest]
            self._packed_bytes -= self._sizes.pop(oldest)
        return kept


async def save_said(connection: Connection, said: LedgerUpdated, as_of: date, digest: str) -> None:
    """Write the ledger last said, as of the latest day; nothing of the household is unsaid then."""
    await connection.execute(
        "UPDATE household SET version = $2, said_digest = $3, as_of = $4, said = $5, unsaid = false, refused = NULL "
        "WHERE household_id = $1",
        said.household_id,
        said.version,
        digest,
        as_of,
        pack(said),
    )


async def denied_before(connection: Connection, household_id: str) -> set[tuple[str, str]]:
    """(trade id, lot id) of the sales whose loss the ledger last said was denied, in whole or part."""
    body = await connection.fetchval("SELECT said FROM household WHERE household_id = $1", household_id)
    return set() if body is None else {(s.trade_id, s.lot_id) for s in _sales_decoder.decode(unpack(body)).sales if s.disallowed}


async def nothing_to_say(connection: Connection, household_id: str, refused: str | None = None) -> None:
    """The change needs no word: the content is the same, only early inputs came, or (`refused`) the facts contradict each other."""
    await connection.execute("UPDATE household SET unsaid = false, refused = $2 WHERE household_id = $1", household_id, refused)


async def next_unsaid(connection: Connection) -> str | None:
    """A household that changed since its ledger was last said; the caller locks it and looks again."""
    found: str | None = await connection.fetchval("SELECT household_id FROM household WHERE unsaid ORDER BY household_id LIMIT 1")
    return found


async def load_facts(pool: Pool, household_id: str) -> HouseholdLedger | None:
    """A household's facts, for reading; None if nothing came of it yet."""
    body = await pool.fetchval("SELECT facts FROM household WHERE household_id = $1", household_id)
    return None if body is None else _facts_decoder.decode(unpack(body))


async def load_held_back(pool: Pool, household_id: str) -> str | None:
    """Why no ledger can be said of a household as its facts stand; None where one can."""
    reason: str | None = await pool.fetchval("SELECT refused FROM household WHERE household_id = $1", household_id)
    return reason


async def load_said_json(pool: Pool, household_id: str) -> bytes | None:
    """The ledger last said of a household, as JSON; None if none was."""
    body = await pool.fetchval("SELECT said FROM household WHERE household_id = $1", household_id)
    return None if body is None else unpack(body)


async def load_said(pool: Pool, household_id: str) -> LedgerUpdated | None:
    """The ledger last said of a household."""
    body = await load_said_json(pool, household_id)
    return None if body is None else _said_decoder.decode(body)


async def save_market(connection: Connection, market: MarketPublished) -> None:
    """Keep a snapshot's identity groups, and its splits beside those known before."""
    groups = dict(zip(market.securities.security_id, market.securities.identity_group, strict=True))
    await connection.execute(
        "INSERT INTO market (market_id, as_of, groups) VALUES ($1, $2, $3) ON CONFLICT (market_id) DO NOTHING",
        market.market_id,
        market.as_of,
        pack(groups),
    )
    await connection.executemany(
        "INSERT INTO split (security_id, ex_date, ratio) VALUES ($1, $2, $3) ON CONFLICT (security_id, ex_date) DO UPDATE SET ratio = $3",
        [(action.security_id, action.ex_date, action.ratio) for action in market.corporate_actions],
    )


class NewestMarket(Struct, frozen=True):
    """The newest snapshot by its date; `arrival` changes with any snapshot that comes, so with any split too."""

    market_id: str
    as_of: date
    arrival: int


async def newest_market(connection: Connection | Pool) -> NewestMarket | None:
    """None before the first snapshot."""
    row = await connection.fetchrow(
        "SELECT market_id, as_of, (SELECT max(arrival) FROM market) AS arrival FROM market ORDER BY as_of DESC, arrival DESC LIMIT 1"
    )
    return None if row is None else NewestMarket(**dict(row))


async def load_groups(connection: Connection | Pool, market_id: str) -> dict[str, str]:
    """Identity groups of a snapshot, by security."""
    return _groups_decoder.decode(unpack(await connection.fetchval("SELECT groups FROM market WHERE market_id = $1", market_id)))


async def load_splits(connection: Connection | Pool) -> tuple[CorporateAction, ...]:
    """Every split known, by security and date."""
    rows = await connection.fetch("SELECT security_id, ex_date, ratio FROM split ORDER BY security_id, ex_date")
    return tuple(CorporateAction(row["security_id"], row["ex_date"], "split", row["ratio"]) for row in rows)


async def save_run(connection: Connection, run: RunOpened, included: Sequence[RunAccount], correlationid: str, now: datetime) -> None:
    """Keep a run and the households it waits for; a run that came before changes nothing."""
    fresh = await connection.fetchval(
        "INSERT INTO run (run_id, market_id, as_of, correlationid, opened_at) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (run_id) DO NOTHING RETURNING 1",
        run.run_id,
        run.market_id,
        run.as_of,
        correlationid,
        run.opened_at,
    )
    if fresh is None:
        return
    households = sorted({account.household_id for account in included})
    await connection.executemany(
        "INSERT INTO run_household (run_id, household_id, since) VALUES ($1, $2, $3)", [(run.run_id, name, now) for name in households]
    )
    await connection.executemany(
        "INSERT INTO run_account (run_id, household_id, account_id, account_version, trade_seq) VALUES ($1, $2, $3, $4, $5)",
        [(run.run_id, a.household_id, a.account_id, a.account_version, a.trade_seq) for a in included],
    )


class Asked(Struct, frozen=True):
    """A household that a run asks for, all of whose accounts are here as the run lists them."""

    run_id: str
    household_id: str
    market_id: str
    as_of: date
    correlationid: str


async def take_ready(connection: Connection) -> Asked | None:
    """The next household that can be answered, locked until the transaction ends; another worker takes another one.

    It can when the run's market has come and each account that the run includes is known at its version and trade, or beyond, or has
    left; not while the household's facts contradict each other.
    """
    row = await connection.fetchrow(
        "SELECT w.run_id, w.household_id, r.market_id, r.as_of, r.correlationid FROM run_household w JOIN run r USING (run_id) "
        "WHERE EXISTS (SELECT 1 FROM market m WHERE m.market_id = r.market_id) "
        "AND NOT EXISTS (SELECT 1 FROM household h WHERE h.household_id = w.household_id AND h.refused IS NOT NULL) AND NOT EXISTS ("
        "SELECT 1 FROM run_account a LEFT JOIN account_seen s USING (household_id, account_id) "
        "WHERE a.run_id = w.run_id AND a.household_id = w.household_id AND NOT coalesce("
        "s.departed OR (s.account_version >= a.account_version AND s.trade_seq >= a.trade_seq), false)) "
        "ORDER BY r.opened_at, w.run_id, w.household_id LIMIT 1 FOR UPDATE OF w SKIP LOCKED"
    )
    return None if row is None else Asked(**dict(row))


async def answered(connection: Connection, asked: Asked) -> None:
    """The run waits for this household no more."""
    await connection.execute("DELETE FROM run_household WHERE run_id = $1 AND household_id = $2", asked.run_id, asked.household_id)


class Waits(Struct, frozen=True):
    """Households that runs wait for, since when the first does, early inputs, and households whose facts contradict each other."""

    households: int
    oldest: datetime | None
    early_inputs: int
    held_back: int


async def count_waits(pool: Pool) -> Waits:
    """What waits, now."""
    row = await pool.fetchrow(
        "SELECT count(*) AS households, min(since) AS oldest, (SELECT coalesce(sum(early_inputs), 0) FROM household) AS early_inputs, "
        "(SELECT count(*) FROM household WHERE refused IS NOT NULL) AS held_back FROM run_household"
    )
    return Waits(row["households"], row["oldest"], int(row["early_inputs"]), row["held_back"])
