"""Whether the platform has come to rest: read in PostgreSQL in one snapshot, then compared with what Kafka holds after it.

In rest no service has anything to take, to publish or to decide, every run's blocks are closed, and everything that the desk ever says of
an order is booked.  What the snapshot shows as taken up to Kafka's end can't be followed by anything new but from outside.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from libs.common.event_flows import FLOWS
from libs.common.events import EVENT_TYPES
from libs.common.topics import EXECUTIONS, SERVICES

PENDING = {
    "wash_sale.unsaid": "SELECT count(*) FROM wash_sale.household WHERE unsaid",
    "optimizer.ready": "SELECT count(*) FROM optimizer.household_run WHERE state IN ('ready', 'waiting')",
    "orders.open_runs": "SELECT count(*) FROM orders.run WHERE closed_at IS NULL",
    "orders.open_blocks": "SELECT count(*) FROM orders.block WHERE NOT ended",
    **{f"{name}.outbox": f"SELECT count(*) FROM {name}.outbox" for name in SERVICES},
}
AT_THE_CLOSE = ("orders.open_runs", "orders.open_blocks")
Place = tuple[str, int]


@dataclass(frozen=True)
class Standing:
    """One snapshot: what is pending by name, each service's next offset by place, and the executions that orders has seen."""

    pending: dict[str, int]
    taken: dict[str, dict[Place, int]]
    executions_seen: frozenset[str]


def topics_of(service: str) -> set[str]:
    """What a service takes."""
    return {EVENT_TYPES[name].topic for name, flow in FLOWS.items() if service in flow.receivers}


async def read_standing(connection: asyncpg.Connection) -> Standing:
    """All of it, in one snapshot."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        pending = {name: await connection.fetchval(question) for name, question in PENDING.items()}
        taken: dict[str, dict[Place, int]] = {}
        for service in SERVICES:
            rows = await connection.fetch(f"SELECT topic, partition, next_offset FROM {service}.consumed")
            taken[service] = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        seen = await connection.fetch("SELECT id FROM orders.inbox WHERE topic = $1", EXECUTIONS)
        return Standing(pending, taken, frozenset(row["id"] for row in seen))


def unrest(standing: Standing, ends: Mapping[Place, int], executions: Collection[str], before_the_close: bool) -> list[str]:
    """What still moves, in words; empty when all is at rest.  `before_the_close`: a run may be open, for people or its cut-off."""
    excused: Sequence[str] = AT_THE_CLOSE if before_the_close else ()
    moving = [f"{name}: {count}" for name, count in standing.pending.items() if count and name not in excused]
    for service, taken in standing.taken.items():
        lag = sum(max(0, end - taken.get(place, 0)) for place, end in ends.items() if place[0] in topics_of(service))
        moving += [f"{service} has {lag} records to take"] if lag else []
    missing = len(set(executions) - standing.executions_seen)
    return moving + ([f"{missing} executions to book"] if missing else [])
