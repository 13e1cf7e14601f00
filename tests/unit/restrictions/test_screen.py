"""An account's screen over a small market: each kind by each way of naming, and the numbered invariants of the core."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.schemas.account import WishBy
from services.restrictions.core.rules import Rule
from services.restrictions.core.screen import NOT_IN_MARKET, Reach, reach_of, screen_account

from .samples import KINDS, UNIVERSE, UNPRICED, holdings, rule, rule_lists, rules

BLOCKED = "FIX"

NAMED: list[tuple[WishBy, str, list[str]]] = [
    ("security", "ALE", ["ALE"]),
    ("security", "NOWHERE", []),
    ("issuer", "Duocorp", ["DUO.A", "DUO.B"]),
    ("issuer", "Nobody", []),
    ("industry", "Coal", ["COAL"]),
    ("sector", "Staples", ["ALE", "EGG"]),
    ("sector", "staples", []),
    ("category", "weapons", ["BOLT", "FIX"]),
    ("category", "thermal_coal", ["COAL"]),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("by", "target", "securities"), NAMED, ids=[f"{by}={target}" for by, target, _ in NAMED])
def test_each_kind_by_each_name(kind: str, by: WishBy, target: str, securities: list[str]) -> None:
    screen = screen_account([], [rule(kind, by, target)], UNIVERSE)  # type: ignore[arg-type]
    by_rule = [verdict.security_id for verdict in screen if any(reference.rule_id == "r" for reference in verdict.rules)]
    assert by_rule == securities
    assert [verdict.security_id for verdict in screen] == sorted({*securities, BLOCKED})
    for verdict in screen:
        free_to_sell = verdict.security_id != BLOCKED and kind not in ("hold", "never_sell")
        assert verdict.may_sell == free_to_sell
        assert verdict.may_buy == (verdict.security_id != BLOCKED and kind == "never_sell")
        assert verdict.must_sell == (kind == "must_sell" and free_to_sell)


@pytest.mark.parametrize(("by", "target", "bounded"), [("security", "EGG", ["EGG"]), ("issuer", "Duocorp", ["DUO.A", "DUO.B"])])
def test_a_weight_bound_holds_for_each_security_named(by: WishBy, target: str, bounded: list[str]) -> None:
    screen = screen_account([], [rule("max_weight", by, target, limit="0.05")], UNIVERSE)
    assert {verdict.security_id: verdict.max_weight_frac for verdict in screen if verdict.may_buy} == dict.fromkeys(
        bounded, Decimal("0.05")
    )


def test_without_rules_only_the_blocked_name_has_a_verdict() -> None:
    (verdict,) = screen_account(["ALE"], [], UNIVERSE)
    assert (verdict.security_id, verdict.may_buy, verdict.may_sell, verdict.rules[0].level) == (BLOCKED, False, False, "market")


def test_what_is_held_but_not_in_the_market_is_blocked_and_can_be_named_by_itself() -> None:
    screen = screen_account([UNPRICED], [rule("must_sell", "security", UNPRICED)], UNIVERSE)
    verdict = next(one for one in screen if one.security_id == UNPRICED)
    assert (verdict.may_buy, verdict.may_sell, verdict.must_sell) == (False, False, False)
    assert [reference.kind for reference in verdict.rules] == [NOT_IN_MARKET, "must_sell"]


def test_a_list_of_securities_is_one_rule_that_names_each_by_its_own_target() -> None:
    screen = screen_account([], [rule("never_buy", "security", "ALE", "EGG")], UNIVERSE)
    assert {one.security_id: one.rules[0].target for one in screen if one.may_sell} == {"ALE": "ALE", "EGG": "EGG"}


def test_a_household_rule_and_an_account_rule_both_hold() -> None:
    both = [rule("never_sell", "security", "ALE", rule_id="a"), rule("never_buy", "category", "alcohol", level="household", rule_id="h")]
    verdict = screen_account([], both, UNIVERSE)[0]
    assert (verdict.may_buy, verdict.may_sell) == (False, False)
    assert [(reference.rule_id, reference.level) for reference in verdict.rules] == [("a", "account"), ("h", "household")]


REACHES = [
    (rule("never_buy", "security", "ALE", "TYPO"), [], Reach(["ALE"], ["TYPO"])),
    (rule("never_buy", "category", "nothing"), [], Reach([], ["nothing"])),
    (rule("never_buy", "category", "fossil", "thermal_coal"), [], Reach(["COAL"], [])),
    (rule("never_sell", "security", UNPRICED), [], Reach([], [UNPRICED])),
    (rule("never_sell", "security", UNPRICED), [UNPRICED], Reach([UNPRICED], [])),
]


@pytest.mark.parametrize(("one", "held", "reach"), REACHES)
def test_how_far_a_rule_reaches(one: Rule, held: list[str], reach: Reach) -> None:
    assert reach_of(one, held, UNIVERSE) == reach


@given(holdings, rule_lists)
def test_invariant_1_verdicts_for_all_that_is_touched_and_nothing_else(held: frozenset[str], given_rules: list[Rule]) -> None:
    touched = {name for one in given_rules for name in reach_of(one, held, UNIVERSE).securities}
    blocked = {BLOCKED} | (held & {UNPRICED})
    assert {verdict.security_id for verdict in screen_account(held, given_rules, UNIVERSE)} == touched | blocked
    assert touched <= UNIVERSE.securities | held


@given(st.lists(st.sampled_from([*UNIVERSE.securities, UNPRICED])), rule_lists, st.data())
def test_invariant_2_sorted_and_independent_of_order(held: list[str], given_rules: list[Rule], data: st.DataObject) -> None:
    screen = screen_account(held, given_rules, UNIVERSE)
    names = [verdict.security_id for verdict in screen]
    assert names == sorted(set(names))
    assert screen == screen_account(data.draw(st.permutations(held)), data.draw(st.permutations(given_rules)), UNIVERSE)


@given(holdings, rule_lists)
def test_invariant_3_what_is_blocked_or_unpriced_is_never_tradable(held: frozenset[str], given_rules: list[Rule]) -> None:
    for verdict in screen_account(held, given_rules, UNIVERSE):
        if verdict.security_id in (BLOCKED, UNPRICED):
            assert not (verdict.may_buy or verdict.may_sell or verdict.must_sell)
            assert verdict.rules[0].level == "market"


@given(holdings, rule_lists, rules())
def test_adding_a_rule_never_allows_more_anywhere(held: frozenset[str], given_rules: list[Rule], one_more: Rule) -> None:
    before = {verdict.security_id: verdict for verdict in screen_account(held, given_rules, UNIVERSE)}
    after = {verdict.security_id: verdict for verdict in screen_account(held, [*given_rules, one_more], UNIVERSE)}
    assert before.keys() <= after.keys()
    for name, verdict in before.items():
        assert verdict.may_buy or not after[name].may_buy
        assert verdict.may_sell or not after[name].may_sell
