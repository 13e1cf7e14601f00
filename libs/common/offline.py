"""A service's offline commands: `python -m services.NAME catch-up [--kafka-is-new]`, with the service stopped.

`python -m deploy.catch_up` runs it for several services; docs/runbook.md says when.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

from libs.common.catch_up import CaughtUp, catch_up, take_new_kafka
from libs.common.errors import DependencyDown, InvariantBroken
from libs.common.service import Service

COLUMN = 34


def offline(service: Service, arguments: Sequence[str]) -> int:
    """Run the command that the arguments name; returns the exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m services.{service.name}", description=__doc__)
    command = parser.add_subparsers(required=True).add_parser("catch-up", help="after a restore: take back what was said since the backup")
    command.add_argument("--kafka-is-new", action="store_true", help="Kafka is what lost its data: begin at its topics' beginning")
    chosen = parser.parse_args(arguments)
    work = _new_kafka if chosen.kafka_is_new else _catch_up
    try:
        asyncio.run(_with_bus(service, work))
    except (DependencyDown, InvariantBroken) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _with_bus(service: Service, work: Callable[[Service], Awaitable[None]]) -> None:
    try:
        await work(service)
    finally:
        await service.bus.stop()


async def _catch_up(service: Service) -> None:
    sys.stdout.write(summary(await catch_up(service, _Shown(service.name))))


async def _new_kafka(service: Service) -> None:
    partitions = await take_new_kafka(service)
    sys.stdout.write(f"{service.name}: begins at the beginning of {partitions} partitions\n")


class _Shown:
    """Progress on standard error: a line whenever another tenth of a step is done."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._last: tuple[str, int] | None = None

    def __call__(self, step: str, done: int, total: int) -> None:
        now = step, 10 * done // total if total else 10
        if now != self._last:
            self._last = now
            sys.stderr.write(f"{self._service}: {step}: {done} of {total}\n")


def summary(done: CaughtUp) -> str:
    """What a catch-up did, as a table, with what is left for a person."""
    if done.nothing_to_do:
        return f"{done.service}: nothing to catch up: PostgreSQL knows all that was said\n"
    lines = [f"{done.service}: caught up"]
    lines += [f"  lane {lane:<{COLUMN - 5}} {before} -> {after}" for lane, (before, after) in done.lanes.items() if after > before]
    lines += [f"  taken back: {name:<{COLUMN - 12}} {count}" for name, count in sorted(done.adopted.items())]
    lines += [f"  {'inputs taken':<{COLUMN}} {done.inputs}"]
    lines += [f"  for a person: {each}" for each in done.for_a_person]
    return "\n".join(lines) + "\n"
