"""Make the platform's topics: `python -m deploy.topics BOOTSTRAP [--replicas N]`, before the services start.

Topics are code (libs/common/topics.py).  One that exists keeps what it has; where that differs in partitions from the code the command
fails, since the number of partitions is part of the order of a household's messages and is never raised.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from libs.common.topics import TOPICS, Topic

TOPIC_EXISTS = 36


class TopicsRefused(RuntimeError):
    """A topic could not be made, or is not as the code says."""


async def make_topics(bootstrap: str, topics: Sequence[Topic], replicas: int = 1) -> None:
    """Make the topics that are missing; raises TopicsRefused with what the broker or the check said."""
    if not topics:
        return
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        wanted = [NewTopic(topic.name, topic.partitions, replicas, topic_configs=topic.config) for topic in topics]
        response = await admin.create_topics(wanted)
        refused = [
            f"{name}: {for_code(code).__name__} {text or ''}" for name, code, text in response.topic_errors if code not in (0, TOPIC_EXISTS)
        ]
        if refused:
            raise TopicsRefused("; ".join(refused))
        there = [name for name, code, _ in response.topic_errors if code == TOPIC_EXISTS]
        described = await admin.describe_topics(there) if there else []
        found = {each["topic"]: len(each["partitions"]) for each in described}
        wrong = [
            f"{t.name} has {found[t.name]} partitions, not {t.partitions}"
            for t in topics
            if found.get(t.name, t.partitions) != t.partitions
        ]
        if wrong:
            raise TopicsRefused("; ".join(wrong))
    finally:
        await admin.close()


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.topics", description=__doc__)
    parser.add_argument("bootstrap", help="comma-separated host:port")
    parser.add_argument("--replicas", type=int, default=1, help="copies of each partition (default 1)")
    arguments = parser.parse_args()
    try:
        asyncio.run(make_topics(arguments.bootstrap, TOPICS, arguments.replicas))
    except (TopicsRefused, KafkaError) as error:
        sys.stderr.write(f"topics: {error}\n")
        return 1
    sys.stdout.write(f"{len(TOPICS)} topics are there\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
