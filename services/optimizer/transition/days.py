"""Days as people and spreadsheets write them: 2019-03-04, 3/4/2019, 04.03.2019, 4 Mar 2019, March 4, 2019.

With strokes the month comes first, as in the US, unless a day of the table shows that it can't.  Nothing raises.
"""

import re
from collections.abc import Iterable
from datetime import date

from services.optimizer.transition.amounts import Problem

ISO = re.compile(r"(\d{4})[-/.]?(\d{1,2})[-/.]?(\d{1,2})([T ].*)?", re.ASCII)
STROKES = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})", re.ASCII)
IN_WORDS = re.compile(r"(?:(\d{1,2})[ -.]*([A-Za-z]{3})[a-z]*\.?|([A-Za-z]{3})[a-z]*\.? *(\d{1,2})),?[ -]*(\d{4}|\d{2})", re.ASCII)
MONTHS = {month: n for n, month in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}  # noqa: SIM905 (reads better)
FIRST_YEAR, CENTURY = 1900, 60
REMEDY = "Write it as 2019-03-04"


def day_first(texts: Iterable[str]) -> bool:
    """Whether days with strokes have the day before the month: one of them has a first number above 12, none a second one."""
    pairs = [(int(found[1]), int(found[3])) for text in texts if (found := STROKES.fullmatch(text.strip())) and found[2] == "/"]
    return any(first > 12 for first, _ in pairs) and not any(second > 12 for _, second in pairs)


def read_day(text: str, *, day_before_month: bool = False) -> date | Problem:
    """The day, or why the text is none."""
    text = text.strip()
    if found := ISO.fullmatch(text):
        year, month, day = int(found[1]), int(found[2]), int(found[3])
    elif found := STROKES.fullmatch(text):
        first, second, year = int(found[1]), int(found[3]), _year(found[4])
        day, month = (first, second) if day_before_month or found[2] == "." else (second, first)
    elif found := IN_WORDS.fullmatch(text):
        day, month, year = int(found[1] or found[4]), MONTHS.get((found[2] or found[3]).lower(), 0), _year(found[5])
    else:
        return Problem(f"{text[:40]!r} is no day")
    try:
        read = date(year, month, day)
    except ValueError:
        return Problem(f"{text[:40]!r} is no day of the calendar")
    return read if year >= FIRST_YEAR else Problem(f"{text[:40]!r} is before {FIRST_YEAR}")


def _year(text: str) -> int:
    """A year; of two digits the last hundred years' one."""
    year = int(text)
    return year if len(text) == 4 else year + (FIRST_YEAR if year > CENTURY else 2000)
