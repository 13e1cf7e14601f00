"""The conditions of optimality of a plan on its branch, by code of their own: with bounds on sectors, budgets and a cap on tracking error.

1. Dual feasible: every multiplier lies in its box, and is zero where its rule has room.
2. Stationary: no lot and no purchase of the branch gains by a little more or a little less, at the multipliers' prices.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.optimizer_instances import Rules, model_of
from services.optimizer.core.dual.model import Model
from services.optimizer.core.dual.solve import Effort, Outcome, solve
from tests.unit.optimizer.instances import load
from tests.unit.optimizer.small_accounts import small_account

STEEP = 1e-5  # objective per unit of weight
NEAR = 1e-7  # of account value
THOROUGH = Effort(enough=1e-9, tight=1e-10, nodes=200)


def must_be_optimal(model: Model, effort: Effort = THOROUGH) -> bool:
    """Whether there is a plan; then its conditions hold."""
    answer = solve(model, effort)
    if answer.trades is None:
        assert answer.outcome is Outcome.INFEASIBLE
        return False
    names, lots, rows, weights, trades = model.names, model.lots, model.rows, model.weights, answer.trades
    after = names.held - np.bincount(lots.name, trades.sold, len(names.held)) + trades.bought
    active = after - names.target
    first = model.factors + len(weights.bound)
    of_weights, of_rows = answer.multipliers[model.factors : first], answer.multipliers[first : first + len(rows.bound)]
    of_cap = float(answer.multipliers[-1]) if model.capped else 0.0
    room = rows.bound - rows.sell.T @ trades.sold - rows.buy.T @ trades.bought
    spare = weights.bound - weights.coefficient.T @ after
    for prices, left in ((of_weights, spare), (of_rows, room)):
        assert (prices >= 0).all() and (left >= -NEAR).all()
        assert (np.minimum(prices, 1.0) * left.clip(min=0.0) <= NEAR).all()
    common = names.exposures.T @ active
    variance = float(common @ common + active @ (names.specific_var * active))
    if model.capped:
        assert of_cap >= 0 and variance <= model.te_cap**2 * (1 + 1e-6)
        assert of_cap * (model.te_cap**2 - variance) <= NEAR
    pull = (model.risk + of_cap) * (names.exposures @ common + names.specific_var * active) + weights.coefficient @ of_weights
    inside = np.isin(model.options.slot_option, trades.chosen) & ~model.options.slot_forced
    lot = model.options.slot_lot[inside]
    gain = pull[lots.name[lot]] - lots.sell_price[lot] - rows.sell[lot] @ of_rows  # of selling a little more
    scale = STEEP * max(1.0, float(np.abs(answer.multipliers).max()))
    assert (gain[trades.sold[lot] < lots.size[lot] - NEAR] <= scale).all()
    assert (gain[trades.sold[lot] > NEAR] >= -scale).all()
    buys = model.options.buys[trades.chosen] & (names.buy_max > 0)
    gain = -(pull + names.buy_price + rows.buy @ of_rows)  # of buying a little more
    assert (gain[buys] <= scale).all()
    assert (gain[trades.bought > NEAR] >= -scale).all()
    return True


RULES = [
    Rules(sector_band=0.002),
    Rules(budgets_usd={"tax": -18_000.0, "short_gain": -16_000.0}),
    Rules(max_te=True),
    Rules(max_te=True, sector_band=0.002, budgets_usd={"long_gain": -46_500.0}),
]


@pytest.mark.parametrize("rules", RULES, ids=[str(rules.said) for rules in RULES])
def test_the_plan_of_an_instance_is_optimal_on_its_branch(rules: Rules) -> None:
    account = load("100_1")
    assert must_be_optimal(model_of({**account, "lam": 100.0, "max_te": 0.006}, rules), Effort())


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 100_000), st.sampled_from([None, 0.02, 0.1]), st.sets(st.sampled_from(["tax", "short_gain", "long_gain"])), st.booleans()
)
def test_small_plans_are_optimal_on_their_branches(seed: int, band: float | None, budgets: set[str], capped: bool) -> None:
    account = {**small_account(seed), "sector": [name % 3 for name in range(8)], "max_te": 0.04}
    must_be_optimal(model_of(account, Rules(False, capped, band, dict.fromkeys(sorted(budgets), 400.0 * (seed % 9 - 4)))))
