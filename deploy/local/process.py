"""Detached processes: started with their output in a file, recognised and stopped by id, whoever started them."""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

POLL_S = 0.02
LOG_TAIL_LINES = 25
SERVER_PORTS = range(15_000, 32_000)


class LocalServerError(RuntimeError):
    """A server could not be started or stopped; the text says what to do about it."""


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nothing listens on now, below those that the system gives to outgoing connections.

    Another program may take one before it is used: callers retry.
    """
    ports: list[int] = []
    for port in random.sample(SERVER_PORTS, len(SERVER_PORTS)):
        if len(ports) == count:
            return ports
        if is_free(port):
            ports.append(port)
    raise LocalServerError(f"no {count} free ports on 127.0.0.1 in {SERVER_PORTS}")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def command_of(pid: int) -> str:
    """The command line of a running process; '' where it is gone, or only waits to be reaped."""
    proc = Path("/proc", str(pid))
    if not Path("/proc/self/stat").exists():
        done = subprocess.run(["ps", "-o", "stat=,args=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return "" if done.stdout.strip().startswith("Z") else done.stdout.strip()
    try:
        state = (proc / "stat").read_text().rpartition(")")[2].split()[0]
        return "" if state == "Z" else (proc / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_running(pid: int, marker: str = "") -> bool:
    """Whether this very process runs: `marker` must be part of its command line, since ids are used again."""
    command = command_of(pid)
    return bool(command) and marker in command


def spawn(argv: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> int:
    """Start `argv` detached (own session, no input, output appended to `log`) and return its process id."""
    with log.open("ab") as output:
        started = subprocess.run(
            ["/bin/sh", "-c", 'exec 3>&1 1>>"$0" 2>&1; "$@" 3>&- </dev/null & echo $! >&3', str(log), *argv],
            stdout=subprocess.PIPE,
            stderr=output,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
            check=True,
        )
    return int(started.stdout)


def wait_until(condition: Callable[[], bool], deadline_s: float) -> bool:
    """Poll until `condition` holds; False when it does not within `deadline_s`."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_S)
    return True


def stop(pid: int, marker: str, deadline_s: float = 20.0, gently: signal.Signals = signal.SIGTERM) -> None:
    """End a process: asked first, killed after `deadline_s`.  A process that is not ours (no `marker`) is left alone."""
    for sign, patience_s in ((gently, deadline_s), (signal.SIGKILL, 5.0)):
        if not is_running(pid, marker):
            return
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            return
        if wait_until(lambda: not is_running(pid, marker), patience_s):
            return
    raise LocalServerError(f"process {pid} ({marker}) does not end")


def tail(log: Path) -> str:
    """The last lines of a log, for an error message."""
    if not log.exists():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])


def program(name: str, needed_for: str) -> str:
    """The path of a program, or an error that says what it is needed for."""
    found = shutil.which(name)
    if found is None:
        raise LocalServerError(f"{name} is not installed: it is needed for {needed_for}")
    return found
