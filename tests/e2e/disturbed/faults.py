"""Named points at which a process kills itself, and how it comes to know that it passes one.

| point | where |
|---|---|
| before_commit | the consumer's transaction: handlers done, before COMMIT |
| commit_publish | after that COMMIT, before what it said is published |
| in_publish | half of a batch is published |
| publish_mark | all is published, nothing marked as published |
| relay_... | the same four on the lanes of HTTP edits and background work |
| booking_fill | orders: the transaction that books executions, before COMMIT |
| file_before_commit, file_committed | ingest: a file is staged, before and after COMMIT |
| in_solve | optimizer: a worker solves |
| in_solve_worker | likewise, and it is the worker that dies |
| answered | desk: executions are published |

A transaction is known by the statements that it runs, a lane by the header of its records: no service is changed for it.
"""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Flag, auto
from pathlib import Path
from typing import Any

import asyncpg

from libs.common.bus import Bus
from libs.common.events import Record
from libs.common.outbox import LANE_HEADER

RELAY_LANES = (b":http", b":background")
IN_A_WORKER_S = 0.01

_CONSUMER = ("before_commit", "commit_publish", "in_publish", "publish_mark")
_RELAY = ("relay_before_commit", "relay_commit_publish", "relay_in_publish", "relay_publish_mark")
POINTS: dict[str, tuple[str, ...]] = {
    "ingest": (*_RELAY, "file_before_commit", "file_committed", *_CONSUMER),
    "restrictions": (*_CONSUMER, "relay_before_commit", "relay_commit_publish", "relay_publish_mark"),
    "wash_sale": ("before_commit", *_RELAY),
    "optimizer": ("before_commit", "in_solve", "relay_before_commit", "in_solve_worker", "relay_commit_publish", "relay_publish_mark"),
    "orders": ("before_commit", *_RELAY, "booking_fill", "commit_publish", "in_publish", "publish_mark"),
    "desk_simulator": ("answered",),
}
"""Every point that a service passes on an ordinary day, in the order in which a run kills it there."""


@dataclass(frozen=True)
class Planned:
    """Die when `point` is passed for the `nth` time."""

    point: str
    nth: int = 1


def encode_plan(planned: Sequence[Planned]) -> str:
    """For the environment of a process."""
    return ",".join(f"{each.point}:{each.nth}" for each in planned)


def decode_plan(text: str) -> list[Planned]:
    """The inverse of `encode_plan`."""
    pairs = [each.split(":") for each in text.split(",") if each]
    return [Planned(point, int(nth)) for point, nth in pairs]


class Faults:
    """The plan of one process: its points in order, each noted in `ledger` the moment before it kills."""

    def __init__(self, planned: Sequence[Planned], ledger: Path) -> None:
        self._left = list(planned)
        self._ledger = ledger
        self._passes = 0

    def is_due(self, point: str) -> bool:
        """Whether this passing of the point is the one that kills."""
        if not self._left or self._left[0].point != point:
            return False
        self._passes += 1
        return self._passes >= self._left[0].nth

    def note(self) -> None:
        """The due point is reached."""
        with self._ledger.open("a") as ledger:
            ledger.write(f"{self._left.pop(0).point}\n")
        self._passes = 0

    def passed(self, point: str) -> None:
        """Die here if it is due."""
        if self.is_due(point):
            self.note()
            os.kill(os.getpid(), signal.SIGKILL)


class Did(Flag):
    """What a transaction has done so far, as far as the points ask."""

    NOTHING = 0
    CONSUMED = auto()
    SAID = auto()
    BOOKED = auto()
    STAGED = auto()


def points_of(did: Did) -> tuple[list[str], list[str]]:
    """The points that a transaction passes before and after its COMMIT."""
    before, after = [], []
    if Did.STAGED in did:
        before.append("file_before_commit")
        after.append("file_committed")
    if Did.BOOKED in did:
        before.append("booking_fill")
    if Did.CONSUMED in did:
        before.append("before_commit")
        after += ["commit_publish"] if Did.SAID in did else []
    elif Did.SAID in did:
        before.append("relay_before_commit")
        after.append("relay_commit_publish")
    return before, after


def connection_class(faults: Faults) -> type[asyncpg.Connection]:
    """Connections that pass the points of their transactions."""

    class FaultyConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg is untyped
        _did = Did.NOTHING

        def _see(self, query: str) -> None:
            if "UPDATE consumed" in query:
                self._did |= Did.CONSUMED
            if "INTO outbox" in query:
                self._did |= Did.SAID
            if "INTO staged_account" in query:
                self._did |= Did.STAGED

        async def execute(self, query: str, *args: Any, **kwargs: Any) -> Any:
            if query != "COMMIT;":
                self._did = Did.NOTHING if query.startswith(("BEGIN", "ROLLBACK;")) else self._did
                self._see(query)
                return await super().execute(query, *args, **kwargs)
            before, after = points_of(self._did)
            self._did = Did.NOTHING
            for point in before:
                faults.passed(point)
            result = await super().execute(query, *args, **kwargs)
            for point in after:
                faults.passed(point)
            return result

        async def executemany(self, command: str, *args: Any, **kwargs: Any) -> Any:
            self._see(command)
            return await super().executemany(command, *args, **kwargs)

        async def fetch(self, query: str, *args: Any, **kwargs: Any) -> Any:
            self._see(query)
            return await super().fetch(query, *args, **kwargs)

        async def fetchval(self, query: str, *args: Any, **kwargs: Any) -> Any:
            self._see(query)
            return await super().fetchval(query, *args, **kwargs)

        async def fetchrow(self, query: str, *args: Any, **kwargs: Any) -> Any:
            self._see(query)
            return await super().fetchrow(query, *args, **kwargs)

        async def copy_records_to_table(self, table_name: str, *, records: Any, **kwargs: Any) -> Any:
            if table_name == "trade" and records:
                self._did |= Did.BOOKED
            self._see(f"INTO {table_name}")
            return await super().copy_records_to_table(table_name, records=records, **kwargs)

    return FaultyConnection


class FaultyBus:
    """A bus that passes the points of publishing; all else is the given bus's."""

    def __init__(self, bus: Bus, faults: Faults) -> None:
        self._bus = bus
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def publish(self, records: Sequence[Record]) -> None:
        lane = dict(records[0].headers).get(LANE_HEADER) if records else None
        prefix = "relay_" if lane is not None and lane.endswith(RELAY_LANES) else ""
        half = len(records) // 2
        if half and self._faults.is_due(f"{prefix}in_publish"):
            await self._bus.publish(records[:half])
            self._faults.note()
            os.kill(os.getpid(), signal.SIGKILL)
        await self._bus.publish(records)
        self._faults.passed(f"{prefix}publish_mark" if lane is not None else "answered")


def in_solve(decide: Callable[..., Any], faults: Faults) -> Callable[..., Any]:
    """The pool's `decide` that dies, or loses its worker, while the worker solves."""

    async def decide_and_die(pool: Any, task: Any) -> Any:
        solving = asyncio.ensure_future(decide(pool, task))
        await asyncio.wait({solving}, timeout=IN_A_WORKER_S)
        if not solving.done():
            faults.passed("in_solve")
            if faults.is_due("in_solve_worker"):
                faults.note()
                for worker in multiprocessing.active_children():
                    worker.kill()
        return await solving

    return decide_and_die
