"""The tables of wash_sale as typed calls; SQL lives here and nowhere else in the service."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime

import msgspec
from msgspec import Struct

from libs.common.db import Connection, Pool
from libs.common.ids import bytes_id
from libs.common.packing import pack, unpack
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.market import CorporateAction, MarketPublished, Reorganization, RunAccount, RunOpened
from services.wash_sale.core.household import AccountFacts, HouseholdLedger

_facts_decoder = msgspec.json.Decoder(HouseholdLedger)
_said_decoder = msgspec.json.Decoder(LedgerUpdated)
_action_decoder = msgspec.json.Decoder(Reorganization)
_groups_decoder = msgspec.json.Decoder(dict[str, str])

FIRST_DAY = date(1, 1, 1)
LOCK_PREFIX = "wash_sale household "
"""Of the name whose hash is a household's lock: who changes or says it holds it until the transaction ends."""
SAVED_TOGETHER = 25
KEPT_PACKED_BYTES = 1024 * 1024  # some fifty times as much when decoded


class Household(Struct, frozen=True):
    """A household as stored: its facts, the latest day that came with them, and the version and content digest last said of it."""

    facts: HouseholdLedger
    as_of: date = FIRST_DAY
    version: int = 0
    said_digest: str = ""
    unsaid: bool = False


class Changed(Struct, frozen=True):
    """A household's facts as changed, the latest day that came with them, and the accounts that changed."""

    facts: HouseholdLedger
    as_of: date
    touched: frozenset[str]

    def seen(self) -> list[AccountFacts]:
        """The accounts that changed."""
        return [self.facts.accounts[account_id] for account_id in sorted(self.touched) if account_id in self.facts.accounts]

    def early_inputs(self) -> int:
        """Trades and account versions that wait for others."""
        return sum(map(len, self.facts.waiting.values())) + sum(len(account.pending) for account in self.facts.accounts.values())


class Households:
    """Loads and saves households' facts, and keeps the last ones decoded: by the digest of the stored body, so never a stale one."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, HouseholdLedger]] = {}
        self._sizes: dict[str, int] = {}
        self._packed_bytes = 0

    async def load(self, connection: Connection, household_id: str) -> Household:
        """A household, locked until the transaction ends; an empty one if it is new."""
        return (await self.lock(connection, [household_id]))(household_id)

    async def lock(self, connection: Connection, household_ids: Sequence[str]) -> Callable[[str], Household]:
        """Households, locked in this order until the transaction ends: a call gives one as it stands now, an empty one if it is new."""
        locks = [LOCK_PREFIX + household_id for household_id in household_ids]
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext(name)) FROM unnest($1::text[]) AS name", locks)
        return await self._read(connection, household_ids)

    async def load_locked(self, connection: Connection, household_ids: Sequence[str]) -> Iterator[Household]:
        """Households that the caller's transaction has locked, in the order asked for; each is decoded when its turn comes."""
        return map(await self._read(connection, household_ids), household_ids)

    async def _read(self, connection: Connection, household_ids: Sequence[str]) -> Callable[[str], Household]:
        rows = await connection.fetch(
            "SELECT household_id, facts_digest, as_of, version, said_digest, unsaid FROM household WHERE household_id = ANY($1::text[])",
            household_ids,
        )
        stored = {row["household_id"]: row for row in rows}
        known = {name: kept for name, row in stored.items() if (kept := self._kept.get(name)) and kept[0] == row["facts_digest"]}
        missing = sorted(stored.keys() - known.keys())
        bodies = {}
        if missing:
            found = await connection.fetch("SELECT household_id, facts FROM household WHERE household_id = ANY($1::text[])", missing)
            bodies = dict(found)

        def household(name: str) -> Household:
            if (row := stored.get(name)) is None:
                return Household(HouseholdLedger(name))
            body = bodies.pop(name, None)
            if body is not None:
                known[name] = self._keep(row["facts_digest"], _facts_decoder.decode(unpack(body)), len(body))
            return Household(known.pop(name)[1], row["as_of"], row["version"], row["said_digest"], row["unsaid"])

        return household

    async def save(self, connection: Connection, changed: Sequence[Changed]) -> None:
        """Write changed facts, to be said; few at a time, so that their bodies don't fill the memory."""
        for first in range(0, len(changed), SAVED_TOGETHER):
            await self._save(connection, changed[first : first + SAVED_TOGETHER])

    async def _save(self, connection: Connection, changed: Sequence[Changed]) -> None:
        bodies = [pack(one.facts) for one in changed]
        digests = [bytes_id(body) for body in bodies]
        seen = [(one.facts.household_id, account) for one in changed for account in one.seen()]
        await connection.execute(
            "WITH h AS (INSERT INTO household (household_id, facts, facts_digest, as_of, early_inputs, unsaid) "
            "SELECT *, true FROM unnest($1::text[], $2::bytea[], $3::text[], $4::date[], $5::int[]) ON CONFLICT (household_id) DO UPDATE "
            "SET facts = EXCLUDED.facts, facts_digest = EXCLUDED.facts_digest, as_of = EXCLUDED.as_of, "
            "early_inputs = EXCLUDED.early_inputs, unsaid = true, refused = NULL) "
            "INSERT INTO account_seen (household_id, account_id, account_version, trade_seq, departed) "
            "SELECT * FROM unnest($6::text[], $7::text[], $8::int[], $9::int[], $10::boolean[]) ON CONFLICT (household_id, account_id) "
            "DO UPDATE SET account_version = EXCLUDED.account_version, trade_seq = EXCLUDED.trade_seq, departed = EXCLUDED.departed",
            [one.facts.household_id for one in changed],
            bodies,
            digests,
            [one.as_of for one in changed],
            [one.early_inputs() for one in changed],
            [household_id for household_id, _ in seen],
            [account.account_id for _, account in seen],
            [account.version for _, account in seen],
            [account.trade_seq for _, account in seen],
            [account.departed for _, account in seen],
        )
        for one, digest, body in zip(changed, digests, bodies, strict=True):
            self._keep(digest, one.facts, len(body))

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
    """Keep a snapshot's identity groups, and its splits and reorganizations beside those known before."""
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
    await connection.executemany(
        "INSERT INTO reorganization (security_id, ex_date, body) VALUES ($1, $2, $3) "
        "ON CONFLICT (security_id, ex_date) DO UPDATE SET body = $3",
        [(action.security_id, action.ex_date, pack(action)) for action in market.reorganizations],
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


async def load_reorganizations(connection: Connection | Pool) -> list[Reorganization]:
    """Every reorganization known, by date and security."""
    rows = await connection.fetch("SELECT body FROM reorganization ORDER BY ex_date, security_id")
    return [_action_decoder.decode(unpack(row["body"])) for row in rows]


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
