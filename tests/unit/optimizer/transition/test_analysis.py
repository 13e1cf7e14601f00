"""The whole analysis: every approach asked for is there, its sums are those of its trades, and what is out of reach says what would do."""

import re
from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.transition_cases import KINDS, transition_case
from services.optimizer.core.dual.tax_law import Nets, year_tax
from services.optimizer.core.transition.analysis import analyse
from services.optimizer.core.transition.case import ApproachKind, Restriction, RestrictionKind, TransitionCase
from services.optimizer.core.transition.result import Analysis, Approach
from tests.unit.optimizer.transition.odd_cases import odd_case, wash_sales

BUDGET = Decimal(20_000)


def case_of(kind: str, **changes: object) -> TransitionCase:
    case = transition_case(kind, 60, 240, 1, 2_000_000)
    tax = replace(case.tax, tax_budget_usd=BUDGET, short_budget_usd=Decimal(0), long_budget_usd=Decimal(50_000))
    wishes = replace(case.wishes, te_target_frac=0.02, budget_years=3)
    return replace(case, **{"tax": tax, "wishes": wishes, **changes})


def by_id(analysis: Analysis) -> dict[str, Approach]:
    return {each.approach_id: each for each in analysis.approaches}


@pytest.fixture(scope="module", params=KINDS)
def analysis(request: pytest.FixtureRequest) -> Analysis:
    return analyse(case_of(request.param))


def test_every_approach_is_there(analysis: Analysis) -> None:
    wanted = {"keep", "sell_all", "immediate", "timeline_3", "timeline_5", "tax_budget", "gain_budget", "te_target"}
    assert wanted <= set(by_id(analysis))
    assert all(each.status == "planned" for each in analysis.approaches)
    assert len(analysis.frontier) >= 20


def test_keeping_all_trades_nothing(analysis: Analysis) -> None:
    keep = by_id(analysis)["keep"]
    assert (keep.trades, keep.tax_usd, keep.te_after_frac) == (0, Decimal(0), keep.te_before_frac)
    assert keep.te_before_frac == analysis.account.te_frac


def test_going_all_the_way_is_nearest_and_never_dearer_than_selling_all(analysis: Analysis) -> None:
    found = by_id(analysis)
    immediate, sold = found["immediate"], found["sell_all"]
    assert immediate.tax_usd is not None
    assert sold.tax_usd is not None
    assert immediate.tax_usd <= sold.tax_usd
    assert immediate.te_after_frac is not None
    assert immediate.te_after_frac <= min(each.te_after_frac or 1.0 for each in analysis.approaches) + 2e-4  # within rounding to shares


def test_timelines_end_where_the_immediate_approach_ends(analysis: Analysis) -> None:
    found = by_id(analysis)
    assert found["timeline_3"].te_after_frac == pytest.approx(found["immediate"].te_after_frac, abs=1e-3)


def test_yearly_budgets_are_kept(analysis: Analysis) -> None:
    for year in by_id(analysis)["tax_budget"].years:
        assert year.realised.tax_usd <= BUDGET


def test_the_tracking_error_wanted_is_reached_in_whole_shares(analysis: Analysis) -> None:
    reached = by_id(analysis)["te_target"].te_after_frac
    assert reached is not None
    assert reached <= 0.02


def test_sums_are_those_of_years_and_trades(analysis: Analysis) -> None:
    for each in analysis.approaches:
        assert each.tax_usd == sum((year.realised.tax_usd for year in each.years), Decimal(0))
        assert each.cost_usd == sum((year.cost_usd for year in each.years), Decimal(0))
        gains = sum((trade.gain_usd for trade in each.plan), Decimal(0))
        one = each.realised
        assert one is not None
        assert gains == one.short_gain_usd - one.short_loss_usd + one.long_gain_usd - one.long_loss_usd
        assert each.saved_usd == by_id(analysis)["sell_all"].tax_usd - each.tax_usd


def test_what_is_certified_says_its_gap(analysis: Analysis) -> None:
    for each in analysis.approaches:
        if each.certificate.proof == "certified":
            assert each.certificate.gap_bps is not None
            assert each.certificate.gap_bps <= 0.5


def test_the_account_is_the_sum_of_its_holdings(analysis: Analysis) -> None:
    account = analysis.account
    gains = sum((each.gain_usd for each in account.holdings), Decimal(0))
    assert gains == account.short_gain_usd - account.short_loss_usd + account.long_gain_usd - account.long_loss_usd
    assert sum(each.lots for each in account.holdings) == account.lots
    assert abs(sum((each.value_usd for each in account.holdings), account.cash_usd) - account.value_usd) < Decimal(account.lots + 1) / 100


def test_an_analysis_is_the_same_every_time_and_can_be_written() -> None:
    first, second = (msgspec.json.encode(analyse(case_of("legacy"))) for _ in range(2))
    assert first == second


def test_progress_is_told_in_order() -> None:
    told: list[float] = []
    analyse(case_of("cash"), lambda what, part: told.append(part))
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)


def test_restrictions_have_their_price() -> None:
    case = case_of("legacy")
    costs = analyse(case).restrictions
    assert [each.restriction_id for each in costs] == [each.restriction_id for each in case.restrictions]
    assert all(each.te_with_frac >= each.te_without_frac - 1e-6 for each in costs)


def test_a_budget_below_the_tax_of_what_must_be_sold_says_what_would_do() -> None:
    case = must_sell_gains()
    refused = by_id(analyse(case))["tax_budget"]
    assert refused.status == "out_of_reach"
    assert refused.reason is not None
    needed = Decimal(re.findall(r"tax budget of \$([\d,]+)", refused.reason)[0].replace(",", ""))
    enough = replace(case, tax=replace(case.tax, tax_budget_usd=needed))
    assert by_id(analyse(enough))["tax_budget"].status == "planned"
    too_little = replace(case, tax=replace(case.tax, tax_budget_usd=needed - 100))
    assert by_id(analyse(too_little))["tax_budget"].status == "out_of_reach"


def must_sell_gains() -> TransitionCase:
    """The ten largest gains must go, and there is hardly a budget."""
    case = case_of("concentrated")
    worth = [shares * case.names.price_usd[i] for i, shares in zip(case.lots.name.tolist(), case.lots.shares, strict=True)]
    gains = sorted(zip((w - b for w, b in zip(worth, case.lots.basis_usd, strict=True)), case.lots.name.tolist(), strict=True))
    rule = Restriction("never_own:x", RestrictionKind.NEVER_OWN, "None of these", tuple(sorted({i for _, i in gains[-10:]})))
    return replace(
        case, restrictions=(rule,), tax=replace(case.tax, tax_budget_usd=Decimal(10), short_budget_usd=None, long_budget_usd=None)
    )


def test_a_tracking_error_below_what_is_possible_is_out_of_reach() -> None:
    case = case_of("legacy")
    refused = by_id(analyse(replace(case, wishes=replace(case.wishes, te_target_frac=1e-5))))["te_target"]
    assert refused.status == "out_of_reach"
    assert "at least" in (refused.reason or "")


def test_what_a_strategy_does_not_offer_is_refused_with_its_reason() -> None:
    case = case_of("legacy", not_offered=((ApproachKind.TAX_BUDGET, "Multi-manager strategies have no tax budget."),))
    refused = by_id(analyse(case))["tax_budget"]
    assert (refused.status, refused.reason) == ("not_offered", "Multi-manager strategies have no tax budget.")


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 100_000))
def test_odd_accounts_are_analysed_without_wash_sales(seed: int) -> None:
    case = odd_case(seed)
    tax = replace(case.tax, tax_budget_usd=Decimal(5000))
    case = replace(case, tax=tax, wishes=replace(case.wishes, te_target_frac=0.01, budget_years=2, timelines=(2,)))
    for each in analyse(case).approaches:
        if each.status == "planned":
            first_year = [trade for trade in each.plan if trade.year == 1]
            assert wash_sales(case, first_year) == [], each.approach_id
            gains = [(lot.long_term, lot.gain_usd) for trade in first_year for lot in trade.lots]
            nets = Nets(sum((g for long, g in gains if not long), Decimal(0)), sum((g for long, g in gains if long), Decimal(0)))
            added = year_tax(case.tax.law, case.tax.year + nets).tax - year_tax(case.tax.law, case.tax.year).tax
            assert each.tax_now_usd == added
            if each.approach_id == "tax_budget":
                assert added <= 5000
