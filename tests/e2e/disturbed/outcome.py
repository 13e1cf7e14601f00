"""What came of a run, as its topics say: the part of it that must not depend on who was killed when.

Left out, since they follow from how events were batched and from when they were taken: the versions of accounts, screens and ledgers, the
pins and the proposal ids that hash them, the number a trade got among its account's, recorded times, the run that a state answers; and
what orders says for its own restore alone (judgements, which also tell of waits).  Nothing else is.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct

from libs.common.events import Event
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.order import ExecutionReported, OrderEnded, OrderPlaced, TradeBooked
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.schemas.screen import ScreenUpdated

PARTS: dict[type[Struct], tuple[str, tuple[str, ...]]] = {
    AccountChanged: ("accounts", ("account_id",)),
    LedgerUpdated: ("ledgers", ("household_id",)),
    ScreenUpdated: ("screens", ("account_id",)),
    ProposalCreated: ("decisions", ("run_id", "account_id")),
    ProposalDeclined: ("decisions", ("run_id", "account_id")),
    OrderPlaced: ("orders", ("cl_ord_id",)),
    OrderEnded: ("ends", ("cl_ord_id",)),
    ExecutionReported: ("executions", ("exec_id",)),
    TradeBooked: ("trades", ("trade_id",)),
}
"""Which part an event belongs to and what it is about: a later one of the same replaces it."""
ONCE = ("decisions", "orders", "trades")
DEPENDS_ON_BATCHING = frozenset({"version", "account_version", "trade_seq", "pins", "proposal_id"})


@dataclass(frozen=True)
class Outcome:
    """By kind, then by key: the final book, the decisions, the orders and what was booked.  `doubled` names what was said twice."""

    parts: Mapping[str, Mapping[str, Any]]
    doubled: Sequence[str]
    events: int

    @property
    def orders(self) -> set[str]:
        return set(self.parts["orders"])

    def differences(self, other: "Outcome") -> list[str]:
        """What differs between the two, in words: first this, then the other."""
        found = []
        for part, mine in self.parts.items():
            theirs = other.parts[part]
            for key in sorted(mine.keys() | theirs.keys()):
                found += [f"{part} {key}: {text}" for text in _differences(mine.get(key), theirs.get(key))]
        return found


def outcome_of(said: Iterable[tuple[Event, Struct]]) -> Outcome:
    """Made of everything said, each record once and each partition in its order."""
    parts: dict[str, dict[str, Any]] = {part: {} for part, _ in PARTS.values()}
    times: Counter[str] = Counter()
    said = list(said)
    for _, payload in said:
        if type(payload) in PARTS:
            part, members = PARTS[type(payload)]
            key = " ".join(str(getattr(payload, member)) for member in members)
            parts[part][key] = content_of(payload)
            times[f"{part} {key}"] += part in ONCE
    parts["booked"] = shares_booked(payload for _, payload in said if isinstance(payload, TradeBooked))
    return Outcome(parts, sorted(key for key, count in times.items() if count > 1), len(said))


def content_of(payload: Struct) -> Any:
    """The payload as plain values, without what depends on batching."""
    plain = msgspec.to_builtins(payload)
    if isinstance(payload, AccountChanged | LedgerUpdated | ScreenUpdated):
        plain.pop("run_id", None)
    if isinstance(payload, OrderPlaced):
        del plain["transact_time"]
    if isinstance(payload, ProposalCreated | ProposalDeclined):
        plain["kind"] = type(payload).__name__
    return _without(plain)


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without(member) for name, member in value.items() if name not in DEPENDS_ON_BATCHING}
    return [_without(member) for member in value] if isinstance(value, list) else value


def shares_booked(trades: Iterable[TradeBooked]) -> dict[str, str]:
    """Shares booked for each execution over all accounts, a trade counted once however often it was said."""
    once = {trade.trade_id: trade for trade in trades}
    booked: dict[str, Any] = {}
    for trade in once.values():
        if trade.kind == "fill":
            booked[trade.exec_id] = booked.get(trade.exec_id, 0) + trade.quantity
    return {exec_id: str(shares) for exec_id, shares in booked.items()}


def _differences(mine: Any, theirs: Any, path: str = "") -> list[str]:
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return [
            text
            for name in sorted(mine.keys() | theirs.keys())
            for text in _differences(mine.get(name), theirs.get(name), f"{path}.{name}" if path else name)
        ]
    return [] if mine == theirs else [f"{path or 'all'} {_short(mine)} | {_short(theirs)}"]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:157]}..."
