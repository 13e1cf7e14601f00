"""The trades of a plan while they become whole shares: what they are, what they leave, and which of them may stand."""

from dataclasses import dataclass

import numpy as np

from services.optimizer.core.arrays import Floats
from services.optimizer.core.dual.standing import Standing
from services.optimizer.core.nearest_shares import CENT_USD
from services.optimizer.core.problem import Problem
from services.optimizer.core.shares import SaleCurves

ENOUGH = 1e-9  # of a least holding


@dataclass
class Book:
    """The trades so far, in shares: `bought` [names] and `sold` by name; `active` weights and the cash that follow from them.

    `own` [names]: the objective's risk of a unit of a name alone; `limit` [names]: what limits on weights charge for one; `standing`: the
    taxpayer's year where budgets are netted.
    """

    problem: Problem
    curves: SaleCurves
    most_bought: Floats
    min_trade_usd: float
    bought: Floats
    sold: dict[int, float]
    active: Floats
    cash: float
    own: Floats
    cash_least: float
    cash_most: float
    limit: Floats
    standing: Standing | None = None

    @property
    def cents(self) -> float:
        """What the gains of all lots that may be sold can be rounded by."""
        return CENT_USD * sum(len(self.problem.lots[tranche]) for tranche in self.curves.tranche.tolist()) / self.problem.invested_usd

    def per_share(self, name: int) -> float:
        return float(self.problem.price_usd[name] / self.problem.invested_usd)

    def buy(self, name: int, shares: float) -> None:
        """Buy `shares` more, or fewer where negative."""
        weight = shares * self.per_share(name)
        self.bought[name] += shares
        self.active[name] += weight
        self.cash -= weight * (1 + float(self.problem.cost_frac[name])) + self._slack(shares)

    def sell(self, name: int, shares: float) -> None:
        """Sell `shares` in all, instead of what was to be sold."""
        change = shares - self.sold[name]
        weight = change * self.per_share(name)
        self.sold[name] = shares
        self.active[name] -= weight
        self.cash += weight * (1 - float(self.problem.cost_frac[name])) - self._slack(change)

    def take(self, bought: dict[int, int], sold: dict[int, float]) -> None:
        """Make the trades these."""
        for name in np.flatnonzero(self.bought).tolist():
            if name not in bought:
                self.buy(name, -float(self.bought[name]))
        for name, shares in bought.items():
            self.buy(name, shares - float(self.bought[name]))
        for name in self.sold:
            self.sell(name, sold.get(name, 0.0))

    def _slack(self, shares: float) -> float:
        return CENT_USD / self.problem.invested_usd if shares else 0.0

    def worth_making(self, name: int, shares: float) -> bool:
        """Whether a purchase of this size may be made: large enough, and leaving enough."""
        weight = float(self.problem.held[name]) + shares * self.per_share(name)
        large = shares * float(self.problem.price_usd[name]) >= self.min_trade_usd
        return large and weight >= self.problem.rules.min_holding * (1 - ENOUGH)

    def leaves_enough(self, name: int, shares: float) -> bool:
        """Whether a sale of this size leaves nothing, or the least holding."""
        left = float(self.problem.held[name]) - shares * self.per_share(name)
        return shares == self.curves[name].whole or left >= self.problem.rules.min_holding * (1 - ENOUGH)

    def sale_stands(self, name: int, shares: float) -> bool:
        """Whether a sale of this size may be made: nothing, large enough, the whole position, or what must go."""
        curve = self.curves[name]
        if shares == 0 or not curve.allows(shares):
            return curve.allows(shares)
        large = shares * float(self.problem.price_usd[name]) >= self.min_trade_usd
        return self.leaves_enough(name, shares) and (large or shares == curve.whole or curve.least > 0 or curve.wanted > 0)
