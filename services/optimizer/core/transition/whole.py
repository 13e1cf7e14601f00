"""A year's plan in whole shares: how many shares of each lot leave and of each name are bought.

Lots that the plan sells in full go whole.  Others are rounded to the nearest share; where the plan uses a budget up, sales at a gain are
rounded down and sales at a loss up, and what that leaves of it is spent a share at a time, where rounding took most.  A name's
sale is whole shares, or the whole position with its fraction.  Buys leave the cash that the plan leaves.

Invariants
1. Sides are the plan's: nothing is sold that the plan does not sell of, no loss lot goes in a name that it sells no loss of.
2. The year's budgets hold to the cent on the shares returned, wherever they held before any trade.
3. Cash is not below the plan's, where buying less can keep it there.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

import numpy as np

from libs.common.money import ZERO, cents_half_even, float_from_decimal
from services.optimizer.core.arrays import Bools, Floats
from services.optimizer.core.branch import Plan
from services.optimizer.core.dual.tax_law import Nets, TaxPosition, budgets_in_force, year_tax
from services.optimizer.core.evaluate import cash_after
from services.optimizer.core.problem import Problem
from services.optimizer.core.transition.case import Lots

NEARLY = 1e-6  # of a share
SOLD = 1e-10  # of the account
FULL = 1 - 1e-6  # of a lot
PLACES = 6  # of a share
SHORT = 1e-4  # of the account: a budget that the plan leaves less of is used up
PASSES = 12
CUTS = 500
LEAST_RATE = Decimal("0.01")


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


def exceeded(position: TaxPosition, gains: Nets) -> tuple[Decimal, Decimal]:
    """By how much the year with these gains exceeds its budgets, to the cent, as a short and as a long gain that is too much."""
    budgets, year = budgets_in_force(position), year_tax(position.law, position.budget_year + gains)
    short = _over(budgets.short_gain, year.ordinary_gain)
    long = _over(budgets.long_gain, year.preferential_gain)
    tax = _over(budgets.tax, year.tax)
    if tax > 0:
        law = position.law
        if year.ordinary_gain + year.preferential_gain <= 0:  # less of a loss lowers ordinary income
            return (tax / max(law.ordinary_frac, LEAST_RATE),) * 2
        short = max(short, min(tax / max(law.short_frac, LEAST_RATE), year.ordinary_gain))
        long = max(long, min(tax / max(law.long_frac, LEAST_RATE), year.preferential_gain))
    return short, long


def _over(limit: Decimal | None, amount: Decimal) -> Decimal:
    return ZERO if limit is None else max(amount - limit, ZERO)


def whole_trades(problem: Problem, lots: Lots, prices: tuple[Decimal, ...], plan: Plan, min_trade_usd: Decimal) -> WholeTrades:
    """The plan in whole shares; `lots` are the problem's, in its order, at these prices."""
    seller = _Seller(problem, lots, prices, plan)
    seller.drop_small(float_from_decimal(min_trade_usd))
    seller.spend_budget()
    seller.keep_budget()
    sales = seller.sales()
    return WholeTrades(sales, _bought(problem, plan, sales, seller.value, float_from_decimal(min_trade_usd)))


class _Seller:
    """Shares to sell by lot."""

    def __init__(self, problem: Problem, lots: Lots, prices: tuple[Decimal, ...], plan: Plan) -> None:
        if problem.position is None:
            raise AssertionError("a transition's year is netted")
        self.problem, self.lots, self.prices, self.position = problem, lots, prices, problem.position
        self.value = problem.invested_usd
        price = np.array([float_from_decimal(each) for each in prices])
        self.held = np.round(problem.size * self.value / price[problem.name], PLACES)
        part = np.where(plan.sold > SOLD, plan.sold / problem.size, 0.0).clip(0.0, 1.0)
        self.wanted = part * self.held
        self.short = self._is_short(plan)
        careful = np.where(problem.loss, np.ceil(self.wanted - NEARLY), np.floor(self.wanted + NEARLY))
        rounded = np.minimum(careful if self.short else np.rint(self.wanted), np.floor(self.held + NEARLY))
        self.taken = np.where(part >= FULL, self.held, rounded)
        self.leaving = self._leaving()
        self._make_whole(np.unique(problem.name[self.taken != np.floor(self.taken)]).tolist())

    def _is_short(self, plan: Plan) -> bool:
        """Whether the plan uses a budget up, so that a share more at a gain could exceed it."""
        standing, gain = self.problem.standing, plan.sold * self.problem.gain_frac
        planned = (float(gain @ self.problem.is_short), float(gain @ self.problem.is_long))
        return standing is not None and standing.excess(planned) > -SHORT

    def by_name(self, what: Floats) -> Floats:
        """[names] Sums over lots."""
        return np.bincount(self.problem.name, what, len(self.problem.held)).astype(np.float64)

    def _leaving(self) -> Bools:
        """[lots] Recent lots that leave whole, for losses of their name to count."""
        problem = self.problem
        losing = self.by_name(np.where(problem.loss, self.taken, 0.0)) > 0
        return np.asarray(problem.way_out & losing[problem.name] & (self.taken > 0))

    def _make_whole(self, names: list[int]) -> None:
        """Fractions of these names' sales taken off a lot, one at a gain first, or added to one, unless the position goes whole."""
        for i in names:
            own = np.flatnonzero(self.problem.name == i)
            total = float(self.taken[own].sum())
            part = total - np.floor(total + NEARLY)
            if part <= NEARLY or total >= float(self.held[own].sum()) - NEARLY:
                continue
            free = own[~self.leaving[own]]
            less = free[self.taken[free] >= part]
            more = free[(self.held[free] - self.taken[free] >= 1 - part) & self.problem.may_sell[free]]
            if len(less):
                self.taken[less[np.argmax(self.problem.gain_frac[less])]] -= part
            elif len(more):
                self.taken[more[np.argmin(self.problem.gain_frac[more])]] += 1 - part
            else:
                self.taken[own] = 0.0

    def drop_small(self, min_trade_usd: float) -> None:
        """No sale below the least trade, whole positions, what must go and losses aside."""
        problem = self.problem
        total, held = self.by_name(self.taken), self.by_name(self.held)
        kept = (self.by_name(np.where(problem.must_sell, self.taken, 0.0)) > 0) | (
            self.by_name(np.where(problem.loss, self.taken, 0.0)) > 0
        )
        small = (total * problem.price_usd < min_trade_usd) & (total < held - NEARLY) & ~kept
        self.taken[small[problem.name]] = 0.0

    def spend_budget(self) -> None:
        """Where a budget is used up: a share more of what was rounded down, most first, as long as the budgets hold."""
        problem, standing = self.problem, self.problem.standing
        if standing is None or not self.short:
            return
        lacking = self.wanted - self.taken
        free = (lacking > NEARLY) & (self.taken + 1 <= self.held) & (self.by_name(self.taken) > 0)[problem.name]
        lots = np.flatnonzero(free)
        at = self._nets()
        for lot in lots[np.argsort(-lacking[lots], kind="stable")].tolist():
            more = float(problem.gain_frac[lot] * problem.price_usd[problem.name[lot]]) / self.value
            tried = (at[0] + more, at[1]) if problem.is_short[lot] else (at[0], at[1] + more)
            if standing.excess(tried) <= -1.0 / self.value:
                self.taken[lot] += 1
                at = tried

    def _nets(self) -> tuple[float, float]:
        gains = WholeTrades(self.sales(), {}).gains
        return float_from_decimal(gains.short) / self.value, float_from_decimal(gains.long) / self.value

    def keep_budget(self) -> None:
        """Shares at a gain taken back where that is the least change that is enough, until the budgets hold to the cent."""
        for _ in range(CUTS):
            sales = self.sales()
            over = exceeded(self.position, WholeTrades(sales, {}).gains)
            gaining = [each for each in sales if each.gain_usd > 0 and over[each.long_term] > 0 and not self.leaving[each.lot]]
            if not gaining:
                return
            (_, fewer), sale = min(
                ((self._cut(each, over[each.long_term]), each) for each in gaining), key=lambda cut: (cut[0], cut[1].lot)
            )
            self.taken[sale.lot] = max(self.taken[sale.lot] - fewer, 0.0)
            self._make_whole([int(self.problem.name[sale.lot])])

    def _cut(self, sale: Sale, over: Decimal) -> tuple[float, int]:
        """Dollars that selling less of a lot leaves unsold, what is still over counted dearly, and how many shares: enough, or all."""
        needed = over / sale.gain_usd * sale.shares
        shares = max(int(min(needed, sale.shares).to_integral_value(ROUND_CEILING)), 1)
        lacking = float_from_decimal(max(over - sale.gain_usd, ZERO))
        return lacking * self.value + shares * float(self.problem.price_usd[self.problem.name[sale.lot]]), shares

    def sales(self) -> tuple[Sale, ...]:
        """What leaves of each lot, exact."""
        found = []
        for lot in np.flatnonzero(self.taken > NEARLY).tolist():
            held, taken = self.lots.shares[lot], float(self.taken[lot])
            shares = held if taken >= self.held[lot] - NEARLY else Decimal(repr(round(taken, PLACES))).normalize()
            found.append(self._sale(lot, shares, self.prices[int(self.problem.name[lot])]))
        return tuple(found)

    def _sale(self, lot: int, shares: Decimal, price: Decimal) -> Sale:
        held, basis = self.lots.shares[lot], self.lots.basis_usd[lot]
        proceeds = cents_half_even(shares * price)
        sold = basis if shares == held else cents_half_even(basis * shares / held)
        return Sale(lot, shares, proceeds, proceeds - sold, bool(self.problem.is_long[lot]))


def _bought(problem: Problem, plan: Plan, sales: tuple[Sale, ...], value: float, min_trade_usd: float) -> dict[int, int]:
    """Whole shares to buy: the plan's rounded down, then one more each, most lacking first, as long as cash stays at the plan's; or fewer
    where it does not."""
    names = np.flatnonzero(plan.bought > SOLD)
    price, cost = problem.price_usd[names], problem.cost_frac[names]
    wanted = plan.bought[names] * value / price
    number, paid = np.floor(wanted + NEARLY), price * (1 + cost)
    small = np.rint(wanted) * price < min_trade_usd
    number[small] = 0.0
    cost_of = problem.cost_frac[problem.name]
    got = sum(float_from_decimal(each.proceeds_usd) * (1 - float(cost_of[each.lot])) for each in sales)
    least = max(cash_after(problem, plan), 0.0) * value
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
