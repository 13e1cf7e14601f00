"""The platform's topics as an AsyncAPI 3.0 document, made from topics.py, events.py and event_flows.py.

Channels are Kafka topics; an operation is one party sending to, or receiving from, one topic; a message is one type of event in
CloudEvents' binary mode: attributes in headers, the payload's JSON as the value.  PyYAML is needed to write it, not to run a service.
"""

from typing import Any

import yaml

from libs.common.event_flows import DESK, FEEDS, FLOWS
from libs.common.events import EVENT_TYPES, EventType
from libs.common.schema_files import SCHEMA_DIRECTORY, said_by
from libs.common.topics import SERVICES, TOPICS, Topic, dead_letter_topic

KAFKA_BINDING = "0.5.0"
SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"
DEAD_LETTER = "dead-letter"
PEOPLE = "people"
TEXT = {"type": "string"}
TIME = {"type": "string", "format": "date-time"}
HEADERS: dict[str, dict[str, Any]] = {
    "ce_specversion": {"const": "1.0"},
    "ce_id": {**TEXT, "description": "a hash of source, type, subject and version: the same fact has the same id"},
    "ce_source": {**TEXT, "description": "who says it"},
    "ce_subject": {**TEXT, "description": "what it is about"},
    "ce_time": {**TIME, "description": "when it was said"},
    "ce_recordedat": {**TIME, "description": "when it was written down: as known at that time"},
    "ce_partitionkey": {**TEXT, "description": "the record's key again: what orders it among its neighbours"},
    "ce_correlationid": {**TEXT, "description": "one file, edit or run through every service"},
    "ce_causationid": {**TEXT, "description": "the id of the event that led to this one"},
    "ce_traceparent": {**TEXT, "description": "W3C trace context, where the cause had one"},
    "ce_dataversion": {**TEXT, "description": "the version of the payload's schema"},
    "content-type": {"const": "application/json"},
    "content-encoding": {"const": "zstd", "description": "there when the value is compressed: internal types above 8 KiB"},
    "pma-lane": {**TEXT, "description": "which of the sender's ordered streams it left by"},
    "pma-seq": {**TEXT, "description": "its place in that stream: what came twice is dropped by it"},
}
NEEDED = ["ce_id", "ce_source", "ce_type", "ce_subject", "ce_time"]
DEAD_LETTER_HEADERS = {
    "pma-reason": {**TEXT, "description": "why it could not be read"},
    "pma-topic": {**TEXT, "description": "the topic it came on"},
    "pma-partition": TEXT,
    "pma-offset": TEXT,
}


def asyncapi_text() -> str:
    """The document as YAML; the same text for the same code."""
    body = yaml.dump(document(), Dumper=_Dumper, sort_keys=False, width=140, allow_unicode=True)
    return f"# Written by python -m libs.common.schema_files; a test compares it with the code.\n{body}"


class _Dumper(yaml.SafeDumper):
    """Writes what occurs twice twice: anchors are hard to read."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def document() -> dict[str, Any]:
    """The AsyncAPI document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Personalised managed accounts",
            "version": "1.0.0",
            "description": "What the five services say to each other and to feeds and desk. How events look, how they are ordered and what "
            "happens to one that can't be read: docs/events.md.",
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {name: operation for topic in TOPICS for name, operation in _operations(topic)},
        "components": {
            "messages": {**{one.name: _message(one) for one in EVENT_TYPES.values()}, DEAD_LETTER: _dead_letter()},
            "schemas": {"cloudevents-headers": {"type": "object", "properties": HEADERS, "required": NEEDED}},
        },
    }


def _types_on(topic: Topic) -> list[EventType]:
    return [one for one in EVENT_TYPES.values() if one.topic == topic.name]


def _names_on(topic: Topic) -> list[str]:
    return [one.name for one in _types_on(topic)] or [DEAD_LETTER]


def _channel(topic: Topic) -> dict[str, Any]:
    types = _types_on(topic)
    keys = " or ".join(dict.fromkeys(FLOWS[one.name].key for one in types))
    return {
        "address": topic.name,
        "description": f"Keyed by {keys}; records of one key keep their order." if types else "Messages that a service could not read.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _names_on(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {name: int(topic.config[name]) for name in ("max.message.bytes", "retention.ms")},
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _operations(topic: Topic) -> list[tuple[str, dict[str, Any]]]:
    """One operation for each party that sends to, or receives from, the topic."""
    if not _types_on(topic):
        service = next(name for name in SERVICES if dead_letter_topic(name) == topic.name)
        return [_operation(service, "send", topic, [DEAD_LETTER]), _operation(PEOPLE, "receive", topic, [DEAD_LETTER])]
    found = []
    for party in (FEEDS, *SERVICES, DESK):
        sent = [one.name for one in _types_on(topic) if party in FLOWS[one.name].senders]
        received = [one.name for one in _types_on(topic) if party in FLOWS[one.name].receivers]
        found += [_operation(party, action, topic, names) for action, names in (("send", sent), ("receive", received)) if names]
    return found


def _operation(party: str, action: str, topic: Topic, names: list[str]) -> tuple[str, dict[str, Any]]:
    operation: dict[str, Any] = {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "title": f"{party} {action}s {', '.join(names)}",
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{name}"} for name in names],
        "tags": [{"name": party}],
    }
    if action == "receive" and party in SERVICES:
        group = {"type": "string", "enum": [f"pma-{party}"]}
        operation["bindings"] = {"kafka": {"groupId": group, "bindingVersion": KAFKA_BINDING}}
    return f"{party}.{action}.{topic.name}", operation


def _message(event_type: EventType) -> dict[str, Any]:
    own = {"ce_type": {"const": event_type.name}, "ce_dataversion": {"const": str(event_type.schema_version)}}
    return {
        "name": event_type.name,
        "title": said_by(event_type),
        "contentType": "application/json",
        "headers": {"type": "object", "allOf": [{"$ref": "#/components/schemas/cloudevents-headers"}, {"properties": own}]},
        "payload": {"schemaFormat": SCHEMA_FORMAT, "schema": {"$ref": f"../{SCHEMA_DIRECTORY.as_posix()}/{event_type.name}.json"}},
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "bindings": {"kafka": {"key": {"type": "string", "description": FLOWS[event_type.name].key}, "bindingVersion": KAFKA_BINDING}},
    }


def _dead_letter() -> dict[str, Any]:
    return {
        "name": DEAD_LETTER,
        "title": "A message as it came, with its reason and place in the headers",
        "headers": {"type": "object", "properties": DEAD_LETTER_HEADERS, "required": list(DEAD_LETTER_HEADERS)},
        "payload": {"description": "the bytes as they came"},
    }
