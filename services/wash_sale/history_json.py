"""The JSON files of the offline commands: decimals stay exact, and one number without end does not cost the file's other histories."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

PLAIN_DIGITS = 18
"""More than any figure has; a longer number stays text, which the reader of its field refuses."""


class UnreadableFile(Exception):
    """The file is not there, is no JSON, or is nested without end; the text names it."""


def read_entries(path: Path) -> list[Any]:
    """The entries of a file that holds one or an array of them; raises UnreadableFile."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"{path}: {error}") from error
    return entries_of(text, str(path))


def entries_of(text: str, name: str) -> list[Any]:
    """The entries of a text that holds one or an array of them; raises UnreadableFile, which calls it by its name."""
    try:
        raw = json.loads(text, parse_float=Decimal, parse_int=_whole_number)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"{name}: {error}") from error
    return raw if isinstance(raw, list) else [raw]


def _whole_number(digits: str) -> int | str:
    return int(digits) if len(digits) <= PLAIN_DIGITS else digits
