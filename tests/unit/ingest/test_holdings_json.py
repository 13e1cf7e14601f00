"""The holdings file as JSON meets the same checks as the CSV."""

import json
from typing import Any

import pytest

from libs.common.errors import BadInput
from services.ingest.core.holdings_json import csv_lines
from tests.unit.ingest.holdings_samples import LINES, read


def document() -> dict[str, Any]:
    """The content of LINES as a JSON document."""
    lots = [
        {"lot_id": "L1", "security_id": "AAA", "quantity": "100", "cost_basis": "1234.56", "acquired": "2024-05-31"},
        {"lot_id": "L2", "security_id": "BBB", "quantity": "12.345678", "cost_basis": None},
    ]
    accounts = [
        {"account_id": "A1", "cash_settled": "1000.50", "cash_unsettled": "0", "lots": lots},
        {
            "account_id": "A2",
            "cash_settled": "-20",
            "cash_unsettled": "300.25",
            "lots": [{"lot_id": "L3", "security_id": "AAA", "quantity": "7", "cost_basis": "70", "acquired": "2025-12-15"}],
        },
        {"account_id": "A3", "cash_settled": "5000", "cash_unsettled": "0"},
    ]
    return {
        "custodian": "north",
        "business_date": "2025-12-15",
        "sequence": 1,
        "basis": "trade_date",
        "created_at": "2025-12-15T11:30:00Z",
        "accounts": accounts,
        "totals": {"accounts": 3, "lots": 3, "quantity": "119.345678", "cash_settled": "5980.50"},
    }


def lines_of(content: dict[str, Any]) -> list[str]:
    return csv_lines("day1.json", json.dumps(content).encode())


def test_both_forms_say_the_same() -> None:
    assert read(lines_of(document()))[1] == read(LINES)[1]


def test_a_value_can_not_break_out_of_its_field() -> None:
    content = document()
    content["accounts"][0]["lots"][0]["lot_id"] = 'L1","x'
    content["accounts"][0]["lots"][1]["security_id"] = "B\nT,0,0,0,0"
    reader, accounts = read(lines_of(content))
    assert [(r.account_id, r.field) for r in reader.refused] == [("A1", "security_id")]
    assert [a.quarantine is None for a in accounts] == [False, True, True]


# (what, the path of the member, its new value, words of the refusal)
REFUSED: list[tuple[str, list[str | int], Any, str]] = [
    ("a member is missing", ["accounts", 0, "cash_settled"], ..., r"missing required field `cash_settled` - at `\$.accounts\[0\]`"),
    ("a member nobody knows", ["accounts", 0, "name"], "Ann", "unknown field `name`"),
    ("a number that is no string", ["accounts", 0, "lots", 0, "quantity"], 100, r"Expected `str`, got `int` - at .*quantity"),
    ("a date that is none", ["business_date"], "2025-02-30", r"Invalid.*business_date"),
    ("totals are missing", ["totals"], ..., "missing required field `totals`"),
    ("sequence 0", ["sequence"], 0, "field sequence: '0' is no number from 1"),
    ("fewer lots than said", ["totals", "lots"], 4, "field lot lines: the trailer says 4, the file has 3"),
    ("other shares than said", ["totals", "quantity"], "119", "field sum of quantity"),
    ("unknown basis", ["basis"], "today", "field basis: 'today' is unknown"),
]


@pytest.mark.parametrize(("path", "value", "said"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_what_refuses_the_document(path: list[str | int], value: Any, said: str) -> None:
    content = document()
    inner: Any = content
    for step in path[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    with pytest.raises(BadInput, match=said) as refused:
        read(lines_of(content), "day1.json")
    assert refused.value.file == "day1.json"
    assert refused.value.remedy


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(BadInput, match="JSON"):
        csv_lines("day1.json", b"H,pma-holdings,1")
