"""Parked households: what can't be applied waits, in order, with all that comes after it, until someone redrives it.

Invariants
1. A household's messages apply in the order of their arrival: none is applied while an earlier one of the household is parked.
2. What one household can't apply holds up no other.
3. A parked message and the offset mark behind it commit together: it is kept, exactly once.
"""

from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from libs.common.arrivals import Arrival, Reader
from libs.common.bus import Received
from libs.common.clock import Clock
from libs.common.db import Connection, Pool, transaction
from libs.common.errors import CannotApply
from libs.common.events import Event, to_record
from libs.common.observe import log
from libs.common.outbox import append_records, decode_headers, encode_headers

Apply = Callable[[Connection, Sequence[Arrival]], Awaitable[list[Event]]]

DATA_ERRORS = (CannotApply, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)


class Parking:
    """The parked households of one service; `apply` gives events to their handlers and returns what those said."""

    def __init__(self, service: str, clock: Clock, reader: Reader, apply: Apply) -> None:
        self._service = service
        self._clock = clock
        self._reader = reader
        self._apply = apply

    async def apply_or_park(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[Event]:
        """Apply all in one savepoint; if one can't be applied, again one by one, so that only its household is parked."""
        parked = {row["key"] for row in await connection.fetch("SELECT key FROM parked")}
        if not any(arrival.event.partitionkey in parked for arrival in arrivals):
            try:
                async with connection.transaction():
                    return await self._apply(connection, arrivals)
            except DATA_ERRORS:
                pass
        emitted: list[Event] = []
        for arrival in arrivals:
            if arrival.event.partitionkey in parked:
                await self._park(connection, arrival, None)
                continue
            try:
                async with connection.transaction():
                    emitted += await self._apply(connection, [arrival])
            except DATA_ERRORS as error:
                parked.add(arrival.event.partitionkey)
                await self._park(connection, arrival, str(error))
        return emitted

    async def _park(self, connection: Connection, arrival: Arrival, reason: str | None) -> None:
        event, record = arrival.event, arrival.received
        if reason is not None:
            log().error("parked", key=event.partitionkey, type=event.type, reason=reason, correlationid=event.correlationid)
            await connection.execute(
                "INSERT INTO parked (key, subject, reason, since) VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO NOTHING",
                event.partitionkey,
                event.subject,
                reason,
                self._clock.now(),
            )
        await connection.execute(
            'INSERT INTO parked_message (key, topic, partition, "offset", headers, value) VALUES ($1, $2, $3, $4, $5, $6)',
            event.partitionkey,
            record.topic,
            record.partition,
            record.offset,
            encode_headers(record.headers),
            record.value,
        )

    async def redrive(self, pool: Pool, key: str) -> tuple[int, str | None]:
        """Apply a parked household's messages again, in order, to the first that still can't be.

        Returns how many were applied and, if some are left, the reason.
        """
        applied = 0
        while True:
            async with transaction(pool) as connection:
                await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"{self._service} redrive {key}")
                row = await connection.fetchrow("SELECT * FROM parked_message WHERE key = $1 ORDER BY arrival LIMIT 1", key)
                if row is None:
                    await connection.execute("DELETE FROM parked WHERE key = $1", key)
                    return applied, None
                reason = await self._apply_parked(connection, key, row)
                if reason is not None:
                    return applied, reason
                applied += 1

    async def _apply_parked(self, connection: Connection, key: str, row: asyncpg.Record) -> str | None:
        """Apply one parked message and forget it; the reason where it still can't be."""
        received = Received(row["topic"], row["partition"], row["offset"], 0, key.encode(), row["value"], decode_headers(row["headers"]))
        arrival = self._reader.arrival(received)
        try:
            async with connection.transaction():
                emitted = await self._apply(connection, [arrival] if arrival else [])
        except DATA_ERRORS as error:
            await connection.execute("UPDATE parked SET reason = $2 WHERE key = $1", key, str(error))
            return str(error)
        if emitted:
            await append_records(connection, f"{self._service}:background", list(map(to_record, emitted)))
        await connection.execute(
            'DELETE FROM parked_message WHERE topic = $1 AND partition = $2 AND "offset" = $3',
            row["topic"],
            row["partition"],
            row["offset"],
        )
        return None
