"""The certified solve of the account: tracking error, tax at once and a linear cost, with the exclusivity of buying and harvesting.

1/2 risk_aversion TE^2, tax at the account's rates, and COST a trade in the objective (not charged).  Cash is not negative and counts the
tax that sales save.  Names that the risk model misses are neither bought nor sold; names that left the index are gone before.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.backtest.market import Risk
from benchmarks.backtest.rule import WINDOW_DAYS, State
from benchmarks.optimizer_instances import options_of
from services.optimizer.core.arrays import Floats
from services.optimizer.core.dual.model import Lots, Model, Names, Rows, validated
from services.optimizer.core.dual.solve import Certified, solve

COST = 3e-4
LONG_DAYS = 365


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """Shares sold by lot, dollars bought by name, and the certificate."""

    sold: Floats
    bought: Floats
    answer: Certified


def optimise(state: State, risk: Risk, risk_aversion: float) -> Solved:
    """The plan of one date.  Raises RuntimeError where the solve has none."""
    count, held = len(state.price), state.held
    place = np.full(count, -1)
    place[risk.names] = np.arange(len(risk.names))
    inside = (place[held.name] >= 0) & (held.shares > 0)
    name, price = place[held.name[inside]], state.price[held.name[inside]]
    size = held.shares[inside] * price / state.value
    gain = 1 - held.basis[inside] / price
    rate = np.where(held.days[inside] > LONG_DAYS, state.rates[1], state.rates[0])
    may_buy = np.array([i not in state.barred for i in risk.names]) & state.member[risk.names]
    target = state.target[risk.names]
    recent = (state.bought_days[inside] <= WINDOW_DAYS) & state.wash_rule
    model = Model(
        risk=risk_aversion,
        names=Names(
            held=np.bincount(name, size, len(risk.names)).astype(np.float64),
            target=target,
            exposures=risk.exposures,
            specific_var=risk.specific_var,
            buy_price=np.full(len(target), COST),
            buy_max=np.where(may_buy, 2.0, 0.0),
        ),
        lots=Lots(name.astype(np.intp), size, rate * gain + COST),
        options=options_of(name, size, gain < 0, recent, may_buy, 0.0),
        rows=Rows(
            sell=-(1 - rate * gain)[:, None],
            buy=np.ones((len(target), 1)),
            bound=np.array([state.cash / state.value]),
            floor=np.zeros(1),
            ceiling=np.full(1, np.inf),
        ),
    )
    answer = solve(validated(model))
    if answer.trades is None:
        raise RuntimeError(f"no plan: {answer.outcome.value}")
    sold, bought = np.zeros(len(held.shares)), np.zeros(count)
    sold[inside] = answer.trades.sold * state.value / price
    bought[risk.names] = answer.trades.bought * state.value
    return Solved(sold, bought, answer)


def predicted_te(weight: Floats, target: Floats, risk: Risk) -> float:
    """Annual standard deviation of the active weights, of the names that the model knows."""
    active = (weight - target)[risk.names]
    common = risk.exposures.T @ active
    return float(np.sqrt(common @ common + active @ (risk.specific_var * active)))
