"""The bus: what the services need of Kafka, and no more.  Two implementations pass one contract test (tests/contract):

* `libs.common.bus.kafka.KafkaBus`: Apache Kafka through aiokafka.
* `libs.common.bus.memory.MemoryBus`: in this process, for the demo and the fast tests.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from libs.common.events import Header, Record


@dataclass(frozen=True, order=True)
class TopicPartition:
    """One partition of one topic."""

    topic: str
    partition: int


class Received(Struct, frozen=True, gc=False):
    """A message as it came: where it stood and its content.  `timestamp_ms` is the broker's or the producer's, UTC."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes
    headers: Sequence[Header]


PartitionsCallback = Callable[[set[TopicPartition]], Awaitable[None]]


class Consumer(Protocol):
    """A member of a consumer group.  The callbacks run before records of newly assigned partitions are returned, and before
    revoked ones move to another member."""

    async def start(self, on_assigned: PartitionsCallback, on_revoked: PartitionsCallback) -> None: ...

    async def stop(self) -> None: ...

    async def poll(self, max_records: int, timeout_s: float) -> Mapping[TopicPartition, list[Received]]:
        """The next records of the assigned partitions, in order within each; empty when none come within the timeout."""
        ...

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Continue at `offset` (0 or an offset that retention removed: at the oldest record there is)."""
        ...

    def assigned(self) -> set[TopicPartition]: ...

    async def extent(self, partitions: set[TopicPartition]) -> dict[TopicPartition, range]:
        """The offsets that each partition holds now: from the oldest kept to before the next."""
        ...

    async def note_taken(self, following: Mapping[TopicPartition, int]) -> None:
        """Tell the broker which offset comes next in each partition, for those who watch lag there; never read back, never raises."""
        ...

    async def end_offsets(self, partitions: set[TopicPartition]) -> dict[TopicPartition, int]:
        """For each partition the offset that the next published record will get."""
        ...


class Bus(Protocol):
    """Publishes and consumes.  Every call raises DependencyDown while the broker does not answer."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def publish(self, records: Sequence[Record]) -> None:
        """Return when every record is acknowledged by all in-sync replicas; records of one key keep their order."""
        ...

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer: ...

    async def cluster_id(self) -> str:
        """An id that changes when the broker's data were lost: offsets of another cluster mean nothing here."""
        ...

    async def extent(self, topics: Sequence[str]) -> dict[TopicPartition, range]:
        """The offsets that each partition of the topics holds now: from the oldest kept to before the next; no group is joined."""
        ...

    def read(self, places: Mapping[TopicPartition, range]) -> AsyncIterator[Received]:
        """The records at these offsets, partition by partition in order, without a group; offsets that hold none are passed over."""
        ...
