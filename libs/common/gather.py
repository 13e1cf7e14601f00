"""Waiting for a burst: many small changes of few large states are taken as one batch."""

import asyncio
from dataclasses import dataclass

from libs.common.bus import Consumer, Received, TopicPartition

POLL_RECORDS = 500
MOST_RECORDS = 5_000


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
    while asyncio.get_running_loop().time() < until and sum(map(len, batches.values())) < MOST_RECORDS:
        more = await consumer.poll(POLL_RECORDS, gather.idle_s)
        if not more:
            return
        for partition, records in more.items():
            known = batches.get(partition, [])
            last = known[-1].offset if known else -1
            batches[partition] = [*known, *(record for record in records if record.offset > last)]
