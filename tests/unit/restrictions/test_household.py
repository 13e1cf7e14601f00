"""What an account's event, an edit and a run make of a household, and the numbered invariants of the core."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.common.schemas.account import AccountMoved, Wish
from libs.common.schemas.screen import ScreenUpdated
from services.restrictions.core.edits import RuleEdit, RuleRecord
from services.restrictions.core.household import (
    AccountTaken,
    HouseholdState,
    WaitingAccount,
    accounts_under,
    changed_screens,
    is_ready,
    moved_account,
    run_answers,
    screen_of,
    take_account,
    with_edits,
    with_screens,
)
from services.restrictions.core.rules import Owner, Rule
from services.restrictions.core.wishes import RefusedWish

from .samples import UNIVERSE, account_changed, rule, rules

EMPTY = HouseholdState("H1", {}, {}, {})
NO_ALCOHOL = Wish("w1", "never_buy", "category", "alcohol")
NO_ALCOHOL_AT_HOME = Wish("w1", "never_buy", "category", "alcohol", scope="household")


def taken(state: HouseholdState, *args: object, **kwargs: object) -> AccountTaken:
    result = take_account(state, account_changed(*args, **kwargs))  # type: ignore[arg-type]
    assert isinstance(result, AccountTaken)
    return result


def household(*account_ids: str) -> HouseholdState:
    """H1 with these accounts at version 1, and their screens."""
    state = EMPTY
    for account_id in account_ids:
        state = taken(state, account_id).state
    return with_screens(state, changed_screens(state, account_ids, UNIVERSE))


def put(owner: Owner, one: Rule, revision: int = 1) -> RuleEdit:
    return RuleEdit("put", RuleRecord(owner, replace(one, level=owner.level), revision, in_force=True))


def buys_forbidden(screen: ScreenUpdated) -> set[str]:
    return {verdict.security_id for verdict in screen.verdicts if not verdict.may_buy and verdict.rules[0].level != "market"}


def test_a_new_account_is_taken_and_screened() -> None:
    result = taken(EMPTY, "A1", held=("EGG", "ALE", "EGG"))
    assert result.state.accounts["A1"].held == ["ALE", "EGG"]
    assert result.to_screen == ["A1"]
    (screen,) = changed_screens(result.state, result.to_screen, UNIVERSE)
    assert (screen.version, screen.account_version, screen.market_id, screen.run_id) == (1, 1, "market-1", None)


def test_invariant_1_what_is_not_newer_changes_nothing() -> None:
    state = taken(EMPTY, version=5).state
    assert take_account(state, account_changed(version=5)) is None
    assert take_account(state, account_changed(version=4, held=("ALE",))) is None
    assert isinstance(take_account(state, account_changed(version=6)), AccountTaken)


def test_a_wish_becomes_a_rule_of_the_account_alone() -> None:
    result = taken(household("A2"), "A1", wishes=(NO_ALCOHOL,))
    assert [(edit.action, edit.after.owner, edit.after.rule.rule_id) for edit in result.edits] == [
        ("put", Owner("account", "A1"), "wish:A1:w1")
    ]
    assert result.to_screen == ["A1"]
    assert buys_forbidden(screen_of(result.state, "A1", UNIVERSE)) == {"ALE"}
    assert buys_forbidden(screen_of(result.state, "A2", UNIVERSE)) == set()


def test_a_wish_for_the_household_screens_the_spouse_too() -> None:
    result = taken(household("A2"), "A1", wishes=(NO_ALCOHOL_AT_HOME,))
    assert result.to_screen == ["A1", "A2"]
    assert {screen.account_id: buys_forbidden(screen) for screen in changed_screens(result.state, result.to_screen, UNIVERSE)} == {
        "A1": {"ALE"},
        "A2": {"ALE"},
    }


def test_a_withdrawn_wish_frees_what_it_forbade() -> None:
    with_wish = taken(EMPTY, wishes=(NO_ALCOHOL,)).state
    result = taken(with_wish, version=2)
    assert [edit.action for edit in result.edits] == ["delete"]
    assert buys_forbidden(screen_of(result.state, "A1", UNIVERSE)) == set()


def test_a_rule_that_a_person_deleted_stays_deleted_while_its_wish_repeats() -> None:
    with_wish = taken(EMPTY, wishes=(NO_ALCOHOL,)).state
    record = with_wish.rules[Owner("account", "A1"), "wish:A1:w1"]
    deleted = with_edits(with_wish, [RuleEdit("delete", replace(record, revision=2, in_force=False))])
    again = taken(deleted, version=2, wishes=(NO_ALCOHOL,))
    assert again.edits == []
    assert buys_forbidden(screen_of(again.state, "A1", UNIVERSE)) == set()


def test_a_wish_that_can_be_no_rule_is_handed_back() -> None:
    refused = take_account(EMPTY, account_changed(wishes=(Wish("w1", "max_weight", "sector", "Energy"),)))
    assert isinstance(refused, list)
    assert [(one.wish_id, one.refused.field) for one in refused if isinstance(one, RefusedWish)] == [("w1", "by")]


def test_invariant_2_a_move_brings_the_new_households_rules_and_leaves_the_old_ones() -> None:
    old, new = Owner("household", "H1"), Owner("household", "H2")
    state = with_edits(household("A1"), [put(old, rule("never_buy", "security", "EGG"))])
    there = HouseholdState("H2", dict(state.accounts), {}, dict(state.screens))
    there = with_edits(there, [put(new, rule("never_buy", "security", "COAL"))])
    result = taken(there, "A1", household_id="H2", version=2)
    screen = screen_of(result.state, "A1", UNIVERSE)
    assert (screen.household_id, buys_forbidden(screen)) == ("H2", {"COAL"})


def test_invariant_3_who_is_screened_after_an_edit() -> None:
    state = household("A1", "A2")
    assert accounts_under(state, [Owner("account", "A2")]) == ["A2"]
    assert accounts_under(state, [Owner("household", "H1")]) == ["A1", "A2"]
    assert accounts_under(state, [Owner("household", "H9"), Owner("account", "A9")]) == []


def test_an_edit_that_names_nothing_changes_no_screen() -> None:
    state = with_edits(household("A1"), [put(Owner("account", "A1"), rule("never_buy", "security", "NOWHERE"))])
    assert changed_screens(state, ["A1"], UNIVERSE) == []


@given(st.lists(st.tuples(st.sampled_from(["account", "household"]), rules()), min_size=1, max_size=5))
def test_versions_rise_by_one_exactly_with_the_verdicts(edits: list[tuple[str, Rule]]) -> None:
    state = household("A1", "A2")
    for revision, (level, one) in enumerate(edits, 1):
        owner = Owner("account", "A1") if level == "account" else Owner("household", "H1")
        before = state.screens
        state = with_edits(state, [put(owner, one, revision)])
        changed = changed_screens(state, ["A1", "A2"], UNIVERSE)
        state = with_screens(state, changed)
        for account_id in ("A1", "A2"):
            differs = state.screens[account_id].verdicts != before[account_id].verdicts
            assert state.screens[account_id].version - before[account_id].version == int(differs)
            assert differs == (account_id in {screen.account_id for screen in changed})
        assert changed_screens(state, ["A1", "A2"], UNIVERSE) == []


def listed(account_id: str, version: int = 1, included: bool = True) -> WaitingAccount:
    return WaitingAccount("R1", "H1", account_id, "market-1", version, included)


@dataclass(frozen=True)
class Case:
    name: str
    listed: list[WaitingAccount]
    ready: bool

    def __str__(self) -> str:
        return self.name


READY = [
    Case("all at their versions", [listed("A1"), listed("A2")], True),
    Case("known at a newer version", [listed("A1", 0)], True),
    Case("known at an older version", [listed("A1", 2)], False),
    Case("one of them older", [listed("A1"), listed("A2", 2)], False),
    Case("an excluded one older", [listed("A1"), listed("A2", 2, included=False)], False),
    Case("one never heard of", [listed("A9")], False),
    Case("one without any version yet", [listed("A1"), listed("A9", 0, included=False)], True),
]


@pytest.mark.parametrize("case", READY, ids=str)
def test_invariant_4_when_a_run_is_answered(case: Case) -> None:
    assert is_ready(case.listed, household("A1", "A2").accounts) == case.ready


def test_an_account_that_has_left_is_neither_waited_for_nor_answered() -> None:
    state = household("A1", "A2")
    gone = moved_account(state.accounts["A2"], AccountMoved("A2", "H1", "H2", 2))
    assert gone is not None
    after = HouseholdState("H1", {**state.accounts, "A2": gone}, state.rules, state.screens)
    run = [listed("A1"), listed("A2", 9)]
    assert is_ready(run, after.accounts)
    assert [screen.account_id for screen in run_answers(after, run, UNIVERSE)] == ["A1"]


def test_a_move_that_comes_after_the_accounts_next_event_changes_nothing() -> None:
    there = taken(HouseholdState("H2", {}, {}, {}), "A1", household_id="H2", version=2).state.accounts["A1"]
    assert moved_account(there, AccountMoved("A1", "H1", "H2", 2)) is None
    here = household("A1").accounts["A1"]
    moved = moved_account(here, AccountMoved("A1", "H1", "H2", 2))
    assert moved == replace(here, household_id="H2")


def test_a_run_is_answered_for_each_included_account_whether_its_screen_changed_or_not() -> None:
    state = household("A1", "A2", "A3")
    state = with_edits(state, [put(Owner("account", "A2"), rule("never_buy", "security", "EGG"))])
    answers = run_answers(state, [listed("A1"), listed("A2"), listed("A3", included=False)], UNIVERSE)
    assert [(screen.account_id, screen.version, screen.run_id) for screen in answers] == [("A1", 1, "R1"), ("A2", 2, "R1")]
