"""Records as they arrive: what a relay sent twice is dropped, what can't be read becomes a dead letter."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from libs.common.bus import Received
from libs.common.errors import Undecodable
from libs.common.events import EVENT_TYPES, Event, Record, from_record, payload_of
from libs.common.outbox import LANE_HEADER, LARGEST_VALUE_BYTES, SEQUENCE_HEADER
from libs.common.topics import dead_letter_topic

GIVE_WAY_BYTES = 128 * 1024
RECORD_BYTES = 3 * 1024  # what the headers of a record cost to read, in bytes of a value
LONGEST_LANE = 200
MOST_DIGITS = 18  # of a sequence: it must fit a bigint


class Arrival(Struct, frozen=True, gc=False):
    """A readable record: its place and its event."""

    received: Received
    event: Event
    payload: Struct


@dataclass
class Taken:
    """What became of a batch's records: those to apply, dead letters, and the highest sequence of each lane that moved."""

    arrivals: list[Arrival] = field(default_factory=list)
    letters: list[Record] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    repeated: int = 0


class Reader:
    """Reads one service's records; `wanted` are the payload types that it takes, others are passed over."""

    def __init__(self, service: str, wanted: Collection[type[Struct]]) -> None:
        self._service = service
        self._wanted = wanted

    async def take(self, records: Sequence[Received], seen: Mapping[str, int]) -> Taken:
        """Drop what a relay sent twice (`seen`: the highest sequence taken before, by lane) and decode the rest, in order.

        Gives way to other work every few milliseconds: heartbeats, requests, the batch that is being committed.
        """
        taken, unread_bytes = Taken(), 0
        for record in records:
            unread_bytes += RECORD_BYTES + len(record.value)
            if unread_bytes > GIVE_WAY_BYTES:
                unread_bytes = 0
                await asyncio.sleep(0)
            lane, number = _lane_and_sequence(record)
            if lane:
                if number <= taken.seen.get(lane, seen.get(lane, 0)):
                    taken.repeated += 1
                    continue
                taken.seen[lane] = number
            try:
                arrival = self.arrival(record)
                if arrival is not None:
                    taken.arrivals.append(arrival)
            except Undecodable as error:
                taken.letters.append(dead_letter(self._service, record, str(error)))
        return taken

    def arrival(self, record: Received) -> Arrival | None:
        """The record decoded; None when its type is not one that this service takes.  Raises Undecodable."""
        event = from_record(record.key, record.value, record.headers)
        if (
            "\x00"
            in f"{event.id}{event.source}{event.subject}{event.partitionkey}{event.correlationid}{event.causationid}{event.traceparent}"
        ):
            raise Undecodable("an attribute holds a NUL character")  # PostgreSQL keeps none, so it could not even be parked
        payload_type = EVENT_TYPES[event.type].payload
        if payload_type not in self._wanted:
            return None
        return Arrival(record, event, payload_of(event, payload_type))


def _lane_and_sequence(record: Received) -> tuple[str, int]:
    """Where a relay put the record in its lane; ('', 0) for one that carries no such stamp, or none of ours."""
    lane = sequence = None
    for name, raw in reversed(record.headers):  # a relay puts its stamp last
        if name == SEQUENCE_HEADER:
            sequence = raw
        elif name == LANE_HEADER:
            lane = raw
            break
    if not lane or not sequence or not sequence.isdigit() or len(sequence) > MOST_DIGITS or len(lane) > LONGEST_LANE:
        return "", 0
    name = lane.decode(errors="replace")
    return (name, int(sequence)) if name.isprintable() else ("", 0)


def dead_letter(service: str, record: Received, reason: str) -> Record:
    """The record as it came, with the reason and its place in the headers; a value too large to go on is cut."""
    headers = [
        *((name, value or b"") for name, value in record.headers if name not in (LANE_HEADER, SEQUENCE_HEADER)),
        ("pma-reason", reason.encode(errors="replace")),
        ("pma-topic", record.topic.encode()),
        ("pma-partition", str(record.partition).encode()),
        ("pma-offset", str(record.offset).encode()),
    ]
    value = record.value
    if len(value) > LARGEST_VALUE_BYTES:
        headers.append(("pma-cut", f"{LARGEST_VALUE_BYTES} of {len(value)} bytes".encode()))
        value = value[:LARGEST_VALUE_BYTES]
    return Record(dead_letter_topic(service), record.key or b"", value, headers)
