"""The project's own cases of pure calculations (data/own_calculations.json, in the shape of the verified ones): where those are thin."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.wash_sale.pure_calculations import calculated, differences

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "own_calculations.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['id']} {case['title']}")
def test_own_calculation(case: dict[str, Any]) -> None:
    assert differences(case["expected"], calculated(case)) == []


def test_each_has_its_own_id_and_source() -> None:
    assert len({case["id"] for case in CASES}) == len(CASES) >= 15
    assert all(case["source"][0]["cite"] and case["expected"] for case in CASES)


def test_a_difference_is_seen() -> None:
    """The comparison itself can fail: a cent, a missing figure, a word, a row too many."""
    assert differences({"a": "1.00", "b": [{"c": "x"}]}, {"a": 1, "b": [{"c": "x", "d": 2}], "e": 3}) == []
    assert differences({"a": "1.01"}, {"a": 1}) == [".a: 1 instead of '1.01'"]
    assert differences({"a": "0"}, {}) == [".a: None instead of '0'"]
    assert differences({"b": [{"c": "x"}]}, {"b": [{"c": "y"}]}) == [".b[0].c: 'y' instead of 'x'"]
    assert len(differences({"b": []}, {"b": [1]})) == 1
    assert len(differences({"b": True}, {"b": 1})) == 1
