"""The certified solve of eight names against every branch, each by an interior-point method over the model's own fields.

1. With least trades, whole sales, groups of identical securities, counts, impact, prices, elastic rows and rows on weights.
2. With the benchmark's rules on accounts thick with windows: the smallest trade, bounds on sectors, budgets.
3. With a netted year: every branch in every region of the law, with budgets and without.
"""

import numpy as np
import pytest

from benchmarks.optimizer_instances import Rules, model_of
from services.optimizer.core.dual.model import Model
from services.optimizer.core.dual.netting import solve_netted
from services.optimizer.core.dual.solve import Effort, Outcome, solve
from services.optimizer.core.dual.tax_law import year_tax
from tests.unit.optimizer.dual_extended import extended_model
from tests.unit.optimizer.every_branch import least_over_branches
from tests.unit.optimizer.netted_accounts import VALUE, every_region, random_account, random_position
from tests.unit.optimizer.small_accounts import small_account

NAMES, MOST = 8, 6_000
THOROUGH = Effort(enough=1e-9, counted=1e-9, tight=1e-9, nodes=4000, work=200_000)
NEAR = 2e-7  # of account value: what the interior-point method leaves


def must_agree(model: Model, effort: Effort = THOROUGH) -> None:
    """The answer is the best of every branch, and its bound below it; without a plan no branch has one."""
    least, answer = least_over_branches(model, MOST), solve(model, effort)
    if answer.trades is None:
        assert answer.outcome is Outcome.INFEASIBLE
        assert least == float("inf")
        return
    assert answer.objective == pytest.approx(least, abs=NEAR)
    assert answer.lower_bound <= least + NEAR
    assert answer.gap <= NEAR


@pytest.mark.parametrize("seed", [34, 156, 362])
def test_groups_least_trades_whole_sales_and_counts(seed: int) -> None:
    must_agree(extended_model(seed, NAMES, capped=False))


@pytest.mark.parametrize("seed", [0, 5, 12, 14])
def test_the_smallest_trade_sectors_and_budgets(seed: int) -> None:
    account = {**small_account(seed), "sector": [name % 3 for name in range(NAMES)]}
    must_agree(model_of(account, Rules(min_trade=True, sector_band=0.05, budgets_usd={"tax": 500.0, "long_gain": 1_000.0})))


@pytest.mark.parametrize("seed", [0, 3, 8])
@pytest.mark.parametrize("budgets", [False, True])
def test_a_netted_year(seed: int, budgets: bool) -> None:
    account, position = random_account(seed, NAMES), random_position(seed, budgets)
    found = [(least_over_branches(model, MOST), constant) for model, constant in every_region(account, position)]
    before = year_tax(position.law, position.year)
    worth = position.law.carried_short_frac * before.carried_short + position.law.carried_long_frac * before.carried_long
    least = min(value + constant for value, constant in found) - float((before.tax - worth) / VALUE)
    answer = solve_netted(account, position, THOROUGH)
    if answer.trades is None:
        assert answer.outcome is Outcome.INFEASIBLE
        assert np.isinf(least)
        return
    assert answer.objective == pytest.approx(least, abs=NEAR)
    assert answer.lower_bound <= least + NEAR
    assert answer.gap <= NEAR
