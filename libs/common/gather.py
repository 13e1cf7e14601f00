"""How many records are taken at once: what is worked in a few seconds; and waiting for a burst of changes to few large states."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from libs.common.bus import Consumer, Received, TopicPartition

BATCH_RECORDS = 500
FIRST_BATCH_RECORDS = 100
GATHERED_RECORDS = 5_000
BATCH_AIM_S = 5.0
PART_BYTES = 1024 * 1024  # some forty times as much when decoded, and two parts are in hand at once
FORGET_HEAVIEST = 0.95  # a batch


def parts_of(records: Sequence[Received]) -> Iterator[Sequence[Received]]:
    """The records in parts of at most `PART_BYTES` of values (a larger one alone): a transaction each, so that memory stays bounded."""
    first = held_bytes = 0
    for place, record in enumerate(records):
        if place > first and held_bytes + len(record.value) > PART_BYTES:
            yield records[first:place]
            first, held_bytes = place, 0
        held_bytes += len(record.value)
    if records:
        yield records[first:]


class BatchSize:
    """How many records to take next, by the heaviest of late: a member of a group that doesn't poll for minutes is expelled."""

    def __init__(self) -> None:
        self.records = FIRST_BATCH_RECORDS
        self._record_s = 0.0

    def fit(self, records: int, took_s: float) -> None:
        """So many records were worked in so many seconds."""
        self._record_s = max(took_s / records, FORGET_HEAVIEST * self._record_s, 1e-6)
        self.records = max(1, min(BATCH_RECORDS, 2 * self.records, int(BATCH_AIM_S / self._record_s)))


@dataclass(frozen=True)
class Gather:
    """When records of `topic` come, wait for more as long as some come within `idle_s`, at most `most_s`, before they are applied.

    A burst of ten thousand fills is then one or two new states of each account, not a hundred.
    """

    topic: str
    idle_s: float = 0.5
    most_s: float = 5.0


async def add_what_follows(consumer: Consumer, batches: dict[TopicPartition, list[Received]], gather: Gather) -> None:
    """Add to what was polled whatever follows it without a pause."""
    until = asyncio.get_running_loop().time() + gather.most_s
    while asyncio.get_running_loop().time() < until and sum(map(len, batches.values())) < GATHERED_RECORDS:
        more = await consumer.poll(BATCH_RECORDS, gather.idle_s)
        if not more:
            return
        for partition, records in more.items():
            known = batches.get(partition, [])
            last = known[-1].offset if known else -1
            batches[partition] = [*known, *(record for record in records if record.offset > last)]
