"""The files that tell others what our events look like, written from the code: `python -m libs.common.schema_files`.

* libs/common/schemas/json/<type>.json: a JSON Schema (draft 2020-12) of every payload;
* docs/asyncapi.yaml: the topics, who sends and receives what, and the headers (libs/common/asyncapi.py);
* the table of types in docs/events.md, between its two marks.

A test compares the files with what this would write: a change of a payload shows in review as a change of its schema.
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from libs.common.event_flows import FLOWS
from libs.common.events import EVENT_TYPES, EventType

ROOT = Path(__file__).parents[2]
SCHEMA_DIRECTORY = Path("libs/common/schemas/json")
EVENTS_PAGE = Path("docs/events.md")
ASYNCAPI = Path("docs/asyncapi.yaml")
TABLE_BEGINS = "<!-- types: written by python -m libs.common.schema_files -->"
TABLE_ENDS = "<!-- /types -->"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_path(event_type: EventType) -> Path:
    """Where a type's schema lies, from the repository's root."""
    return SCHEMA_DIRECTORY / f"{event_type.name}.json"


def schema_of(event_type: EventType) -> dict[str, Any]:
    """The JSON Schema of a type's payload.  Members that it does not name are allowed: readers pass over what they don't know."""
    schema = msgspec.json.schema(event_type.payload)
    schema["$defs"] = {name: _tidy(definition) for name, definition in sorted(schema["$defs"].items())}
    return {"$schema": DIALECT, "$id": f"urn:pma:{event_type.name}:{event_type.schema_version}", **schema}


def _tidy(definition: dict[str, Any]) -> dict[str, Any]:
    """A definition with its docstring as running text."""
    description = definition.get("description")
    return definition if description is None else {**definition, "description": " ".join(description.split())}


def said_by(event_type: EventType) -> str:
    """What a type says: the first sentence of its payload's docstring, less the type's name."""
    text = " ".join((event_type.payload.__doc__ or "").split())
    return text.removeprefix(event_type.name).lstrip(":, ").split(". ")[0].rstrip(".")


def table_of_types() -> str:
    """The types as a Markdown table, in the order of the way of one change."""
    lines = ["| type | topic | key | subject, version | from -> to | says |", "|---|---|---|---|---|---|"]
    for event_type in EVENT_TYPES.values():
        flow = FLOWS[event_type.name]
        schema = f"[{event_type.name}](../{schema_path(event_type).as_posix()})"
        way = f"{', '.join(flow.senders)} -> {', '.join(flow.receivers) or 'itself, to catch up'}"
        cells = [schema, f"`{event_type.topic}`", f"`{flow.key}`", f"`{flow.subject}`, {flow.version}", way, said_by(event_type)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def with_table(page: str) -> str:
    """The page with the table between its marks renewed.  Raises ValueError where the marks are missing."""
    before, found, rest = page.partition(TABLE_BEGINS)
    _, ended, after = rest.partition(TABLE_ENDS)
    if not found or not ended:
        raise ValueError(f"{EVENTS_PAGE} lacks the marks {TABLE_BEGINS} and {TABLE_ENDS}")
    return f"{before}{TABLE_BEGINS}\n{table_of_types()}\n{TABLE_ENDS}{after}"


def files() -> dict[Path, str]:
    """Every generated file, from the repository's root, with its content."""
    from libs.common.asyncapi import asyncapi_text  # noqa: PLC0415 (needs PyYAML, which a service's image does not have)

    made = {schema_path(one): json.dumps(schema_of(one), indent=2, ensure_ascii=False) + "\n" for one in EVENT_TYPES.values()}
    return {**made, ASYNCAPI: asyncapi_text(), EVENTS_PAGE: with_table((ROOT / EVENTS_PAGE).read_text())}


def main() -> int:
    """Rewrite the files that differ, and take away schemas of types that are no more."""
    made = files()
    (ROOT / SCHEMA_DIRECTORY).mkdir(exist_ok=True)
    for path in sorted((ROOT / SCHEMA_DIRECTORY).glob("*.json")):
        if path.relative_to(ROOT) not in made:
            path.unlink()
            sys.stdout.write(f"removed {path.relative_to(ROOT)}\n")
    for relative, content in made.items():
        target = ROOT / relative
        if not target.exists() or target.read_text() != content:
            target.write_text(content)
            sys.stdout.write(f"wrote {relative}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
