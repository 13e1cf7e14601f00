"""Events: CloudEvents 1.0 in Kafka's binary mode, and the registry of their types.

The payload is JSON (decimals as strings); above 8 KiB the internal types are compressed once with zstd level 1 and carried as they
are through broker, state and outbox (`content-encoding: zstd`).  Topics that others read or write stay plain.

An event's id is a function of its source, type, subject and version, so whatever is made twice has the same id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import zstandard
from msgspec import Struct

from libs.common import topics
from libs.common.errors import Undecodable
from libs.common.ids import content_id
from libs.common.schemas.account import AccountChanged, AccountMoved
from libs.common.schemas.custody import CustodyHoldings
from libs.common.schemas.decision import KillSwitchTurned, ProposalJudged, RunClosed
from libs.common.schemas.ledger import LedgerRestated, LedgerUpdated, LotTold
from libs.common.schemas.market import MarketPublished, RunOpened
from libs.common.schemas.order import ExecutionReported, OrderCancelled, OrderEnded, OrderPlaced, TradeBooked
from libs.common.schemas.plan import PlanChosen, PlanWithdrawn
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.schemas.rule import RulesEdited
from libs.common.schemas.screen import ScreenUpdated

Header = tuple[str, bytes]
Payload = TypeVar("Payload", bound=Struct)

COMPRESS_ABOVE_BYTES = 8 * 1024
CONTENT_TYPE = "application/json"


@dataclass(frozen=True)
class EventType:
    """One type of event: its payload, its topic, the version of its schema, and whether it may be compressed (internal state)."""

    name: str
    topic: str
    payload: type[Struct]
    schema_version: int = 1
    internal: bool = True


EVENT_TYPES: dict[str, EventType] = {
    event_type.name: event_type
    for event_type in (
        EventType("custody.holdings.received", topics.CUSTODY_HOLDINGS, CustodyHoldings, internal=False),
        EventType("pma.account.changed", topics.ACCOUNTS, AccountChanged),
        EventType("pma.account.moved", topics.ACCOUNTS, AccountMoved),
        EventType("pma.market.published", topics.MARKET, MarketPublished),
        EventType("pma.run.opened", topics.MARKET, RunOpened),
        EventType("pma.screen.updated", topics.SCREENS, ScreenUpdated),
        EventType("pma.ledger.updated", topics.LEDGERS, LedgerUpdated),
        EventType("pma.ledger.restated", topics.LEDGERS, LedgerRestated),
        EventType("pma.lot.told", topics.LEDGERS, LotTold),
        EventType("pma.proposal.created", topics.PROPOSALS, ProposalCreated),
        EventType("pma.proposal.declined", topics.PROPOSALS, ProposalDeclined),
        EventType("pma.order.placed", topics.ORDERS, OrderPlaced, internal=False),
        EventType("pma.order.cancelled", topics.ORDERS, OrderCancelled, internal=False),
        EventType("pma.order.ended", topics.ORDERS, OrderEnded, internal=False),
        EventType("pma.execution.reported", topics.EXECUTIONS, ExecutionReported, internal=False),
        EventType("pma.trade.booked", topics.TRADES, TradeBooked),
        EventType("pma.rules.edited", topics.RULES, RulesEdited),
        EventType("pma.proposal.judged", topics.DECISIONS, ProposalJudged),
        EventType("pma.run.closed", topics.DECISIONS, RunClosed),
        EventType("pma.kill_switch.turned", topics.DECISIONS, KillSwitchTurned),
        EventType("pma.plan.chosen", topics.PLANS, PlanChosen),
        EventType("pma.plan.withdrawn", topics.PLANS, PlanWithdrawn),
    )
}
TYPE_OF_PAYLOAD: dict[type[Struct], EventType] = {event_type.payload: event_type for event_type in EVENT_TYPES.values()}


class Event(Struct, frozen=True):
    """An event as it travels: CloudEvents attributes and the encoded (perhaps compressed) payload.

    `subject` is what the event is about (an account, a household, a run, a block); `partitionkey` orders it among its neighbours;
    `correlationid` follows one cause (a file, a run) through every service; `causationid` is the event that caused this one.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    partitionkey: str
    correlationid: str
    causationid: str | None
    traceparent: str | None
    compressed: bool
    data: bytes


@dataclass(frozen=True)
class Record:
    """A message to publish: the topic, the partitioning key, the value and the headers."""

    topic: str
    key: bytes
    value: bytes
    headers: Sequence[Header]


_encoder = msgspec.json.Encoder()
_decoders: dict[type[Struct], msgspec.json.Decoder[Any]] = {}


def encode_payload(payload: Struct) -> bytes:
    """The one JSON text of a payload; equal payloads give equal bytes."""
    return _encoder.encode(payload)


def make_event(
    source: str,
    payload: Struct,
    subject: str,
    version: str | int,
    partitionkey: str,
    time: datetime,
    correlationid: str,
    causationid: str | None = None,
    traceparent: str | None = None,
) -> Event:
    """An event of the payload's type; its id is a function of source, type, subject and version."""
    event_type = TYPE_OF_PAYLOAD[type(payload)]
    data = encode_payload(payload)
    compressed = event_type.internal and len(data) > COMPRESS_ABOVE_BYTES
    if compressed:
        data = zstandard.ZstdCompressor(level=1).compress(data)
    event_id = content_id(source, event_type.name, subject, version)
    return Event(event_id, source, event_type.name, subject, time, partitionkey, correlationid, causationid, traceparent, compressed, data)


def payload_of(event: Event, expected: type[Payload]) -> Payload:
    """Decode the payload; members that this version does not know are ignored (strict on write, tolerant on read).

    Raises Undecodable, naming the member, when the bytes don't make the payload.
    """
    decoder = _decoders.get(expected)
    if decoder is None:
        decoder = _decoders.setdefault(expected, msgspec.json.Decoder(expected))
    try:
        raw = zstandard.ZstdDecompressor().decompress(event.data) if event.compressed else event.data
        payload: Payload = decoder.decode(raw)
    except (msgspec.MsgspecError, zstandard.ZstdError) as error:
        raise Undecodable(f"{event.type} {event.id}: {error}") from error
    return payload


def to_record(event: Event, extra: Sequence[Header] = ()) -> Record:
    """The event as a Kafka message in CloudEvents binary mode."""
    event_type = EVENT_TYPES[event.type]
    at = event.time.isoformat().encode()
    headers: list[Header] = [
        ("content-type", CONTENT_TYPE.encode()),
        ("ce_specversion", b"1.0"),
        ("ce_id", event.id.encode()),
        ("ce_source", event.source.encode()),
        ("ce_type", event.type.encode()),
        ("ce_subject", event.subject.encode()),
        ("ce_time", at),
        ("ce_recordedat", at),
        ("ce_partitionkey", event.partitionkey.encode()),
        ("ce_correlationid", event.correlationid.encode()),
        ("ce_dataversion", str(event_type.schema_version).encode()),
    ]
    if event.causationid:
        headers.append(("ce_causationid", event.causationid.encode()))
    if event.traceparent:
        headers.append(("ce_traceparent", event.traceparent.encode()))
    if event.compressed:
        headers.append(("content-encoding", b"zstd"))
    headers.extend(extra)
    return Record(event_type.topic, event.partitionkey.encode(), event.data, headers)


def from_record(key: bytes | None, value: bytes, headers: Sequence[Header]) -> Event:
    """Read a message in CloudEvents binary mode.  Raises Undecodable, naming what is missing or unknown."""
    found = {name: (raw or b"").decode(errors="replace") for name, raw in headers}  # Kafka allows a header without a value
    missing = [name for name in ("ce_id", "ce_source", "ce_type", "ce_subject", "ce_time") if not found.get(name)]
    if missing:
        raise Undecodable(f"header {', '.join(missing)} missing: publish CloudEvents 1.0 in binary mode")
    if found["ce_type"] not in EVENT_TYPES:
        raise Undecodable(f"header ce_type: {found['ce_type']!r} is not a type of this platform")
    schema_version = EVENT_TYPES[found["ce_type"]].schema_version
    if found.get("ce_dataversion", "1") != str(schema_version):
        raise Undecodable(f"header ce_dataversion: {found['ce_dataversion']} is not {schema_version}, the version known here")
    try:
        time = datetime.fromisoformat(found["ce_time"])
    except ValueError as error:
        raise Undecodable(f"header ce_time: {error}") from error
    return Event(
        id=found["ce_id"],
        source=found["ce_source"],
        type=found["ce_type"],
        subject=found["ce_subject"],
        time=time,
        partitionkey=found.get("ce_partitionkey") or (key or b"").decode(errors="replace"),
        correlationid=found.get("ce_correlationid") or found["ce_id"],
        causationid=found.get("ce_causationid"),
        traceparent=found.get("ce_traceparent"),
        compressed=found.get("content-encoding") == "zstd",
        data=value,
    )
