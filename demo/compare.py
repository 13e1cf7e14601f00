"""Compares what a replay said with what was recorded: byte for byte, and where that differs, member by member."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from demo.recording import Recorded, recorded
from libs.common.bus.memory import MemoryBus
from libs.common.errors import Undecodable
from libs.common.events import Event, from_record
from libs.common.topics import ORDERS, PROPOSALS

COMPARED = ("pma.proposal.created", "pma.proposal.declined", "pma.order.placed")
Key = tuple[str, str]


@dataclass(frozen=True)
class Compared:
    """How many of each type are the same, how many are not, and the first difference, member by member."""

    equal: Counter[str]
    different: Counter[str]
    first: str | None

    @property
    def same(self) -> bool:
        """Whether everything recorded came out again, and nothing else."""
        return self.first is None

    def text(self) -> str:
        """For a person."""
        lines = [f"{name:<24} {self.equal[name]:>6} the same, byte for byte; {self.different[name]} not" for name in COMPARED]
        return "\n".join(lines if self.first is None else [*lines, "The first difference:", self.first])


class Compares:
    """The recorded decisions and orders, and those of the replay as they come.

    A decision is known by its run and account, an order by its run, security and side.
    """

    def __init__(self, recording: Sequence[Recorded]) -> None:
        self._recorded = {_key(each.type, bytes(each.data)): (each.type, bytes(each.data)) for each in recording if each.type in COMPARED}
        self._replayed: dict[Key, tuple[str, bytes]] = {}

    def take(self, bus: MemoryBus) -> None:
        """Take what is on the bus by now."""
        for event in _events(bus):
            data = bytes(recorded(event).data)
            self._replayed[_key(event.type, data)] = (event.type, data)

    def result(self) -> Compared:
        """The comparison of all."""
        equal, different = Counter[str](), Counter[str]()
        first = None
        for key in sorted(self._recorded.keys() | self._replayed.keys()):
            before, after = self._recorded.get(key), self._replayed.get(key)
            if before is not None and before == after:
                equal[before[0]] += 1
                continue
            kind = (before or after or ("", b""))[0]
            different[kind] += 1
            first = first or "\n".join([f"{kind} {key[0]} {key[1]}", *_described(before, after)])
        return Compared(equal, different, first)


def _events(bus: MemoryBus) -> Iterator[Event]:
    for topic in (PROPOSALS, ORDERS):
        for record in bus.log(topic):
            try:
                event = from_record(record.key, record.value, record.headers)
            except Undecodable as error:
                raise AssertionError("our own services say what can be read") from error
            if event.type in COMPARED:
                yield event


def _key(kind: str, data: bytes) -> Key:
    said = msgspec.json.decode(data)
    what = f"{said['security_id']} {said['side']}" if kind == "pma.order.placed" else said["account_id"]
    return said["run_id"], what


def _described(before: tuple[str, bytes] | None, after: tuple[str, bytes] | None) -> list[str]:
    if before is None or after is None:
        return ["  only in the recording" if after is None else "  only in the replay"]
    if before[0] != after[0]:
        return [f"  recorded {before[0]}, replayed {after[0]}", f"  replayed: {after[1].decode()[:400]}"]
    found = list(_differences(msgspec.json.decode(before[1]), msgspec.json.decode(after[1]), ""))
    return found or ["  the same members and values, written otherwise"]


def _differences(before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            yield from _differences(before.get(name), after.get(name), f"{path}.{name}" if path else name)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, pair in enumerate(zip(before, after, strict=True)):
            yield from _differences(*pair, f"{path}[{place}]")
    elif before != after:
        yield f"  {path}: recorded {before!r}, replayed {after!r}"
