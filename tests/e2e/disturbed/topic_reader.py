"""Reads topics from their beginning, as a consumer with the (lane, sequence) filter does."""

from dataclasses import dataclass, field
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from libs.common.events import EVENT_TYPES, Event, from_record, payload_of
from libs.common.outbox import LANE_HEADER, SEQUENCE_HEADER
from libs.common.topics import SERVICES, TOPICS, dead_letter_topic

Kind = TypeVar("Kind", bound=Struct)
MAX_BYTES = 4 * 1024 * 1024
DEAD_LETTERS = frozenset(map(dead_letter_topic, SERVICES))
PLACES = [TopicPartition(topic.name, number) for topic in TOPICS for number in range(topic.partitions)]
POLL_MS = 200


@dataclass
class TopicReader:
    """Everything said so far, each record once; `repeated` counts what the filter dropped, `dead_letters` what a service could not read."""

    bootstrap: str
    said: list[tuple[Event, Struct]] = field(default_factory=list)
    records: int = 0
    repeated: int = 0
    dead_letters: int = 0

    async def __aenter__(self) -> "TopicReader":
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest", max_partition_fetch_bytes=MAX_BYTES
        )
        await self._consumer.start()
        self._consumer.assign(PLACES)
        self._next = dict.fromkeys(PLACES, 0)
        self._seen: dict[tuple[TopicPartition, bytes], int] = {}
        for place in PLACES:
            self._consumer.seek(place, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def ends(self) -> dict[tuple[str, int], int]:
        """The offset after the last record of each partition."""
        found = await self._consumer.end_offsets(PLACES)
        return {(place.topic, place.partition): end for place, end in found.items()}

    async def catch_up(self) -> dict[tuple[str, int], int]:
        """Read what has come since the last time; returns the ends that were read up to."""
        ends = await self.ends()
        while any(self._next[place] < ends[place.topic, place.partition] for place in PLACES):
            for place, records in (await self._consumer.getmany(timeout_ms=POLL_MS)).items():
                for record in records:
                    self._keep(place, record)
                self._next[place] = records[-1].offset + 1
        return ends

    def _keep(self, place: TopicPartition, record: object) -> None:
        headers = tuple(record.headers)  # type: ignore[attr-defined]
        found = dict(headers)
        lane, number = found.get(LANE_HEADER), int(found.get(SEQUENCE_HEADER, b"0"))
        self.records += 1
        if place.topic in DEAD_LETTERS:
            self.dead_letters += 1
            return
        if lane is not None:
            if number <= self._seen.get((place, lane), 0):
                self.repeated += 1
                return
            self._seen[place, lane] = number
        event = from_record(record.key, record.value, headers)  # type: ignore[attr-defined]
        self.said.append((event, payload_of(event, EVENT_TYPES[event.type].payload)))

    def payloads(self, kind: type[Kind]) -> list[Kind]:
        """The payloads of one kind, each partition in its order."""
        return [payload for _, payload in self.said if isinstance(payload, kind)]
