"""The JSON files of the offline commands: decimals stay exact, and one number without end does not cost the file's other histories."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

PLAIN_DIGITS = 18
"""More than any figure has; a longer number stays text, which the reader of its field refuses."""


def read_json(path: Path) -> Any:
    """The file's content; raises OSError, ValueError or (nested without end) RecursionError where there is none to read."""
    return json.loads(path.read_text(), parse_float=Decimal, parse_int=_whole_number)


def _whole_number(digits: str) -> int | str:
    return int(digits) if len(digits) <= PLAIN_DIGITS else digits
