"""In which order events count: by date; within a day by `seq`, which is the known order.

Without it, and among events that share one, a day goes: corporate actions, shares in, transfers, gifts out, sales; and the sales of one day
whose order is not known are one sale, so that their losses go by original purchase (section 1.4).  So the order in which a file lists a
day's events changes nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import msgspec
from msgspec import Struct

from services.wash_sale.core.tax_events import GiftOut, LotIn, Sale, TaxEvent, Transfer

UNKNOWN_ORDER = 1 << 62
Place = tuple[date, int, int, str]


class Dated(Struct, frozen=True, gc=False):
    """An event in its place: the day, the known order within it (None where unknown), and how errors call it."""

    event: TaxEvent
    seq: int | None
    name: str


class Step(Struct, frozen=True, gc=False):
    """What is booked at once: one event, or the sales of a day whose order is not known; `start` and `end` count events."""

    event: TaxEvent
    name: str
    start: int
    end: int


def in_order(events: Iterable[Dated]) -> list[Dated]:
    """Events by time."""
    return sorted(events, key=place_of)


def steps(events: Sequence[Dated], start: int = 0) -> Iterator[Step]:
    """Ordered events as they are booked, from one of them on."""
    while start < len(events):
        end = start + 1
        while end < len(events) and one_step(events[start], events[end]):
            end += 1
        if end == start + 1:
            yield Step(events[start].event, events[start].name, start, end)
        else:
            yield Step(_one(events[start:end]), ", ".join(dated.name for dated in events[start:end]), start, end)
        start = end


def first_of_step(events: Sequence[Dated], position: int) -> int:
    """Where the step begins that an event at a position belongs to."""
    while position > 0 and one_step(events[position - 1], events[position]):
        position -= 1
    return position


def one_step(first: Dated, second: Dated) -> bool:
    """Whether two events are sales of one day whose order is not known."""
    if first.seq != second.seq or first.event.day != second.event.day:
        return False
    return isinstance(first.event, Sale) and isinstance(second.event, Sale)


def _one(dated: Sequence[Dated]) -> TaxEvent:
    first = dated[0].event
    if len(dated) == 1 or not isinstance(first, Sale):
        return first
    return Sale(first.event_id, first.day, tuple(fill for each in dated if isinstance(each.event, Sale) for fill in each.event.fills))


def place_of(dated: Dated) -> Place:
    """Where an event stands in time."""
    seq = UNKNOWN_ORDER if dated.seq is None else dated.seq
    return (dated.event.day, seq, _rank(dated.event), _canonical(dated.event))


def _rank(event: TaxEvent) -> int:
    for rank, kind in enumerate((LotIn, Transfer, GiftOut, Sale), start=1):
        if isinstance(event, kind):
            return rank
    return 0


def _canonical(event: TaxEvent) -> str:
    """A text that orders what nothing else orders."""
    if isinstance(event, LotIn):
        return f"{event.layer.account_id} {event.layer.lot_id}"
    if isinstance(event, Sale):
        return f"{event.fills[0].account_id} {event.fills[0].event_id}"
    return f"{type(event).__name__} {msgspec.json.encode(event).decode()}"
