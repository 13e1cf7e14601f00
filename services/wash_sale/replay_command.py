"""`python -m services.wash_sale replay FILE`: histories in the shape of the cases file to sales, lots and washes, without a server."""

import json
import sys
from pathlib import Path
from typing import Any

from services.wash_sale.core.history_fields import BadHistory
from services.wash_sale.core.history_file import books_of_history
from services.wash_sale.core.history_rows import error_row, history_rows
from services.wash_sale.history_json import UnreadableFile, read_entries


def run(path: Path) -> int:
    """Print the answers as a JSON array; 1 where a history was refused (the others are answered), 2 where the file can't be read."""
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
    print(json.dumps(answers, indent=1))  # noqa: T201
    return 1 if any("error" in each for each in answers) else 0


def answer(raw: object, number: int) -> dict[str, Any]:
    """One history's rows, or its error; a history without transactions has none."""
    if isinstance(raw, dict) and not raw.get("transactions") and raw.get("inputs"):
        return {"id": str(raw.get("id", number)), "sales": [], "lots": [], "washes": []}
    books = books_of_history(raw, number)
    return error_row(books) if isinstance(books, BadHistory) else history_rows(books)
