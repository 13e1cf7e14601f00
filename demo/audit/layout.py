"""The files of out/demo: which types stand in which file, the text of a line, and the JSON Schema of each file.

A line is one JSON object: `type`, `recorded_at` (UTC) and the payload's own fields.  Decimals are strings, dates ISO.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec
from msgspec import Struct

from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.market import MarketPublished, RunOpened
from libs.common.schemas.order import ExecutionReported, OrderCancelled, OrderEnded, OrderPlaced, TradeBooked
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.schemas.screen import ScreenUpdated

DECIMAL_PATTERN = r"^-?[0-9]+(\.[0-9]+)?$"
SUMMARY = "summary"


class OrderRefused(Struct, frozen=True):
    """demo.order.refused: what orders did not let leave; `security_id` None is the whole proposal."""

    run_id: str
    proposal_id: str
    account_id: str
    household_id: str
    security_id: str | None
    code: str
    limit: Decimal | None
    actual: Decimal | None


class CustodyChanged(Struct, frozen=True):
    """demo.custody.changed: what the custodian changed by itself, shares of one security or cash in dollars."""

    account_id: str
    business_date: date
    why: Literal["split", "contribution", "withdrawal", "correction"]
    cash: Decimal
    security_id: str | None
    quantity: Decimal


class Summary(Struct, frozen=True):
    """The counts of summary.json that the audit compares with the lines; the file may say more."""

    simulated: bool
    accounts: int
    runs: int
    orders: int
    executions: int
    trades: int


ACCOUNT = {"pma.account.changed": AccountChanged}
FILES: Mapping[str, Mapping[str, type[Struct]]] = {
    "accounts_before": ACCOUNT,
    "accounts_runs": ACCOUNT,
    "accounts_after": ACCOUNT,
    "screens": {"pma.screen.updated": ScreenUpdated},
    "ledgers": {"pma.ledger.updated": LedgerUpdated},
    "proposals": {"pma.proposal.created": ProposalCreated, "pma.proposal.declined": ProposalDeclined},
    "orders": {
        "pma.order.placed": OrderPlaced,
        "pma.order.cancelled": OrderCancelled,
        "pma.order.ended": OrderEnded,
        "demo.order.refused": OrderRefused,
    },
    "fills": {"pma.execution.reported": ExecutionReported, "pma.trade.booked": TradeBooked},
    "market": {"pma.market.published": MarketPublished, "pma.run.opened": RunOpened},
    "custody": {"demo.custody.changed": CustodyChanged},
}


def line_of(type_name: str, recorded_at: datetime, payload: Struct) -> bytes:
    """One line of a .jsonl file, with its line end; `recorded_at` in UTC."""
    fields = msgspec.to_builtins(payload)
    return msgspec.json.encode({"type": type_name, "recorded_at": recorded_at, **fields}) + b"\n"


def schema_bytes(file: str) -> bytes:
    """The text of `file`.schema.json."""
    return msgspec.json.format(msgspec.json.encode(schema_of(file), order="sorted"), indent=1) + b"\n"


def schema_of(file: str) -> dict[str, Any]:
    """JSON Schema (2020-12) of one line of `file`, or of summary.json: one closed object a type, told apart by `type`."""
    if file == SUMMARY:
        _, definitions = msgspec.json.schema_components([Summary], ref_template="#/$defs/{name}")
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_plain(definitions["Summary"])}
    types = FILES[file]
    _, definitions = msgspec.json.schema_components(types.values(), ref_template="#/$defs/{name}")
    for type_name, struct in types.items():
        definitions[type_name] = _line_schema(type_name, definitions.pop(struct.__name__))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"a line of {file}.jsonl",
        "oneOf": [{"$ref": f"#/$defs/{type_name}"} for type_name in types],
        "$defs": _plain(definitions),
    }


def _line_schema(type_name: str, payload: dict[str, Any]) -> dict[str, Any]:
    envelope = {"type": {"const": type_name}, "recorded_at": {"type": "string", "format": "date-time"}}
    return {
        **payload,
        "title": type_name,
        "properties": {**envelope, **payload["properties"]},
        "required": ["type", "recorded_at", *payload["required"]],
        "additionalProperties": False,
    }


def _plain(node: Any) -> Any:
    """Decimals by pattern, and 'this or null' as a list of types, which validators check much faster than anyOf."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("format") == "decimal":
        return {"type": "string", "pattern": DECIMAL_PATTERN}
    inner = {key: _plain(value) for key, value in node.items()}
    options = inner.get("anyOf")
    if isinstance(options, list) and len(options) == 2 and options[1] == {"type": "null"} and isinstance(options[0].get("type"), str):
        del inner["anyOf"]
        return {**inner, **options[0], "type": [options[0]["type"], "null"]}
    return inner
