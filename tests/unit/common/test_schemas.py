"""The published shapes of our events: the files equal the code, the schemas accept what we send, AsyncAPI says what the services do."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator
from msgspec import Struct

from libs.common import schema_files
from libs.common.asyncapi import DEAD_LETTER, document
from libs.common.bus.memory import MemoryBus
from libs.common.clock import ManualClock
from libs.common.event_flows import DESK, FEEDS, FLOWS
from libs.common.events import EVENT_TYPES, TYPE_OF_PAYLOAD, EventType, encode_payload
from libs.common.schemas.account import AccountChanged, AccountMoved
from libs.common.schemas.custody import CustodyHoldings
from libs.common.schemas.market import RunOpened
from libs.common.service import Service
from libs.common.topics import SERVICES, TOPICS
from services.ingest.core.book import publishable
from services.ingest.core.custody_message import problem_of
from services.ingest.core.run import open_run
from services.ingest.settings import IngestSettings
from services.ingest.wiring import build as build_ingest
from services.optimizer.settings import OptimizerSettings
from services.optimizer.wiring import build as build_optimizer
from services.orders.settings import OrdersSettings
from services.orders.wiring import build as build_orders
from services.restrictions.settings import RestrictionsSettings
from services.restrictions.wiring import build as build_restrictions
from services.wash_sale.settings import WashSaleSettings
from services.wash_sale.wiring import build as build_wash_sale
from tests.unit.ingest.book_samples import OLD, book_after, buy, day, lot, snapshot

ROOT = Path(__file__).parents[3]
NOW = datetime(2025, 12, 15, 12, tzinfo=UTC)
MADE = schema_files.files()
HOW = "run: python -m libs.common.schema_files"


@pytest.mark.parametrize("path", sorted(MADE), ids=str)
def test_every_generated_file_is_as_the_code_says(path: Path) -> None:
    assert (ROOT / path).exists(), f"{path} is missing; {HOW}"
    assert (ROOT / path).read_text() == MADE[path], f"{path} differs from the code; {HOW}"


def test_there_is_no_schema_of_a_type_that_is_no_more() -> None:
    there = {path.relative_to(ROOT) for path in (ROOT / schema_files.SCHEMA_DIRECTORY).iterdir()}
    assert there == {path for path in MADE if path.parent == schema_files.SCHEMA_DIRECTORY}, HOW


@pytest.mark.parametrize("event_type", EVENT_TYPES.values(), ids=lambda one: one.name)
def test_each_schema_is_a_good_one_and_describes_its_payload(event_type: EventType) -> None:
    schema = schema_files.schema_of(event_type)
    Draft202012Validator.check_schema(schema)
    top = schema["$defs"][event_type.payload.__name__]
    assert set(top["properties"]) == set(event_type.payload.__struct_fields__)
    assert top["description"]


def samples() -> list[Struct]:
    book, changed = publishable(book_after(snapshot(day(0), lot("X", "10.5", None, OLD)), buy(1, "3", day(0))), [])
    assert changed is not None
    custody = msgspec.json.decode((ROOT / "docs/examples/custody-holdings-received.json").read_bytes(), type=CustodyHoldings)
    run = open_run(day(0), day(0), "M1", [], NOW, NOW.time(), 200)
    return [changed, AccountMoved("A1", "H1", "H2", book.version), custody, run, book.trades[0].trade]


@pytest.mark.parametrize("payload", samples(), ids=lambda one: type(one).__name__)
def test_what_is_sent_fits_its_schema_and_what_is_not_does_not(payload: Struct) -> None:
    validator = Draft202012Validator(schema_files.schema_of(TYPE_OF_PAYLOAD[type(payload)]))
    said = json.loads(encode_payload(payload))
    validator.validate(said)
    member = next(iter(said))
    assert list(validator.iter_errors({**said, member: {"not": "this"}}))
    assert list(validator.iter_errors({name: value for name, value in said.items() if name != member}))
    validator.validate({**said, "a_member_of_tomorrow": 1})


def test_the_example_message_is_a_good_one() -> None:
    raw = (ROOT / "docs/examples/custody-holdings-received.json").read_bytes()
    holdings = msgspec.json.decode(raw, type=CustodyHoldings)
    assert problem_of(holdings, holdings.business_date) is None
    assert (len(holdings.lots), holdings.lots[1].cost_basis) == (2, None)


def test_numbers_are_decimal_strings_and_dates_iso() -> None:
    properties = schema_files.schema_of(TYPE_OF_PAYLOAD[AccountChanged])["$defs"]["AccountChanged"]["properties"]
    assert properties["cash_settled"] == {"type": "string", "format": "decimal"}
    assert properties["business_date"] == {"type": "string", "format": "date"}


def test_what_a_type_says_is_the_first_sentence_of_its_payload() -> None:
    assert schema_files.said_by(TYPE_OF_PAYLOAD[RunOpened]) == "decide these accounts, as of this date, on this market"
    assert schema_files.said_by(TYPE_OF_PAYLOAD[AccountMoved]).startswith("keyed by the household that the account leaves")


def test_a_page_without_the_marks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"docs/events\.md lacks the marks"):
        schema_files.with_table("# Events")


ANY_MAP = {"type": "object"}
REFERENCE = {"type": "object", "required": ["$ref"], "properties": {"$ref": {"type": "string"}}, "additionalProperties": False}
NAMES = {"pattern": r"^[\w.\-]+$"}


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


TEXT = {"type": "string", "minLength": 1}
KAFKA_CHANNEL = closed(
    ["bindingVersion"],
    topic=TEXT,
    partitions={"type": "integer", "minimum": 1},
    replicas={"type": "integer", "minimum": 1},
    topicConfiguration={"type": "object"},
    bindingVersion={"const": "0.5.0"},
)
KAFKA_OPERATION = closed(["bindingVersion"], groupId=ANY_MAP, clientId=ANY_MAP, bindingVersion={"const": "0.5.0"})
KAFKA_MESSAGE = closed(["bindingVersion"], key=ANY_MAP, bindingVersion={"const": "0.5.0"})
CHANNEL = closed(
    ["address", "messages"],
    address=TEXT,
    description=TEXT,
    messages={"type": "object", "propertyNames": NAMES, "additionalProperties": REFERENCE, "minProperties": 1},
    bindings=closed(["kafka"], kafka=KAFKA_CHANNEL),
)
OPERATION = closed(
    ["action", "channel"],
    action={"enum": ["send", "receive"]},
    channel=REFERENCE,
    title=TEXT,
    messages={"type": "array", "items": REFERENCE, "minItems": 1},
    tags={"type": "array", "items": closed(["name"], name=TEXT)},
    bindings=closed(["kafka"], kafka=KAFKA_OPERATION),
)
MESSAGE = closed(
    ["name", "payload"],
    name=TEXT,
    title=TEXT,
    contentType=TEXT,
    headers={"type": "object", "required": ["type"], "properties": {"type": {"const": "object"}}},
    payload=ANY_MAP,
    correlationId=closed(["location"], location={"type": "string", "pattern": r"^\$message\.(header|payload)#(\/(?:[^\/~]|~[01])*)*$"}),
    bindings=closed(["kafka"], kafka=KAFKA_MESSAGE),
)
ASYNCAPI_3 = {
    "$schema": schema_files.DIALECT,
    "description": "What AsyncAPI 3.0.0 asks of the parts that we use (its fixed fields, required ones, patterns of names)",
    **closed(
        ["asyncapi", "info"],
        asyncapi={"const": "3.0.0"},
        info=closed(["title", "version"], title=TEXT, version=TEXT, description=TEXT),
        defaultContentType=TEXT,
        channels={"type": "object", "additionalProperties": CHANNEL},
        operations={"type": "object", "additionalProperties": OPERATION},
        components=closed(
            [],
            messages={"type": "object", "propertyNames": NAMES, "additionalProperties": MESSAGE},
            schemas={"type": "object", "propertyNames": NAMES},
        ),
    ),
}


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def found_at(whole: Any, reference: str) -> Any:
    """What a reference names: inside the document, or a file beside it."""
    if not reference.startswith("#/"):
        return json.loads((ROOT / "docs" / reference).read_text())
    for step in reference.removeprefix("#/").split("/"):
        whole = whole[step]
    return whole


def test_asyncapi_has_the_structure_of_version_3() -> None:
    read = yaml.safe_load((ROOT / schema_files.ASYNCAPI).read_text())
    Draft202012Validator(ASYNCAPI_3).validate(read)
    assert read == document()
    assert all(found_at(read, reference) for reference in references(read))


def test_operations_use_messages_of_their_own_channel_and_channels_are_the_topics() -> None:
    said = document()
    for operation in said["operations"].values():
        channel = operation["channel"]["$ref"]
        assert all(message["$ref"].startswith(f"{channel}/messages/") for message in operation["messages"])
    topics = {topic.name: topic.partitions for topic in TOPICS}
    assert {name: channel["bindings"]["kafka"]["partitions"] for name, channel in said["channels"].items()} == topics
    on_channels = {name for channel in said["channels"].values() for name in channel["messages"]}
    assert on_channels == {*EVENT_TYPES, DEAD_LETTER} == set(said["components"]["messages"])


def test_each_message_names_its_schema_file_and_its_type() -> None:
    messages = document()["components"]["messages"]
    for name in EVENT_TYPES:
        schema = found_at({}, messages[name]["payload"]["schema"]["$ref"])
        assert schema["$id"] == f"urn:pma:{name}:1"
        assert messages[name]["headers"]["allOf"][1]["properties"]["ce_type"] == {"const": name}


def every_service() -> list[Service]:
    """The five services as their wiring composes them; nothing connects."""
    where = {"postgres_dsn": "postgresql://unused:1/unused", "kafka_bootstrap": "unused:1"}
    bus, clock = MemoryBus(), ManualClock(NOW)
    return [
        build_ingest(IngestSettings(**where), bus, clock)[0],
        build_restrictions(RestrictionsSettings(**where), bus, clock)[0],
        build_wash_sale(WashSaleSettings(**where), bus, clock)[0],
        build_optimizer(OptimizerSettings(**where), bus, clock)[0],
        build_orders(OrdersSettings(**where), bus, clock)[0],
    ]


def test_the_table_of_flows_is_what_the_services_subscribe_to() -> None:
    assert set(FLOWS) == set(EVENT_TYPES)
    takes: dict[str, set[str]] = {name: set() for name in EVENT_TYPES}
    for service in every_service():
        subscription = service._subscription
        assert subscription is not None
        for payload in subscription.handlers:
            takes[TYPE_OF_PAYLOAD[payload].name].add(service.name)
        assert set(subscription.topics) == {TYPE_OF_PAYLOAD[payload].topic for payload in subscription.handlers}
    assert {name: set(flow.receivers) - {DESK} for name, flow in FLOWS.items()} == takes


@pytest.mark.parametrize(("name", "flow"), FLOWS.items(), ids=list(FLOWS))
def test_who_says_a_type_makes_its_payload(name: str, flow: Any) -> None:
    folders = {FEEDS: "demo/sample", DESK: "services/desk_simulator"}
    payload = EVENT_TYPES[name].payload.__name__
    for sender in flow.senders:
        assert sender in (*SERVICES, *folders)
        sources = (ROOT / folders.get(sender, f"services/{sender}")).rglob("*.py")
        assert any(payload in source.read_text() for source in sources)
