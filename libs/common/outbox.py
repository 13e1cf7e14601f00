"""The outbox: events leave exactly in the order their transactions committed, lane by lane.

A *lane* is one ordered stream of a service's events: one for each consumed partition, one for HTTP edits, one for background work.
A sequence number is given by updating the lane's row, so the row lock makes the order of numbers the order of commits and no
number below a published one can appear later.  Every published record carries (lane, sequence), by which a consumer drops
what a relay sent twice after a crash between publishing and marking.

Invariants
1. Within a lane, records reach the bus in rising sequence.
2. A row leaves the outbox only after the bus has acknowledged it.
3. State, consumed offset and outbox rows of one batch commit together or not at all.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from libs.common.bus import Bus
from libs.common.db import Connection, Pool, transaction
from libs.common.events import Event, Header, Record, to_record

LANE_HEADER = "pma-lane"
SEQUENCE_HEADER = "pma-seq"
RELAY_BATCH = 500
LARGEST_VALUE_BYTES = 4 * 1024 * 1024 - 64 * 1024
"""Of a record, so that with its headers it passes the topics' limit (libs/common/topics.py)."""
RELAY_POLL_S = 1.0

BACKBONE_DDL = (
    """CREATE TABLE consumed (
        topic text NOT NULL, partition int NOT NULL, next_offset bigint NOT NULL, epoch bigint NOT NULL, cluster_id text NOT NULL,
        PRIMARY KEY (topic, partition))""",
    "CREATE TABLE lane (lane text PRIMARY KEY, out_seq bigint NOT NULL, pub_seq bigint NOT NULL)",
    """CREATE TABLE outbox (
        lane text NOT NULL, seq bigint NOT NULL, topic text NOT NULL, key bytea NOT NULL, headers bytea NOT NULL, value bytea NOT NULL,
        written_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (lane, seq))""",
    "ALTER TABLE outbox ALTER COLUMN value SET STORAGE EXTERNAL",
    """CREATE TABLE lane_seen (
        topic text NOT NULL, partition int NOT NULL, lane text NOT NULL, seq bigint NOT NULL, PRIMARY KEY (topic, partition, lane))""",
    "CREATE TABLE inbox (topic text NOT NULL, id text NOT NULL, PRIMARY KEY (topic, id))",
    """CREATE TABLE parked (
        key text PRIMARY KEY, subject text NOT NULL, reason text NOT NULL, since timestamptz NOT NULL)""",
    """CREATE TABLE parked_message (
        key text NOT NULL, topic text NOT NULL, partition int NOT NULL, "offset" bigint NOT NULL, arrival bigserial NOT NULL,
        headers bytea NOT NULL, value bytea NOT NULL, PRIMARY KEY (topic, partition, "offset"))""",
)
"""The tables that every service's first migration makes; libs/common/consumer.py and this file are their only users."""

COPY_FROM_ROWS = 8
OUTBOX_COLUMNS = ("lane", "seq", "topic", "key", "headers", "value")
_INSERT_ROWS = """INSERT INTO outbox (lane, seq, topic, key, headers, value)
    SELECT $1, $2 + r.place - 1, r.topic, r.key, r.headers, r.value
    FROM unnest($3::text[], $4::bytea[], $5::bytea[], $6::bytea[]) WITH ORDINALITY AS r (topic, key, headers, value, place)"""

_headers_encoder = msgspec.msgpack.Encoder()
_headers_decoder = msgspec.msgpack.Decoder(list[Header])


def encode_headers(headers: Sequence[Header]) -> bytes:
    """Headers as one value for a table; one without a value (Kafka allows it) gets an empty one."""
    return _headers_encoder.encode([(name, value or b"") for name, value in headers])


def decode_headers(raw: bytes) -> list[Header]:
    """The inverse of `encode_headers`."""
    return _headers_decoder.decode(raw)


async def append_records(connection: Connection, lane: str, records: Sequence[Record]) -> int:
    """Add records to a lane inside the caller's transaction; returns the lane's new last sequence."""
    last: int = await connection.fetchval(
        "INSERT INTO lane AS l (lane, out_seq, pub_seq) VALUES ($1, $2, 0) "
        "ON CONFLICT (lane) DO UPDATE SET out_seq = l.out_seq + $2 RETURNING out_seq",
        lane,
        len(records),
    )
    await write_rows(connection, lane, last - len(records) + 1, records)
    return last


async def write_rows(connection: Connection, lane: str, first: int, records: Sequence[Record]) -> None:
    """Write records under the numbers from `first` on, which the caller's transaction has taken."""
    if len(records) >= COPY_FROM_ROWS:
        rows = [(lane, first + i, r.topic, r.key, encode_headers(r.headers), r.value) for i, r in enumerate(records)]
        await connection.copy_records_to_table("outbox", records=rows, columns=OUTBOX_COLUMNS)
    elif records:
        columns = (
            [r.topic for r in records],
            [r.key for r in records],
            [encode_headers(r.headers) for r in records],
            [r.value for r in records],
        )
        await connection.execute(_INSERT_ROWS, lane, first, *columns)


async def last_number(connection: Connection, lane: str) -> int:
    """The last sequence that the lane has given out, 0 for a lane that said nothing yet."""
    return await connection.fetchval("SELECT out_seq FROM lane WHERE lane = $1", lane) or 0


async def append_events(connection: Connection, lane: str, events: Sequence[Event]) -> int:
    """Add events to a lane inside the caller's transaction; returns the lane's new last sequence."""
    return await append_records(connection, lane, [to_record(event) for event in events])


async def mark_published(connection: Connection, lane: str, seq: int) -> None:
    """Note that everything up to `seq` was acknowledged by the bus, and forget it."""
    await connection.execute("UPDATE lane SET pub_seq = $2 WHERE lane = $1 AND pub_seq < $2", lane, seq)
    await connection.execute("DELETE FROM outbox WHERE lane = $1 AND seq <= $2", lane, seq)


async def publish_lane(connection: Connection, bus: Bus, lane: str) -> int:
    """Publish at most one batch of a lane's unpublished rows, in order; returns the last sequence published, 0 if none.

    The caller must be the lane's only publisher (it owns the partition, or holds the lane's advisory lock).
    """
    rows = await connection.fetch(
        "SELECT seq, topic, key, headers, value FROM outbox WHERE lane = $1 ORDER BY seq LIMIT $2", lane, RELAY_BATCH
    )
    if not rows:
        return 0
    await bus.publish(
        [Record(row["topic"], row["key"], row["value"], stamped(decode_headers(row["headers"]), lane, row["seq"])) for row in rows]
    )
    return int(rows[-1]["seq"])


async def publish_leftovers(pool: Pool, bus: Bus, lane: str) -> None:
    """Publish and mark what the lane's last owner committed and did not mark; the caller is the lane's owner now."""
    while True:
        async with transaction(pool) as connection:
            last = await publish_lane(connection, bus, lane)
            if not last:
                return
            await mark_published(connection, lane, last)


def stamped(headers: Sequence[Header], lane: str, seq: int) -> list[Header]:
    """The headers with the record's place in its lane."""
    return [*headers, (LANE_HEADER, lane.encode()), (SEQUENCE_HEADER, str(seq).encode())]


class Relay:
    """Publishes a lane that is written by HTTP requests or background work; several replicas take turns by an advisory lock."""

    def __init__(self, pool: Pool, bus: Bus, lane: str) -> None:
        self._pool = pool
        self._bus = bus
        self.lane = lane
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something was committed to the lane."""
        self._wake.set()

    async def run(self) -> None:
        """Relay until cancelled; raises DependencyDown, after which the caller backs off and calls again."""
        while True:
            self._wake.clear()
            while await self.publish_once():
                pass
            with suppress(TimeoutError):
                async with asyncio.timeout(RELAY_POLL_S):
                    await self._wake.wait()

    async def publish_once(self) -> bool:
        """Publish one batch; False when there was none or another replica is at it."""
        async with transaction(self._pool) as connection:
            if not await connection.fetchval("SELECT pg_try_advisory_xact_lock(hashtext($1))", f"relay {self.lane}"):
                return False
            last = await publish_lane(connection, self._bus, self.lane)
            if last:
                await mark_published(connection, self.lane, last)
            return last > 0
