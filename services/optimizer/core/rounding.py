"""Whole shares from a plan in weights.

Names are rounded one after the other, the dearest share first, each to the neighbour that costs least given the common risk and the
cash that the names before it left over.  Then budgets, then cash are repaired a few shares at a time, each time where it costs least.

Invariants
1. Every trade is whole shares or a whole position, within what the branch allows; sides are those of the plan.
2. No trade is below the minimum unless it is a whole position or must be made.
3. Budgets hold, and cash is not below its band, or the plan's where that is below, where buys could be cut to keep it there.
"""

from dataclasses import dataclass, replace

import numpy as np

from services.optimizer.core.arrays import Floats
from services.optimizer.core.branch import Answer, Branch, Plan
from services.optimizer.core.dual.standing import Standing
from services.optimizer.core.evaluate import active_weights, cash_after, risk_gradient, traded_by_name
from services.optimizer.core.nearest_shares import Terms, Turn, nearest_shares
from services.optimizer.core.problem import NO_LIMIT, Problem
from services.optimizer.core.share_book import ENOUGH, Book
from services.optimizer.core.shares import LONG, SHORT, TAX, SaleCurves, most_bought, sale_curves
from services.optimizer.core.sides import buy_price, limit_price
from services.optimizer.core.small_trades import NOTHING

ANY_BUDGET = 1e-12
MOST_STEPS = 2_000
TRACKING_ERROR = "tracking_error_frac"  # its multiplier is per unit of half the cap's square
NEARLY = 1e-6  # of invested value


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares to buy by name, and to sell by name with the tranches in selling order."""

    bought: dict[int, int]
    sold: dict[int, float]
    curves: SaleCurves


def round_to_shares(
    problem: Problem, branch: Branch, answer: Answer, min_trade_usd: float, standing: Standing | None = None
) -> tuple[Shares, Book]:
    """The plan in whole shares, and the book that they were made in; `standing` where budgets are those of a netted year."""
    problem = _as_averse(problem, answer)
    curves = sale_curves(problem, branch, answer)
    least, most = _cash_wanted(problem, answer.plan)
    book = Book(
        problem=problem,
        curves=curves,
        most_bought=most_bought(problem, branch),
        min_trade_usd=min_trade_usd,
        bought=np.zeros(len(problem.held)),
        sold=dict.fromkeys(curves, 0.0),
        active=problem.held - problem.target,
        cash=problem.cash,
        own=own_variance(problem),
        cash_least=least,
        cash_most=most,
        limit=limit_price(problem, answer.multipliers),
        standing=standing,
    )
    _round_in_turn(book, answer)
    _keep_budgets(book)
    _raise_cash(book)
    _invest_cash(book)
    bought = {int(name): int(book.bought[name]) for name in np.flatnonzero(book.bought)}
    return Shares(bought, {name: shares for name, shares in book.sold.items() if shares > 0}, curves), book


def _as_averse(problem: Problem, answer: Answer) -> Problem:
    """The problem with the price of its tracking-error cap in the aversion to risk: cash and trades are weighed against both."""
    return replace(problem, risk_aversion=problem.risk_aversion + answer.multipliers.of(TRACKING_ERROR) / 2)


def own_variance(problem: Problem) -> Floats:
    """[names] The objective's risk of a unit of weight in a name alone, and its impact."""
    own: Floats = problem.risk_aversion * (np.einsum("ij,ij->i", problem.exposures, problem.exposures) + problem.specific_var)
    return own if problem.impact is None else own + problem.impact


def _round_in_turn(book: Book, answer: Answer) -> None:
    """Choose each name's shares next to the plan's, feeding the error in common risk and in cash on to the next name."""
    problem, plan = book.problem, answer.plan
    traded = traded_by_name(problem, plan)
    names = np.flatnonzero(np.abs(traded) > NOTHING)
    names = names[np.argsort(-problem.price_usd[names], kind="stable")]
    sells, per_share = traded[names] < 0, problem.price_usd[names] / problem.invested_usd
    number = np.zeros(len(problem.held), dtype=np.intp)
    number[book.curves.name] = np.arange(len(book.curves.name))
    turn = Turn(
        sells=sells,
        planned=np.abs(traded[names]) / per_share,
        per_share=per_share,
        price_usd=problem.price_usd[names],
        held=problem.held[names],
        weight_max=problem.weight_max[names],
        cost_frac=problem.cost_frac[names],
        gradient=(risk_gradient(problem, active_weights(problem, plan)) + _impact_gradient(problem, traded))[names],
        own=book.own[names],
        buy_price=buy_price(problem, answer.multipliers)[names],
        most_bought=book.most_bought[names],
        exposures=np.take(problem.exposures, names, axis=0),
        curve=number[names],
    )
    terms = Terms(
        risk_aversion=problem.risk_aversion,
        cash_own=problem.risk_aversion * float(np.mean(problem.specific_var)),
        min_trade_usd=book.min_trade_usd,
        min_holding=float(problem.rules.min_holding * (1 - ENOUGH)),
        invested_usd=problem.invested_usd,
    )
    shares, gained = nearest_shares(turn, book.curves.arrays, terms)
    book.active[names] += np.where(sells, -shares, shares) * per_share
    book.cash += gained
    book.bought[names[~sells]] = shares[~sells]
    book.sold.update(zip(names[sells].tolist(), shares[sells].tolist(), strict=True))


def _impact_gradient(problem: Problem, traded: Floats) -> Floats:
    """[names] What one unit more of weight adds to the impact of the trades (bought less sold)."""
    return np.zeros(len(traded)) if problem.impact is None else 2 * problem.impact * traded


def _keep_budgets(book: Book) -> None:
    """Sell fewer shares at a gain or more at a loss, cheapest first by what is lost in risk and at the limits, until no budget is
    exceeded: near the plan, then where the year is netted by the year itself."""
    for over in (_over, _over_netted):
        for _ in range(MOST_STEPS):
            excess = over(book)
            if not excess or not _give_way(book, excess):
                break


def _give_way(book: Book, over: dict[str, float]) -> bool:
    """The cheapest change of one name that frees some of a budget; False where there is none."""
    gradient = risk_gradient(book.problem, book.active) + book.limit
    ways = (_smaller_sales, _larger_losses)
    moves = [
        move for what, excess in over.items() for name in book.curves for way in ways for move in way(book, name, what, excess, gradient)
    ]
    if moves:
        _, name, shares = min(moves)
        book.sell(name, shares)
    return bool(moves)


def _over(book: Book) -> dict[str, float]:
    """The first budget that is exceeded, and by how much."""
    problem = book.problem
    budgets = {SHORT: problem.short_room, LONG: problem.long_room, TAX: problem.tax_room}
    for what, room in budgets.items():
        over = book.curves.used(what, book.sold) - max(room - book.cents, min(room, 0.0)) if room < NO_LIMIT else 0.0
        if over > ANY_BUDGET:
            return {what: over}
    return {}


def _over_netted(book: Book) -> dict[str, float]:
    """Where a netted year is beyond a budget, by how much short and long gains are, either of which may give way."""
    gains = book.curves.used(SHORT, book.sold), book.curves.used(LONG, book.sold)
    if book.standing is None or book.standing.excess(gains) <= ANY_BUDGET:
        return {}
    rooms = book.standing.most_gains(gains)
    return {what: gain - room + book.cents for what, gain, room in zip((SHORT, LONG), gains, rooms, strict=True)}


def _smaller_sales(book: Book, name: int, what: str, excess: float, gradient: Floats) -> list[tuple[float, int, float]]:
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


def _larger_losses(book: Book, name: int, what: str, excess: float, gradient: Floats) -> list[tuple[float, int, float]]:
    """The same for selling just enough more of this name, where what comes next is a loss."""
    curve, sold = book.curves[name], book.sold[name]
    cumulated = getattr(curve, what)
    next_one = curve.at(cumulated, sold) - curve.at(cumulated, sold + 1)
    if sold == 0 or next_one <= 0:
        return []
    shares = float(np.floor(sold + np.ceil(excess / next_one)))
    freed = curve.at(cumulated, sold) - curve.at(cumulated, shares)
    if freed <= 0 or not book.sale_stands(name, shares):
        return []
    weight = (shares - sold) * book.per_share(name)
    lost = -gradient[name] * weight + book.own[name] * weight**2 + curve.at(curve.tax, shares) - curve.at(curve.tax, sold)
    return [(float(lost) / min(freed, excess), name, shares)]


def _cash_wanted(problem: Problem, plan: Plan) -> tuple[float, float]:
    """The cash band, widened to what the plan leaves: where it is outside, a limit stands against more, which more sales would break."""
    planned = max(cash_after(problem, plan), 0.0)
    least = problem.cash_min if planned >= problem.cash_min - NEARLY else planned
    return least, problem.cash_max if planned <= problem.cash_max + NEARLY else planned


def _raise_cash(book: Book) -> None:
    """Buy fewer shares, where that costs least, until cash is as wanted; then sell more of what is being sold."""
    problem = book.problem
    for _ in range(MOST_STEPS):
        if book.cash >= book.cash_least:
            return
        names = np.flatnonzero(book.bought > 0)
        if len(names) == 0:
            break
        name = int(names[np.argmin(-risk_gradient(problem, book.active)[names] - problem.cost_frac[names])])
        fewer = _stride(book, name, book.cash_least - book.cash)
        left = float(book.bought[name]) - fewer
        book.buy(name, -fewer if book.worth_making(name, left) else -float(book.bought[name]))
    _sell_more(book)


def _stride(book: Book, name: int, amount: float) -> float:
    """Whole shares worth half of this amount, at least one: large gaps close in few steps, small ones exactly."""
    return max(1.0, float(np.floor(amount / 2 / book.per_share(name))))


def _sell_more(book: Book) -> None:
    """More shares of a name that is being sold, without using budget, until cash is in its band."""
    problem = book.problem
    for _ in range(MOST_STEPS):
        if book.cash >= book.cash_least:
            return
        gradient = risk_gradient(problem, book.active)
        moves = []
        for name in book.curves:
            curve, sold = book.curves[name], book.sold[name]
            more = float(np.floor(sold)) + _stride(book, name, book.cash_least - book.cash)
            if book.sale_stands(name, more) and curve.at(curve.tax, more) <= curve.at(curve.tax, sold) + ANY_BUDGET:
                moves.append((-float(gradient[name]), name, more))
        if not moves:
            return
        _, name, more = min(moves)
        book.sell(name, more)


def _invest_cash(book: Book) -> None:
    """Buy more shares of what is being bought, where that gains most, while cash is above its band."""
    problem = book.problem
    for _ in range(MOST_STEPS):
        price = problem.price_usd / problem.invested_usd * (1 + problem.cost_frac)
        fits = (book.bought > 0) & (book.bought < book.most_bought) & (book.cash - price >= book.cash_least)
        if book.cash <= book.cash_most or not fits.any():
            return
        names = np.flatnonzero(fits)
        name = int(names[np.argmin(risk_gradient(problem, book.active)[names] + problem.cost_frac[names])])
        book.buy(name, min(_stride(book, name, book.cash - book.cash_most), float((book.most_bought - book.bought)[name])))
