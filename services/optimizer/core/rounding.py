"""Whole shares from a plan in weights.

Names are rounded one after the other, the dearest share first, each to the neighbour that costs least given the common risk and the
cash that the names before it left over.  Then budgets, then cash are repaired a few shares at a time, each time where it costs least.

Invariants
1. Every trade is whole shares or a whole position, within what the branch allows; sides are those of the plan.
2. No trade is below the minimum unless it is a whole position or must be made.
3. Budgets hold, and cash is not below its band where buys could be cut to keep it there.
"""

from dataclasses import dataclass

import numpy as np

from services.optimizer.core.arrays import Floats
from services.optimizer.core.branch import Answer, Branch
from services.optimizer.core.evaluate import active_weights, risk_gradient, traded_by_name
from services.optimizer.core.problem import NO_LIMIT, Problem
from services.optimizer.core.shares import SaleCurve, most_bought, sale_curves
from services.optimizer.core.sides import buy_price
from services.optimizer.core.small_trades import NOTHING

ANY_BUDGET = 1e-12
CENT_USD = 0.01  # dollars of each trade and each lot's gain are rounded to the cent, here taken against us
MOST_STEPS = 2_000
ENOUGH = 1e-9  # of a least holding


@dataclass
class _Book:
    """The trades so far, in shares: `bought` [names] and `sold` by name; `active` weights and the cash that follow from them.

    `own` [names]: the objective's risk of a unit of a name alone.
    """

    problem: Problem
    curves: dict[int, SaleCurve]
    most_bought: Floats
    min_trade_usd: float
    bought: Floats
    sold: dict[int, float]
    active: Floats
    cash: float
    own: Floats

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


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares to buy by name, and to sell by name with the tranches in selling order."""

    bought: dict[int, int]
    sold: dict[int, float]
    curves: dict[int, SaleCurve]


def round_to_shares(problem: Problem, branch: Branch, answer: Answer, min_trade_usd: float) -> Shares:
    """The plan in whole shares."""
    curves = sale_curves(problem, branch, answer)
    book = _Book(
        problem=problem,
        curves=curves,
        most_bought=most_bought(problem, branch),
        min_trade_usd=min_trade_usd,
        bought=np.zeros(len(problem.held)),
        sold=dict.fromkeys(curves, 0.0),
        active=problem.held - problem.target,
        cash=problem.cash,
        own=own_variance(problem),
    )
    _round_in_turn(book, answer)
    _keep_budgets(book)
    _raise_cash(book)
    _invest_cash(book)
    bought = {int(name): int(book.bought[name]) for name in np.flatnonzero(book.bought)}
    return Shares(bought, {name: shares for name, shares in book.sold.items() if shares > 0}, curves)


@dataclass
class _Spill:
    """What the names rounded so far lack or have too much of: exposure to each factor, and cash, in weight."""

    exposure: Floats
    cash: float

    def take(self, change: float, exposures: Floats) -> None:
        self.exposure += change * exposures
        self.cash -= change


@dataclass(frozen=True, slots=True)
class _Curvature:
    """What deviating from the plan costs: the gradient at the plan, own and common variance, and cash as if it were a stock."""

    gradient: Floats
    own: Floats
    cash: float
    buy_price: Floats


def own_variance(problem: Problem) -> Floats:
    """[names] The objective's risk of a unit of weight in a name alone."""
    own: Floats = problem.risk_aversion * (np.einsum("ij,ij->i", problem.exposures, problem.exposures) + problem.specific_var)
    return own


def _curvature(problem: Problem, answer: Answer) -> _Curvature:
    return _Curvature(
        gradient=risk_gradient(problem, active_weights(problem, answer.plan)),
        own=own_variance(problem),
        cash=problem.risk_aversion * float(np.mean(problem.specific_var)),
        buy_price=buy_price(problem, answer.multipliers),
    )


def _round_in_turn(book: _Book, answer: Answer) -> None:
    """Choose each name's shares next to the plan's, feeding the error in common risk and in cash on to the next name."""
    problem = book.problem
    traded = traded_by_name(problem, answer.plan)
    curvature, spill = _curvature(problem, answer), _Spill(np.zeros(problem.exposures.shape[1]), 0.0)
    names = np.flatnonzero(np.abs(traded) > NOTHING)
    for name in names[np.argsort(-problem.price_usd[names], kind="stable")].tolist():
        planned = abs(float(traded[name])) / book.per_share(name)
        if traded[name] < 0:
            shares = _least_regret(book, curvature, spill, name, planned, _sales_near(book, name, planned), selling=True)
            book.sell(name, shares)
            spill.take((planned - shares) * book.per_share(name), problem.exposures[name])
        else:
            shares = _least_regret(book, curvature, spill, name, planned, _buys_near(book, name, planned), selling=False)
            book.buy(name, shares)
            spill.take((shares - planned) * book.per_share(name), problem.exposures[name])


def _least_regret(
    book: _Book, curvature: _Curvature, spill: _Spill, name: int, planned: float, options: list[float], *, selling: bool
) -> float:
    """The number of shares that loses least against the plan, given what was spilt before; nothing where nothing is allowed."""
    problem, sign = book.problem, -1.0 if selling else 1.0
    common = float(2 * problem.risk_aversion * (problem.exposures[name] @ spill.exposure))
    slope, own = float(curvature.gradient[name]) + common, float(curvature.own[name])
    best, least = 0.0, float("inf")
    for shares in options:
        change = sign * (shares - planned) * book.per_share(name)
        if selling:
            curve = book.curves[name]
            linear = curve.at(curve.price, shares) - curve.at(curve.price, planned)
        else:
            linear = float(curvature.buy_price[name]) * change
        regret = slope * change + own * change**2 + linear + curvature.cash * change * (change - 2 * spill.cash)
        if regret < least:
            best, least = shares, regret
    return best


def _sales_near(book: _Book, name: int, planned: float) -> list[float]:
    """What may be sold next to the plan's; of a name above its maximum weight not fewer than the plan sells for it, but for a share."""
    near = [each for each in book.curves[name].candidates(planned) if book.sale_stands(name, each)]
    too_heavy = float(book.problem.held[name] - book.problem.weight_max[name]) / book.per_share(name)
    enough = [each for each in near if each > min(too_heavy, planned) - 1]
    return enough or near


def _buys_near(book: _Book, name: int, planned: float) -> list[float]:
    """The whole numbers next to the plan's, the least that is worth making, and nothing."""
    below = float(np.floor(planned))
    least = float(np.ceil(book.min_trade_usd / book.problem.price_usd[name]))
    near = {below, below + 1, *([least] if planned >= least / 2 else [])}
    return [0.0, *sorted(each for each in near if 0 < each <= book.most_bought[name] and book.worth_making(name, each))]


def _keep_budgets(book: _Book) -> None:
    """Sell fewer shares at a gain, cheapest first by what is lost in risk, until no budget is exceeded."""
    problem = book.problem
    cents = CENT_USD * len(problem.size) / problem.invested_usd
    budgets = {"short": problem.short_room, "long": problem.long_room, "tax": problem.tax_room}
    rooms = {what: max(room - cents, min(room, 0.0)) for what, room in budgets.items() if room < NO_LIMIT}
    for _ in range(MOST_STEPS):
        used = {what: sum(c.at(getattr(c, what), book.sold[n]) for n, c in book.curves.items()) for what in rooms}
        over = [what for what, room in rooms.items() if used[what] > room + ANY_BUDGET]
        if not over:
            return
        what = over[0]
        excess = used[what] - rooms[what]
        gradient = risk_gradient(problem, book.active)
        moves = [move for name in book.curves for move in _smaller_sales(book, name, what, excess, gradient)]
        if not moves:
            return
        _, name, shares = min(moves)
        book.sell(name, shares)


def _smaller_sales(book: _Book, name: int, what: str, excess: float, gradient: Floats) -> list[tuple[float, int, float]]:
    """(cost of a dollar of budget freed, name, shares) for selling just enough fewer of this name, or none of it."""
    curve, sold = book.curves[name], book.sold[name]
    if sold == 0:
        return []
    cumulated = getattr(curve, what)
    last = curve.at(cumulated, sold) - curve.at(cumulated, max(sold - 1, 0.0))
    enough = sold - np.ceil(excess / last) if last > 0 else 0.0
    moves = []
    for shares in {max(float(np.floor(enough)), 0.0), 0.0}:
        freed = curve.at(cumulated, sold) - curve.at(cumulated, shares)
        if freed > 0 and shares < sold and book.sale_stands(name, shares):
            weight = (sold - shares) * book.per_share(name)
            lost = gradient[name] * weight + book.own[name] * weight**2 - (curve.at(curve.tax, sold) - curve.at(curve.tax, shares))
            moves.append((float(lost) / min(freed, excess), name, shares))
    return moves


def _raise_cash(book: _Book) -> None:
    """Buy fewer shares, where that costs least, until cash is in its band; then sell more of what is being sold."""
    problem = book.problem
    for _ in range(MOST_STEPS):
        if book.cash >= problem.cash_min:
            return
        names = np.flatnonzero(book.bought > 0)
        if len(names) == 0:
            break
        name = int(names[np.argmin(-risk_gradient(problem, book.active)[names] - problem.cost_frac[names])])
        fewer = _stride(book, name, problem.cash_min - book.cash)
        left = float(book.bought[name]) - fewer
        book.buy(name, -fewer if book.worth_making(name, left) else -float(book.bought[name]))
    _sell_more(book)


def _stride(book: _Book, name: int, amount: float) -> float:
    """Whole shares worth half of this amount, at least one: large gaps close in few steps, small ones exactly."""
    return max(1.0, float(np.floor(amount / 2 / book.per_share(name))))


def _sell_more(book: _Book) -> None:
    """More shares of a name that is being sold, without using budget, until cash is in its band."""
    problem = book.problem
    for _ in range(MOST_STEPS):
        if book.cash >= problem.cash_min:
            return
        gradient = risk_gradient(problem, book.active)
        moves = []
        for name, curve in book.curves.items():
            sold = book.sold[name]
            more = float(np.floor(sold)) + _stride(book, name, problem.cash_min - book.cash)
            if book.sale_stands(name, more) and curve.at(curve.tax, more) <= curve.at(curve.tax, sold) + ANY_BUDGET:
                moves.append((-float(gradient[name]), name, more))
        if not moves:
            return
        _, name, more = min(moves)
        book.sell(name, more)


def _invest_cash(book: _Book) -> None:
    """Buy more shares of what is being bought, where that gains most, while cash is above its band."""
    problem = book.problem
    for _ in range(MOST_STEPS):
        price = problem.price_usd / problem.invested_usd * (1 + problem.cost_frac)
        fits = (book.bought > 0) & (book.bought < book.most_bought) & (book.cash - price >= problem.cash_min)
        if book.cash <= problem.cash_max or not fits.any():
            return
        names = np.flatnonzero(fits)
        name = int(names[np.argmin(risk_gradient(problem, book.active)[names] + problem.cost_frac[names])])
        book.buy(name, min(_stride(book, name, book.cash - problem.cash_max), float((book.most_bought - book.bought)[name])))
