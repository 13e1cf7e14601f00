"""Intake's wishes as commands: what is put, withdrawn and left alone, and the numbered invariants of the core."""

from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from libs.common.schemas.account import Wish
from services.restrictions.core.rules import Owner, RefusalReason, Rule
from services.restrictions.core.wishes import AppliedWish, WishCommands, wish_commands

ACCOUNT = Owner("account", "A1")
H1 = Owner("household", "H1")
H2 = Owner("household", "H2")
TOBACCO = Wish("w1", "never_buy", "category", "tobacco")
TOBACCO_AT_HOME = Wish("w1", "never_buy", "category", "tobacco", scope="household")


def after(commands: WishCommands, applied: dict[str, AppliedWish]) -> dict[str, AppliedWish]:
    """What is applied once the commands are carried out."""
    kept = {wish_id: one for wish_id, one in applied.items() if wish_id not in {gone.wish_id for gone in commands.withdraw}}
    return {**kept, **{put.wish_id: put.applied for put in commands.put}}


def applied_from(wishes: Sequence[Wish], household_id: str = "H1") -> dict[str, AppliedWish]:
    return after(wish_commands("A1", household_id, wishes, {}), {})


def test_a_new_wish_puts_a_rule_of_the_account() -> None:
    commands = wish_commands("A1", "H1", [TOBACCO], {})
    assert [put.rule for put in commands.put] == [Rule("wish:A1:w1", "never_buy", "category", ("tobacco",), "account")]
    assert [put.applied.owner for put in commands.put] == [ACCOUNT]


def test_a_wish_for_the_household_puts_a_rule_of_the_household() -> None:
    (put,) = wish_commands("A1", "H1", [TOBACCO_AT_HOME], {}).put
    assert (put.rule.level, put.applied.owner) == ("household", H1)


def test_a_changed_wish_puts_its_rule_again() -> None:
    bound = Wish("w1", "max_weight", "security", "X", limit_frac=Decimal("0.05"))
    tighter = Wish("w1", "max_weight", "security", "X", limit_frac=Decimal("0.03"))
    commands = wish_commands("A1", "H1", [tighter], applied_from([bound]))
    assert [put.rule.limit_frac for put in commands.put] == [Decimal("0.03")]
    assert commands.withdraw == []


def test_the_same_limit_in_other_digits_is_no_command() -> None:
    bound = Wish("w1", "max_weight", "security", "X", limit_frac=Decimal("0.05"))
    same = Wish("w1", "max_weight", "security", "X", limit_frac=Decimal("0.050"))
    assert wish_commands("A1", "H1", [same], applied_from([bound])) == WishCommands([], [], [])


def test_a_wish_that_is_gone_is_withdrawn() -> None:
    commands = wish_commands("A1", "H1", [], applied_from([TOBACCO]))
    assert [(one.rule_id, one.owner, one.gone) for one in commands.withdraw] == [("wish:A1:w1", ACCOUNT, True)]


def test_a_wish_that_narrows_to_the_account_leaves_the_household() -> None:
    commands = wish_commands("A1", "H1", [TOBACCO], applied_from([TOBACCO_AT_HOME]))
    assert [(one.owner, one.gone) for one in commands.withdraw] == [(H1, False)]
    assert [put.applied.owner for put in commands.put] == [ACCOUNT]


def test_a_move_takes_the_wish_along_and_leaves_the_rule_behind() -> None:
    commands = wish_commands("A1", "H2", [TOBACCO_AT_HOME], applied_from([TOBACCO_AT_HOME], "H1"))
    assert commands.withdraw == []
    assert [put.applied.owner for put in commands.put] == [H2]


def test_a_wish_that_is_no_rule_is_refused_and_what_stood_stays() -> None:
    wrong = Wish("w1", "max_weight", "sector", "Energy", limit_frac=Decimal("0.2"))
    commands = wish_commands("A1", "H1", [wrong], applied_from([TOBACCO]))
    assert [(one.wish_id, one.refused.reason) for one in commands.refused] == [("w1", RefusalReason.LIMIT_BY_GROUP)]
    assert commands.withdraw == []
    assert commands.put == []


def test_two_wishes_under_one_id_are_refused_rather_than_one_lost() -> None:
    commands = wish_commands("A1", "H1", [TOBACCO, Wish("w1", "never_buy", "category", "alcohol")], {})
    assert [(one.wish_id, one.refused.reason) for one in commands.refused] == [("w1", RefusalReason.REPEATED_WISH_ID)]


wishes = st.builds(
    Wish,
    wish_id=st.sampled_from(["w1", "w2", "w3"]),
    kind=st.sampled_from(["never_buy", "hold", "max_weight"]),
    by=st.sampled_from(["security", "sector"]),
    target=st.sampled_from(["X", "Y"]),
    scope=st.sampled_from(["account", "household"]),
    limit_frac=st.sampled_from([None, Decimal("0.05")]),
)
wish_lists = st.lists(wishes, unique_by=lambda wish: wish.wish_id)
steps = st.lists(st.tuples(wish_lists, st.sampled_from(["H1", "H2"])), min_size=1, max_size=4)


@given(steps)
def test_invariants_1_to_3_over_a_life_of_wishes_and_moves(life: list[tuple[list[Wish], str]]) -> None:
    applied: dict[str, AppliedWish] = {}
    for asked, household_id in life:
        commands = wish_commands("A1", household_id, asked, applied)
        here = {ACCOUNT, Owner("household", household_id)}
        assert {one.owner for one in commands.withdraw} <= here
        for one in commands.withdraw:
            assert one.owner == applied[one.wish_id].owner
            assert one.gone == (one.wish_id not in {wish.wish_id for wish in asked})
        applied = after(commands, applied)
        refused = {one.wish_id for one in commands.refused}
        for wish in asked:
            if wish.wish_id not in refused:
                assert applied[wish.wish_id].owner in here
        again = wish_commands("A1", household_id, asked, applied)
        assert (again.withdraw, again.put) == ([], [])
        assert {one.wish_id for one in again.refused} == refused
