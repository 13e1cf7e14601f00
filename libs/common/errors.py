"""The few exceptions that decide the fate of a message; everything a caller may decide is a value instead.

* `Undecodable`: the message can't be read -> dead-letter topic, the rest goes on.
* `CannotApply`: read, but the account's state does not allow it -> the household is parked, in order, until redriven.
* `DependencyDown`: PostgreSQL or the bus does not answer -> back off without committing, try the same batch again.
* `Fenced`: another owner has taken the partition -> drop the batch, change nothing.
* anything else is a bug or a broken invariant -> the process stops.
"""


class Undecodable(Exception):
    """The bytes of a message don't make an event; the reason is the exception's text."""


class CannotApply(Exception):
    """A well-formed message that this account's state does not allow; the reason is the exception's text."""


class DependencyDown(Exception):
    """PostgreSQL or the bus does not answer; the work is tried again."""


class Fenced(Exception):
    """The offset mark in PostgreSQL was moved by another owner of the partition."""


class InvariantBroken(Exception):
    """Something that can't be true is: stop before it spreads."""


class BadInput(Exception):
    """A user's input that can't be taken: where it stands, what is wrong and what to do.

    `file` names the file or endpoint, `line` counts from 1 (None where there are no lines), `field` the column or member.
    """

    def __init__(self, file: str, line: int | None, field: str | None, problem: str, remedy: str) -> None:
        place = file + (f", line {line}" if line is not None else "") + (f", field {field}" if field else "")
        super().__init__(f"{place}: {problem}. {remedy}")
        self.file = file
        self.line = line
        self.field = field
        self.problem = problem
        self.remedy = remedy
