"""Two-hop latency at a steady rate: produced -> taken, committed in PostgreSQL, published by the full consumer -> received by the next.

    python -m benchmarks.latency [--rate 40] [--seconds 15]

The full consumer runs in a process of its own; this one sends 1 KB account events evenly and receives what was said on, so that one
clock measures both ends.  Real Kafka, real PostgreSQL with fsync.  Prints one JSON line (milliseconds).
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop
from aiokafka import AIOKafkaConsumer

from benchmarks.consumer import IDLE_S, make_database, spawn
from benchmarks.consumer_load import CASES, IN_TOPIC, OUT_TOPIC, records_of
from benchmarks.machine import machine
from deploy.local import kafka, postgres
from deploy.topics import make_topics
from libs.common.bus.kafka import FETCH_WAIT_MS, KafkaBus
from libs.common.topics import Topic

WARM_UP_S = 2.0
DRAIN_S = 2.0
PARTITIONS = 4
ID_HEADER = "ce_id"
CAUSE_HEADER = "ce_causationid"


async def measure(bootstrap: str, rate: int, seconds: float) -> list[float]:
    """Send and receive at once; the milliseconds of every message after the warm-up, in the order of arrival."""
    sent_s: dict[bytes, float] = {}
    received_ms: list[float] = []
    consumer = AIOKafkaConsumer(
        OUT_TOPIC, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False, fetch_max_wait_ms=FETCH_WAIT_MS
    )
    bus = KafkaBus(bootstrap)
    await bus.start()
    await consumer.start()
    began_s = time.monotonic()

    async def receive() -> None:
        async for record in consumer:
            sent = sent_s[dict(record.headers)[CAUSE_HEADER]]
            if sent - began_s > WARM_UP_S:
                received_ms.append(1e3 * (time.monotonic() - sent))

    receiving = asyncio.create_task(receive())
    publishing = set()
    for number, record in enumerate(records_of(CASES[0])[: int(rate * seconds)]):
        await asyncio.sleep(max(0.0, began_s + number / rate - time.monotonic()))
        sent_s[dict(record.headers)[ID_HEADER]] = time.monotonic()
        task = asyncio.create_task(bus.publish([record]))
        publishing.add(task)
        task.add_done_callback(publishing.discard)
    await asyncio.sleep(DRAIN_S)
    receiving.cancel()
    await asyncio.gather(receiving, *publishing, return_exceptions=True)
    await consumer.stop()
    await bus.stop()
    return received_ms


def run(rate: int, seconds: float) -> list[float]:
    """Servers, the full consumer's process, and the measurement."""
    with kafka.temporary([]) as node, postgres.temporary() as server, tempfile.TemporaryDirectory() as directory:
        config = Topic("any").config
        asyncio.run(make_topics(node.bootstrap, [Topic(IN_TOPIC, PARTITIONS, config), Topic(OUT_TOPIC, PARTITIONS, config)]))
        asyncio.run(make_database(server.dsn, "bench"))
        gate = Path(directory, "gate")
        worker: subprocess.Popen[str] = spawn("full", node.bootstrap, "-", server.dsn_of("bench"), gate, None)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n", "the full consumer ended early"
        gate.touch()
        found = uvloop.run(measure(node.bootstrap, rate, seconds))
        worker.wait(timeout=10 * IDLE_S)
    return found


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--rate", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    for _ in range(arguments.rounds):
        found = run(arguments.rate, arguments.seconds)
        cuts = statistics.quantiles(found, n=100)
        figures = {
            "figure": "two-hop latency",
            "messages_per_s": arguments.rate,
            "messages": len(found),
            "p50_ms": round(cuts[49], 1),
            "p90_ms": round(cuts[89], 1),
            "p99_ms": round(cuts[98], 1),
            "most_ms": round(max(found), 1),
            "aim": {"p50_ms": 10, "p99_ms": 50},
            "machine": machine(),
        }
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
