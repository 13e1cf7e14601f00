"""A bigger budget never raises what it is spent on lowering.

The objective is risk, cost and tax.  Where two budgets on tax are b < c, the plan at c either stays within b, and is then no better than
the plan at b, or pays more tax, and can be as good only with less risk and cost.  So risk and cost together never rise with the budget;
without spreads that is tracking error.  A budget on gains of one term is a budget on tax where all lots are of that term.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.optimizer_instances import Rules, model_of
from benchmarks.optimizer_year import YearSoFar, netted_of
from services.optimizer.core.dual.netted_model import true_objective, year_of
from services.optimizer.core.dual.netting import solve_netted
from services.optimizer.core.dual.primal import tracking_error
from services.optimizer.core.dual.solve import Effort, Outcome, solve
from tests.unit.optimizer.small_accounts import Account, small_account

SEEDS = st.integers(0, 100_000)
THOROUGH = Effort(enough=1e-9, tight=1e-10, nodes=600)
ROW = 1e-8  # of account value: what a budget that is met to 1e-8 may be worth
PARTS = st.tuples(
    st.floats(-0.6, 1.0), st.floats(0.01, 0.8)
)  # of the gains and losses there are: a budget, and how much bigger the other is


def account_of(seed: int, days_held: int | None, free: bool) -> Account:
    """With trading free or not; lots of this age, or of any."""
    account = {**small_account(seed, names=10), "recent_loss_sales": []}
    account["half_spread_bps"] = [0.0] * 10 if free else account["half_spread_bps"]
    for lot in account["lots"] if days_held else ():
        lot["days_held"] = days_held
    return account


@pytest.mark.parametrize("free", [True, False], ids=["free trading", "with spreads"])
@pytest.mark.parametrize(("budget", "days_held"), [("tax", None), ("tax", 100), ("short_gain", 100), ("long_gain", 900)])
@settings(max_examples=12, deadline=None)
@given(seed=SEEDS, parts=PARTS)
def test_a_bigger_budget_lowers_risk_and_cost(
    budget: str, days_held: int | None, free: bool, seed: int, parts: tuple[float, float]
) -> None:
    account = account_of(seed, days_held, free)
    model = model_of(account)
    drawn = {"tax": model.lots.sell_price - model.names.buy_price[model.lots.name]}.get(budget, gains_of(account))
    spread = float(np.abs(drawn) @ model.lots.size)
    usd = [account["value"] * spread * part for part in (parts[0], parts[0] + parts[1])]
    less, more = (solve(model_of(account, Rules(budgets_usd={budget: each})), THOROUGH) for each in usd)
    if less.trades is None:
        assert less.outcome is Outcome.INFEASIBLE
        return
    assert more.outcome is Outcome.CERTIFIED and more.trades is not None
    tax_less, tax_more = (
        float(each.trades.sold @ (model.lots.sell_price - model.names.buy_price[model.lots.name])) for each in (less, more)
    )  # type: ignore[union-attr]
    must_fall((less, tax_less), (more, tax_more), usd[0] / account["value"] if budget == "tax" else None)
    if free and more.objective < less.objective - less.gap - 2 * ROW:
        assert tracking_error(model, more.trades) <= tracking_error(model, less.trades) + 1e-6


def must_fall(less: tuple[Any, float], more: tuple[Any, float], bound: float | None) -> None:
    """Objective less tax is no more at the bigger budget, unless the two plans are worth the same."""
    (first, paid_first), (second, paid_second) = less, more
    assert second.objective <= first.objective + second.gap + ROW
    if abs(second.objective - first.objective) > first.gap + second.gap + 2 * ROW:
        assert second.objective - paid_second <= first.objective - paid_first + second.gap + ROW
        if bound is not None:
            assert paid_second > bound - ROW  # else it had been a plan, and a better one, within the smaller budget


def gains_of(account: Account) -> Any:
    price = dict(zip(account["tickers"], account["price"], strict=True))
    return np.array([1 - lot["basis_per_share"] / price[lot["ticker"]] for lot in account["lots"]])


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, parts=PARTS, so_far=st.tuples(st.integers(-4_000, 4_000), st.integers(-4_000, 4_000)))
def test_a_bigger_budget_on_a_netted_years_tax_lowers_risk_and_cost(seed: int, parts: tuple[float, float], so_far: tuple[int, int]) -> None:
    """The year's cost counts what losses carried on are worth, so that it is tax and worth together that a plan pays for less risk."""
    account, year = account_of(seed, None, free=True), YearSoFar(*map(float, so_far))
    usd = [8_000.0 * parts[0], 8_000.0 * (parts[0] + parts[1])]
    given_account, _ = netted_of(account, Rules(), year)
    answers = [solve_netted(*netted_of(account, Rules(budgets_usd={"tax": each}), year), THOROUGH) for each in usd]
    less, more = answers
    if less.trades is None:
        assert less.outcome is Outcome.INFEASIBLE
        return
    assert more.outcome is Outcome.CERTIFIED and more.trades is not None
    assert more.objective <= less.objective + more.gap + ROW
    position = netted_of(account, Rules(), year)[1]
    assert true_objective(given_account, year_of(given_account, position), more.trades) == pytest.approx(more.objective, abs=1e-12)
