"""A service's process that stops itself (SIGSTOP) at a chosen point when it meets the account `trigger-POINT`.

    python -m tests.integration.stopped_member BOOTSTRAP DSN POINT

POINT is `after_poll` (records in hand, nothing begun), `in_transaction` (the handler has written, nothing is committed) or
`before_publish` (committed, nothing published).  The handler, which the tests use too, writes each event's effect as a row and says each
of the test's events on once, so that an effect that is missing, doubled or out of order shows in the table.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from libs.common import db
from libs.common.bus import Consumer, Received, TopicPartition
from libs.common.bus.kafka import KafkaBus
from libs.common.clock import ManualClock
from libs.common.consumer import Subscription
from libs.common.events import Event, Record, make_event, to_record
from libs.common.observe import configure_logs
from libs.common.schemas.account import AccountMoved
from libs.common.service import Service
from libs.common.topics import ACCOUNTS
from libs.common.unit import Unit

MIGRATIONS = Path(__file__).parents[2] / "services/ingest/migrations"
NOW = datetime(2025, 12, 15, 15, tzinfo=UTC)
SESSION_TIMEOUT_MS = 2_000
IDLE_IN_TRANSACTION_S = 3.0
EFFECTS = """CREATE TABLE IF NOT EXISTS effect (
    place bigserial PRIMARY KEY, source text NOT NULL, household text NOT NULL, account text NOT NULL, version int NOT NULL,
    pid int NOT NULL)"""


def moved(household: str, account: str, version: int) -> Record:
    """An event of the test: `version` counts the household's events."""
    payload = AccountMoved(account, household, "elsewhere", version)
    return to_record(make_event("test", payload, account, version, household, NOW, "c"))


async def write_effect(unit: Unit, event: Event, said: AccountMoved) -> None:
    """A row for every event; what the test said is said on."""
    await unit.connection.execute(
        "INSERT INTO effect (source, household, account, version, pid) VALUES ($1, $2, $3, $4, $5)",
        event.source,
        said.from_household_id,
        said.account_id,
        said.version,
        os.getpid(),
    )
    if event.source == "test":
        unit.emit(said, said.account_id, said.version, said.from_household_id)


class Stopper:
    """Stops this process once, at the point, when the trigger is met."""

    def __init__(self, point: str) -> None:
        self.trigger = f"trigger-{point}".encode()
        self.point = point

    def met(self, point: str, *texts: bytes) -> None:
        if point == self.point and any(self.trigger in text for text in texts):
            self.point = ""
            os.kill(os.getpid(), signal.SIGSTOP)


class StoppingBus(KafkaBus):
    """Kafka, with the points before publishing and after polling."""

    def __init__(self, bootstrap: str, stopper: Stopper) -> None:
        super().__init__(bootstrap, SESSION_TIMEOUT_MS)
        self._stopper = stopper

    async def publish(self, records: Sequence[Record]) -> None:
        self._stopper.met("before_publish", *(record.value for record in records))
        await super().publish(records)

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        inner = super().consumer(group, topics)
        take = inner.poll

        async def poll(max_records: int, timeout_s: float) -> Mapping[TopicPartition, list[Received]]:
            batches = await take(max_records, timeout_s)
            self._stopper.met("after_poll", *(record.value for records in batches.values() for record in records))
            return batches

        setattr(inner, "poll", poll)  # noqa: B010  (a protocol's method)
        return inner


async def run(bootstrap: str, dsn: str, point: str) -> None:
    stopper = Stopper(point)

    async def handle(unit: Unit, event: Event, said: AccountMoved) -> None:
        await write_effect(unit, event, said)
        stopper.met("in_transaction", said.account_id.encode())

    service = Service("ingest", dsn, StoppingBus(bootstrap, stopper), ManualClock(NOW), MIGRATIONS)
    service.subscribe(Subscription((ACCOUNTS,), {AccountMoved: handle}))
    async with service.running():
        with contextlib.suppress(asyncio.CancelledError):
            await service.failed.wait()
    if service.failure is not None:
        raise service.failure


if __name__ == "__main__":
    configure_logs("info")
    db.IDLE_IN_TRANSACTION_S = IDLE_IN_TRANSACTION_S
    asyncio.run(run(*sys.argv[1:]))
