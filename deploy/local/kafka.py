"""A real Apache Kafka on 127.0.0.1: one KRaft node (broker and controller), its jars fetched by Maven as deploy/local/pom.xml pins them.

A home directory holds `data`, `ports`, `server.properties`, `kafka.pid` and `kafka.log`.  Starting is idempotent; a home keeps its ports
and its cluster id over a restart.  A killed broker may register again only when its session has run out: hence the short one.
Topics come from code (libs/common/topics.py): the broker makes none by itself.
"""

import asyncio
import base64
import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local import process
from deploy.local.process import LocalServerError
from deploy.local.scratch import scratch_directory
from deploy.topics import make_topics
from libs.common.topics import TOPICS, Topic

HERE = Path(__file__).parent
POM = HERE / "pom.xml"
HEAP = "512m"
JAVA_AT_LEAST = 17
START_DEADLINE_S = 180.0
PORT_TRIES = 3
STARTED = "Kafka Server started"

SERVER_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
log.dirs={data}
auto.create.topics.enable=false
message.max.bytes=4194304
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=250
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.cleaner.dedupe.buffer.size=16777216
"""


@dataclass(frozen=True)
class Kafka:
    """A running node; `bootstrap` is what clients are given."""

    home: Path
    pid: int
    port: int

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"


def missing_programs() -> list[str]:
    """Which of the programs that `start` needs are not installed (empty: none)."""
    found = {"java": _java_path() is not None, "mvn": _jars_directory().exists() or shutil.which("mvn") is not None}
    return [name for name, there in found.items() if not there]


def start(home: Path, topics: Sequence[Topic] = TOPICS) -> Kafka:
    """Start the node of `home`, formatting its storage on the first start, and make the topics that are missing.

    A node that already runs is returned as it is.  Not to be called from within an event loop.
    Raises LocalServerError with what is missing, or with the end of the log.
    """
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    pid = _running_pid(home)
    if pid is None:
        java = [_java(), *_jvm_options(_jars(home))]
        pid, port = _start_on_free_ports(home, java)
    else:
        port = _ports(home)[0]
    node = Kafka(home, pid, port)
    asyncio.run(make_topics(node.bootstrap, topics))
    return node


def stop(home: Path) -> bool:
    """Stop the node of `home` in order; False where none ran."""
    home = home.resolve()
    pid = _running_pid(home)
    if pid is None:
        return False
    process.stop(pid, str(home))
    (home / "kafka.pid").unlink(missing_ok=True)
    return True


@contextlib.contextmanager
def temporary(topics: Sequence[Topic] = TOPICS) -> Iterator[Kafka]:
    """A new node for the length of the block; its data are removed afterwards."""
    with scratch_directory("kafka") as home:
        node = start(home, topics)
        try:
            yield node
        finally:
            stop(home)


def _java_path() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")


def _java() -> str:
    path = _java_path()
    if path is None:
        raise LocalServerError(f"java is not installed (or JAVA_HOME is wrong): Kafka needs Java {JAVA_AT_LEAST} or newer")
    told = subprocess.run([path, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "([0-9]+)', told)
    if version is None or int(version[1]) < JAVA_AT_LEAST:
        raise LocalServerError(f"Kafka needs Java {JAVA_AT_LEAST} or newer, and {path} says: {told.strip()}")
    return path


def _jars_directory() -> Path:
    """Where the jars of this very pom.xml are kept: in the cache of this account, for every clone."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "pma" / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"


def _jars(home: Path) -> Path:
    """The directory with the jars, fetched by Maven where they are not there yet."""
    jars = _jars_directory()
    if jars.exists():
        return jars
    maven = process.program("mvn", "fetching Apache Kafka's jars")
    jars.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f"{jars.name}.", dir=jars.parent))
    log = home / "maven.log"
    argv = [maven, "-B", "-ntp", "-q", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={aside}"]
    with log.open("w") as output:
        done = subprocess.run(argv, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        shutil.rmtree(aside, ignore_errors=True)
        raise LocalServerError(f"Maven could not fetch Kafka's jars:\n{process.tail(log)}")
    try:
        aside.rename(jars)
    except OSError:  # another process was first
        shutil.rmtree(aside)
    return jars


def _jvm_options(jars: Path) -> list[str]:
    logging = f"-Dlog4j2.configurationFile={(HERE / 'log4j2.properties').as_uri()}"
    options = [f"-Xmx{HEAP}", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true", logging]
    return [*options, "-cp", f"{jars}/*"]


def _running_pid(home: Path) -> int | None:
    note = home / "kafka.pid"
    pid = int(note.read_text()) if note.exists() else 0
    return pid if pid and process.is_running(pid, str(home)) else None


def _ports(home: Path) -> list[int]:
    note = home / "ports"
    return [int(port) for port in note.read_text().split()] if note.exists() else []


def _format_storage(home: Path, java: Sequence[str], properties: Path) -> None:
    """Give the node a random cluster id, once: a client's offsets of another cluster mean nothing here."""
    if (home / "data" / "meta.properties").exists():
        return
    shutil.rmtree(home / "data", ignore_errors=True)  # a format that was interrupted
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    argv = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", f"--config={properties}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalServerError(f"Kafka's storage could not be formatted:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")


def _start_on_free_ports(home: Path, java: Sequence[str]) -> tuple[int, int]:
    properties = home / "server.properties"
    log = home / "kafka.log"
    for attempt in range(PORT_TRIES):
        ports = _ports(home)
        if attempt or not ports or not all(map(process.is_free, ports)):
            ports = process.free_ports(2)
        port, controller_port = ports
        properties.write_text(SERVER_PROPERTIES.format(port=port, controller_port=controller_port, data=home / "data"))
        _format_storage(home, java, properties)
        log.unlink(missing_ok=True)
        pid = process.spawn([*java, "kafka.Kafka", str(properties)], log)
        (home / "kafka.pid").write_text(str(pid))
        (home / "ports").write_text(f"{port} {controller_port}")
        if _becomes_ready(pid, log):
            return pid, port
        if process.is_running(pid):
            process.stop(pid, str(home), deadline_s=1.0)
            raise LocalServerError(
                f"Kafka was not ready in {home} within {START_DEADLINE_S:.0f} s; the end of its log:\n{process.tail(log)}"
            )
        if "already in use" not in process.tail(log):
            break
    raise LocalServerError(f"Kafka did not start in {home}; the end of its log:\n{process.tail(log)}")


def _becomes_ready(pid: int, log: Path) -> bool:
    """Wait for the broker's own word; an open port might be another program's."""

    def started() -> bool:
        return log.exists() and STARTED in log.read_text(errors="replace")

    return process.wait_until(lambda: started() or not process.is_running(pid), START_DEADLINE_S) and started()
