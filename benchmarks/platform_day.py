"""One day of the real platform for the benchmarks: Kafka, PostgreSQL (durable) and one process a service, as `make up` runs them.

The optimizer decides pro rata (benchmarks/pro_rata); there is no desk: the day ends when the run's orders are placed.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import book
from benchmarks.machine import cpu_s, tree
from deploy.local import kafka, postgres, process, stack
from deploy.local.scratch import scratch_directory
from libs.common.bus import TopicPartition
from libs.common.bus.kafka import KafkaBus
from libs.common.events import Record
from libs.common.topics import TOPICS, Topic

SERVICES = ("ingest", "restrictions", "wash_sale", "optimizer", "orders")
DEADLINE_S = 900.0
HTTP_TIMEOUT_S = 600.0
WARM_UP = "bench.warm-up"
WARM_UP_RECORDS, WARM_UP_BATCH, WARM_UP_BYTES = 6_000, 20, 16_384


@dataclass
class Running:
    """The platform: the root process of each part, and where each service answers."""

    home: Path
    dsn: str
    bootstrap: str
    roots: dict[str, list[int]]
    ports: dict[str, int]
    notes: dict[str, Any] = field(default_factory=dict)

    def cpu(self) -> dict[str, float]:
        """CPU seconds of each part so far; the optimizer's workers by themselves."""
        spent = {name: sum(cpu_s(tree(pid)) for pid in pids) for name, pids in self.roots.items() if name != "optimizer"}
        parts = [(each, each.pid == pid) for pid in self.roots["optimizer"] for each in tree(pid)]
        spent["optimizer parent"] = cpu_s(each for each, is_root in parts if is_root)
        spent["optimizer workers"] = cpu_s(each for each, is_root in parts if not is_root)
        return spent

    def peaks(self) -> dict[str, list[float]]:
        """The highest memory of each process of each service in MiB."""
        return {name: [round(each.peak_mib, 1) for pid in self.roots[name] for each in tree(pid)] for name in SERVICES}

    def send(self, service: str, path: str, body: bytes | Path, kind: str = "application/json") -> Any:
        """POST and return the answer."""
        with contextlib.ExitStack() as opened:
            data = opened.enter_context(body.open("rb")) if isinstance(body, Path) else body
            headers = {"content-type": kind}
            if isinstance(body, Path):
                headers["content-length"] = str(body.stat().st_size)
            request = urllib.request.Request(f"http://127.0.0.1:{self.ports[service]}{path}", data, headers)
            return json.loads(urllib.request.urlopen(request, timeout=HTTP_TIMEOUT_S).read())

    def ask(self, service: str, path: str) -> Any:
        """GET and return the answer."""
        return json.loads(urllib.request.urlopen(f"http://127.0.0.1:{self.ports[service]}{path}", timeout=HTTP_TIMEOUT_S).read())


@contextlib.contextmanager
def running_platform(partitions: int = 4, processes: int = 1, solvers: int = 2, extra: dict[str, str] | None = None) -> Iterator[Running]:
    """Everything up in a scratch directory; `processes` of each service, all of them stopped on leaving."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # told to end: stop what was started, too
    with scratch_directory("bench") as home, contextlib.ExitStack() as ending:
        market = home / "market"
        book.write_market(market)
        topics = [Topic(WARM_UP, partitions)] + [Topic(t.name, partitions if t.partitions > 1 else 1, t.config) for t in TOPICS]
        node = ending.enter_context(_kafka(home / "kafka", topics))
        asyncio.run(_warm_up(node.bootstrap))
        server = ending.enter_context(_postgres(home / "postgres"))
        postgres.make_database(server, stack.DATABASE)
        dsn = server.dsn_of(stack.DATABASE)
        common = {
            "PMA_POSTGRES_DSN": dsn,
            "PMA_KAFKA_BOOTSTRAP": node.bootstrap,
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            **(extra or {}),
        }
        ports = process.free_ports(len(SERVICES) * processes)
        programs = []
        for name in SERVICES:
            module = "benchmarks.pro_rata" if name == "optimizer" else f"services.{name}"
            own = {"ingest": {"PMA_MARKET_DIR": str(market)}, "optimizer": {"PMA_SOLVER_PROCESSES": str(solvers)}}.get(name, {})
            for copy in range(processes):
                port = ports.pop()
                programs.append(stack.Program(f"{name}-{copy}", module, port, {**common, **own, "PMA_PORT": str(port)}))
        for program in programs:
            ending.callback(stack.stop_program, home, program.name)
        stack.run_programs(home, programs[::processes])  # the first of each migrates
        stack.run_programs(home, programs)
        roots = {name: [stack.running_pid(home, f"{name}-{copy}") or 0 for copy in range(processes)] for name in SERVICES}
        roots["kafka"], roots["postgres"] = [node.pid], [server.pid]
        yield Running(home, dsn, node.bootstrap, roots, {p.name.rpartition("-")[0]: p.port or 0 for p in reversed(programs)})


async def _warm_up(bootstrap: str) -> None:
    """Let the broker's compiler see what will come: a broker runs for months, and its first seconds cost several times the later ones."""
    bus = KafkaBus(bootstrap)
    await bus.start()
    waste = os.urandom(WARM_UP_BYTES)
    for start in range(0, WARM_UP_RECORDS, WARM_UP_BATCH):
        await bus.publish([Record(WARM_UP, b"%d" % i, waste, [("ce_id", b"0" * 32)] * 12) for i in range(start, start + WARM_UP_BATCH)])
    consumer = bus.consumer("warm-up", [WARM_UP])

    async def from_the_start(partitions: set[TopicPartition]) -> None:
        for partition in partitions:
            consumer.seek(partition, 0)

    async def forget(_: set[TopicPartition]) -> None:
        return None

    await consumer.start(from_the_start, forget)
    left = WARM_UP_RECORDS
    while left > 0:
        left -= sum(map(len, (await consumer.poll(20, 0.5)).values()))
    await consumer.stop()
    await bus.stop()


@contextlib.contextmanager
def _kafka(home: Path, topics: list[Topic]) -> Iterator[kafka.Kafka]:
    home.mkdir(parents=True)
    try:
        yield kafka.start(home, topics)
    finally:
        kafka.stop(home)


@contextlib.contextmanager
def _postgres(home: Path) -> Iterator[postgres.Postgres]:
    home.mkdir(parents=True)
    try:
        yield postgres.start(home)
    finally:
        postgres.stop(home)


@dataclass(frozen=True)
class Day:
    """What one day took: seconds by the clock from the first byte of the feed to the last order, CPU seconds by part, and outcomes."""

    wall_s: float
    feed_s: float
    cpu_s: dict[str, float]
    orders: int
    progress: dict[str, int]


def prepare(platform: Running, sizes: book.Sizes) -> list[Path]:
    """Everything that is there before the feed comes: account master, market snapshot, the custodians' files."""
    for start in range(0, sizes.accounts, 500):
        records = [book.master_record(sizes, number) for number in range(start, min(sizes.accounts, start + 500))]
        answer = platform.send("ingest", "/v1/accounts", json.dumps({"accounts": records}).encode())
        if answer["refused"]:
            raise RuntimeError(f"master records refused: {answer['refused'][:1]}")
    platform.send("ingest", "/v1/market-snapshots", json.dumps({"as_of": book.AS_OF.isoformat()}).encode())
    files = []
    for number in range(sizes.files):
        files.append(platform.home / f"holdings-{number}.csv")
        book.write_holdings(sizes, number, files[-1])
    return files


def play(platform: Running, sizes: book.Sizes, files: list[Path]) -> Day:
    """Feed the files, open the run, and wait until its orders are placed."""
    before, started = platform.cpu(), time.monotonic()
    for file in files:
        said = platform.send("ingest", f"/v1/files/holdings?name={file.name}", file, "text/csv")
        if said["refused_lines"] or said["changed_accounts"] != said["accounts"]:
            raise RuntimeError(f"the file was not taken as it should: {said}")
    fed = time.monotonic()
    run = platform.send("ingest", "/v1/runs", json.dumps({"as_of": book.AS_OF.isoformat()}).encode())
    if run["accounts"] != sizes.accounts:
        raise RuntimeError(f"the run leaves accounts out: {run['left_out']}")
    state = _until_closed(platform, run["run_id"])
    ended, after = time.monotonic(), platform.cpu()
    spent = {name: after[name] - before[name] for name in after}
    return Day(ended - started, fed - started, spent, state["orders"], state["accounts"])


def _until_closed(platform: Running, run_id: str) -> Any:
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        found = [run for run in platform.ask("orders", "/v1/runs") if run["run_id"] == run_id]
        if found and found[0]["state"] == "closed":
            return found[0]
        time.sleep(0.2)
    raise RuntimeError(f"the run did not close within {DEADLINE_S:.0f} s; the logs are in {platform.home}")


def profiled(platform: Running, service: str, seconds: float, out: Path, py_spy: str) -> subprocess.Popen[bytes]:
    """Sample one service with py-spy (kept outside the project's environment) while the day is played."""
    command = [
        py_spy,
        "record",
        "-p",
        str(platform.roots[service][0]),
        "-d",
        str(int(seconds)),
        "-o",
        str(out),
        "-f",
        "raw",
        "-g",
        "-r",
        "250",
    ]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
