"""Runs the verified cases that give inputs instead of transactions through the product's calculations.

Each calculation answers with every figure that it can state; a test compares those that the case expects.  What the cases tell in words
alone (how many shares, whether an election was made) is read from the title or the description here, and told to the product.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from services.wash_sale.core.calculations import BadInputs, calculate

D = Decimal
Answer = dict[str, Any]


def calculated(case: Mapping[str, Any]) -> Answer | None:
    """What the product answers to a case's inputs; None for a case with transactions."""
    if case.get("transactions") or case.get("inputs") is None:
        return None
    found = calculate({**in_words(case), **case["inputs"]})
    assert not isinstance(found, BadInputs), found
    answer: Answer = msgspec.to_builtins(found)
    return answer


def in_words(case: Mapping[str, Any]) -> dict[str, Any]:
    """Of a case about rights: the election, and the number of old shares."""
    inputs = case["inputs"]
    if inputs.get("op") != "rights":
        return {}
    told = [bool(value) for name, value in inputs.items() if "elect" in name]
    denied = re.search(r"\b(no|not|without|unless|absent)\b", case["title"].lower())
    shares = re.findall(r"(\d+) shares", case.get("description") or "")
    return {
        "rights_elected": told[0] if told else "elected" in case["title"] and not denied,
        **({"shares": shares[0]} if shares else {}),
    }


def differences(expected: Any, found: Any, path: str = "") -> list[str]:
    """Where what was found differs from what a case states; numbers compare as decimals, and only what is stated is compared."""
    if isinstance(expected, Mapping):
        if not isinstance(found, Mapping):
            return [f"{path}: {found!r} instead of {expected!r}"]
        return [line for name, value in expected.items() for line in differences(value, found.get(name), f"{path}.{name}")]
    if isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected):
            return [f"{path}: {found!r} instead of {expected!r}"]
        pairs = enumerate(zip(expected, found, strict=True))
        return [line for number, (one, other) in pairs for line in differences(one, other, f"{path}[{number}]")]
    if isinstance(expected, bool) or expected is None:
        return [] if found is expected else [f"{path}: {found!r} instead of {expected!r}"]
    return [] if _plain(found) == _plain(expected) else [f"{path}: {found!r} instead of {expected!r}"]


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    try:
        return D(str(value))
    except ArithmeticError:
        return value
