"""A unit of work: one transaction in which a handler reads state, decides, saves, and says what happened.

gather: rows from `unit.connection`      decide: a pure core function      apply: save rows, `unit.emit(...)`
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec import Struct

from libs.common.db import Connection
from libs.common.errors import CannotApply
from libs.common.events import Event, make_event
from libs.common.outbox import LARGEST_VALUE_BYTES


@dataclass(frozen=True)
class _Held:
    value: Any
    finish: Callable[["Unit", Any], Awaitable[None]]
    unit: "Unit"


@dataclass
class Batch:
    """What the units of one transaction hold in hand: state that many events change and that is saved once, at the end.

    Fifty trades of an account in one batch are one load, one save and one word of its new state.  `prepared` is what was loaded for all
    of them together before the first.
    """

    held: dict[str, _Held] = field(default_factory=dict)
    prepared: dict[str, Any] = field(default_factory=dict)

    async def finish(self) -> None:
        """Save what is held, in the order in which it was first taken in hand; each in the unit that changed it last."""
        while self.held:  # saving may take more in hand
            held = self.held.pop(next(iter(self.held)))
            await held.finish(held.unit, held.value)


@dataclass
class Unit:
    """The transaction and what will be said when it commits.

    `source` is the service, `now` the moment the unit began (UTC), `cause` the event that led here (None for HTTP edits and
    background work), `actor` who asked (a service name, or the authenticated person).
    """

    connection: Connection
    source: str
    now: datetime
    actor: str
    cause: Event | None = None
    correlationid: str | None = None
    emitted: list[Event] = field(default_factory=list)
    batch: Batch = field(default_factory=Batch)

    def held(self, key: str) -> Any | None:
        """What an earlier unit of the batch holds under this key; None where nothing is held."""
        held = self.batch.held.get(key)
        return None if held is None else held.value

    def hold(self, key: str, value: Any, finish: Callable[["Unit", Any], Awaitable[None]]) -> None:
        """Keep a changed value in hand; `finish` saves it at the end of the batch."""
        self.batch.held[key] = _Held(value, finish, self)

    def emit(self, payload: Struct, subject: str, version: str | int, partitionkey: str) -> Event:
        """Say that something happened; it leaves with the commit, after whatever was said before it.

        Raises CannotApply for a state too large for any broker of the platform to take.

        `subject` and `version` (with the source and the type) make the event's id, so the same fact always has the same id.
        """
        correlationid = self.correlationid or (self.cause.correlationid if self.cause else f"{subject}:{version}")
        cause_id = self.cause.id if self.cause else None
        trace = self.cause.traceparent if self.cause else None
        event = make_event(self.source, payload, subject, version, partitionkey, self.now, correlationid, cause_id, trace)
        if len(event.data) > LARGEST_VALUE_BYTES:
            raise CannotApply(f"{event.type} of {subject} is {len(event.data)} bytes, more than the {LARGEST_VALUE_BYTES} that Kafka takes")
        self.emitted.append(event)
        return event
