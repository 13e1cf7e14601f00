"""What is to be said of households and what was: whom runs wait for, who changed, and the ledgers last said, as typed calls."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import msgspec
from msgspec import Struct

from libs.common.db import Connection
from libs.common.ids import bytes_id
from libs.common.packing import pack, unpack
from libs.common.schemas.ledger import LedgerUpdated
from services.wash_sale.core.household import HouseholdLedger
from services.wash_sale.store import LOCK_PREFIX

_said_decoder = msgspec.json.Decoder(LedgerUpdated)


class Asked(Struct, frozen=True):
    """A household that a run asks for, all of whose accounts are here as the run lists them; `locked` is whether its lock was free."""

    run_id: str
    household_id: str
    market_id: str
    as_of: date
    correlationid: str
    locked: bool


async def take_ready(connection: Connection, at_most: int) -> list[Asked]:
    """The next households that can be answered, kept from other workers until the transaction ends; their locks are tried, not waited for.

    One can when the run's market has come and each account that the run includes is known at its version and trade, or beyond, or has
    left; not while the household's facts contradict each other.
    """
    rows = await connection.fetch(
        "SELECT ready.*, pg_try_advisory_xact_lock(hashtext($2 || ready.household_id)) AS locked FROM ("
        "SELECT w.run_id, w.household_id, r.market_id, r.as_of, r.correlationid FROM run_household w JOIN run r USING (run_id) "
        "WHERE EXISTS (SELECT 1 FROM market m WHERE m.market_id = r.market_id) "
        "AND NOT EXISTS (SELECT 1 FROM household h WHERE h.household_id = w.household_id AND h.refused IS NOT NULL) AND NOT EXISTS ("
        "SELECT 1 FROM run_account a LEFT JOIN account_seen s USING (household_id, account_id) "
        "WHERE a.run_id = w.run_id AND a.household_id = w.household_id AND NOT coalesce("
        "s.departed OR (s.account_version >= a.account_version AND s.trade_seq >= a.trade_seq), false)) "
        "ORDER BY r.opened_at, w.run_id, w.household_id LIMIT $1 FOR UPDATE OF w SKIP LOCKED) ready",
        at_most,
        LOCK_PREFIX,
    )
    return [Asked(**dict(row)) for row in rows]


class Unsaid(Struct, frozen=True):
    """A household that changed since its ledger was last said; `locked` is whether its lock was free."""

    household_id: str
    locked: bool


async def take_unsaid(connection: Connection, at_most: int) -> list[Unsaid]:
    """Households that changed, kept from other workers until the transaction ends; their locks are tried, not waited for."""
    rows = await connection.fetch(
        "SELECT household_id, pg_try_advisory_xact_lock(hashtext($2 || household_id)) AS locked FROM ("
        "SELECT household_id FROM household WHERE unsaid ORDER BY household_id LIMIT $1 FOR UPDATE SKIP LOCKED) changed",
        at_most,
        LOCK_PREFIX,
    )
    return [Unsaid(**dict(row)) for row in rows]


class Said(Struct, frozen=True):
    """A ledger that is said: its version and digest, the latest day, and its body packed; None where it is the last one again.

    `origin` is what it follows from besides the household's facts.
    """

    household_id: str
    version: int
    digest: str
    as_of: date
    body: bytes | None
    origin: str


async def save_said(connection: Connection, said: Sequence[Said], known_at: datetime) -> None:
    """Write the ledgers last said, those that changed into the history too; nothing of these households is unsaid then."""
    if not said:
        return
    await connection.execute(
        "UPDATE household h SET version = n.version, said_digest = n.digest, as_of = n.as_of, said = coalesce(n.said, h.said), "
        "said_from = concat_ws(' ', h.facts_digest, n.digest, n.origin), unsaid = false, refused = NULL "
        "FROM unnest($1::text[], $2::int[], $3::text[], $4::date[], $5::bytea[], $6::text[]) "
        "AS n (household_id, version, digest, as_of, said, origin) WHERE h.household_id = n.household_id",
        [one.household_id for one in said],
        [one.version for one in said],
        [one.digest for one in said],
        [one.as_of for one in said],
        [one.body for one in said],
        [one.origin for one in said],
    )
    fresh = [one for one in said if one.body is not None]
    if not fresh:
        return
    await connection.execute(
        "INSERT INTO said_history (household_id, version, known_at, said) SELECT n.household_id, n.version, $1, n.said "
        "FROM unnest($2::text[], $3::int[], $4::bytea[]) AS n (household_id, version, said) ON CONFLICT DO NOTHING",
        known_at,
        [one.household_id for one in fresh],
        [one.version for one in fresh],
        [one.body for one in fresh],
    )


async def load_standing(connection: Connection, origins: Mapping[str, str]) -> dict[str, Said]:
    """Of these households, which the caller's transaction has locked, the ledgers last said that would be said again: their facts are the
    same, and so is what else they follow from."""
    rows = await connection.fetch(
        "SELECT h.household_id, h.version, h.said_digest, h.as_of, h.said, n.origin FROM household h "
        "JOIN unnest($1::text[], $2::text[]) AS n (household_id, origin) USING (household_id) "
        "WHERE h.said IS NOT NULL AND h.said_from = concat_ws(' ', h.facts_digest, h.said_digest, n.origin)",
        list(origins),
        list(origins.values()),
    )
    return {row["household_id"]: Said(*row) for row in rows}


def said_of(body: bytes) -> LedgerUpdated:
    """A ledger that was said."""
    return _said_decoder.decode(unpack(body))


class Silent(Struct, frozen=True):
    """A household of which there is nothing to say: the content is the same, only early inputs came, or (`refused`) its facts contradict
    each other.  `origin` is what the ledger last said follows from too, besides the facts; None where it does not."""

    household_id: str
    refused: str | None
    origin: str | None = None


async def save_silent(connection: Connection, silent: Sequence[Silent]) -> None:
    """Their changes need no word."""
    if silent:
        await connection.execute(
            "UPDATE household h SET unsaid = false, refused = n.refused, "
            "said_from = CASE WHEN n.origin IS NULL THEN h.said_from ELSE concat_ws(' ', h.facts_digest, h.said_digest, n.origin) END "
            "FROM unnest($1::text[], $2::text[], $3::text[]) AS n (household_id, refused, origin) WHERE h.household_id = n.household_id",
            [one.household_id for one in silent],
            [one.refused for one in silent],
            [one.origin for one in silent],
        )


async def answered(connection: Connection, asked: Sequence[Asked]) -> None:
    """The runs wait for these households no more."""
    if asked:
        await connection.execute(
            "DELETE FROM run_household w USING unnest($1::text[], $2::text[]) AS n (run_id, household_id) "
            "WHERE w.run_id = n.run_id AND w.household_id = n.household_id",
            [one.run_id for one in asked],
            [one.household_id for one in asked],
        )


async def adopt_ledger(connection: Connection, said: LedgerUpdated, digest: str) -> None:
    """Let a household stand behind a ledger that was said of it; one not newer than the last changes nothing.

    A household that is new has no facts yet; they come with its accounts and trades.
    """
    facts = pack(HouseholdLedger(said.household_id))
    await connection.execute(
        "INSERT INTO household AS h (household_id, facts, facts_digest, as_of, early_inputs, unsaid, version, said_digest, said) "
        "VALUES ($1, $2, $3, $4, 0, false, $5, $6, $7) ON CONFLICT (household_id) DO UPDATE SET version = $5, said_digest = $6, "
        "as_of = greatest(h.as_of, $4), said = $7 WHERE h.version <= $5",
        said.household_id,
        facts,
        bytes_id(facts),
        said.as_of,
        said.version,
        digest,
        pack(said),
    )


async def end_answered(connection: Connection, answered: Iterable[tuple[str, str]]) -> None:
    """The runs (first of each pair) wait for these households no more."""
    await connection.executemany("DELETE FROM run_household WHERE run_id = $1 AND household_id = $2", sorted(answered))
