"""Edits of one rule: which are made, which are refused, and the numbered invariants of the core."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.restrictions.core.edits import (
    EditRefusal,
    EditRefused,
    Expected,
    RuleEdit,
    RuleRecord,
    commanded_delete,
    commanded_put,
    delete_rule,
    put_rule,
)
from services.restrictions.core.rules import Owner

from .samples import rule

OWNER = Owner("account", "A1")
OLD = rule("never_buy", "security", "ALE")
NEW = rule("never_buy", "security", "ALE", "EGG")
IN_FORCE = RuleRecord(OWNER, OLD, 3, in_force=True)
DELETED = RuleRecord(OWNER, OLD, 4, in_force=False)


@dataclass(frozen=True)
class Case:
    name: str
    current: RuleRecord | None
    expected: Expected
    put: int | EditRefusal
    delete: int | EditRefusal

    def __str__(self) -> str:
        return self.name


NONE, STALE, UNSTATED = EditRefusal.NOT_FOUND, EditRefusal.STALE, EditRefusal.REVISION_UNSTATED
CASES = [
    Case("no rule, nothing said", None, "unstated", 1, NONE),
    Case("no rule, said that there is none", None, "absent", 1, NONE),
    Case("no rule, a revision said", None, 1, STALE, NONE),
    Case("in force, its revision said", IN_FORCE, 3, 4, 4),
    Case("in force, an older revision said", IN_FORCE, 2, STALE, STALE),
    Case("in force, nothing said", IN_FORCE, "unstated", UNSTATED, UNSTATED),
    Case("in force, said that there is none", IN_FORCE, "absent", STALE, STALE),
    Case("deleted, nothing said", DELETED, "unstated", 5, NONE),
    Case("deleted, said that there is none", DELETED, "absent", 5, NONE),
    Case("deleted, the revision of its earlier life said", DELETED, 3, STALE, NONE),
    Case("deleted, the revision of its deletion said", DELETED, 4, STALE, NONE),
]


def outcome(made: RuleEdit | EditRefused | None) -> int | EditRefusal | None:
    if isinstance(made, EditRefused):
        return made.reason
    return None if made is None else made.after.revision


@pytest.mark.parametrize("case", CASES, ids=str)
def test_which_edits_are_made(case: Case) -> None:
    assert outcome(put_rule(case.current, OWNER, NEW, case.expected)) == case.put
    assert outcome(delete_rule(case.current, case.expected)) == case.delete


def test_a_refusal_names_the_revision_in_force() -> None:
    assert put_rule(IN_FORCE, OWNER, NEW, 2) == EditRefused(EditRefusal.STALE, 3)
    assert put_rule(DELETED, OWNER, NEW, 3) == EditRefused(EditRefusal.STALE, None)


def test_putting_what_stands_is_no_edit_but_needs_the_revision_all_the_same() -> None:
    assert put_rule(IN_FORCE, OWNER, OLD, 3) is None
    assert put_rule(IN_FORCE, OWNER, OLD, 2) == EditRefused(EditRefusal.STALE, 3)


def test_commands_of_intake_are_made_on_whatever_stands() -> None:
    assert outcome(commanded_put(IN_FORCE, OWNER, NEW)) == 4
    assert outcome(commanded_put(DELETED, OWNER, OLD)) == 5
    assert commanded_put(IN_FORCE, OWNER, OLD) is None
    assert outcome(commanded_delete(IN_FORCE)) == 4
    assert commanded_delete(DELETED) is None
    assert commanded_delete(None) is None


steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "delete", "command", "withdraw"]),
        st.sampled_from([OLD, NEW]),
        st.one_of(st.integers(1, 6), st.sampled_from(["absent", "unstated"])),
    ),
    max_size=12,
)


@given(steps)
def test_invariants_1_to_4_over_a_life_of_edits(life: list[tuple[str, object, Expected]]) -> None:
    current: RuleRecord | None = None
    seen: set[int] = set()
    for action, put, expected in life:
        made: RuleEdit | EditRefused | None
        if action == "put":
            made = put_rule(current, OWNER, put, expected)  # type: ignore[arg-type]
        elif action == "delete":
            made = delete_rule(current, expected)
        elif action == "command":
            made = commanded_put(current, OWNER, put)  # type: ignore[arg-type]
        else:
            made = commanded_delete(current)
        if not isinstance(made, RuleEdit):
            continue
        assert made.after.revision not in seen
        assert not seen or made.after.revision > max(seen)
        if action in ("put", "delete") and current is not None and current.in_force:
            assert expected == current.revision
        assert current is None or (made.after.rule, made.after.in_force) != (current.rule, current.in_force)
        seen.add(made.after.revision)
        current = made.after
