"""What is wrong with what an adviser gave: where, what, and what to do.  Nothing that is given raises."""

from msgspec import Struct


class FieldFault(Struct, frozen=True):
    """One thing that is wrong: its line (1-based, 0 where there is none), its field, what is wrong, and a remedy."""

    line: int
    field: str
    message: str
    remedy: str

    def text(self) -> str:
        """One line for a person."""
        place = ", ".join(part for part in (f"line {self.line}" if self.line else "", self.field) if part)
        return f"{place}: {self.message}. {self.remedy}." if place else f"{self.message}. {self.remedy}."
