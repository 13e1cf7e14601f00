"""One security's verdict: the table of kinds, of pairs of kinds, and the numbered invariants of the core."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import permutations
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.schemas.account import WishKind
from libs.common.schemas.screen import RuleRef, Verdict
from services.restrictions.core.precedence import EFFECT_OF_KIND, Said, decide

D = Decimal


def said(kind: WishKind, rule_id: str = "r", level: str = "account", limit: str | None = None) -> Said:
    return Said(rule_id, kind, "security", "X", level, None if limit is None else D(limit))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    kinds: tuple[WishKind, ...]
    block: str | None
    buy: bool
    sell: bool
    must: bool
    deciding: str

    def __str__(self) -> str:
        return "+".join([*([self.block] if self.block else []), *self.kinds])


CASES = [
    Case(("hold",), None, False, False, False, "hold"),
    Case(("never_sell",), None, True, False, False, "never_sell"),
    Case(("must_sell",), None, False, True, True, "must_sell"),
    Case(("never_buy",), None, False, True, False, "never_buy"),
    Case(("never_add",), None, False, True, False, "never_add"),
    Case(("max_weight",), None, True, True, False, "max_weight"),
    Case((), "price_jump", False, False, False, "price_jump"),
    Case((), "no_price", False, False, False, "no_price"),
    # pairs: the stronger rank stands first
    Case(("must_sell",), "price_jump", False, False, False, "price_jump"),
    Case(("never_sell",), "no_price", False, False, False, "no_price"),
    Case(("must_sell", "hold"), None, False, False, False, "hold"),
    Case(("must_sell", "never_sell"), None, False, False, False, "never_sell"),
    Case(("must_sell", "never_buy"), None, False, True, True, "must_sell"),
    Case(("must_sell", "max_weight"), None, False, True, True, "must_sell"),
    Case(("never_sell", "never_buy"), None, False, False, False, "never_sell"),
    Case(("never_sell", "max_weight"), None, True, False, False, "never_sell"),
    Case(("never_buy", "max_weight"), None, False, True, False, "never_buy"),
    Case(("hold", "never_sell", "must_sell", "never_buy", "never_add", "max_weight"), "price_jump", False, False, False, "price_jump"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_a_set_of_kinds_decides(case: Case) -> None:
    for kinds in list(permutations(case.kinds))[:24]:
        verdict = decide("X", [said(kind, limit="0.05" if kind == "max_weight" else None) for kind in kinds], case.block)
        assert verdict is not None
        assert (verdict.may_buy, verdict.may_sell, verdict.must_sell) == (case.buy, case.sell, case.must)
        assert verdict.rules[0].kind == case.deciding
        assert len(verdict.rules) == len(kinds) + (case.block is not None)
        assert verdict.max_weight_frac == (D("0.05") if "max_weight" in kinds else None)


def test_nothing_said_is_no_verdict() -> None:
    assert decide("X", [], None) is None


def test_the_smallest_bound_holds_and_stands_first() -> None:
    bounds = [said("max_weight", "loose", "household", "0.10"), said("max_weight", "tight", "account", "0.02")]
    verdict = decide("X", bounds, None)
    assert verdict is not None
    assert verdict.max_weight_frac == D("0.02")
    assert [rule.rule_id for rule in verdict.rules] == ["tight", "loose"]


def test_the_household_stands_before_the_account_within_a_rank() -> None:
    verdict = decide("X", [said("never_buy", "a"), said("never_buy", "b", "household")], None)
    assert verdict is not None
    assert [(rule.rule_id, rule.level) for rule in verdict.rules] == [("b", "household"), ("a", "account")]


def test_a_market_block_is_named_by_its_reason() -> None:
    verdict = decide("X", [said("must_sell", "m")], "price_jump")
    assert verdict is not None
    assert verdict.rules == [
        RuleRef("market:price_jump", "price_jump", "security", "X", "market"),
        RuleRef("m", "must_sell", "security", "X", "account"),
    ]


def test_every_kind_has_an_effect() -> None:
    assert set(EFFECT_OF_KIND) == set(get_args(WishKind))


@st.composite
def saids(draw: st.DrawFn) -> Said:
    kind = draw(st.sampled_from(get_args(WishKind)))
    return Said(
        rule_id=draw(st.sampled_from(["a", "b", "c"])),
        kind=kind,
        by=draw(st.sampled_from(["security", "issuer"])),
        target=draw(st.sampled_from(["X", "Y"])),
        level=draw(st.sampled_from(["account", "household"])),
        limit_frac=draw(st.decimals(0, 1, places=2)) if kind == "max_weight" else None,
    )


everything_said = st.lists(saids(), max_size=7)
blocks = st.sampled_from([None, "price_jump", "no_price"])
FREE = Verdict("X", True, True, False, None, None, [])


def verdict_of(things: list[Said], block: str | None) -> Verdict:
    return decide("X", things, block) or FREE


@given(everything_said, saids(), blocks)
def test_invariant_1_adding_a_rule_never_allows_more(things: list[Said], one_more: Said, block: str | None) -> None:
    before, after = verdict_of(things, block), verdict_of([*things, one_more], block)
    assert before.may_buy or not after.may_buy
    assert before.may_sell or not after.may_sell
    if before.max_weight_frac is not None:
        assert after.max_weight_frac is not None
        assert after.max_weight_frac <= before.max_weight_frac
    assert before.must_sell is False or after.must_sell or not after.may_sell


@given(everything_said, blocks)
def test_invariant_1_a_block_never_allows_more(things: list[Said], block: str | None) -> None:
    before, after = verdict_of(things, None), verdict_of(things, block)
    assert before.may_buy or not after.may_buy
    assert before.may_sell or not after.may_sell
    assert before.max_weight_frac == after.max_weight_frac


@given(everything_said, blocks, st.data())
def test_invariant_2_order_and_repetition_change_nothing(things: list[Said], block: str | None, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations([*things, *things[:2]]))
    assert decide("X", shuffled, block) == decide("X", things, block)


@given(everything_said, st.sampled_from(["price_jump", "no_price"]))
def test_invariant_3_a_blocked_name_is_never_tradable(things: list[Said], block: str) -> None:
    verdict = verdict_of(things, block)
    assert not (verdict.may_buy or verdict.may_sell or verdict.must_sell)
    assert (verdict.rules[0].level, verdict.rules[0].kind) == ("market", block)


@given(everything_said, blocks)
def test_invariant_4_must_sell_only_where_selling_is_allowed(things: list[Said], block: str | None) -> None:
    verdict = verdict_of(things, block)
    asked = any(one.kind == "must_sell" for one in things)
    assert verdict.must_sell == (asked and verdict.may_sell)
    assert not (asked and verdict.may_buy)


@given(everything_said, blocks)
def test_invariant_5_each_restriction_is_said_by_a_rule(things: list[Said], block: str | None) -> None:
    verdict = decide("X", things, block)
    if verdict is None:
        assert not things
        assert block is None
        return
    kinds = {rule.kind for rule in verdict.rules}
    against_buying = {"hold", "must_sell", "never_buy", "never_add", "price_jump", "no_price"}
    against_selling = {"hold", "never_sell", "price_jump", "no_price"}
    assert verdict.rules
    assert verdict.may_buy == (not kinds & against_buying)
    assert verdict.may_sell == (not kinds & against_selling)
    assert (verdict.max_weight_frac is not None) == ("max_weight" in kinds)


@given(everything_said, blocks, st.data())
def test_invariant_6_levels_permit_the_same(things: list[Said], block: str | None, data: st.DataObject) -> None:
    moved = [
        Said(one.rule_id, one.kind, one.by, one.target, data.draw(st.sampled_from(["account", "household"])), one.limit_frac)
        for one in things
    ]
    before, after = verdict_of(things, block), verdict_of(moved, block)
    assert (before.may_buy, before.may_sell, before.must_sell) == (after.may_buy, after.may_sell, after.must_sell)
    assert before.max_weight_frac == after.max_weight_frac
