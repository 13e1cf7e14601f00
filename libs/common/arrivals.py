"""Records as they arrive: what a relay sent twice is dropped, what can't be read becomes a dead letter."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from msgspec import Struct

from libs.common.bus import Received, TopicPartition
from libs.common.db import Connection
from libs.common.errors import Undecodable
from libs.common.events import EVENT_TYPES, Event, Record, from_record, payload_of
from libs.common.observe import Metrics, log
from libs.common.outbox import LANE_HEADER, SEQUENCE_HEADER
from libs.common.topics import dead_letter_topic


@dataclass(frozen=True)
class Arrival:
    """A readable record: its place and its event."""

    received: Received
    event: Event
    payload: Struct


class Reader:
    """Reads one service's records; `wanted` are the payload types that it takes, others are passed over."""

    def __init__(self, service: str, metrics: Metrics, wanted: Collection[type[Struct]]) -> None:
        self._service = service
        self._metrics = metrics
        self._wanted = wanted

    async def drop_repeated(self, connection: Connection, partition: TopicPartition, records: Sequence[Received]) -> list[Received]:
        """Drop what a relay sent twice, and remember the highest sequence of each lane."""
        rows = await connection.fetch(
            "SELECT lane, seq FROM lane_seen WHERE topic = $1 AND partition = $2", partition.topic, partition.partition
        )
        seen: dict[str, int] = {row["lane"]: row["seq"] for row in rows}
        before = dict(seen)
        kept = []
        for record in records:
            headers = dict(record.headers)
            lane, seq = headers.get(LANE_HEADER), headers.get(SEQUENCE_HEADER)
            if lane is None or seq is None or not seq.isdigit():
                kept.append(record)
                continue
            name, number = lane.decode(errors="replace"), int(seq)
            if number <= seen.get(name, 0):
                self._metrics.repeated.labels(partition.topic).inc()
                continue
            seen[name] = number
            kept.append(record)
        moved = [(partition.topic, partition.partition, lane, seq) for lane, seq in seen.items() if before.get(lane) != seq]
        if moved:
            await connection.executemany(
                "INSERT INTO lane_seen (topic, partition, lane, seq) VALUES ($1, $2, $3, $4) "
                "ON CONFLICT (topic, partition, lane) DO UPDATE SET seq = EXCLUDED.seq",
                moved,
            )
        return kept

    def read(self, records: Sequence[Received]) -> tuple[list[Arrival], list[Record]]:
        """Decode; what can't be read becomes a dead letter that says why and whence."""
        arrivals, letters = [], []
        for record in records:
            try:
                arrival = self.arrival(record)
                if arrival is not None:
                    arrivals.append(arrival)
            except Undecodable as error:
                self._metrics.dead_letters.labels(record.topic).inc()
                log().error("dead_letter", topic=record.topic, partition=record.partition, offset=record.offset, reason=str(error))
                letters.append(_dead_letter(self._service, record, str(error)))
        return arrivals, letters

    def arrival(self, record: Received) -> Arrival | None:
        """The record decoded; None when its type is not one that this service takes.  Raises Undecodable."""
        event = from_record(record.key, record.value, record.headers)
        payload_type = EVENT_TYPES[event.type].payload
        if payload_type not in self._wanted:
            return None
        return Arrival(record, event, payload_of(event, payload_type))


def _dead_letter(service: str, record: Received, reason: str) -> Record:
    """The record as it came, with the reason and its place in the headers."""
    headers = [
        *((name, value) for name, value in record.headers if name not in (LANE_HEADER, SEQUENCE_HEADER)),
        ("pma-reason", reason.encode()),
        ("pma-topic", record.topic.encode()),
        ("pma-partition", str(record.partition).encode()),
        ("pma-offset", str(record.offset).encode()),
    ]
    return Record(dead_letter_topic(service), record.key or b"", record.value, headers)
