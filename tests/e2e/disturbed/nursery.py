"""Forks the services' processes, so that each is there in a tenth of a second: importing a service takes two to three seconds.

Reads a line of JSON for each process to start ({"name", "environment", "log"}), answers {"started": pid}; says {"ended": pid, "status"}
of each that ends.  When its input ends it kills what it started, and ends.
"""

import json
import os
import signal
import sys
import traceback
from typing import Any

alive: set[int] = set()


def say(**what: Any) -> None:
    """One line to the supervisor."""
    os.write(1, json.dumps(what).encode() + b"\n")


def reap(*_: object) -> None:
    """Say of each process that has ended how it ended: -9 is SIGKILL."""
    while alive:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        alive.discard(pid)
        say(ended=pid, status=os.waitstatus_to_exitcode(status))


def start(name: str, environment: dict[str, str], log: str) -> None:
    """Fork; the child never comes back."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    pid = os.fork()
    if pid:
        alive.add(pid)
        say(started=pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        return
    status = 70
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, nothing), (1, output), (2, output)):
            os.dup2(source, target)
        os.environ.update(environment)
        from tests.e2e.disturbed import process  # noqa: PLC0415  # already imported by `main`, and not by the optimizer's workers

        status = process.run(name)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Import what all need, then fork on demand until the input ends."""
    from tests.e2e.disturbed import process  # noqa: PLC0415

    signal.signal(signal.SIGCHLD, reap)
    say(ready=len(process.BUILDS))
    while line := sys.stdin.readline():
        start(**json.loads(line))
    for pid in sorted(alive):
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
