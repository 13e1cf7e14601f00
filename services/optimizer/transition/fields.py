"""Reading the members of a form one by one: each wrong one becomes a fault with its line, everything else is kept.

Members may be numbers or texts, lists may be texts with commas: a JSON body and the fields of a page are read alike.
"""

from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from services.optimizer.transition.amounts import Problem, bounded, read_amount
from services.optimizer.transition.days import REMEDY, read_day
from services.optimizer.transition.faults import FieldFault

Lines = Callable[[str], int]
MOST_TEXT = 200


def clean(text: str, most: int = MOST_TEXT) -> str:
    """Text that can be written anywhere: no control characters, no halves of surrogate pairs, no more than `most` characters."""
    return "".join(c for c in text if c.isprintable()).strip()[:most]


class Fields:
    """The members of one object of the form, of a list its `item`; `faults` is shared with the objects in it."""

    def __init__(self, given: dict[str, Any], lines: Lines, faults: list[FieldFault], place: str = "", item: int = 0) -> None:
        self.given, self.lines, self.faults, self.place, self.item = given, lines, faults, place, item

    def at(self, name: str) -> str:
        """The member's whole name."""
        return f"{self.place}.{name}" if self.place else name

    def wrong(self, name: str, message: str, remedy: str) -> None:
        """Mark a member."""
        self.faults.append(FieldFault(self.lines(self.at(name)), self.at(name), str(message), remedy))

    def unknown(self, known: Iterable[str]) -> None:
        """Mark what has no meaning here."""
        for name in self.given:
            if name not in known:
                said = clean(str(name)) or "?"
                self.faults.append(FieldFault(self.lines(self.at(said)), self.at(said), f"The form has no field {said!r}", "Leave it out"))

    def text(self, name: str) -> str:
        """A text, empty where there is none."""
        value = self.given.get(name)
        if value is None:
            return ""
        if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
            return clean(str(value)) if not isinstance(value, int) else clean(str(value % 10**MOST_TEXT))
        self.wrong(name, "It is no text", "Write it in quotes")
        return ""

    def number(self, name: str, remedy: str = "Write it in digits, as 1234.56") -> Decimal | None:
        """A number, None where there is none or it is wrong."""
        value = self.given.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        read: Decimal | Problem = Problem("It is no number")
        if isinstance(value, str):
            read = read_amount(value)
        elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            read = bounded(Decimal(repr(value)) if isinstance(value, float) else Decimal(value), "The number")
        if isinstance(read, Problem):
            self.wrong(name, read, remedy)
            return None
        return read

    def money(self, name: str) -> Decimal | None:
        """Dollars of at least zero."""
        value = self.number(name)
        if value is not None and value < 0:
            self.wrong(name, f"{value.normalize():f} is below zero", "Give a positive number of dollars, or leave it out")
            return None
        return value

    def fraction(self, name: str, example: str = "40.8% or 0.408") -> Decimal | None:
        """A fraction from 0 to 1: 0.408, or 40.8 %.  The example is one of this field."""
        remedy = f"Give at least 0 and at most 100%, such as {example}"
        value = self.number(name, remedy)
        if value is not None and not 0 <= value <= 1:
            self.wrong(name, f"{value.normalize():f} is not from 0 to 1", remedy)
            return None
        return value

    def whole(self, name: str, least: int, most: int) -> int | None:
        """A whole number in a range."""
        remedy = f"Write a whole number from {least} to {most}"
        value = self.number(name, remedy)
        if value is not None and not (value == value.to_integral_value() and least <= value <= most):
            self.wrong(name, f"{value.normalize():f} is no whole number from {least} to {most}", remedy)
            return None
        return None if value is None else int(value)

    def day(self, name: str) -> date | None:
        """A day."""
        text = self.text(name)
        read = read_day(text) if text else None
        if isinstance(read, Problem):
            self.wrong(name, read, REMEDY)
            return None
        return read

    def items(self, name: str) -> list[Any]:
        """A list: as it is, or a text with commas, semicolons or new lines; a single object is a list of one."""
        value = self.given.get(name)
        if isinstance(value, str):
            return [part.strip() for part in value.replace(";", ",").replace("\n", ",").split(",") if part.strip()]
        if isinstance(value, dict):
            return [value]
        if value is None or isinstance(value, list):
            return list(value or [])
        self.wrong(name, "It is no list", "Write it as a list, or with commas between")
        return []

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, each once."""
        found: dict[str, None] = {}
        for n, value in enumerate(self.items(name)):
            if isinstance(value, str) and clean(value):
                found[clean(value)] = None
            elif not isinstance(value, str):
                self.wrong(f"{name}[{n}]", "It is no text", "Write it in quotes")
        return tuple(found)

    def parts(self, name: str, from_text: Callable[[str], dict[str, Any]]) -> list["Fields"]:
        """A list of objects; one that is a text is taken apart by `from_text`."""
        found = []
        for n, value in enumerate(self.items(name)):
            if isinstance(value, dict | str):
                given = from_text(value) if isinstance(value, str) else value
                found.append(Fields(given, self.lines, self.faults, f"{self.at(name)}[{n}]", n))
            else:
                self.wrong(f"{name}[{n}]", "It is neither an object nor a text", "See docs/transition-intake.md")
        return found
