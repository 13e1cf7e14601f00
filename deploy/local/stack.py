"""`make up` and `make down`: the whole platform on this machine.

Where a Docker engine answers, Docker Compose runs docker-compose.yml.  Otherwise: the local Kafka and PostgreSQL, and one process a
service.  Under `home` (out/up) lie the servers' homes, for each program its log and its process id, and in `environment` the addresses.
"""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local import kafka, postgres, process
from deploy.local.process import LocalServerError

ROOT = Path(__file__).parents[2]
HOME = ROOT / "out" / "up"
DATABASE = "pma"
READY_DEADLINE_S = 240.0
HTTP_OK = 200
PORTS = {"ingest": 8101, "restrictions": 8102, "wash_sale": 8103, "optimizer": 8104, "orders": 8105}
WITHOUT_HTTP = ("desk_simulator",)
QUESTIONS_TO_DOCKER = (["info"], ["compose", "version"])


@dataclass(frozen=True)
class Program:
    """One program of the platform: a module, the port of its HTTP edge (None: it has none), its environment besides ours."""

    name: str
    module: str
    port: int | None
    environment: dict[str, str]

    def is_ready(self) -> bool:
        """Whether /readyz says so; a program without HTTP is ready when it runs."""
        return self.port is None or _answers(self.port, "/readyz")


def docker_answers() -> bool:
    """Whether a Docker engine with Compose is there: the command alone does not mean one."""
    if shutil.which("docker") is None:
        return False
    try:
        asked = [
            subprocess.run(["docker", *what], capture_output=True, check=False, timeout=30) for what in (["info"], ["compose", "version"])
        ]
    except subprocess.TimeoutExpired:
        return False
    return all(done.returncode == 0 for done in asked)


def up_with_docker() -> None:
    """Build and start docker-compose.yml, until every service is healthy."""
    subprocess.run(["docker", "compose", "up", "--build", "--detach", "--wait"], cwd=ROOT, check=True)


def down_with_docker() -> None:
    """Stop the containers; the volumes stay."""
    subprocess.run(["docker", "compose", "down"], cwd=ROOT, check=True)


def up(home: Path = HOME) -> list[Program]:
    """Start what does not run yet, and wait until all of it is ready.

    Raises LocalServerError with the end of the log of a program that ended; what runs by then goes on running until `down`.
    """
    home.mkdir(parents=True, exist_ok=True)
    node = kafka.start(home / "kafka")
    server = postgres.start(home / "postgres")
    postgres.make_database(server, DATABASE)
    addresses = {"PMA_POSTGRES_DSN": server.dsn_of(DATABASE), "PMA_KAFKA_BOOTSTRAP": node.bootstrap}
    _note_addresses(home, addresses)
    programs = platform_programs(home, addresses)
    run_programs(home, programs)
    return programs


def _note_addresses(home: Path, addresses: Mapping[str, str]) -> None:
    """For a person's shell: `. out/up/environment`.  It holds a password, so it is for this account alone."""
    note = home / "environment"
    note.touch(mode=0o600)
    note.write_text("".join(f"export {name}='{value}'\n" for name, value in addresses.items()))


def down(home: Path = HOME) -> list[str]:
    """Stop the programs, each by its process id, then the servers; returns the names of what ran."""
    names = [*WITHOUT_HTTP, *reversed(PORTS)]
    stopped = [name for name in names if stop_program(home, name)]
    stopped += ["kafka"] if kafka.stop(home / "kafka") else []
    return stopped + (["postgres"] if postgres.stop(home / "postgres") else [])


def platform_programs(home: Path, addresses: Mapping[str, str], wanted_ports: Mapping[str, int] = PORTS) -> list[Program]:
    """The five services and the desk simulator, on the ports of the last start, or on free ones where those are taken."""
    note = home / "ports.json"
    last: dict[str, int] = {**wanted_ports, **(json.loads(note.read_text()) if note.exists() else {})}
    ports = {name: port if running_pid(home, name) or process.is_free(port) else process.free_ports(1)[0] for name, port in last.items()}
    note.write_text(json.dumps(ports, indent=2) + "\n")
    served = [Program(name, f"services.{name}", port, {**addresses, "PMA_PORT": str(port)}) for name, port in ports.items()]
    return served + [Program(name, f"services.{name}", None, dict(addresses)) for name in WITHOUT_HTTP]


def run_programs(home: Path, programs: Sequence[Program]) -> None:
    """Start each program that does not run, and wait for all."""
    for program in programs:
        if running_pid(home, program.name) is None:
            log = home / f"{program.name}.log"
            log.unlink(missing_ok=True)
            environment = {**os.environ, "PYTHONPATH": str(ROOT), **program.environment}
            pid = process.spawn([sys.executable, "-m", program.module], log, env=environment, cwd=ROOT)
            (home / f"{program.name}.pid").write_text(f"{pid} {program.module}")
    for program in programs:
        _wait_until_ready(home, program)


def running_pid(home: Path, name: str) -> int | None:
    """The process id of a program that runs; None for one that is gone."""
    note = home / f"{name}.pid"
    if not note.exists():
        return None
    pid, module = note.read_text().split()
    return int(pid) if process.is_running(int(pid), module) else None


def stop_program(home: Path, name: str) -> bool:
    """Stop a program in order; False where it did not run."""
    note = home / f"{name}.pid"
    pid = running_pid(home, name)
    if pid is not None:
        process.stop(pid, note.read_text().split()[1], gently=signal.SIGTERM)
    note.unlink(missing_ok=True)
    return pid is not None


def _wait_until_ready(home: Path, program: Program) -> None:
    def ready_or_gone() -> bool:
        return running_pid(home, program.name) is None or program.is_ready()

    in_time = process.wait_until(ready_or_gone, READY_DEADLINE_S)
    log = home / f"{program.name}.log"
    if running_pid(home, program.name) is None:
        raise LocalServerError(f"{program.name} ended; the end of {log}:\n{process.tail(log)}")
    if not in_time:
        raise LocalServerError(f"{program.name} is not ready after {READY_DEADLINE_S:.0f} s; the end of {log}:\n{process.tail(log)}")


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTP_OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
