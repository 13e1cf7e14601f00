"""A unit of work: what it says follows its cause, and what is held in hand is saved once."""

from datetime import UTC, datetime
from typing import Any

from libs.common.events import make_event
from libs.common.schemas.account import AccountMoved
from libs.common.unit import Batch, Unit

NOW = datetime(2025, 12, 15, 12, tzinfo=UTC)
MOVED = AccountMoved("A1", "H1", "H2", 7)
CAUSE = make_event("elsewhere", MOVED, "A1", 1, "H1", NOW, "c1", traceparent="00-t-01")
NO_CONNECTION: Any = None


def test_what_is_said_carries_its_cause_on() -> None:
    unit = Unit(NO_CONNECTION, "ingest", NOW, "ingest", cause=CAUSE)
    event = unit.emit(MOVED, "A1", 7, "H1")
    assert (event.correlationid, event.causationid, event.traceparent) == ("c1", CAUSE.id, "00-t-01")
    assert unit.emitted == [event]


def test_without_a_cause_the_fact_names_itself() -> None:
    assert Unit(NO_CONNECTION, "ingest", NOW, "ann").emit(MOVED, "A1", 7, "H1").correlationid == "A1:7"
    given = Unit(NO_CONNECTION, "ingest", NOW, "ann", correlationid="file-1").emit(MOVED, "A1", 7, "H1")
    assert (given.correlationid, given.causationid) == ("file-1", None)


async def test_what_is_held_is_saved_once_by_the_unit_that_changed_it_last() -> None:
    saved: list[tuple[Unit, int]] = []

    async def save(unit: Unit, value: int) -> None:
        saved.append((unit, value))

    batch = Batch()
    first, second = (Unit(NO_CONNECTION, "ingest", NOW, "ingest", batch=batch) for _ in range(2))
    first.hold("A1", 1, save)
    first.hold("A2", 5, save)
    assert second.held("A1") == 1
    second.hold("A1", second.held("A1") + 1, save)
    await batch.finish()
    assert saved == [(second, 2), (first, 5)]
    assert first.held("A1") is None
