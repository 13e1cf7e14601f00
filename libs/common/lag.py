"""How far a consumer is behind: its own gauges, and Kafka's group offsets as a hint for the lag tools that look there.

The truth lies in PostgreSQL (libs/common/ownership.py); the hint is written from it about once a second where it moved, and never read.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from itertools import count

from libs.common.bus import Consumer, TopicPartition
from libs.common.errors import DependencyDown
from libs.common.observe import Metrics
from libs.common.ownership import Owned

LAG_EVERY_S = 1.0
ALL_AGAIN_ROUNDS = 30  # a hint that did not arrive is given again after so many, though nothing moved
ANSWER_DEADLINE_S = 5.0  # a poll of a lost broker just returns nothing: whoever asks it something has to notice


async def watch_lag(
    consumer: Consumer, topics: Sequence[str], owned: Mapping[TopicPartition, Owned], taken_ms: Mapping[str, int], metrics: Metrics
) -> None:
    """Until cancelled: records not yet taken by topic, how long ago the last taken (`taken_ms`) was written, and the hint.

    Raises DependencyDown when the bus does not answer.
    """
    noted: dict[TopicPartition, int] = {}
    for number in count():
        await asyncio.sleep(LAG_EVERY_S)
        following = {place: each.next_offset for place, each in owned.items()}
        ends = await _end_offsets(consumer, set(following))
        lag: dict[str, int] = dict.fromkeys(topics, 0)
        for place, end in ends.items():
            lag[place.topic] += max(0, end - following[place])
        now_s = time.time()
        for topic, records in lag.items():
            age_s = max(0.0, now_s - taken_ms.get(topic, 0) / 1000) if records and topic in taken_ms else 0.0
            metrics.lag_records.labels(topic).set(records)
            metrics.lag_seconds.labels(topic).set(age_s)
        again = number % ALL_AGAIN_ROUNDS == 0
        await consumer.note_taken({place: offset for place, offset in following.items() if again or noted.get(place) != offset})
        noted = following


async def _end_offsets(consumer: Consumer, places: set[TopicPartition]) -> dict[TopicPartition, int]:
    try:
        async with asyncio.timeout(ANSWER_DEADLINE_S):
            return await consumer.end_offsets(places)
    except TimeoutError as error:
        raise DependencyDown(f"the bus has not answered for {ANSWER_DEADLINE_S:.0f} s") from error
