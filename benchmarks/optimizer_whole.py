"""A certified plan in whole shares: a local search over numbers of shares on the plan's options, cash and the smallest trade kept.

Every name trades nothing, a whole number of shares that is worth the smallest trade, or its whole position (which may have a fraction); a
sale uses the plan's lots in their order, what has to leave first.  From the nearest numbers: moves by one share that free cash until it is
not negative, cheapest a dollar, then that lower risk until the cap is kept; then the best move while one helps, or the best pair.

Symbols as in the model: v active weights, y = B'v.  `worth` is a share's weight.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.dual.model import Model, Trades
from services.optimizer.core.dual.solve import Certified

MOST_MOVES = 20_000
PAIRED = 60  # of the cheapest moves either way, tried together
HELPS = 1e-13  # of account value
SLACK_USD = 0.001


@dataclass(frozen=True, slots=True)
class _Sale:
    """A name's lots in selling order: weights and costs before each lot."""

    lots: Ints
    weight: Floats
    cost: Floats


@dataclass
class _Book:
    """Shares traded by name, and what follows from them."""

    model: Model
    worth: Floats
    buys: Bools
    low: Floats
    high: Floats
    whole: Floats  # shares of the whole position; 0 where it can't be sold
    sales: dict[int, _Sale]
    spread: Floats
    shares: Floats
    v: Floats
    y: Floats
    cash: float
    cost: Floats

    def cost_of(self, shares: Floats) -> Floats:
        """Tax and cost by name of trading these shares."""
        found = shares * self.worth * self.model.names.buy_price
        for name, sale in self.sales.items():
            found[name] = np.interp(shares[name] * self.worth[name], sale.weight, sale.cost)
        return found

    def step(self, up: bool) -> Floats:
        """The next number of shares allowed, by name; the same where there is none."""
        now = self.shares
        if up:
            onward = np.where(now + 1 <= self.high, now + 1, np.where(self.whole > 0, np.maximum(self.whole, now), now))
            return np.where(now == 0, np.where(self.low <= self.high, self.low, self.whole), onward)
        back = np.where(now > self.high, np.where(self.high >= self.low, self.high, 0.0), now - 1)
        return np.where((back < self.low) | (now == 0), 0.0, back)

    def signed(self, shares: Floats) -> Floats:
        """By how much the weights change."""
        change: Floats = (shares - self.shares) * self.worth * np.where(self.buys, 1.0, -1.0)
        return change

    def freed(self, change: Floats) -> Floats:
        """Cash that a change of weights brings, by name: a buy costs its spread, a sale too, and less of either saves it."""
        charged = np.abs(change) * self.spread * np.where((change > 0) == self.buys, 1.0, -1.0)
        return -change - charged

    def take(self, name: int, shares: float) -> None:
        change = np.zeros(len(self.v))
        after = self.shares.copy()
        after[name] = shares
        change = self.signed(after)
        self.cash += float(self.freed(change)[name])
        self.shares = after
        self.v[name] += change[name]
        self.y += change[name] * self.model.names.exposures[name]
        self.cost[name] = self.cost_of_one(name, shares)

    def cost_of_one(self, name: int, shares: float) -> float:
        if name in self.sales:
            return float(np.interp(shares * self.worth[name], self.sales[name].weight, self.sales[name].cost))
        return float(shares * self.worth[name] * self.model.names.buy_price[name])

    def variance(self) -> float:
        return float(self.y @ self.y + self.v @ (self.model.names.specific_var * self.v))


def whole_shares(account: dict[str, Any], model: Model, answer: Certified, min_trade_usd: float) -> list[dict[str, Any]]:
    """The plan's trades in the scorer's format, in whole shares."""
    book = _book(account, model, answer, min_trade_usd)
    slack = SLACK_USD / float(account["value"])
    for _ in range(MOST_MOVES):
        if book.cash < slack:
            moved = _raise_cash(book)
        elif book.variance() > model.te_cap**2:
            moved = _lower_risk(book, slack)
        else:
            moved = _improve(book, slack) or _improve_in_pairs(book, slack)
        if not moved:
            break
    return _said(account, book)


def _book(account: dict[str, Any], model: Model, answer: Certified, min_trade_usd: float) -> _Book:
    """The nearest numbers of shares that are allowed."""
    trades: Trades = answer.trades or Trades(model.lots.size * 0, model.names.held * 0)
    price, count = np.array(account["price"]), len(model.names.held)
    worth = price / float(account["value"])
    options, z = model.options, answer.multipliers[model.factors : model.factors + len(model.rows.bound)]
    sales, high, least, whole = dict[int, _Sale](), np.zeros(count), np.zeros(count), np.zeros(count)
    lot_count = np.bincount(model.lots.name, minlength=count)
    for name, option in enumerate(answer.trades.chosen):
        inside = options.slot_option == option
        if options.buys[option]:
            high[name] = np.floor(model.names.buy_max[name] / worth[name] + 1e-9)
            continue
        lots, forced = options.slot_lot[inside], options.slot_forced[inside]
        asked = model.lots.sell_price[lots] + model.rows.sell[lots] @ z
        order = np.lexsort((asked, ~forced))
        size = model.lots.size[lots[order]]
        paid = np.cumsum(size * model.lots.sell_price[lots[order]])
        sales[name] = _Sale(lots[order], np.append(0.0, np.cumsum(size)), np.append(0.0, paid))
        in_all = float(size.sum()) / worth[name]
        high[name], least[name] = np.floor(in_all + 1e-9), float(size[forced[order]].sum()) / worth[name]
        if len(lots) == lot_count[name] and in_all * price[name] >= min_trade_usd:
            whole[name] = in_all if in_all > high[name] + 1e-9 else 0.0
    low = np.maximum(np.ceil(np.maximum(min_trade_usd / price, least) - 1e-9), 1.0)
    wanted = (trades.bought + np.bincount(model.lots.name, trades.sold, count)) / worth
    near = np.minimum(np.round(wanted), high)
    near = np.where(
        (whole > 0) & (wanted > whole - 0.25), whole, np.where(near < low, np.where((wanted > low / 2) & (low <= high), low, 0.0), near)
    )
    book = _Book(
        model=model,
        worth=worth,
        buys=options.buys[answer.trades.chosen],
        low=low,
        high=high,
        whole=whole,
        sales=sales,
        spread=np.array(account["half_spread_bps"]) / 1e4,
        shares=np.zeros(count),
        v=model.names.held - model.names.target,
        y=model.names.exposures.T @ (model.names.held - model.names.target),
        cash=float(account["cash"]) / float(account["value"]),
        cost=np.zeros(count),
    )
    for name in np.flatnonzero(near):
        book.take(int(name), float(near[name]))
    return book


@dataclass(frozen=True, slots=True)
class _Moves:
    """Every name's next number of shares one way: the objective's and cash's change, and the change of weight."""

    after: Floats
    change: Floats
    price: Floats
    freed: Floats
    risk: Floats


def _moves(book: _Book, up: bool) -> _Moves:
    model, names = book.model, book.model.names
    after = book.step(up)
    change = book.signed(after)
    pull = names.specific_var * book.v + names.exposures @ book.y
    own = names.specific_var + (names.exposures**2).sum(axis=1)
    risk = model.risk * (change * pull + 0.5 * own * change**2)
    price = risk + book.cost_of(after) - book.cost
    return _Moves(after, change, np.where(change == 0, np.inf, price), book.freed(change), risk)


def _within(book: _Book, moves: _Moves) -> Bools:
    """Whether the cap on tracking error is kept."""
    fits: Bools = book.variance() + 2 * moves.risk / book.model.risk <= book.model.te_cap**2
    return fits


def _raise_cash(book: _Book) -> bool:
    """The move that costs least for each dollar it frees."""

    def rate(moves: _Moves) -> Floats:
        frees = (moves.freed > 0) & np.isfinite(moves.price)
        found: Floats = np.where(frees, moves.price / np.where(frees, moves.freed, 1.0), np.inf)
        return found

    return _take_least(book, rate)


def _lower_risk(book: _Book, slack: float) -> bool:
    """The move that costs least, its risk aside, for the variance that it takes away."""

    def rate(moves: _Moves) -> Floats:
        lowers = (moves.risk < -HELPS) & np.isfinite(moves.price) & (book.cash + moves.freed >= slack)
        found: Floats = np.where(lowers, (moves.price - moves.risk) / np.where(lowers, -moves.risk, 1.0), np.inf)
        return found

    return _take_least(book, rate)


def _take_least(book: _Book, rate_of: Callable[[_Moves], Floats]) -> bool:
    """Take the move, up or down, of the least finite rate [names]; False where there is none."""
    best, found = np.inf, None
    for up in (True, False):
        moves = _moves(book, up)
        rate = rate_of(moves)
        name = int(np.argmin(rate))
        if rate[name] < best:
            best, found = float(rate[name]), (name, float(moves.after[name]))
    if found is None:
        return False
    book.take(*found)
    return True


def _improve(book: _Book, slack: float) -> bool:
    """The move that gains most."""
    best, found = -HELPS, None
    for up in (True, False):
        moves = _moves(book, up)
        price = np.where((book.cash + moves.freed >= slack) & _within(book, moves), moves.price, np.inf)
        name = int(np.argmin(price))
        if price[name] < best:
            best, found = float(price[name]), (name, float(moves.after[name]))
    if found is None:
        return False
    book.take(*found)
    return True


def _improve_in_pairs(book: _Book, slack: float) -> bool:
    """The two moves that gain most together."""
    both = [_moves(book, up) for up in (True, False)]
    after, change, price, freed, risk = (
        np.concatenate([getattr(each, part) for each in both]) for part in ("after", "change", "price", "freed", "risk")
    )
    near = np.argsort(price, kind="stable")[:PAIRED]
    near = near[np.isfinite(price[near])]
    name = near % len(book.v)
    exposures = book.model.names.exposures[name]
    shared = book.model.risk * np.outer(change[near], change[near]) * (exposures @ exposures.T)
    total = price[near][:, None] + price[near][None, :] + shared
    risks = risk[near][:, None] + risk[near][None, :] + shared
    fits = (book.cash + freed[near][:, None] + freed[near][None, :] >= slack) & (name[:, None] != name[None, :])
    fits &= book.variance() + 2 * risks / book.model.risk <= book.model.te_cap**2
    total = np.where(fits, total, np.inf)
    if not total.size or total.min() >= -HELPS:
        return False
    for place in np.unravel_index(int(np.argmin(total)), total.shape):
        book.take(int(name[place]), float(after[near][place]))
    return True


def _said(account: dict[str, Any], book: _Book) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = []
    for name in np.flatnonzero(book.shares):
        ticker, left = account["tickers"][name], float(book.shares[name])
        if book.buys[name]:
            said.append({"ticker": ticker, "side": "BUY", "shares": left})
            continue
        for lot in book.sales[int(name)].lots:
            part = min(left, float(account["lots"][lot]["shares"]))
            left = round(left - part, 9)
            if part > 0:
                said.append({"ticker": ticker, "side": "SELL", "shares": part, "lot_id": account["lots"][lot]["lot_id"]})
    return said
