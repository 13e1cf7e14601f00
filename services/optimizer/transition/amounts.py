"""Numbers as people and spreadsheets write them: $1,234.56, 1.234,56 EUR, (12.50), 1 234.5, 40.8 %.

A number says itself which mark it uses (1.234,56; 12,5; 1,234,567), or it does not (1,234 and 1.234): then the rest of its table decides.

Invariant: what is read has at most 15 digits before the point and six behind it, or it is a Problem; nothing raises.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

from libs.common.money import SHARE_STEP

MOST_DIGITS = 15
SIGNS = re.compile(r"(?i)^(usd|eur|gbp|chf|us\$|[$€£¥])\s*|\s*(usd|eur|gbp|chf|[$€£¥])$")
SPACES = re.compile(r"(?<=\d)[ \u00a0\u202f\u2009'’](?=\d{3}(?!\d))")
DIGITS = re.compile(r"\d+", re.ASCII)
POINT_GROUPS = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII)
COMMA_GROUPS = re.compile(r"\d{1,3}(\.\d{3})+(,\d*)?", re.ASCII)
PLAIN_POINT = re.compile(r"\d*\.?\d*", re.ASCII)
PLAIN_COMMA = re.compile(r"\d*,?\d*", re.ASCII)
EXPONENT = re.compile(r"\d+([.,]\d*)?e[+-]?\d+", re.ASCII | re.IGNORECASE)
NOT_CLEAR = re.compile(r"[1-9]\d{0,2}[.,]\d{3}", re.ASCII)


class Mark(StrEnum):
    """What stands before the decimals of a table's numbers."""

    POINT = "point"
    COMMA = "comma"
    NOT_CLEAR = "not_clear"


class Problem(str):
    """Why a text is no number or day, for a person."""

    __slots__ = ()


def mark_of(texts: Iterable[str], default: Mark = Mark.POINT) -> Mark:
    """The mark that the clear numbers of a table use; NOT_CLEAR where they differ, the default where none is clear."""
    found = {mark for text in texts if (mark := _own_mark(_bare(text)[0])) is not None}
    return default if not found else found.pop() if len(found) == 1 else Mark.NOT_CLEAR


def read_amount(text: str, mark: Mark = Mark.POINT) -> Decimal | Problem:
    """A number in a table with that mark; a percentage is divided by a hundred.  Rounded to six places."""
    bare, negative, percent = _bare(text)
    own = _own_mark(bare)
    if own is None and NOT_CLEAR.fullmatch(bare) and mark is Mark.NOT_CLEAR:
        return Problem(f"{text.strip()!r} may be a thousand or a fraction: the other numbers write it both ways")
    if (own or mark) is Mark.COMMA:
        bare = bare.replace(".", "").replace(",", ".") if COMMA_GROUPS.fullmatch(bare) or PLAIN_COMMA.fullmatch(bare) else "?"
    else:
        bare = bare.replace(",", "") if POINT_GROUPS.fullmatch(bare) or PLAIN_POINT.fullmatch(bare) else "?"
    if not DIGITS.search(bare) or "?" in bare:
        if EXPONENT.fullmatch(_bare(text)[0]):
            return Problem(f"{_shown(text)} is written with an exponent")
        return Problem(f"{_shown(text)} is no number")
    return bounded(Decimal(bare) * (-1 if negative else 1), text, percent=percent)


def bounded(value: Decimal, text: str, *, percent: bool = False) -> Decimal | Problem:
    """The number to six places (eight as a fraction of a percentage), or why it is out of reach."""
    if not value.is_finite() or (value and value.adjusted() >= MOST_DIGITS):
        return Problem(f"{_shown(text)} is out of reach: it has more than {MOST_DIGITS} digits before the point, or is no number")
    if value and value.adjusted() < -MOST_DIGITS:
        return Decimal(0)
    return (value / 100).quantize(SHARE_STEP / 100) if percent else value.quantize(SHARE_STEP)


def _bare(text: str) -> tuple[str, bool, bool]:
    """The text without signs and spaces; whether it is negative; whether it is a percentage."""
    bare = text.strip().replace("\u2212", "-")
    percent = bare.endswith("%")
    bare = bare.removesuffix("%").strip()
    negative = bare.startswith("(") and bare.endswith(")")
    bare = bare[1:-1].strip() if negative else bare
    for _ in range(2):  # a sign may stand before or behind the currency
        if bare.startswith(("-", "+")) or bare.endswith("-"):
            negative = negative or "-" in (bare[0], bare[-1])
            bare = bare.strip("+-").strip()
        bare = SIGNS.sub("", bare)
    return SPACES.sub("", bare), negative, percent


def _own_mark(bare: str) -> Mark | None:
    """The mark that this number shows by itself."""
    if NOT_CLEAR.fullmatch(bare) or not ("." in bare or "," in bare):
        return None
    if POINT_GROUPS.fullmatch(bare) or ("," not in bare and PLAIN_POINT.fullmatch(bare)):
        return Mark.POINT
    if COMMA_GROUPS.fullmatch(bare) or ("." not in bare and PLAIN_COMMA.fullmatch(bare)):
        return Mark.COMMA
    return None


def _shown(text: str) -> str:
    """The text as a message quotes it."""
    short = text.strip()
    return repr(short if len(short) <= 40 else short[:40] + "…")
