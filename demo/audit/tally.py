"""What a rule found: how many times it was checked, and each violation with the order it is about and the numbers."""

from dataclasses import dataclass, field

NO_ORDER = "-"


@dataclass(frozen=True)
class Violation:
    """One breach: the order's id (NO_ORDER where none is concerned) and what was found against what was allowed."""

    order_id: str
    detail: str


@dataclass
class Tally:
    """Counts the checks of one rule."""

    rule: str
    checked: int = 0
    violations: list[Violation] = field(default_factory=list)

    def check(self, holds: bool, order_id: str, detail: str) -> None:
        """Count one check, and a violation where it does not hold."""
        self.checked += 1
        if not holds:
            self.violations.append(Violation(order_id, detail))
