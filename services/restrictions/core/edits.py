"""One edit of one rule: whether it may be made on what stands, and what stands afterwards.

Invariants
1. A revision never repeats and never falls, over deletion and return too, so an ETag of an earlier life matches nothing later.
2. An edit that was made on another revision than the one in force changes nothing (`STALE`).
3. A rule in force is never replaced or deleted without naming its revision; intake's commands alone need none.
4. Putting what stands already is no edit.
"""

from enum import StrEnum
from typing import Literal

from msgspec import Struct

from services.restrictions.core.rules import Owner, Rule

Expected = int | Literal["absent", "unstated"]
"""What an edit says of the rule that it changes: its revision, that there is none, or nothing."""


class RuleRecord(Struct, frozen=True):
    """A rule as it stands, or as it last stood if it is no longer in force."""

    owner: Owner
    rule: Rule
    revision: int
    in_force: bool


class RuleEdit(Struct, frozen=True):
    """An edit that was made; `after` is what stands now."""

    action: Literal["put", "delete"]
    after: RuleRecord


class EditRefusal(StrEnum):
    """Every reason for which an edit is not made."""

    NOT_FOUND = "not_found"
    REVISION_UNSTATED = "revision_unstated"
    STALE = "stale"


class EditRefused(Struct, frozen=True):
    """An edit that is not made; `actual` is the revision in force, None where there is none."""

    reason: EditRefusal
    actual: int | None


def put_rule(current: RuleRecord | None, owner: Owner, rule: Rule, expected: Expected) -> RuleEdit | EditRefused | None:
    """Create or replace a rule.  None means that it stands already as it is put."""
    refused = _refused(current, expected)
    if refused is not None:
        return refused
    return commanded_put(current, owner, rule)


def commanded_put(current: RuleRecord | None, owner: Owner, rule: Rule) -> RuleEdit | None:
    """As `put_rule`, for a command of intake, which is made on whatever stands."""
    if current is not None and current.in_force and current.rule == rule:
        return None
    return RuleEdit("put", RuleRecord(owner, rule, _next_revision(current), in_force=True))


def delete_rule(current: RuleRecord | None, expected: Expected) -> RuleEdit | EditRefused:
    """Take a rule out of force."""
    if current is None or not current.in_force:
        return EditRefused(EditRefusal.NOT_FOUND, None)
    return _refused(current, expected) or _deleted(current)


def commanded_delete(current: RuleRecord | None) -> RuleEdit | None:
    """As `delete_rule`, for a command of intake; None where a person deleted the rule before."""
    return _deleted(current) if current is not None and current.in_force else None


def _refused(current: RuleRecord | None, expected: Expected) -> EditRefused | None:
    in_force = current.revision if current is not None and current.in_force else None
    if expected == "unstated":
        return EditRefused(EditRefusal.REVISION_UNSTATED, in_force) if in_force is not None else None
    wanted = None if expected == "absent" else expected
    return None if wanted == in_force else EditRefused(EditRefusal.STALE, in_force)


def _deleted(current: RuleRecord) -> RuleEdit:
    return RuleEdit("delete", RuleRecord(current.owner, current.rule, _next_revision(current), in_force=False))


def _next_revision(current: RuleRecord | None) -> int:
    return 1 if current is None else current.revision + 1
