"""Keeps the processes running: starts each with the next points of its plan, restarts what was killed, and keeps an account of it."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.process import free_ports, is_free, tail
from tests.e2e.disturbed.faults import POINTS, Planned, encode_plan

ROOT = Path(__file__).parents[3]
PROCESSES = tuple(POINTS)
SERVED = tuple(name for name in PROCESSES if name != "desk_simulator")
AT_RANDOM = "at_random"
KILLED = -signal.SIGKILL
MORE_POINTS = Callable[[str], Sequence[Planned]]


class ServiceEnded(AssertionError):
    """A process ended that nobody killed: a bug, or a service that gives up where it should wait."""


@dataclass
class Supervisor:
    """The processes of one platform.  `plans`: the points at which each is to die, in order; `more` is asked once they have happened."""

    home: Path
    environment: Mapping[str, str]
    plans: Mapping[str, Sequence[Planned]] = field(default_factory=dict)
    more: MORE_POINTS | None = None
    ports: dict[str, int] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)
    starts: Counter[str] = field(default_factory=Counter)
    killed_at_random: Counter[str] = field(default_factory=Counter)
    failure: ServiceEnded | None = None
    restarts: bool = True

    async def __aenter__(self) -> "Supervisor":
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **self.environment}
        self._nursery = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.e2e.disturbed.nursery",
            cwd=ROOT,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self._starting: list[str] = []
        self._given = {name: list(self.plans.get(name, ())) for name in PROCESSES}
        self.ports = dict(zip(SERVED, free_ports(len(SERVED)), strict=True))
        await self._answer()
        self._reading = asyncio.create_task(self._read())
        for name in PROCESSES:
            self._start(name)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.restarts = False
        self._reading.cancel()
        assert self._nursery.stdin is not None
        self._nursery.stdin.close()
        await self._nursery.wait()

    def check(self) -> None:
        """Raise what went wrong behind the back of the driver."""
        if self._reading.done():
            self._reading.result()
        if self.failure is not None:
            raise self.failure

    def happened(self, name: str) -> list[str]:
        """The points at which a process has died so far, in order."""
        ledger = self._ledger(name)
        return ledger.read_text().split() if ledger.exists() else []

    def planned_left(self) -> dict[str, list[Planned]]:
        """What was planned and has not happened, by process."""
        left = {name: plan[len(self.happened(name)) :] for name, plan in self.plans.items()}
        return {name: list(plan) for name, plan in left.items() if plan}

    def kills(self) -> int:
        """Processes killed so far, at points and at any time."""
        return sum(len(self.happened(name)) for name in PROCESSES) + self.killed_at_random.total()

    def kill(self, name: str) -> None:
        """At once, wherever it is."""
        self.killed_at_random[name] += 1
        self.signal(name, signal.SIGKILL)

    def signal(self, name: str, which: signal.Signals) -> None:
        """Send a signal to a process that may just have died by itself."""
        if name in self.pids:
            with suppress(ProcessLookupError):
                os.kill(self.pids[name], which)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def log_of(self, name: str) -> Path:
        return self.home / f"{name}.log"

    def _ledger(self, name: str) -> Path:
        return self.home / f"{name}.points"

    def _start(self, name: str) -> None:
        left = self._given[name][len(self.happened(name)) :]
        if not left and self.more is not None:
            left = list(self.more(name))
            self._given[name] += left
        own = {"DISTURBED_PLAN": encode_plan(left), "DISTURBED_LEDGER": str(self._ledger(name))}
        if name in self.ports:
            if not is_free(self.ports[name]):
                self.ports[name] = free_ports(1)[0]
            own["PMA_PORT"] = str(self.ports[name])
        command = {"name": name, "environment": {**self.environment, **own}, "log": str(self.log_of(name))}
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(json.dumps(command).encode() + b"\n")
        self._starting.append(name)
        self.starts[name] += 1

    async def _answer(self) -> dict[str, int]:
        assert self._nursery.stdout is not None
        line = await self._nursery.stdout.readline()
        if not line:
            raise ServiceEnded("the nursery ended")
        answer: dict[str, int] = json.loads(line)
        return answer

    async def _read(self) -> None:
        while True:
            said = await self._answer()
            if "started" in said:
                self.pids[self._starting.pop(0)] = said["started"]
                continue
            name = next(name for name, pid in self.pids.items() if pid == said["ended"])
            del self.pids[name]
            if said["status"] != KILLED:
                self.failure = ServiceEnded(f"{name} ended with status {said['status']}:\n{tail(self.log_of(name))}")
            elif self.restarts:
                self._start(name)
