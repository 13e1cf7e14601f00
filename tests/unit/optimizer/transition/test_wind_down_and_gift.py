"""Concentrated positions sold in stages, and lots given in kind."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.optimizer.core.transition.approaches import Today, today
from services.optimizer.core.transition.book import opening
from services.optimizer.core.transition.case import Restriction, RestrictionKind, TransitionCase, WindDown
from services.optimizer.core.transition.gift import eligible, gift
from services.optimizer.core.transition.one_period import book_problem
from services.optimizer.core.transition.result import Approach
from services.optimizer.core.transition.wind_down import completion, wind_down, wind_down_rules
from services.optimizer.core.transition.years import most_held, plan_years
from tests.unit.optimizer.transition.cases import small_case

SEEDS = st.integers(0, 10_000)


def largest(case: TransitionCase) -> int:
    return int(np.argmax(book_problem(case, opening(case), 1).held - case.names.target))


def concentrated(seed: int, ceiling: float, years: int, cap: float | None, **changes: object) -> TransitionCase:
    case = small_case(seed, **changes)
    return replace(case, wishes=replace(case.wishes, wind_downs=(WindDown(largest(case), ceiling, years, cap),)))


def answered(approach: Approach | None) -> Approach:
    assert approach is not None
    return approach


def test_no_wish_no_approach() -> None:
    now = today(small_case(1))
    assert wind_down(now) is None
    assert gift(now) is None


@settings(max_examples=8, deadline=None)
@given(SEEDS, st.sampled_from([1, 2, 3]))
@example(1133, 2)  # its target is above its ceiling: the others have room for the difference
def test_a_position_ends_at_its_ceiling(seed: int, years: int) -> None:
    case = concentrated(seed, 0.1, years, None)
    plan = answered(wind_down(today(case)))
    assert len(plan.years) == years
    share = float(max(case.names.price_usd) / case.value_usd)
    assert plan.years[-1].concentrated_frac <= 0.1 + 2 * share


def test_ceilings_before_the_last_are_within_reach_of_the_cap() -> None:
    rules = wind_down_rules(concentrated(1, 0.05, 3, 0.04))
    assert rules is not None
    (staged,) = rules.staged
    assert staged.ceilings == pytest.approx((0.13, 0.09, 0.05))
    assert staged.yearly_frac == 0.04


def test_a_cap_that_stands_against_the_ceiling_is_said() -> None:
    plan = answered(wind_down(today(concentrated(1, 0.0, 2, 0.005))))
    assert plan.status == "planned"
    assert any("above the 0.0% wanted" in note for note in plan.notes)


def test_the_tax_budget_holds_in_every_year_of_a_staged_sale() -> None:
    case = concentrated(7, 0.02, 3, None)
    case = replace(case, tax=replace(case.tax, tax_budget_usd=Decimal(8_000)))
    plan = answered(wind_down(today(case)))
    assert all(year.realised.tax_usd <= 8_000 for year in plan.years)


@settings(max_examples=6, deadline=None)
@given(SEEDS)
def test_the_rest_is_arranged_around_what_is_left(seed: int) -> None:
    """With a position that may not be sold, minimising tracking error beats spreading the rest like the target."""
    case = concentrated(seed, 1.0, 1, None, gain=0.0)
    rules = wind_down_rules(case)
    assert rules is not None
    kept = Restriction("keep", RestrictionKind.NEVER_SELL, "Keep it", (case.wishes.wind_downs[0].name,))
    case = replace(case, restrictions=(kept,), outlook=replace(case.outlook, risk_aversion=1e4))
    plan = plan_years(case, rules, most_held(case, book_problem(case, opening(case), 1)))
    arranged, spread = completion(case, plan.carried[0])
    assert arranged <= spread + 1e-3


def gifted(seed: int, dollars: int, gain: float = 0.35) -> tuple[TransitionCase, Today, Approach]:
    case = small_case(seed, gain=gain)
    case = replace(case, wishes=replace(case.wishes, gift_usd=Decimal(dollars)))
    now = today(case)
    return case, now, answered(gift(now))


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.integers(5_000, 200_000))
def test_a_gift_is_long_term_lots_at_a_gain_of_about_the_amount(seed: int, dollars: int) -> None:
    case, now, plan = gifted(seed, dollars)
    if plan.status == "out_of_reach":
        assert plan.reason is not None
        return
    able = {case.lots.lot_id[lot]: lot for lot in np.flatnonzero(eligible(now)).tolist()}
    held = dict(zip(case.lots.lot_id, case.lots.shares, strict=True))
    gone = {lot_id: Decimal(0) for lot_id in held}
    value = gain = Decimal(0)
    for trade in plan.plan:
        for sale in trade.lots:
            gone[sale.lot_id] += sale.shares
            if sale.given:
                lot = able[sale.lot_id]  # a KeyError: it may not be given
                worth = sale.shares * case.names.price_usd[int(case.lots.name[lot])]
                value += worth
                gain += worth - case.lots.basis_usd[lot] * sale.shares / case.lots.shares[lot]
                assert (sale.proceeds_usd, sale.gain_usd) == (0, 0)
    assert all(shares <= held[lot_id] for lot_id, shares in gone.items())
    assert plan.gifted_usd == pytest.approx(value, abs=Decimal("0.01"))
    assert plan.gain_avoided_usd == pytest.approx(gain, abs=Decimal("0.02"))
    assert dollars - max(case.names.price_usd) <= value <= dollars


def test_a_gift_of_more_than_there_is_says_what_there_is() -> None:
    _, _, plan = gifted(3, 100_000_000)
    assert plan.status == "out_of_reach"
    assert plan.reason is not None
    assert "at most that" in plan.reason


def test_the_deduction_limit_is_said_and_not_judged() -> None:
    _, _, plan = gifted(3, 50_000)
    assert any("30 % of adjusted gross income" in note and "not judged" in note for note in plan.notes)


def test_an_account_without_gains_has_nothing_to_give() -> None:
    case, _, plan = gifted(3, 50_000, gain=-1.0)
    assert plan.status == "out_of_reach"
    assert case.wishes.gift_usd == 50_000
