"""Lots bought through the simulated history: each at the price of its day, its share count carried through the splits since.

Quantities are in thousandths of a share and costs in cents, whole numbers throughout, so that what is written is exact.
"""

from dataclasses import dataclass

import numpy as np

from demo.sample.market import LARGE, SampleMarket
from demo.sample.picks import split_factor
from demo.sample.plans import Holding, Plan
from demo.sample.prices import Floats, Ints

SHARE = 1000  # thousandths in a share
UNKNOWN = -1
OUT_OF_WINDOW_ROWS = 23  # business days that are more than 30 calendar days

_Columns = tuple[Ints, Ints, Ints, Ints]
"""Column of the security, thousandths of shares today, cents of cost, row of the day bought: one entry a lot."""


@dataclass(frozen=True)
class LotTable:
    """Lots of one account as columns: `cost_cents` and `row` (of the day bought) are UNKNOWN where the custodian does not know them."""

    column: Ints
    quantity_e3: Ints
    cost_cents: Ints
    row: Ints


class Buyer:
    """Buys lots for one plan after the other on the history of `market`."""

    def __init__(self, market: SampleMarket, today_row: int) -> None:
        self._price_cents = market.history.price_cents
        self._cap = market.history.cap_usd.astype(np.float64)
        self._total_cap = self._cap.sum(axis=1)
        self._factor = split_factor(market)
        self._adjusted_cents = market.history.price_cents / self._factor
        self._today = today_row
        self._models = {name: units.astype(np.float64) for name, units in market.models.items()}
        self._sector = np.unique([s.sector for s in market.universe], return_inverse=True)[1]
        self._industry = np.array([s.industry for s in market.universe])
        self._categories = [set(s.categories) for s in market.universe]

    def lots(self, plan: Plan, rng: np.random.Generator) -> LotTable:
        """All lots of the account, in the order bought."""
        holding = plan.holding
        target = self._allowed(plan)
        parts = [self._extra(holding)]
        if holding.style == "legacy":
            parts += self._legacy(holding, rng)
        elif holding.style != "cash_only":
            chosen = target if holding.style == "full" else self._sample(target, holding.names, rng)
            parts += self._strategy(holding, chosen, rng)
        if holding.harvested:
            parts = [parts[0], *(self._bought_again(part, rng) for part in parts[1:])]
        column, quantity, cost, row = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        unknown = rng.random(len(column)) < holding.unknown_basis_frac
        cost = np.where(unknown, UNKNOWN, cost)
        row = np.where(unknown & (rng.random(len(column)) < 0.5), UNKNOWN, row)
        return LotTable(column, quantity, cost, row)

    def _allowed(self, plan: Plan) -> Floats:
        """The strategy's weights without what the owner avoids and without names bought separately."""
        target = self._models[plan.strategy_id].copy()
        avoided = set(plan.avoided_categories)
        target[[bool(avoided & categories) for categories in self._categories]] = 0.0
        target[np.isin(self._industry, plan.avoided_industries)] = 0.0
        target[[*(extra.column for extra in plan.holding.extra), *plan.holding.avoid_columns]] = 0.0
        return target

    def _sample(self, target: Floats, names: int, rng: np.random.Generator) -> Floats:
        """`names` names, the heaviest two fifths and others drawn by weight; those of a sector share what is left out of it evenly."""
        names = min(names, int((target > 0).sum()))
        with np.errstate(divide="ignore"):
            keys = np.log(target) * 0.5 + rng.gumbel(size=len(target))
        keys[np.argsort(-target, kind="stable")[: names * 2 // 5]] = np.inf
        chosen = np.zeros(len(target), dtype=bool)
        chosen[np.argsort(-keys, kind="stable")[:names]] = True
        left_out, count = self._by_sector(np.where(chosen, 0.0, target)), self._by_sector(chosen.astype(np.float64))
        share = np.divide(left_out, count, out=np.zeros_like(count), where=count > 0)
        held: Floats = np.where(chosen, target + share[self._sector], 0.0)
        return held

    def _by_sector(self, weight: Floats) -> Floats:
        return np.bincount(self._sector, weight, int(self._sector.max()) + 1).astype(np.float64)

    def _strategy(self, holding: Holding, chosen: Floats, rng: np.random.Generator) -> list[_Columns]:
        """The first purchase buys every chosen name, each later one a quarter or so of them, by the weights of its day."""
        invested = holding.value_usd * (1 - holding.cash_frac - sum(extra.value_frac for extra in holding.extra))
        parts = []
        for number, (row, money_frac) in enumerate(holding.purchases):
            weight = chosen * self._cap[row] / self._cap[self._today]
            if number:
                weight = np.where(rng.random(len(weight)) < rng.uniform(0.15, 0.35), weight, 0.0)
            if weight.sum() == 0:
                continue
            dollars = invested * money_frac * self._total_cap[row] / self._total_cap[self._today]
            shares = dollars * weight / weight.sum() / (self._price_cents[row] / 100)
            at_least_one = number == 0 and holding.style == "full"
            parts.append(self._bought(row, shares, holding.fractional, at_least_one))
        return parts

    def _legacy(self, holding: Holding, rng: np.random.Generator) -> list[_Columns]:
        """Names from the whole universe, half of them in no strategy, each bought once or twice on days of its own."""
        outside = np.flatnonzero(sum(self._models.values()) == 0)
        picked = np.concatenate(
            [
                rng.choice(outside, holding.names // 2, replace=False),
                rng.choice(np.flatnonzero(self._models[LARGE] > 0), holding.names - holding.names // 2, replace=False),
            ]
        )
        picked = np.setdiff1d(picked, [extra.column for extra in holding.extra])
        parts = []
        for column in np.concatenate([picked, picked[: len(picked) // 2]]).tolist():
            row = int(rng.integers(10, self._today - 260))
            dollars = holding.value_usd / holding.names * rng.uniform(0.3, 1.0) * self._cap[row, column] / self._cap[self._today, column]
            shares = np.zeros(self._cap.shape[1])
            shares[column] = max(1.0, dollars / (self._price_cents[row, column] / 100))
            parts.append(self._bought(row, shares, holding.fractional, False))
        return parts

    def _bought_again(self, lots: _Columns, rng: np.random.Generator) -> _Columns:
        """The same shares, those that stand well below cost as if bought on a later day at about today's price or less."""
        column, quantity, cost, row = lots
        now = self._price_cents[self._today - 1, column]
        fallen = np.flatnonzero(quantity * now < 0.99 * SHARE * cost)
        row, last = row.copy(), self._today - OUT_OF_WINDOW_ROWS
        for lot in fallen.tolist():
            first = int(row[lot]) + OUT_OF_WINDOW_ROWS
            adjusted = self._adjusted_cents[first:last, column[lot]]
            lower = first + np.flatnonzero(adjusted <= 1.01 * now[lot])
            if len(lower):
                row[lot] = lower[int(rng.integers(len(lower)))]
        again = quantity // self._factor[row, column]
        return column, quantity, _cost_cents(again, self._price_cents[row, column]), row

    def _extra(self, holding: Holding) -> _Columns:
        columns = np.array([extra.column for extra in holding.extra], dtype=np.int64)
        rows = np.array([extra.row for extra in holding.extra], dtype=np.int64)
        worth_cents = np.array([extra.value_frac * holding.value_usd * 100 for extra in holding.extra], dtype=np.float64)
        factor = self._factor[rows, columns]
        # the price of the day before the demo: the jump is not part of what the owner thought to hold
        shares = worth_cents / self._price_cents[self._today - 1, columns] / factor
        fractions = np.array([int(extra.fraction * SHARE) for extra in holding.extra], dtype=np.int64)
        quantity = np.maximum(np.floor(shares), 1).astype(np.int64) * SHARE + fractions
        cost = _cost_cents(quantity, self._price_cents[rows, columns])
        return columns, quantity * factor, cost, rows

    def _bought(self, row: int, shares: Floats, fractional: bool, at_least_one: bool) -> _Columns:
        """The lots that a purchase on `row` is today; a whole-share account keeps the rest of the money as it rounds down."""
        quantity = np.floor(shares * SHARE).astype(np.int64) if fractional else np.floor(shares).astype(np.int64) * SHARE
        if at_least_one:
            quantity = np.where(shares > 0, np.maximum(quantity, SHARE), 0)
        columns = np.flatnonzero(quantity)
        bought = quantity[columns]
        cost = _cost_cents(bought, self._price_cents[row, columns])
        return columns, bought * self._factor[row, columns], cost, np.full(len(columns), row, dtype=np.int64)


def _cost_cents(quantity_e3: Ints, price_cents: Ints) -> Ints:
    """Cost to the cent, half up."""
    cost: Ints = (quantity_e3 * price_cents * 2 + SHARE) // (2 * SHARE)
    return cost
