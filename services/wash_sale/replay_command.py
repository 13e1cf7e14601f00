"""`python -m services.wash_sale replay FILE`: histories in the shape of the cases file to sales, lots and washes, without a server."""

import gc
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from services.wash_sale.core.history_fields import BadHistory
from services.wash_sale.core.history_file import books_of_history
from services.wash_sale.core.history_rows import error_row, history_rows
from services.wash_sale.history_json import UnreadableFile, read_entries


def run(path: Path) -> int:
    """Print the answers as a JSON array; 1 where a history was refused (the others are answered), 2 where the file can't be read."""
    with without_collector():
        return _run(path)


def _run(path: Path) -> int:
    try:
        entries = read_entries(path)
    except UnreadableFile as error:
        print(error, file=sys.stderr)  # noqa: T201 (a command for a person)
        return 2
    answers = [answer(each, number) for number, each in enumerate(entries)]
    for each in answers:
        if "error" in each:
            error_of = each["error"]
            line = f"{each['id']}: {error_of['event']}, field {error_of['field']}: {error_of['detail']}"
            print(line, file=sys.stderr)  # noqa: T201
    print(as_json(answers))  # noqa: T201
    return 1 if any("error" in each for each in answers) else 0


@contextmanager
def without_collector() -> Iterator[None]:
    """The collector of cycles stands still: books have none, and looking through 100 thousand events for them is a sixth of the time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def as_json(answers: list[dict[str, Any]]) -> str:
    """Indented, and in ASCII alone, whatever the names are: a terminal may know no other letters."""
    try:
        text = msgspec.json.format(msgspec.json.encode(answers), indent=1)
    except UnicodeEncodeError:  # a name with half a character
        text = b"\xff"
    return text.decode() if text.isascii() else json.dumps(answers, indent=1)


def answer(raw: object, number: int) -> dict[str, Any]:
    """One history's rows, or its error; a history without transactions has none."""
    if isinstance(raw, dict) and not raw.get("transactions") and raw.get("inputs") is not None:
        return {"id": str(raw.get("id", number)), "sales": [], "lots": [], "washes": []}
    books = books_of_history(raw, number)
    return error_row(books) if isinstance(books, BadHistory) else history_rows(books)
