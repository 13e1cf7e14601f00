"""What is wrong with one member of a master record."""

from msgspec import Struct


class IntakeProblem(Struct, frozen=True):
    """A member of a master record that can't be taken, and the remedy."""

    field: str
    problem: str
    remedy: str
