"""Disturbs a run at any time: kills processes, stops them and lets them go on past their session, stops Kafka and PostgreSQL.

What is done, and after which pause, is drawn from a seed; when it strikes depends on the machine.
"""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.e2e.disturbed.faults import POINTS, Planned
from tests.e2e.disturbed.servers import Servers
from tests.e2e.disturbed.supervisor import PROCESSES, Supervisor

PAUSES_S = (0.3, 2.5)
STANDS_STILL_S = (0.2, 6.0)
DOWN_S = (0.0, 4.0)
NTH_AT_MOST = 6
WEIGHTS = {"kill": 12, "stand_still": 4, "stop_kafka": 2, "stop_postgres": 2}


@dataclass
class Disturber:
    """One run's disturbances, at most `kills_at_most` of them kills; then the run is left to end."""

    servers: Servers
    seed: str
    kills_at_most: int
    supervisor: Supervisor | None = None
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._of = {name: random.Random(f"{self.seed} {name}") for name in PROCESSES}
        self._given: Counter[str] = Counter()

    def next_point(self, name: str) -> list[Planned]:
        """The point at which a process that starts now is to die; none once there were enough."""
        if self._given.total() >= self.kills_at_most // 2:
            return []
        self._given[name] += 1
        return [Planned(self._of[name].choice(POINTS[name]), self._of[name].randint(1, NTH_AT_MOST))]

    async def disturb(self) -> None:
        """Until there were enough kills, or cancelled."""
        acts: dict[str, Callable[[], Awaitable[None]]] = {
            "kill": self._kill,
            "stand_still": self._stand_still,
            "stop_kafka": self._stop_kafka,
            "stop_postgres": self._stop_postgres,
        }
        assert self.supervisor is not None
        while self.supervisor.kills() < self.kills_at_most:
            await asyncio.sleep(self._rng.uniform(*PAUSES_S))
            act = self._rng.choices(list(acts), list(WEIGHTS.values()))[0]
            await acts[act]()
            self.done[act] += 1

    async def _kill(self) -> None:
        assert self.supervisor is not None
        name = self._rng.choice(PROCESSES)
        if name in self.supervisor.pids:
            self.supervisor.kill(name)

    async def _stand_still(self) -> None:
        """Stop a process, which keeps its connections and its place in the group, and let it go on later."""
        assert self.supervisor is not None
        name, seconds = self._rng.choice(PROCESSES), self._rng.uniform(*STANDS_STILL_S)
        pid = self.supervisor.pids.get(name)
        self.supervisor.signal(name, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        if pid == self.supervisor.pids.get(name):
            self.supervisor.signal(name, signal.SIGCONT)

    async def _stop_kafka(self) -> None:
        await self._down(self.servers.stop_kafka, self.servers.start_kafka, (signal.SIGKILL, signal.SIGTERM))

    async def _stop_postgres(self) -> None:
        await self._down(self.servers.stop_postgres, self.servers.start_postgres, (signal.SIGQUIT, signal.SIGINT))

    async def _down(self, stop: Callable[[signal.Signals], None], start: Callable[[], None], ways: tuple[signal.Signals, ...]) -> None:
        how, seconds = self._rng.choice(ways), self._rng.uniform(*DOWN_S)
        await asyncio.to_thread(stop, how)
        try:
            await asyncio.sleep(seconds)
        finally:
            await asyncio.to_thread(start)
