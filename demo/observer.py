"""Reads every topic from its beginning and keeps what was said: the demo's progress, its waiting and its output rest on this alone."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from msgspec import Struct

from demo.tracker import Tracker
from libs.common.bus import Bus, TopicPartition
from libs.common.errors import Undecodable
from libs.common.events import EVENT_TYPES, Event, from_record, payload_of
from libs.common.topics import TOPICS

Kind = TypeVar("Kind", bound=Struct)
POLL_S = 0.1


@dataclass(frozen=True)
class Said:
    """One event as it came over the bus."""

    type: str
    recorded_at: datetime
    payload: Struct


class Observer:
    """A consumer of its own group over all topics; an event that a relay sent twice is kept once.

    `events` are all of them as they travelled, in the order in which they were seen (within a partition: in their order).
    """

    def __init__(self, bus: Bus) -> None:
        self._consumer = bus.consumer("demo-observer", [topic.name for topic in TOPICS])
        self._ids: set[tuple[str, str]] = set()
        self._of_kind: dict[type[Struct], list[Said]] = {}
        self._grown = asyncio.Condition()
        self.events: list[Event] = []
        self.dead_letters = 0
        self.tracker = Tracker()

    async def run(self) -> None:
        """Read until cancelled."""

        async def from_the_start(partitions: set[TopicPartition]) -> None:
            for partition in partitions:
                self._consumer.seek(partition, 0)

        async def nothing(partitions: set[TopicPartition]) -> None:
            return

        try:
            await self._consumer.start(from_the_start, nothing)
            while True:
                for records in (await self._consumer.poll(2_000, POLL_S)).values():
                    for record in records:
                        self._keep(record.key, record.value, record.headers)
                async with self._grown:
                    self._grown.notify_all()
        finally:
            await self._consumer.stop()

    def _keep(self, key: bytes | None, value: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        try:
            event = from_record(key, value, headers)
            payload = payload_of(event, EVENT_TYPES[event.type].payload)
        except Undecodable:
            self.dead_letters += 1
            return
        if (event.source, event.id) in self._ids:
            return
        self._ids.add((event.source, event.id))
        self.events.append(event)
        self.tracker.note(payload)
        self._of_kind.setdefault(type(payload), []).append(Said(event.type, event.time, payload))

    def said(self, kind: type[Kind]) -> list[Said]:
        """Every event of a kind, in the order in which they came (within a partition: in their order)."""
        return self._of_kind.get(kind, [])

    def payloads(self, kind: type[Kind]) -> Iterator[Kind]:
        """The payloads of a kind, in order."""
        for said in self.said(kind):
            assert isinstance(said.payload, kind)
            yield said.payload

    async def until(self, condition: Callable[[], bool], deadline_s: float, what: str) -> None:
        """Return when the condition holds; it is looked at whenever something came.  Raises TimeoutError saying what was waited for."""
        try:
            async with asyncio.timeout(deadline_s), self._grown:
                await self._grown.wait_for(condition)
        except TimeoutError as error:
            raise TimeoutError(f"waited {deadline_s:.0f} s for {what}") from error
