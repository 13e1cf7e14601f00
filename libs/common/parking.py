"""Parked households: what can't be applied waits, in order, with all that comes after it, until someone redrives or drops it.

Invariants
1. A household's messages apply in the order of their arrival: none is applied while an earlier one of the household is parked.
2. What one household can't apply holds up no other.
3. A parked message and the offset mark behind it commit together: it is kept, exactly once.
4. A redrive and a batch never hold the same household at once: each reads `parked` under a lock on the household's row.
5. What a redrive says is on the bus before the household is let go, so nothing that comes later overtakes it.
6. A message leaves unapplied only by a person's word, as a dead letter with the person's name and reason.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from libs.common.arrivals import Arrival, Reader, dead_letter
from libs.common.bus import Received
from libs.common.clock import Clock
from libs.common.db import Connection, Pool, transaction
from libs.common.errors import CannotApply, Undecodable
from libs.common.events import Event, to_record
from libs.common.observe import log
from libs.common.outbox import Relay, append_records, decode_headers, encode_headers, last_number

Apply = Callable[[Connection, Sequence[Arrival]], Awaitable[list[Event]]]

DATA_ERRORS = (CannotApply, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)
LONGEST_REASON = 2_000
RELAY_PAUSE_S = 0.05


class Parking:
    """The parked households of one service; `apply` gives events to their handlers and returns what those said.

    What a redrive says leaves by `relay`'s lane.
    """

    def __init__(self, service: str, clock: Clock, reader: Reader, apply: Apply, relay: Relay) -> None:
        self._service = service
        self._clock = clock
        self._reader = reader
        self._apply = apply
        self._relay = relay

    async def apply_together(self, connection: Connection, arrivals: Sequence[Arrival], parked: set[str]) -> list[Event]:
        """Park what comes behind a parked household and apply the rest at once; raises one of DATA_ERRORS if any can't be."""
        waiting = [arrival for arrival in arrivals if arrival.event.partitionkey in parked] if parked else []
        for arrival in waiting:
            await self._park(connection, arrival, None)
        if waiting:
            arrivals = [arrival for arrival in arrivals if arrival.event.partitionkey not in parked]
        return await self._apply(connection, arrivals) if arrivals else []

    async def apply_each(self, connection: Connection, arrivals: Sequence[Arrival], parked: set[str]) -> list[Event]:
        """Apply one by one, each in a savepoint, and park the household of one that can't be, from that message on."""
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
                await self._park(connection, arrival, _reason(error))
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
        applied, said_to = 0, None
        while True:
            async with transaction(pool) as connection:
                message = await self._first(connection, key)
                reason = None if message is None else await self._apply_parked(connection, key, message)
                if message is None:
                    said_to = said_to if said_to is not None else await last_number(connection, self._relay.lane)
                    if await self._let_go(connection, key, said_to):
                        return applied, None
            if message is None:
                await self._relay_all()
            elif reason is not None:
                return applied, reason
            else:
                applied, said_to = applied + 1, None

    async def drop_first(self, pool: Pool, key: str, actor: str, why: str) -> Received | None:
        """Set the household's first parked message aside as a dead letter, by `actor`'s word; None where none is parked.

        The household stays parked until it is redriven.
        """
        async with transaction(pool) as connection:
            message = await self._first(connection, key)
            if message is None:
                return None
            log().warning("parked_dropped", key=key, actor=actor, reason=why, offset=message.offset, topic=message.topic)
            letter = dead_letter(self._service, message, f"dropped by {actor}: {why}")
            await append_records(connection, self._relay.lane, [letter])
            await self._forget(connection, message)
        await self._relay_all()
        return message

    async def _first(self, connection: Connection, key: str) -> Received | None:
        """Lock the household and read its first parked message."""
        await connection.execute("SELECT 1 FROM parked WHERE key = $1 FOR UPDATE", key)
        row = await connection.fetchrow("SELECT * FROM parked_message WHERE key = $1 ORDER BY arrival LIMIT 1", key)
        if row is None:
            return None
        return Received(row["topic"], row["partition"], row["offset"], 0, key.encode(), row["value"], decode_headers(row["headers"]))

    async def _apply_parked(self, connection: Connection, key: str, message: Received) -> str | None:
        """Apply one parked message and forget it; the reason where it still can't be."""
        try:
            arrival = self._reader.arrival(message)
            async with connection.transaction():
                emitted = await self._apply(connection, [arrival] if arrival else [])
        except (Undecodable, *DATA_ERRORS) as error:
            await connection.execute("UPDATE parked SET reason = $2 WHERE key = $1", key, _reason(error))
            return _reason(error)
        if emitted:
            await append_records(connection, self._relay.lane, list(map(to_record, emitted)))
        await self._forget(connection, message)
        return None

    async def _let_go(self, connection: Connection, key: str, said_to: int) -> bool:
        """Unpark a household of which nothing waits; False while something that its redrive said is not on the bus yet."""
        if await connection.fetchval("SELECT 1 FROM outbox WHERE lane = $1 AND seq <= $2 LIMIT 1", self._relay.lane, said_to):
            return False
        await connection.execute("DELETE FROM parked WHERE key = $1", key)
        return True

    async def _relay_all(self) -> None:
        """Publish the redrive's lane; where another replica is at it, give it a moment."""
        published = False
        while await self._relay.publish_once():
            published = True
        if not published:
            await asyncio.sleep(RELAY_PAUSE_S)

    async def _forget(self, connection: Connection, message: Received) -> None:
        await connection.execute(
            'DELETE FROM parked_message WHERE topic = $1 AND partition = $2 AND "offset" = $3',
            message.topic,
            message.partition,
            message.offset,
        )


def _reason(error: Exception) -> str:
    """The error's text as PostgreSQL can keep it."""
    return str(error).replace("\x00", "\\0")[:LONGEST_REASON]
