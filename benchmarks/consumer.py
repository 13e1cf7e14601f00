"""The full consumer (offset mark, state, outbox, publish, purge) against a bare aiokafka loop, on real Kafka and PostgreSQL.

    python -m benchmarks.consumer [--case 1KB] [--case account] ... [--growth] [--rounds 3] [--profile FILE]

Both take the same records from one topic and put as many on another, in processes of their own that start at the same moment; `full`
also reads each event, keeps one state row an account and survives any kill.  The rounds alternate bare and full, so each ratio has
its baseline beside it; rounds on a busy machine swing, the median of the ratios is what counts.  Prints a JSON line a case.
"""

import argparse
import asyncio
import cProfile
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.consumer_load import CASES, IN_TOPIC, OUT_TOPIC, Case, bench_events, full_service, records_of
from benchmarks.machine import machine
from deploy.local import kafka, postgres
from deploy.topics import make_topics
from libs.common.bus import Consumer, Received, TopicPartition
from libs.common.bus.kafka import FETCH_WAIT_MS, KafkaBus
from libs.common.bus.kafka_publisher import BATCH_BYTES, MAX_MESSAGE_BYTES
from libs.common.events import Record
from libs.common.topics import Topic

MOST_RECORDS = 500
IDLE_S = 3.0
GATE_POLL_S = 0.01


class Clocked:
    """What a worker did: how many records, and when the first was taken and the last was done (seconds of the machine's clock)."""

    def __init__(self, gate: Path) -> None:
        self.gate = gate
        self.records = 0
        self.first_s = self.last_s = 0.0
        self.cpu_from_s = 0.0

    def opened(self) -> None:
        self.first_s = self.last_s = time.monotonic()
        self.cpu_from_s = time.process_time()

    def took(self, records: int) -> None:
        self.records += records
        self.last_s = time.monotonic()
        self.cpu_s = time.process_time() - self.cpu_from_s

    @property
    def idle(self) -> bool:
        return time.monotonic() - self.last_s > IDLE_S

    async def wait_for_gate(self) -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while not self.gate.exists():  # noqa: ASYNC110  (another process opens it)
            await asyncio.sleep(GATE_POLL_S)
        self.opened()

    def said(self) -> str:
        return json.dumps({"records": self.records, "first_s": self.first_s, "last_s": self.last_s, "cpu_s": getattr(self, "cpu_s", 0.0)})


class GatedBus(KafkaBus):
    """Kafka, whose consumer gives nothing out before `open`, and which counts what was acknowledged."""

    def __init__(self, bootstrap: str, clocked: Clocked) -> None:
        super().__init__(bootstrap)
        self.open = False
        self._clocked = clocked

    async def publish(self, records: Sequence[Record]) -> None:
        await super().publish(records)
        self._clocked.took(len(records))

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        inner = super().consumer(group, topics)
        take = inner.poll

        async def poll(max_records: int, timeout_s: float) -> Mapping[TopicPartition, list[Received]]:
            if self.open:
                return await take(max_records, timeout_s)
            await asyncio.sleep(GATE_POLL_S)
            return {}

        setattr(inner, "poll", poll)  # noqa: B010
        return inner


async def run_bare(bootstrap: str, group: str, clocked: Clocked) -> None:
    """Take up to 500 records, send each on, wait for all acknowledgements, commit: the least a consumer can do."""
    consumer = AIOKafkaConsumer(
        IN_TOPIC,
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
        fetch_max_wait_ms=FETCH_WAIT_MS,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=BATCH_BYTES,
        max_request_size=MAX_MESSAGE_BYTES,
    )
    await producer.start()
    await consumer.start()
    await clocked.wait_for_gate()
    while not clocked.idle:
        taken = await consumer.getmany(timeout_ms=20, max_records=MOST_RECORDS)
        if not taken:
            continue
        sent = [
            await producer.send(OUT_TOPIC, record.value, key=record.key, headers=list(record.headers))
            for records in taken.values()
            for record in records
        ]
        await asyncio.gather(*sent)
        await consumer.commit()
        clocked.took(len(sent))
    await consumer.stop()
    await producer.stop()


async def run_full(bootstrap: str, dsn: str, clocked: Clocked, profile: str | None) -> None:
    """The same through the project's own consumer, in a service that keeps a state and says each event on."""
    bus = GatedBus(bootstrap, clocked)
    service = full_service(dsn, bus)
    profiler = cProfile.Profile() if profile else None
    async with service.running():
        while not service.ready:  # noqa: ASYNC110  (this is a measurement, not a service)
            await asyncio.sleep(GATE_POLL_S)
        await clocked.wait_for_gate()
        bus.open = True
        if profiler:
            profiler.enable()
        while not clocked.idle and not service.failed.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        if profiler and profile:
            profiler.disable()
            profiler.dump_stats(profile)
        if service.failure is not None:
            raise service.failure
    await bus.stop()


def spawn(kind: str, bootstrap: str, group: str, dsn: str, gate: Path, profile: str | None, whole: bool = False) -> "subprocess.Popen[str]":
    argv = [
        sys.executable,
        "-m",
        "benchmarks.consumer",
        "--worker",
        kind,
        bootstrap,
        group,
        dsn,
        str(gate),
        profile or "",
        "whole" if whole else "head",
    ]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def one_run(kind: str, bootstrap: str, dsn: str, group: str, processes: int, profile: str | None, whole: bool) -> dict[str, float]:
    """Start the workers together, and add up what they did."""
    with tempfile.TemporaryDirectory() as directory:
        gate = Path(directory, "gate")
        workers = [spawn(kind, bootstrap, group, dsn, gate, profile, whole) for _ in range(processes)]
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n", f"a {kind} worker ended early"
        gate.touch()
        said = [json.loads(worker.communicate()[0]) for worker in workers]
    records = sum(each["records"] for each in said)
    wall_s = max(each["last_s"] for each in said) - min(each["first_s"] for each in said)
    return {"records": records, "per_s": records / wall_s, "cpu_ms": 1e3 * sum(each["cpu_s"] for each in said) / records}


async def fill(bootstrap: str, case: Case, partitions: int) -> int:
    """Make both topics and publish the case's records; returns how many."""
    config = Topic("any").config
    await make_topics(bootstrap, [Topic(IN_TOPIC, partitions, config), Topic(OUT_TOPIC, partitions, config)])
    bus = KafkaBus(bootstrap)
    await bus.start()
    records = records_of(case)
    for start in range(0, len(records), MOST_RECORDS):
        await bus.publish(records[start : start + MOST_RECORDS])
    await bus.stop()
    return len(records)


async def make_database(dsn: str, name: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()


def measure(case: Case, partitions: int, processes: int, rounds: int, profile: str | None) -> dict[str, Any]:
    """Alternate bare and full over the same records; the figures of every round and the median ratio."""
    bare, full = [], []
    with kafka.temporary([]) as node, postgres.temporary() as server:
        records = asyncio.run(fill(node.bootstrap, case, partitions))
        for number in range(rounds):
            bare.append(one_run("bare", node.bootstrap, "-", f"bare{number}", processes, None, case.whole))
            asyncio.run(make_database(server.dsn, f"bench{number}"))
            full.append(one_run("full", node.bootstrap, server.dsn_of(f"bench{number}"), f"full{number}", processes, profile, case.whole))
    assert all(run["records"] == records for run in bare + full), (records, bare, full)
    ratios = [f["per_s"] / b["per_s"] for f, b in zip(full, bare, strict=True)]
    return {
        "figure": "full consumer against a bare loop",
        "case": case.name,
        "value_bytes": case.value_bytes,
        "accounts": case.accounts,
        "payload": "whole" if case.whole else "head",
        "records": records,
        "partitions": partitions,
        "processes": processes,
        "bare_per_s": [round(run["per_s"]) for run in bare],
        "full_per_s": [round(run["per_s"]) for run in full],
        "ratios": [round(ratio, 2) for ratio in ratios],
        "ratio": round(statistics.median(ratios), 2),
        "aim": case.aim,
        "bare_cpu_ms": round(statistics.median(run["cpu_ms"] for run in bare), 3),
        "full_cpu_ms": round(statistics.median(run["cpu_ms"] for run in full), 3),
        "machine": machine(),
    }


def work(kind: str, bootstrap: str, group: str, dsn: str, gate: str, profile: str, payload: str) -> None:
    clocked = Clocked(Path(gate))
    bench_events(payload == "whole")
    run = run_bare(bootstrap, group, clocked) if kind == "bare" else run_full(bootstrap, dsn, clocked, profile or None)
    uvloop.run(run)
    sys.stdout.write(clocked.said() + "\n")


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.consumer", description=__doc__)
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES], help="default: all")
    parser.add_argument("--growth", action="store_true", help="also 2 and 4 partitions and processes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", help="write the full worker's cProfile here")
    parser.add_argument("--worker", nargs=7, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(*arguments.worker)
        return 0
    os.environ.setdefault("PYTHONPATH", ".")
    for case in CASES:
        if arguments.case and case.name not in arguments.case:
            continue
        for count in (1, 2, 4) if arguments.growth and case.aim else (1,):
            figures = measure(case, count, count, arguments.rounds, arguments.profile)
            sys.stdout.write(json.dumps(figures) + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
