"""Has PostgreSQL been restored from a backup, or has Kafka lost data?  A service looks before it says or takes anything.

Every event carries the lane and the number that its sender's outbox gave it, and each of our topics has one sender.  A number on the topics
that PostgreSQL has not given out yet was given out by a database that is no more: the service would give it out again, for something
else, and every consumer would drop that as a repetition.  So it refuses to run until it has caught up (libs/common/catch_up.py).
"""

from collections.abc import Sequence

from libs.common.bus import Bus, Received
from libs.common.db import Connection, Pool, transaction
from libs.common.errors import InvariantBroken
from libs.common.event_flows import FLOWS
from libs.common.events import EVENT_TYPES, Header
from libs.common.outbox import LANE_HEADER, SEQUENCE_HEADER
from libs.common.topics import SERVICES, dead_letter_topic

LAST_RECORDS = 20  # of each partition: more than the newest, since a relay may have repeated older ones behind it


class BehindItsWord(InvariantBroken):
    """PostgreSQL has not given out numbers that are on the topics: it was restored from a backup."""


class KafkaLost(InvariantBroken):
    """The offsets in PostgreSQL are of another cluster, or beyond what the topics hold."""


def own_topics(service: str) -> list[str]:
    """Where a service says things."""
    said = {EVENT_TYPES[name].topic for name, flow in FLOWS.items() if service in flow.senders}
    return sorted(said | ({dead_letter_topic(service)} if service in SERVICES else set()))


def place_in_lane(headers: Sequence[Header]) -> tuple[str, int] | None:
    """The lane and the number that a record's sender gave it; None where it has none, as of a foreign sender."""
    found = dict(headers)
    lane, number = found.get(LANE_HEADER), found.get(SEQUENCE_HEADER)
    if lane is None or number is None or not number.isdigit():
        return None
    return lane.decode(errors="replace"), int(number)


def own_place(service: str, record: Received) -> tuple[str, int] | None:
    """A record's place in a lane of this service; None where it is not of one."""
    place = place_in_lane(record.headers)
    return place if place is not None and place[0].startswith(f"{service}:") else None


async def given_out(connection: Connection | Pool) -> dict[str, int]:
    """The last number that PostgreSQL gave out in each lane."""
    return {row["lane"]: row["out_seq"] for row in await connection.fetch("SELECT lane, out_seq FROM lane")}


async def refuse_if_restored(service: str, pool: Pool, bus: Bus) -> None:
    """Return when PostgreSQL and Kafka fit each other; raises KafkaLost or BehindItsWord, which say what to do."""
    async with transaction(pool) as connection:
        await refuse_if_kafka_lost(service, connection, bus)
        unfinished = await connection.fetchval("SELECT to_regclass('catching_up') IS NOT NULL")
    if unfinished:
        raise BehindItsWord(f"{service}: a catch-up was begun and not finished; {_remedy(service)}")
    highest: dict[str, tuple[int, str]] = {}
    extent = await bus.extent(own_topics(service))
    async for record in bus.read({partition: offsets[-LAST_RECORDS:] for partition, offsets in extent.items()}):
        place = own_place(service, record)
        if place is not None:
            highest[place[0]] = max(highest.get(place[0], (0, "")), (place[1], record.topic))
    async with transaction(pool) as connection:  # after the topics: another process of the service may speak meanwhile
        known = await given_out(connection)
    for lane, (number, topic) in sorted(highest.items()):
        if number > known.get(lane, 0):
            raise BehindItsWord(
                f"{service}: {topic} holds number {number} of lane {lane}, PostgreSQL has given out {known.get(lane, 0)}: "
                f"it was restored from a backup; {_remedy(service)}"
            )


async def refuse_if_kafka_lost(service: str, connection: Connection, bus: Bus) -> None:
    """Raises KafkaLost when the offsets in PostgreSQL can't be of these topics."""
    rows = await connection.fetch("SELECT topic, partition, next_offset, cluster_id FROM consumed ORDER BY topic, partition")
    cluster_id = await bus.cluster_id()
    for row in rows:
        if row["cluster_id"] != cluster_id:
            raise KafkaLost(
                f"{service}: offsets of {row['topic']} belong to Kafka cluster {row['cluster_id']}, this is {cluster_id}; "
                "see 'Kafka lost its data' in docs/runbook.md"
            )
    extent = await bus.extent(sorted({row["topic"] for row in rows}))
    ends = {(place.topic, place.partition): offsets.stop for place, offsets in extent.items()}
    for row in rows:
        end = ends.get((row["topic"], row["partition"]), 0)
        if row["next_offset"] > end:
            raise KafkaLost(
                f"{service}: has taken {row['topic']}/{row['partition']} up to offset {row['next_offset']}, and it ends at {end}; "
                "see 'Kafka lost its data' in docs/runbook.md"
            )


def _remedy(service: str) -> str:
    return f"run `python -m deploy.catch_up {service}`; see 'PostgreSQL restored from a backup' in docs/runbook.md"
