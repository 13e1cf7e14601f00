"""Who owns a partition and how far it is done: the marks in PostgreSQL that make an effect happen once.

Invariants
1. The offset mark moves by compare-and-set on (epoch, next offset): of two owners at most one commits, the other is `Fenced`.
2. An owner that comes later has a higher epoch; it starts where the last committed batch ended.
3. `next_offset` is what the owner last committed; what it has read ahead of that (`read_to`, `seen`) is given up with it on any failure.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from libs.common.bus import TopicPartition
from libs.common.db import Connection
from libs.common.errors import DependencyDown, Fenced, InvariantBroken
from libs.common.observe import Metrics, log

CLAIM_WAIT_MS = 2_000

_CLAIM = """INSERT INTO consumed AS c (topic, partition, next_offset, epoch, cluster_id) VALUES ($1, $2, 0, 1, $3)
    ON CONFLICT (topic, partition) DO UPDATE SET epoch = c.epoch + 1 RETURNING next_offset, epoch, cluster_id"""

# The parked households are read under a lock: one that is being redriven is waited for, and read as the redrive left it.
_MOVE = """WITH held AS (SELECT key FROM parked FOR SHARE)
    UPDATE consumed SET next_offset = $5 WHERE topic = $1 AND partition = $2 AND epoch = $3 AND next_offset = $4
    RETURNING ARRAY(SELECT key FROM held)"""

_FINISH = """WITH seen AS (
        INSERT INTO lane_seen (topic, partition, lane, seq)
        SELECT $1, $2, m.lane, m.seq FROM unnest($3::text[], $4::bigint[]) AS m (lane, seq)
        ON CONFLICT (topic, partition, lane) DO UPDATE SET seq = EXCLUDED.seq),
    gone AS (DELETE FROM outbox WHERE lane = $5 AND seq <= $6)
    INSERT INTO lane AS l (lane, out_seq, pub_seq) VALUES ($5, $7, 0)
    ON CONFLICT (lane) DO UPDATE SET out_seq = l.out_seq + $7, pub_seq = greatest(l.pub_seq, $6) RETURNING out_seq"""


@dataclass
class Owned:
    """A partition that this process owns, as far as it knows.

    `read_to` is the offset behind the last record that was read, committed or not; `seen` the highest sequence read of each lane;
    `acknowledged` the last sequence of the own lane that the bus has and PostgreSQL does not know of yet (0: none); `publishing` what is
    on its way to the bus.
    """

    place: TopicPartition
    lane: str
    epoch: int
    next_offset: int
    read_to: int
    seen: dict[str, int] = field(default_factory=dict)
    acknowledged: int = 0
    publishing: asyncio.Task[None] | None = None


async def claim(connection: Connection, service: str, place: TopicPartition, cluster_id: str) -> Owned:
    """Become the partition's owner: a new epoch, behind which older owners are fenced.

    Raises asyncpg.LockNotAvailableError while a transaction of the last owner is still open, InvariantBroken where the offsets
    belong to another cluster.
    """
    await connection.execute(f"SET LOCAL lock_timeout = {CLAIM_WAIT_MS}")
    row = await connection.fetchrow(_CLAIM, place.topic, place.partition, cluster_id)
    if row["cluster_id"] != cluster_id:
        raise InvariantBroken(
            f"{service}: offsets of {place.topic} belong to Kafka cluster {row['cluster_id']}, this is {cluster_id}; "
            "see 'another cluster' in docs/runbook.md"
        )
    seen = await connection.fetch("SELECT lane, seq FROM lane_seen WHERE topic = $1 AND partition = $2", place.topic, place.partition)
    lane = f"{service}:{place.topic}:{place.partition}"
    return Owned(place, lane, row["epoch"], row["next_offset"], row["next_offset"], {each["lane"]: each["seq"] for each in seen})


def check_extent(owned: Owned, held: range, metrics: Metrics) -> None:
    """Say so when records that were not taken are gone; raises DependencyDown where the partition ends before what was taken."""
    place = owned.place
    if owned.next_offset > held.stop:
        raise DependencyDown(
            f"{place.topic}/{place.partition} ends at {held.stop}, and {owned.next_offset} was to come next: Kafka lost records, "
            "or is not up yet; see 'Kafka lost its data' in docs/runbook.md"
        )
    if 0 < owned.next_offset < held.start:
        metrics.retention_lost.labels(place.topic).inc(held.start - owned.next_offset)
        log().error("retention_passed", topic=place.topic, partition=place.partition, wanted=owned.next_offset, oldest=held.start)


async def move_mark(connection: Connection, owned: Owned, after: int) -> set[str]:
    """Move the offset mark to `after`; returns the households that are parked.  Raises Fenced when another owner has taken over."""
    place = owned.place
    parked = await connection.fetchval(_MOVE, place.topic, place.partition, owned.epoch, owned.next_offset, after)
    if parked is None:
        raise Fenced(f"{place.topic}/{place.partition}")
    return set(parked)


async def finish_batch(connection: Connection, owned: Owned, seen: Mapping[str, int], said: int) -> int:
    """Remember the sequences seen, forget what the bus has acknowledged, and take `said` numbers of the own lane; returns the last."""
    place = owned.place
    lanes, numbers = list(seen), list(seen.values())
    last: int = await connection.fetchval(_FINISH, place.topic, place.partition, lanes, numbers, owned.lane, owned.acknowledged, said)
    return last
