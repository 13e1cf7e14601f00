"""Kafka and PostgreSQL stopped, in order and at once, and started on the same data, in mid-run: services wait and go on, nothing is lost.

While one is down every process stays (no crash loop), says that it lives and that it is not ready, and tries again with growing pauses.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import httpx
import pytest

from tests.e2e.disturbed.runs import Platform, Played, platform_on
from tests.e2e.disturbed.servers import Servers
from tests.e2e.disturbed.supervisor import SERVED, Supervisor
from tests.waiting import eventually

NOTICED_DEADLINE_S, BACK_DEADLINE_S = 60.0, 120.0
MOST_ATTEMPTS = 400  # of all loops of a service in four outages; without pauses they would be thousands


@dataclass
class Outages:
    """Stops a server, watches the services do without it, and starts it again; keeps what it saw."""

    servers: Servers
    supervisor: Supervisor | None = None
    seen: dict[str, dict[str, int]] = field(default_factory=dict)

    def of(self, name: str, stop: Callable[[], None], start: Callable[[], None]) -> Callable[[], Awaitable[None]]:
        """One outage, as something to do in mid-run."""

        async def outage() -> None:
            assert self.supervisor is not None
            before = dict(self.supervisor.pids)
            async with httpx.AsyncClient(timeout=10) as client:
                await asyncio.to_thread(stop)
                for service in SERVED:
                    await eventually(partial(self._waits, client, service), NOTICED_DEADLINE_S, f"{name}: {service} not ready")
                await asyncio.to_thread(start)
                for service in SERVED:
                    await eventually(partial(self._ready, client, service), BACK_DEADLINE_S, f"{name}: {service} ready again")
            assert self.supervisor.pids == before
            self.seen[name] = before

        return outage

    async def _waits(self, client: httpx.AsyncClient, service: str) -> bool:
        assert self.supervisor is not None
        url = self.supervisor.url(service)
        assert (await client.get(f"{url}/healthz")).status_code == 200
        return (await client.get(f"{url}/readyz")).status_code == 503

    async def _ready(self, client: httpx.AsyncClient, service: str) -> bool:
        assert self.supervisor is not None
        return (await client.get(f"{self.supervisor.url(service)}/readyz")).status_code == 200


@pytest.fixture(scope="module")
async def interrupted(new_servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> tuple[Played, Outages, Platform]:
    """The run in which the servers stop: twice while accounts are decided, twice while orders are traded."""
    outages = Outages(new_servers)
    s = new_servers
    moments = {
        "deciding 1": outages.of("Kafka killed", lambda: s.stop_kafka(signal.SIGKILL), s.start_kafka),
        "trading 1": outages.of("PostgreSQL at once", lambda: s.stop_postgres(signal.SIGQUIT), s.start_postgres),
        "deciding 2": outages.of("PostgreSQL fast", lambda: s.stop_postgres(signal.SIGINT), s.start_postgres),
        "trading 2": outages.of("Kafka in order", lambda: s.stop_kafka(signal.SIGTERM), s.start_kafka),
    }
    async with platform_on(new_servers, tmp_path_factory.mktemp("interrupted"), at=moments) as platform:
        outages.supervisor = platform.supervisor
        return await platform.play(), outages, platform


def test_every_outage_was_sat_out_without_a_restart(interrupted: tuple[Played, Outages, Platform]) -> None:
    played, outages, _ = interrupted
    assert sorted(outages.seen) == ["Kafka in order", "Kafka killed", "PostgreSQL at once", "PostgreSQL fast"]
    assert set(played.starts.values()) == {1}


def test_services_back_off(interrupted: tuple[Played, Outages, Platform]) -> None:
    _, _, platform = interrupted
    for service in SERVED:
        attempts = platform.supervisor.log_of(service).read_text().count('"dependency_down"')
        assert 0 < attempts < MOST_ATTEMPTS, service


def test_no_order_is_lost_and_none_doubled(interrupted: tuple[Played, Outages, Platform], undisturbed: Played) -> None:
    played, _, _ = interrupted
    assert played.outcome.doubled == []
    assert played.outcome.orders == undisturbed.outcome.orders


def test_the_final_book_is_the_undisturbed_runs(interrupted: tuple[Played, Outages, Platform], undisturbed: Played) -> None:
    played, _, _ = interrupted
    assert played.dead_letters == 0
    assert played.outcome.differences(undisturbed.outcome) == []
