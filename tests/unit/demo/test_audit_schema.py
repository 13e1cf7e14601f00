"""The audit's schema check says what a full JSON Schema validator says, and the audit stands on the contract alone."""

import ast
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from demo import audit
from demo.audit.layout import FILES, SUMMARY, CustodyChanged, line_of, schema_of
from demo.audit.schema_check import compile_schema, line_checks
from tests.unit.demo.audit_case import write_case

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["a", "b"]},
        "amount": {"type": ["string", "null"], "pattern": r"^-?[0-9]+$"},
        "lots": {"type": "array", "items": {"type": "string"}},
        "rates": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
        "seen": {"type": "boolean"},
        "count": {"type": "integer"},
        "next": {"anyOf": [{"$ref": "#/$defs/Inner"}, {"type": "null"}]},
        "intents": {"type": "object", "additionalProperties": {"type": "string"}},
        "fixed": {"const": 1},
    },
    "required": ["kind"],
    "additionalProperties": False,
    "$defs": {"Inner": {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}},
}


@pytest.mark.parametrize(
    "value",
    [
        {"kind": "a"},
        {"kind": "c"},
        {},
        [],
        {"kind": "a", "other": 1},
        {"kind": "a", "amount": None},
        {"kind": "a", "amount": "-12"},
        {"kind": "a", "amount": "1e3"},
        {"kind": "a", "amount": 12},
        {"kind": "b", "lots": ["x", "y"]},
        {"kind": "b", "lots": ["x", None]},
        {"kind": "b", "lots": "x"},
        {"kind": "b", "rates": [[0.5, 1], []]},
        {"kind": "b", "rates": [[0.5, "1"]]},
        {"kind": "a", "seen": True},
        {"kind": "a", "seen": 1},
        {"kind": "a", "count": 3},
        {"kind": "a", "count": True},
        {"kind": "a", "count": 2.5},
        {"kind": "a", "next": None},
        {"kind": "a", "next": {"day": "x"}},
        {"kind": "a", "next": {}},
        {"kind": "a", "intents": {"A1": "p1"}},
        {"kind": "a", "intents": {"A1": None}},
        {"kind": "a", "fixed": 1},
        {"kind": "a", "fixed": 2},
    ],
)
def test_same_verdict_as_a_full_validator(value: Any) -> None:
    problem = compile_schema(SCHEMA, SCHEMA)(value)
    assert (problem is None) == Draft202012Validator(SCHEMA).is_valid(value), problem


@pytest.mark.parametrize("file", [*FILES, SUMMARY])
def test_every_line_of_a_good_case_fits_its_schema_in_both(tmp_path: Path, file: str) -> None:
    write_case(tmp_path)
    schema = schema_of(file)
    Draft202012Validator.check_schema(schema)
    if file == SUMMARY:
        assert Draft202012Validator(schema).is_valid(msgspec.json.decode((tmp_path / "summary.json").read_bytes()))
        return
    lines = [msgspec.json.decode(raw) for raw in (tmp_path / f"{file}.jsonl").read_bytes().splitlines()]
    assert lines
    for line in lines:
        assert line_checks(schema)[line["type"]](line) is None
        assert list(Draft202012Validator(schema).iter_errors(line)) == []


def test_a_keyword_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="uniqueItems"):
        compile_schema({"type": "array", "uniqueItems": True}, {})


def test_a_line_is_flat_with_decimals_as_text() -> None:
    change = CustodyChanged("A1", datetime(2025, 12, 16, tzinfo=UTC).date(), "split", Decimal(0), "AAA", Decimal("10.50"))
    assert line_of("demo.custody.changed", datetime(2025, 12, 16, 15, tzinfo=UTC), change) == (
        b'{"type":"demo.custody.changed","recorded_at":"2025-12-16T15:00:00Z","account_id":"A1","business_date":"2025-12-16",'
        b'"why":"split","cash":"0","security_id":"AAA","quantity":"10.50"}\n'
    )


def test_the_audit_imports_nothing_that_decides() -> None:
    allowed = ("demo.audit", "libs.common.ids", "libs.common.money", "libs.common.schemas")
    for path in Path(audit.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            ours = [name for name in names if name.split(".")[0] in ("demo", "libs", "services")]
            assert all(name.startswith(allowed) for name in ours), (path.name, ours)
