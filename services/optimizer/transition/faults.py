"""What is wrong with what an adviser gave: where, what, and what to do.  Nothing that is given raises."""

import re

from msgspec import Struct

ITEM = re.compile(r"\[(\d+)\]")


class FieldFault(Struct, frozen=True):
    """One thing that is wrong: its line (1-based, 0 where there is none), its field, what is wrong, and a remedy."""

    line: int
    field: str
    message: str
    remedy: str

    def what(self) -> str:
        """The field in words, items counted from 1: "Wind down 2, years"."""
        words = ITEM.sub(lambda found: f" {int(found[1]) + 1}", self.field).replace("_", " ").replace(".", ", ")
        return words[:1].upper() + words[1:] if words else "The form"

    def text(self) -> str:
        """One line for a person."""
        place = ", ".join(part for part in (f"line {self.line}" if self.line else "", self.field) if part)
        return f"{place}: {self.message}. {self.remedy}." if place else f"{self.message}. {self.remedy}."
