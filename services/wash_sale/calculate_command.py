"""`python -m services.wash_sale calculate FILE`: calculations on given figures, in the shape of the cases file, without a server."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from services.wash_sale.core.calculations import BadInputs, calculate
from services.wash_sale.history_json import UnreadableFile, read_entries


def run(path: Path) -> int:
    """Print {"id", "answer"} of each entry with `inputs`; 1 where one was refused (the others are answered), 2 for an unreadable file."""
    try:
        entries = read_entries(path)
    except UnreadableFile as error:
        print(error, file=sys.stderr)  # noqa: T201 (a command for a person)
        return 2
    asked = [each for each in entries if not _history(each)]
    answers = [answer(each, number) for number, each in enumerate(asked)]
    for each in answers:
        if "error" in each:
            print(f"{each['id']}: {each['error']['field']}: {each['error']['detail']}", file=sys.stderr)  # noqa: T201
    print(json.dumps(answers, indent=1))  # noqa: T201
    return 1 if any("error" in each for each in answers) else 0


def _history(entry: object) -> bool:
    """Whether an entry is a history with transactions: `replay` and `tax-year` answer those."""
    return isinstance(entry, Mapping) and bool(entry.get("transactions"))


def answer(entry: object, number: int) -> dict[str, Any]:
    """One entry's answer, or its error by field."""
    inputs = entry.get("inputs") if isinstance(entry, Mapping) else entry
    name = str(entry.get("id", number)) if isinstance(entry, Mapping) else str(number)
    found = calculate(inputs)
    if isinstance(found, BadInputs):
        return {"id": name, "error": msgspec.to_builtins(found)}
    return {"id": name, "answer": msgspec.to_builtins(found)}
