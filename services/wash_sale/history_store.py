"""What was known when: every version of a ledger that was said, by household."""

from datetime import datetime

import msgspec

from libs.common.db import Connection, Pool
from libs.common.packing import pack, unpack
from libs.common.schemas.ledger import LedgerUpdated

_decoder = msgspec.json.Decoder(LedgerUpdated)


async def keep_said(connection: Connection, said: LedgerUpdated, known_at: datetime) -> None:
    """Keep a version that was said; the same version again (for another run) changes nothing."""
    await connection.execute(
        "INSERT INTO said_history (household_id, version, known_at, said) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        said.household_id,
        said.version,
        known_at,
        pack(said),
    )


async def said_at(pool: Pool, household_id: str, known_at: datetime) -> LedgerUpdated | None:
    """The ledger as it was known at a time (that moment included); None where nothing was."""
    body = await pool.fetchval(
        "SELECT said FROM said_history WHERE household_id = $1 AND known_at <= $2 ORDER BY version DESC LIMIT 1", household_id, known_at
    )
    return None if body is None else _decoder.decode(unpack(body))


async def said_before(connection: Connection, household_id: str, version: int) -> LedgerUpdated | None:
    """The last ledger said before a version; None before the first."""
    body = await connection.fetchval(
        "SELECT said FROM said_history WHERE household_id = $1 AND version < $2 ORDER BY version DESC LIMIT 1", household_id, version
    )
    return None if body is None else _decoder.decode(unpack(body))


async def said_version(pool: Pool, household_id: str, version: int) -> LedgerUpdated | None:
    """One version of a ledger."""
    body = await pool.fetchval("SELECT said FROM said_history WHERE household_id = $1 AND version = $2", household_id, version)
    return None if body is None else _decoder.decode(unpack(body))
