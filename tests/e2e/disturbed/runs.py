"""One run from nothing: servers, processes, clock and driver, as the tests and the soak start it."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from demo.sample.days import DEMO_DAYS, DemoDay
from libs.common.events import Event
from tests.e2e.disturbed.clock import set_clock
from tests.e2e.disturbed.driver import DESK_ENVIRONMENT, Driver, Moment
from tests.e2e.disturbed.faults import Planned
from tests.e2e.disturbed.outcome import Outcome, outcome_of
from tests.e2e.disturbed.servers import Servers
from tests.e2e.disturbed.supervisor import MORE_POINTS, PROCESSES, Supervisor

SESSION_TIMEOUT_MS = 3_000


@dataclass(frozen=True)
class Played:
    """A run that has ended: what came of it, everything that was said, how often the wire repeated itself, and who was killed where."""

    outcome: Outcome
    said: list[tuple[Event, Struct]]
    repeated: int
    dead_letters: int
    starts: Counter[str]
    kills: int
    happened: dict[str, list[str]]
    not_happened: dict[str, list[Planned]]


@dataclass(frozen=True)
class Platform:
    """The parts of a running platform."""

    servers: Servers
    supervisor: Supervisor
    driver: Driver

    async def play(self, days: Sequence[DemoDay] = DEMO_DAYS[:2]) -> Played:
        """The days of the small book, to the end."""
        reader = await self.driver.play(days)
        supervisor = self.supervisor
        return Played(
            outcome=outcome_of(reader.said),
            said=reader.said,
            repeated=reader.repeated,
            dead_letters=reader.dead_letters,
            starts=supervisor.starts,
            kills=supervisor.kills(),
            happened={name: supervisor.happened(name) for name in PROCESSES},
            not_happened=supervisor.planned_left(),
        )


@asynccontextmanager
async def platform_on(
    servers: Servers,
    home: Path,
    plans: Mapping[str, Sequence[Planned]] | None = None,
    more: MORE_POINTS | None = None,
    at: Mapping[str, Moment] | None = None,
) -> AsyncIterator[Platform]:
    """All processes on the given servers, which must be new."""
    clock, market_dir = home / "clock", home / "market"
    market_dir.mkdir()
    set_clock(clock, DEMO_DAYS[0].file_made_at)
    environment = {
        "PMA_POSTGRES_DSN": servers.dsn,
        "PMA_KAFKA_BOOTSTRAP": servers.bootstrap,
        "PMA_SESSION_TIMEOUT_MS": str(SESSION_TIMEOUT_MS),
        "PMA_MARKET_DIR": str(market_dir),
        "PMA_SOLVER_PROCESSES": "1",
        "PMA_LOG_LEVEL": "warning",
        "DISTURBED_CLOCK": str(clock),
        **DESK_ENVIRONMENT,
    }
    async with Supervisor(home, environment, plans or {}, more) as supervisor:
        yield Platform(servers, supervisor, Driver(supervisor, servers.dsn, servers.bootstrap, clock, market_dir, at or {}))
