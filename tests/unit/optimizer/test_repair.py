"""Whole shares chosen again together: never worse, the same each time, and the best of the choices there are."""

from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.schemas.account import Budgets, PlanLimits
from services.optimizer.core.branch import Answer, SolveStatus
from services.optimizer.core.build import build_problem
from services.optimizer.core.chain import Solution, solve_chain
from services.optimizer.core.decline import Decline
from services.optimizer.core.evaluate import active_weights, cash_after, violation
from services.optimizer.core.inputs import join
from services.optimizer.core.kept import excess
from services.optimizer.core.market import prepare
from services.optimizer.core.neighbourhood import neighbourhood
from services.optimizer.core.policy import DEFAULT_POLICY
from services.optimizer.core.problem import Problem
from services.optimizer.core.programme import dominance
from services.optimizer.core.repair import BREAKS, LOSES, answers, changed, judged, repaired
from services.optimizer.core.rounding import Shares, round_to_shares
from services.optimizer.core.share_book import Book
from services.optimizer.core.share_programme import NEAR, SETTLED, Rounded, ShareProgramme
from services.optimizer.core.small_trades import least_trade
from tests.unit.optimizer.samples import World, random_world, with_account

MANY = 4_000


@dataclass(frozen=True)
class Case:
    """One account solved and rounded."""

    problem: Problem
    found: Solution
    shares: Shares
    book: Book

    @property
    def answer(self) -> Answer:
        return self.found.chosen.answer

    def repaired_shares(self) -> Shares:
        return repaired(
            self.problem, self.problem, self.book, self.answer, self.shares, dominance(self.problem), self.found.objective
        ).shares


def rounded_case(made: World) -> Case | None:
    """None where there is no plan to round."""
    snapshot = prepare(made.market)
    assert not isinstance(snapshot, Decline)
    joined = join(made.account, made.screen, made.ledger, snapshot, made.run, made.earlier, DEFAULT_POLICY)
    if isinstance(joined, Decline):
        return None
    problem, min_trade = build_problem(joined), float(made.account.min_trade)
    found = solve_chain(problem, dominance(problem), least_trade(problem, min_trade), DEFAULT_POLICY)
    if isinstance(found, SolveStatus):
        return None
    return Case(problem, found, *round_to_shares(problem, found.chosen.branch, found.chosen.answer, min_trade))


def lumpy_world(seed: int) -> World:
    """A small account whose smallest trade is large for it, with limits in some."""
    made = random_world(seed)
    limits = [PlanLimits(), PlanLimits(tracking_error_frac=Decimal("0.05")), PlanLimits(turnover_frac=Decimal("0.2"), trades=6)][seed % 3]
    value = sum((Decimal(each) for each in made.account.lots.quantity), Decimal(0)) * 20
    return with_account(made, min_trade=max(Decimal(100), (value / 40).quantize(Decimal(1))), limits=limits)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 5000))
def test_a_repair_never_breaks_more_nor_costs_more_and_stays_within_the_branch(seed: int) -> None:
    case, again = rounded_case(lumpy_world(seed)), rounded_case(lumpy_world(seed))
    if case is None or again is None:
        return
    penalty = dominance(case.problem)
    before, after, twice = (
        judged(case.problem, case.shares, penalty),
        judged(case.problem, case.repaired_shares(), penalty),
        again.repaired_shares(),
    )
    assert after.beyond <= before.beyond + BREAKS
    assert after.beyond < before.beyond - BREAKS or after.breaks <= before.breaks + BREAKS
    assert (after.beyond, after.breaks, after.objective) == (before.beyond, before.breaks, before.objective) or after.better(before)
    assert (twice.bought, twice.sold) == (after.shares.bought, after.shares.sold)
    branch = case.found.chosen.branch
    hard = replace(case.problem, tax_room=np.inf, short_room=np.inf, long_room=np.inf)
    assert violation(hard, branch, after.plan) <= max(1e-9, violation(hard, branch, before.plan))
    for name, shares in after.shares.sold.items():
        assert after.shares.curves[name].allows(shares)
    for name, bought in after.shares.bought.items():
        large = bought * case.problem.price_usd[name] >= case.book.min_trade_usd
        assert large and bought <= case.book.most_bought[name]


def test_repairs_happen_and_gain() -> None:
    gained, mended = 0, 0
    for seed in range(120):
        case = rounded_case(lumpy_world(seed))
        if case is None:
            continue
        penalty = dominance(case.problem)
        before, after = judged(case.problem, case.shares, penalty), judged(case.problem, case.repaired_shares(), penalty)
        gained += after.objective < before.objective - LOSES
        mended += max(after.beyond, after.breaks) <= BREAKS and max(before.beyond, before.breaks) > BREAKS
    assert gained >= 5
    assert mended >= 1


def test_the_programme_finds_the_best_of_all_combinations() -> None:
    """Common risk, tax and cash, against every combination of four names' choices that keeps cash in its band, judged one by one."""
    compared = 0
    for seed in range(0, 90, 3):
        case = rounded_case(with_account(lumpy_world(seed), budgets=Budgets()))
        if case is None:
            continue
        problem, penalty = case.problem, dominance(case.problem)
        start = judged(problem, case.shares, penalty)
        around = neighbourhood(problem, case.book, case.answer.plan, start.plan, excess(problem, start.plan), most=4)
        every = [range(first, last) for first, last in zip(around.first[:-1].tolist(), around.first[1:].tolist(), strict=True)]
        within = []
        for each in product(*every) if len(every) >= 2 and np.prod([len(own) for own in every]) <= MANY else ():
            shares = changed(case.shares, around, np.array(each))
            found = judged(problem, shares, penalty)
            cents = 0.01 * (len(shares.bought) + len(shares.sold)) / problem.invested_usd
            cash = cash_after(problem, found.plan)
            if case.book.cash_least + 2 * cents <= cash <= case.book.cash_most - 2 * cents:
                within.append(found.objective)
        if not within:
            continue
        exposure = problem.exposures.T @ active_weights(problem, case.answer.plan)
        programme = ShareProgramme(problem, around, Rounded(exposure, case.answer.multipliers, start.plan, case.book), penalty)
        reached = min(judged(problem, changed(case.shares, around, each), penalty).objective for each in answers(programme, rounds=80))
        assert reached <= min(within) + NEAR + SETTLED
        compared += 1
    assert compared >= 5
