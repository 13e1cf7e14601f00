"""Edits of rules as they are said and taken back: a restored restrictions makes none again and undoes none."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.common.schemas.account import Wish
from libs.common.schemas.rule import RulesEdited
from services.restrictions.core.edits import RuleEdit, RuleRecord, put_rule
from services.restrictions.core.household import AccountTaken, HouseholdState, take_account, with_edits
from services.restrictions.core.rules import Owner, Rule
from services.restrictions.record import edit_of, wishes_taken, with_wishes, written
from tests.unit.restrictions.samples import account_changed, rule, rules

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
ACCOUNT = Owner("account", "A1")
EMPTY = HouseholdState("H1", {}, {}, {})
NO_ALCOHOL = Wish("w1", "never_buy", "category", "alcohol")
NO_EGGS = Wish("w1", "never_buy", "security", "EGG")


def taken(state: HouseholdState, version: int, *wishes: Wish) -> AccountTaken:
    result = take_account(state, account_changed(version=version, wishes=wishes))
    assert isinstance(result, AccountTaken)
    return result


def said_of(result: AccountTaken) -> RulesEdited:
    return wishes_taken(result.state.accounts["A1"], result.edits, "ingest", NOW, "event")


@given(rules(), st.integers(1, 9), st.booleans())
def test_an_edit_comes_back_as_it_was_said(one: Rule, revision: int, in_force: bool) -> None:
    edit = RuleEdit("put" if in_force else "delete", RuleRecord(Owner(one.level, "O"), one, revision, in_force))
    assert edit_of(written(edit)) == edit


def test_wishes_are_said_when_they_command_and_only_then() -> None:
    first = taken(EMPTY, 1, NO_ALCOHOL)
    assert (first.commanded, len(first.edits)) == (True, 1)
    assert not taken(first.state, 2, NO_ALCOHOL).commanded
    gone = taken(first.state, 3)
    assert (gone.commanded, gone.edits[0].action) == (True, "delete")


def test_a_persons_edit_of_a_wishs_rule_outlives_the_wish_that_comes_again() -> None:
    """Backup at version 1; the wish came at version 2, a person changed its rule; then the events come again."""
    backup = taken(EMPTY, 1).state
    wished = taken(backup, 2, NO_ALCOHOL)
    (made,) = wished.edits
    by_a_person = put_rule(made.after, ACCOUNT, rule("never_buy", "category", "tobacco", rule_id=made.after.rule.rule_id), 1)
    assert isinstance(by_a_person, RuleEdit)
    account = with_wishes(backup.accounts["A1"], said_of(wished))
    assert account is not None
    adopted = with_edits(replace(backup, accounts={"A1": account}), [made, by_a_person])
    again = taken(adopted, 2, NO_ALCOHOL)
    assert (again.commanded, again.edits) == (False, [])
    assert again.state.rules[ACCOUNT, made.after.rule.rule_id] == by_a_person.after


def test_an_older_wish_that_comes_again_does_not_undo_a_newer_one() -> None:
    backup = taken(EMPTY, 1).state
    older = taken(backup, 2, NO_ALCOHOL)
    newer = taken(older.state, 3, NO_EGGS)
    account = with_wishes(backup.accounts["A1"], said_of(newer))
    assert account is not None
    adopted = with_edits(replace(backup, accounts={"A1": account}), [*older.edits, *newer.edits])
    for version, wish in ((2, NO_ALCOHOL), (3, NO_EGGS)):
        adopted = taken(adopted, version, wish).state
    assert adopted.rules == newer.state.rules
    assert adopted.accounts == newer.state.accounts


def test_an_account_unknown_to_the_backup_is_known_by_its_wishes_until_its_event_comes() -> None:
    first = taken(EMPTY, 1, NO_ALCOHOL)
    account = with_wishes(None, said_of(first))
    assert account is not None
    assert (account.version, account.wishes_version) == (0, 1)
    assert with_wishes(account, said_of(first)) is None
    again = taken(with_edits(replace(EMPTY, accounts={"A1": account}), first.edits), 1, NO_ALCOHOL)
    assert again.state == first.state
