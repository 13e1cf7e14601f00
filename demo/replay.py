"""`make replay`: same pins, same bytes.  A recorded course runs again, and every decision and order must come out as it was, byte for byte.

Fresh optimizer and orders services, on a fresh PostgreSQL and the in-process bus, get what the others said in the recording, run by run,
with the recorded clock and what people decided.  Each proposal.created, proposal.declined and order.placed that they say is compared
with the recorded one.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx
import uvloop
from rich.console import Console

from demo.compare import Compared, Compares
from demo.day import answer
from demo.recording import EVENTS, Recorded, read_recording
from deploy.local import postgres
from libs.common.bus.memory import MemoryBus
from libs.common.clock import ManualClock
from libs.common.events import to_record
from libs.common.observe import configure_logs
from libs.common.schemas.decision import ProposalJudged, RunClosed
from libs.common.schemas.market import RunOpened
from libs.common.service import Service
from services.optimizer.pool import InlinePool, SolverPool
from services.optimizer.settings import OptimizerSettings
from services.optimizer.wiring import compose as build_optimizer
from services.orders.settings import OrdersSettings
from services.orders.wiring import build as build_orders

REPLAYED = ("optimizer", "orders")
EXECUTION = "pma.execution.reported"
PEOPLE = {"approved": "approve", "rejected": "reject"}
LOOK_S = 0.05
STEP_DEADLINE_S = 300.0
Progress = Callable[[str, int, int], None]


class ReplayFailed(Exception):
    """The replay can't go on; says why."""


@dataclass(frozen=True)
class Part:
    """One run of the recording: what others said before it, from its opening to its close, and what people decided."""

    run: RunOpened
    before: list[Recorded]
    during: list[Recorded]
    judged_by_people: list[ProposalJudged]
    closed: RunClosed


@dataclass
class Stage:
    """The two services, their bus and clock."""

    bus: MemoryBus
    clock: ManualClock
    services: list[Service]
    orders: httpx.AsyncClient
    seen: dict[str, int] = field(default_factory=dict)

    async def say(self, events: Sequence[Recorded]) -> None:
        """Say these again, and wait until both services have taken all that there is and rest."""
        await self.bus.publish([to_record(each.event()) for each in events])
        await self.until(self._at_rest, "the services to take what was said")

    def move_clock(self, moment: datetime) -> None:
        """Forward to a moment of the recording, if it is not past already."""
        self.clock.set(max(moment, self.clock.now()))

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        """Return when the condition holds.  Raises ReplayFailed when a service met a bug, or at the deadline."""
        try:
            async with asyncio.timeout(STEP_DEADLINE_S):
                while not await condition():
                    for service in self.services:
                        if service.failure is not None:
                            raise ReplayFailed(f"{service.name} met a bug: {service.failure!r}")
                    await asyncio.sleep(LOOK_S)
        except TimeoutError as error:
            raise ReplayFailed(f"waited {STEP_DEADLINE_S:.0f} s for {what}") from error

    async def _at_rest(self) -> bool:
        published = self.bus.published
        for service in self.services:
            ends = {place: self.bus.end_offset(place) for place in self.bus.all_partitions(service.subscription.topics)}
            rows = await service.pool.fetch("SELECT topic, partition, next_offset FROM consumed")
            taken = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
            if any(taken.get((place.topic, place.partition), 0) < end for place, end in ends.items()):
                return False
            if await service.pool.fetchval("SELECT count(*) FROM outbox"):
                return False
        undecided = await self.services[0].pool.fetchval("SELECT count(*) FROM household_run WHERE state = 'ready'")
        return not undecided and published == self.bus.published


@asynccontextmanager
async def stage(dsn: str, pool: InlinePool, begun_at: datetime) -> AsyncIterator[Stage]:
    """Fresh services, running."""
    bus, clock = MemoryBus(), ManualClock(begun_at)
    optimizer = build_optimizer(OptimizerSettings(postgres_dsn=dsn, kafka_bootstrap="in-process"), bus, clock, pool)
    orders = build_orders(OrdersSettings(postgres_dsn=dsn, kafka_bootstrap="in-process"), bus, clock)
    async with AsyncExitStack() as stack:
        for _, app in (optimizer, orders):
            await stack.enter_async_context(app.router.lifespan_context(app))
        client = httpx.AsyncClient(transport=httpx.ASGITransport(orders[1]), base_url="http://orders")
        yield Stage(bus, clock, [optimizer[0], orders[0]], await stack.enter_async_context(client))


def parts_of(recording: Sequence[Recorded]) -> list[Part]:
    """The recording run by run.  Raises ReplayFailed where a run was not recorded to its close."""
    payloads = [(each, each.payload()) for each in recording if each.type in ("pma.run.opened", "pma.run.closed", "pma.proposal.judged")]
    closed = {payload.run_id: payload for _, payload in payloads if isinstance(payload, RunClosed)}
    judged = [payload for _, payload in payloads if isinstance(payload, ProposalJudged)]
    opened = [(recording.index(each), payload) for each, payload in payloads if isinstance(payload, RunOpened)]
    closes = {payload.run_id: recording.index(each) for each, payload in payloads if isinstance(payload, RunClosed)}
    parts, begin, begin_of_executions = [], 0, 0
    for at, run in opened:
        if run.run_id not in closed:
            raise ReplayFailed(f"run {run.run_id} was not recorded to its close")
        end = closes[run.run_id]
        people = [each for each in judged if each.run_id == run.run_id and each.progress in PEOPLE and each.actor not in REPLAYED]
        before = [*_executions(recording[begin_of_executions:at]), *_by_others(recording[begin:at])]
        parts.append(Part(run, before, _by_others(recording[at:end]), people, closed[run.run_id]))
        begin, begin_of_executions = end, at
    return parts


def _by_others(events: Sequence[Recorded]) -> list[Recorded]:
    return [each for each in events if each.source not in REPLAYED and each.type != EXECUTION]


def _executions(events: Sequence[Recorded]) -> list[Recorded]:
    """What the desk said since the last run opened: seen perhaps before the run's close, since topics have no common order."""
    return [each for each in events if each.type == EXECUTION]


async def replay(recording: Sequence[Recorded], dsn: str, pool: InlinePool, progress: Progress) -> Compared:
    """Run the recording again and compare."""
    compares = Compares(recording)
    parts = parts_of(recording)
    if not parts:
        raise ReplayFailed("the recording holds no run")
    async with stage(dsn, pool, min(each.time for each in recording)) as running:
        for number, part in enumerate(parts, start=1):
            for each in part.before:
                running.move_clock(each.time)
            await running.say(part.before)
            running.move_clock(part.run.opened_at)
            await running.say(part.during)
            await _people(running, part)
            await _close(running, part)
            progress(part.run.as_of.isoformat(), number, len(parts))
            compares.take(running.bus)
    return compares.result()


async def _people(running: Stage, part: Part) -> None:
    """What people decided, on the account's proposal as it is now: where it is another one, the comparison says so."""

    async def judged() -> bool:
        run = await answer(running.orders.get(f"/v1/runs/{part.run.run_id}"))
        return not any(run["accounts"].get(progress) for progress in ("awaited", "waiting"))

    await running.until(judged, "orders to have judged every proposal")
    waiting = {each["account_id"]: each["proposal_id"] for each in await answer(running.orders.get("/v1/approvals"))}
    for each in part.judged_by_people:
        if each.account_id in waiting:
            path = f"/v1/proposals/{waiting[each.account_id]}/{PEOPLE[each.progress]}"
            body = {"reason": each.message or "replayed"} if each.progress == "rejected" else None
            await answer(running.orders.post(path, json=body, headers={"x-actor": each.actor}))


async def _close(running: Stage, part: Part) -> None:
    running.move_clock(part.closed.closed_at)
    path = f"/v1/runs/{part.run.run_id}"
    if part.closed.closed_by not in REPLAYED:
        await answer(running.orders.post(f"{path}/cutoff", headers={"x-actor": part.closed.closed_by}))

    async def closed() -> bool:
        return bool((await answer(running.orders.get(path)))["state"] == "closed")

    await running.until(closed, "the run to close")
    await running.say([])


def main() -> int:
    """Replay what `make demo` recorded; 0 when everything came out the same."""
    parser = argparse.ArgumentParser(prog="make replay", description=__doc__)
    parser.add_argument("directory", type=Path, nargs="?", default=Path("out/demo"), help="where the demo was written")
    options = parser.parse_args()
    configure_logs("error")
    console = Console()
    file = options.directory / EVENTS
    if not file.exists():
        console.print(f"{file} is not there: `make demo` records it")
        return 1
    with postgres.temporary(fast=True) as server:
        pool = SolverPool(OptimizerSettings(postgres_dsn="", kafka_bootstrap="").solver_processes)
        try:
            compared = uvloop.run(
                replay(read_recording(file), server.dsn, pool, lambda day, done, runs: console.print(f"{day}: run {done} of {runs}"))
            )
        except ReplayFailed as error:
            console.print(f"[red]The replay failed:[/red] {error}")
            return 1
    console.print(compared.text(), markup=False)
    return 0 if compared.same else 1


if __name__ == "__main__":
    sys.exit(main())
