"""A unit of work: one transaction in which a handler reads state, decides, saves, and says what happened.

gather: rows from `unit.connection`      decide: a pure core function      apply: save rows, `unit.emit(...)`
"""

from dataclasses import dataclass, field
from datetime import datetime

from msgspec import Struct

from libs.common.db import Connection
from libs.common.events import Event, make_event


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

    def emit(self, payload: Struct, subject: str, version: str | int, partitionkey: str) -> Event:
        """Say that something happened; it leaves with the commit, after whatever was said before it.

        `subject` and `version` (with the source and the type) make the event's id, so the same fact always has the same id.
        """
        correlationid = self.correlationid or (self.cause.correlationid if self.cause else f"{subject}:{version}")
        cause_id = self.cause.id if self.cause else None
        trace = self.cause.traceparent if self.cause else None
        event = make_event(self.source, payload, subject, version, partitionkey, self.now, correlationid, cause_id, trace)
        self.emitted.append(event)
        return event
