"""A year's plan in whole shares: how many shares of each lot leave and of each name are bought.

A name's lots go in the plan's order: those it sells in full, then those it sells in part, then the cheapest.  A position that the plan
sells in full goes whole, with its fraction.  Otherwise sales at a gain are rounded down and sales at a loss up, so that no net gain
exceeds the plan's; what that leaves of the budgets is spent a share at a time, where rounding took most.  Buys spend what cash there is.

Invariants
1. Sides are the plan's: nothing is sold that the plan does not sell of, no loss lot goes in a name that it sells no loss of.
2. The year's budgets hold to the cent on the shares returned, wherever they held before any trade.
3. Cash is not below its least, or the plan's cash where that is lower, where buying less can keep it there.
"""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from libs.common.money import ZERO, cents_half_even, float_from_decimal
from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.branch import Plan
from services.optimizer.core.dual.tax_law import Nets, TaxPosition, budgets_in_force, year_tax
from services.optimizer.core.evaluate import cash_after
from services.optimizer.core.problem import Problem
from services.optimizer.core.transition.case import Lots

NEARLY = 1e-6  # of a share
SOLD = 1e-9  # of the account
FULL = 1 - 1e-6  # of a lot
HALF = 0.5
PASSES = 12
CUTS = 10_000


@dataclass(frozen=True, slots=True)
class Sale:
    """What is sold of a lot (its position in the book): shares, dollars and gain, exact."""

    lot: int
    shares: Decimal
    proceeds_usd: Decimal
    gain_usd: Decimal
    long_term: bool


@dataclass(frozen=True, slots=True)
class WholeTrades:
    """Sales by lot, and shares bought by name, both in order."""

    sales: tuple[Sale, ...]
    bought: dict[int, int]

    @property
    def gains(self) -> Nets:
        """Net short and long gain, exact."""
        short = sum((each.gain_usd for each in self.sales if not each.long_term), ZERO)
        return Nets(short, sum((each.gain_usd for each in self.sales if each.long_term), ZERO))


def within_budgets(position: TaxPosition, gains: Nets) -> bool:
    """Whether the year with these gains keeps its budgets, to the cent."""
    budgets, year = budgets_in_force(position), year_tax(position.law, position.budget_year + gains)
    used = ((budgets.tax, year.tax), (budgets.short_gain, year.ordinary_gain), (budgets.long_gain, year.preferential_gain))
    return all(limit is None or amount <= limit for limit, amount in used)


def whole_trades(problem: Problem, lots: Lots, prices: tuple[Decimal, ...], plan: Plan, min_trade_usd: Decimal) -> WholeTrades:
    """The plan in whole shares; `lots` are the problem's, in its order, at these prices."""
    seller = _Seller(problem, lots, prices, plan)
    seller.drop_small(float_from_decimal(min_trade_usd))
    seller.spend_budget()
    seller.keep_budget()
    sales = seller.sales()
    return WholeTrades(sales, _bought(problem, plan, sales, seller.value, float_from_decimal(min_trade_usd)))


class _Seller:
    """Whole shares to sell by name, and the lots they come from."""

    def __init__(self, problem: Problem, lots: Lots, prices: tuple[Decimal, ...], plan: Plan) -> None:
        self.problem, self.lots, self.prices = problem, lots, prices
        self.value = problem.invested_usd
        if problem.position is None:
            raise AssertionError("a transition's year is netted")
        self.position = problem.position
        count, name = len(problem.held), problem.name
        self.per_share = problem.price_usd / self.value
        part = np.where(plan.sold > SOLD * FULL, plan.sold / problem.size, 0.0).clip(0.0, 1.0)
        losing = np.bincount(name, problem.loss & (part > 0), count) > 0
        eligible = problem.may_sell & (~problem.loss | losing[name])
        self.order = self._order(part, eligible)
        self.shares = problem.size / self.per_share[name]
        self.wanted = np.bincount(name, plan.sold * (part > 0), count) / self.per_share
        held = np.bincount(name, self.shares, count)
        self.whole = (self.wanted > 0) & (self.wanted >= held - np.maximum(NEARLY, NEARLY * held))
        most = np.floor(np.bincount(name, self.shares * eligible, count) + NEARLY)
        self.most = np.where(self.whole, held, most)
        self.number = np.where(self.whole, held, np.minimum(np.floor(self.wanted + NEARLY), most))
        self._round_losses_up(part)

    def _order(self, part: Floats, eligible: Bools) -> Ints:
        """Lots that may go, by name, in the order in which they do."""
        rank = np.where(part >= FULL, 0, np.where(part > 0, 1, 2))
        order = np.lexsort((self.problem.gain_frac, rank, self.problem.name))
        return order[eligible[order]]

    def _round_losses_up(self, part: Floats) -> None:
        """A share more where the next one is a loss, and where a lot has to leave whole for others' losses."""
        short_of = self.wanted - self.number > NEARLY
        names = np.flatnonzero(short_of & ~self.whole & (self.number < self.most))
        leaving = np.bincount(self.problem.name, self.problem.way_out & (part > 0), len(self.wanted)) > 0
        gain = self._next_gain()
        up = names[(gain[names] <= 0) | leaving[names]]
        self.number[up] += 1

    def _next_gain(self) -> Floats:
        """[names] Gain on a dollar of the next share to go; infinite where there is none."""
        name, before = self.problem.name[self.order], self._sold_before()
        after = before + self.shares[self.order]
        following = (after > self.number[name] + NEARLY) & (before <= self.number[name] + NEARLY)
        gain: Floats = np.full(len(self.number), np.inf)
        self.next_lot = np.full(len(self.number), -1, dtype=np.intp)
        gain[name[following][::-1]] = self.problem.gain_frac[self.order[following]][::-1]
        self.next_lot[name[following][::-1]] = self.order[following][::-1]
        return gain

    def _sold_before(self) -> Floats:
        """By lot in order, the shares of its name's lots before it."""
        shares, name = self.shares[self.order], self.problem.name[self.order]
        total = np.cumsum(shares) - shares
        first = np.diff(name, prepend=-1) != 0
        start: Floats = total[first][np.cumsum(first) - 1]
        return np.asarray(total - start)

    def drop_small(self, min_trade_usd: float) -> None:
        """No sale below the least trade, whole positions, what must go and losses aside."""
        must = np.bincount(self.problem.name, self.problem.must_sell, len(self.number)) > 0
        losing = np.bincount(self.problem.name, self.problem.loss, len(self.number)) > 0
        small = self.number * self.problem.price_usd < min_trade_usd
        self.number[small & ~self.whole & ~must & ~losing] = 0.0

    def spend_budget(self) -> None:
        """A share more of what was rounded down by at least half of one, most first, as long as the budgets hold."""
        lacking = self.wanted - self.number
        names = np.flatnonzero((lacking >= HALF) & (self.number + 1 <= self.most) & ~self.whole & (self.number > 0))
        names = names[np.argsort(-lacking[names], kind="stable")]
        gain = self._next_gain()
        standing, at = self.problem.standing, self._nets()
        for i in names.tolist():
            lot = int(self.next_lot[i])
            if lot < 0 or standing is None:
                continue
            more = float(gain[i] * self.per_share[i])
            tried = (at[0] + more, at[1]) if self.problem.is_short[lot] else (at[0], at[1] + more)
            if standing.excess(tried) <= -1.0 / self.value:
                self.number[i] += 1
                at = tried

    def _nets(self) -> tuple[float, float]:
        gains = WholeTrades(self.sales(), {}).gains
        return float_from_decimal(gains.short) / self.value, float_from_decimal(gains.long) / self.value

    def keep_budget(self) -> None:
        """Shares at a gain taken back, the smallest sale first, until the budgets hold to the cent."""
        for _ in range(CUTS):
            sales = self.sales()
            if within_budgets(self.position, WholeTrades(sales, {}).gains):
                return
            gaining = [each for each in sales if each.gain_usd > 0]
            if not gaining:
                return
            least = min(gaining, key=lambda each: (each.gain_usd, each.lot))
            name = int(self.problem.name[least.lot])
            self.whole[name] = False
            self.number[name] = max(np.ceil(self.number[name]) - 1.0, 0.0)

    def sales(self) -> tuple[Sale, ...]:
        """What leaves of each lot, exact."""
        name = self.problem.name[self.order]
        taken = np.minimum(self.shares[self.order], self.number[name] - self._sold_before())
        found = []
        for k in np.flatnonzero((taken > NEARLY) | (self.whole[name] & (taken > 0))).tolist():
            lot, i = int(self.order[k]), int(name[k])
            held = self.lots.shares[lot]
            shares = held if self.whole[i] or taken[k] >= self.shares[lot] - NEARLY else self._left(k, lot, i)
            if shares > 0:
                found.append(self._sale(lot, min(shares, held), self.prices[i]))
        return tuple(sorted(found, key=lambda each: each.lot))

    def _left(self, k: int, lot: int, name: int) -> Decimal:
        """Shares of the last lot that a name's sale reaches: what the lots before it leave of a whole number."""
        before, j = ZERO, k - 1
        while j >= 0 and int(self.problem.name[self.order[j]]) == name:
            before += self.lots.shares[int(self.order[j])]
            j -= 1
        return max(Decimal(round(float(self.number[name]))) - before, ZERO)

    def _sale(self, lot: int, shares: Decimal, price: Decimal) -> Sale:
        held, basis = self.lots.shares[lot], self.lots.basis_usd[lot]
        proceeds = cents_half_even(shares * price)
        sold = basis if shares == held else cents_half_even(basis * shares / held)
        return Sale(lot, shares, proceeds, proceeds - sold, bool(self.problem.is_long[lot]))


def _bought(problem: Problem, plan: Plan, sales: tuple[Sale, ...], value: float, min_trade_usd: float) -> dict[int, int]:
    """Whole shares to buy with the cash there is: the plan's rounded down, then one more each, most lacking first, as cash allows; or
    fewer where it does not."""
    names = np.flatnonzero(plan.bought > SOLD)
    price, cost = problem.price_usd[names], problem.cost_frac[names]
    wanted = plan.bought[names] * value / price
    number, paid = np.floor(wanted + NEARLY), price * (1 + cost)
    small = np.rint(wanted) * price < min_trade_usd
    number[small] = 0.0
    cost_of = problem.cost_frac[problem.name]
    got = sum(float_from_decimal(each.proceeds_usd) * (1 - float(cost_of[each.lot])) for each in sales)
    least = max(min(problem.cash_min, cash_after(problem, plan)), 0.0) * value
    room = problem.cash * value + got - least - 0.01 * (len(names) + len(sales)) - float(number @ paid)
    lacking = wanted - number
    for _ in range(PASSES):
        if room >= 0:
            break
        for k in np.argsort(lacking, kind="stable").tolist():
            if room < 0 and number[k] > 0 and (number[k] - 1) * price[k] >= min_trade_usd:
                number[k], room = number[k] - 1, room + paid[k]
                lacking[k] += 1
    for _ in range(PASSES):
        most = np.where(small, -np.inf, lacking)
        before = room
        for k in np.argsort(-most, kind="stable").tolist():
            if room >= paid[k] and not small[k] and lacking[k] > -1.0:
                number[k], room = number[k] + 1, room - paid[k]
                lacking[k] -= 1
        if room == before:
            break
    return {int(i): int(n) for i, n in zip(names.tolist(), number.tolist(), strict=True) if n > 0}
