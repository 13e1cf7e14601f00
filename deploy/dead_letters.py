"""Show a service's dead letters: `python -m deploy.dead_letters BOOTSTRAP SERVICE [--last N]`.

One JSON line a message that the service could not read: when it was set aside, why, where it stood, its key and the start of its value.
Nothing is changed: what to do with one is a person's decision (docs/runbook.md).
"""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from libs.common.topics import SERVICES, dead_letter_topic

VALUE_SHOWN_BYTES = 400


async def dead_letters(bootstrap: str, service: str, last: int) -> AsyncIterator[dict[str, object]]:
    """The newest `last` dead letters of a service, oldest first."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        partition = TopicPartition(dead_letter_topic(service), 0)
        consumer.assign([partition])
        first, end = (await consumer.beginning_offsets([partition]))[partition], (await consumer.end_offsets([partition]))[partition]
        position = max(first, end - last)
        consumer.seek(partition, position)
        while position < end:
            record = await consumer.getone(partition)
            position = record.offset + 1
            yield _shown(record)
    finally:
        await consumer.stop()


def _shown(record: ConsumerRecord) -> dict[str, object]:
    said = {name: value.decode(errors="replace") for name, value in record.headers if name.startswith("pma-")}
    return {
        "set_aside_at": datetime.fromtimestamp(record.timestamp / 1000, UTC).isoformat(),
        "reason": said.get("pma-reason"),
        "topic": said.get("pma-topic"),
        "partition": said.get("pma-partition"),
        "offset": said.get("pma-offset"),
        "key": (record.key or b"").decode(errors="replace"),
        "value_starts": (record.value or b"")[:VALUE_SHOWN_BYTES].decode(errors="replace"),
    }


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.dead_letters", description=__doc__)
    parser.add_argument("bootstrap", help="comma-separated host:port")
    parser.add_argument("service", choices=SERVICES)
    parser.add_argument("--last", type=int, default=20, help="how many of the newest (default 20)")
    arguments = parser.parse_args()

    async def show() -> None:
        async for letter in dead_letters(arguments.bootstrap, arguments.service, arguments.last):
            sys.stdout.write(json.dumps(letter, ensure_ascii=False) + "\n")

    try:
        asyncio.run(show())
    except KafkaError as error:
        sys.stderr.write(f"dead letters: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
