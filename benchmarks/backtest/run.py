"""One account through time: at each date sales, then purchases; between dates the holdings drift and dividends gather as cash.

Returns before tax are the account's own; tax on gains, and what losses save, is a flow at the account's value of that date, so that

    return after tax of a period  =  return before tax  -  tax of its last date / value of that date

Losses are worth their rate at once, and what they save is invested on the same date: an upper bound for who has no outside gains.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from benchmarks.backtest.books import Books, Realised
from benchmarks.backtest.market import Market, Risk
from benchmarks.backtest.optimised import optimise, predicted_te
from benchmarks.backtest.rule import State, bought_by_shortfall, sold_by_rule
from services.optimizer.core.arrays import Floats

START_USD = 1_000_000.0
TRADING_DAYS = 252
BPS = 1e4


@dataclass(frozen=True, slots=True)
class Setup:
    """What one run is: `strategy` rule or optimizer; dates are days; rates short and long."""

    strategy: str
    wash_rule: bool
    frequency: str
    first: date
    last: date
    rates: tuple[float, float] = (0.35, 0.15)
    threshold: float = 0.0
    risk_aversion: float = 100.0
    most_of_sector: float = 0.5

    @property
    def key(self) -> str:
        """Names the run in files."""
        return "|".join(str(each) for each in asdict(self).values())


@dataclass
class Tally:
    """What gathers over the dates of one run."""

    tax: list[float]
    value: list[float]
    losses_usd: float = 0.0
    gains_usd: float = 0.0
    traded_usd: float = 0.0
    predicted: list[float] | None = None
    gaps_bps: list[float] | None = None
    solve_ms: list[float] | None = None
    unsolved: int = 0


class Account:
    """The books, cash and holdings of one run."""

    def __init__(self, market: Market, setup: Setup, row: int) -> None:
        self.market, self.setup, self.row = market, setup, row
        self.books = Books(market.tickers, setup.wash_rule)
        self.shares = np.zeros(len(market.tickers))
        self.cash = START_USD
        self.tally = Tally([], [], predicted=[], gaps_bps=[], solve_ms=[])
        self.daily = [START_USD]
        self.buy(row, market.index[row] * START_USD)

    def buy(self, row: int, dollars: Floats) -> None:
        """Lots of these dollars, by name."""
        day, price = self.market.day(row), self.market.close[row]
        for name in np.flatnonzero(dollars > 1.0):
            shares = round(float(dollars[name] / price[name]), 6)
            self.books.buy(int(name), day, shares, float(price[name]))
            self.shares[name] += shares
            self.cash -= shares * float(price[name])
        self.tally.traded_usd += float(dollars.sum())

    def sell(self, row: int, state: State, sold: Floats) -> Realised:
        """Shares of lots; tax on them is paid at once, what losses save comes in."""
        chosen = np.flatnonzero(sold > 1e-7)
        parts = {state.held.key[lot]: float(sold[lot]) for lot in chosen}
        realised = self.books.sell(self.market.day(row), parts, self.market.close[row])
        names = state.held.name[chosen]
        np.subtract.at(self.shares, names, sold[chosen])
        self.shares[np.abs(self.shares) < 1e-5] = 0.0
        proceeds = float((sold[chosen] * state.price[names]).sum())
        self.cash += proceeds - realised.tax(self.setup.rates)
        self.tally.traded_usd += proceeds
        self.tally.losses_usd += realised.losses
        self.tally.gains_usd += realised.short + realised.long + realised.losses
        return realised

    def drift(self, row: int) -> None:
        """Value every day up to `row`, dividends as cash."""
        market, first = self.market, self.row + 1
        held = np.flatnonzero(self.shares)
        paid = market.dividend[first : row + 1][:, held] @ self.shares[held]
        worth = market.close[first : row + 1][:, held] @ self.shares[held]
        self.daily += (worth + self.cash + np.cumsum(paid)).tolist()
        self.cash += float(paid.sum())
        self.row = row

    def state(self, row: int) -> State:
        """The account as a strategy sees it."""
        market, day = self.market, self.market.day(row)
        held, price = self.books.lots(day), market.close[row]
        value = self.cash + float(np.nan_to_num(price)[held.name] @ held.shares)
        return State(
            price=price,
            member=market.index[row] > 0,
            target=market.index[row],
            sector=market.sector,
            barred=self.books.barred(day),
            held=held,
            bought_days=self.books.bought_days(held, day),
            cash=self.cash,
            value=value,
            rates=self.setup.rates,
            wash_rule=self.setup.wash_rule,
        )


def rebalance(account: Account, row: int) -> None:
    """One date: what left the index goes, losses are taken, cash is invested."""
    setup, market, risk = account.setup, account.market, account.market.risk(row)
    state = account.state(row)
    value, tax = state.value, 0.0
    if setup.strategy == "rule" or risk is None or not setup.wash_rule:
        sold = sold_by_rule(state, setup.threshold, setup.most_of_sector)
        tax += account.sell(row, state, sold).tax(setup.rates)
        if not setup.wash_rule:  # bought back at once
            back = np.bincount(state.held.name, sold * state.price[state.held.name] * state.member[state.held.name], len(state.price))
            account.buy(row, back * min(1.0, account.cash / max(float(back.sum()), 1.0)))
    if setup.strategy == "optimizer" and risk is not None:
        tax += _optimised(account, row, risk)
    else:
        state = account.state(row)
        weight = account.shares * np.nan_to_num(state.price) / state.value
        account.buy(row, bought_by_shortfall(state, weight, account.cash, state.barred))
    account.tally.tax.append(tax)
    account.tally.value.append(value)
    if risk is not None and account.tally.predicted is not None:
        after = account.shares * np.nan_to_num(market.close[row])
        account.tally.predicted.append(predicted_te(after / (after.sum() + account.cash), market.index[row], risk))


def _optimised(account: Account, row: int, risk: Risk) -> float:
    """The solve's trades, after what left the index is sold; the tax of both."""
    state, tax = account.state(row), 0.0
    gone = np.where(state.member[state.held.name], 0.0, state.held.shares)
    if gone.any():
        tax += account.sell(row, state, gone).tax(account.setup.rates)
        state = account.state(row)
    began = time.process_time()
    tally = account.tally
    try:
        solved = optimise(state, risk, account.setup.risk_aversion)
    except RuntimeError:
        tally.unsolved += 1
        return tax
    if tally.solve_ms is not None and tally.gaps_bps is not None:
        tally.solve_ms.append(1e3 * (time.process_time() - began))
        tally.gaps_bps.append(BPS * solved.answer.gap)
    tax += account.sell(row, state, solved.sold).tax(account.setup.rates)
    total = float(solved.bought.sum())
    account.buy(row, solved.bought * (min(1.0, account.cash / total) if total > 0 else 0.0))
    return tax


def run(market: Market, setup: Setup, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """All dates of one setup; the figures of report.py's table."""
    first = int(np.searchsorted(market.dates, np.datetime64(setup.first)))
    dates = market.dates_of(setup.frequency, market.day(first), setup.last)
    account, before, after, levels = Account(market, setup, first), [], [], [START_USD]
    for number, row in enumerate(dates):
        start = len(account.daily) - 1
        account.drift(row)
        path = np.array([levels[-1], *account.daily[start + 1 :]])
        before += (path[1:] / path[:-1] - 1).tolist()
        rebalance(account, row)
        tax = account.tally.tax[-1] / account.tally.value[-1]
        after.append(-tax)
        levels.append(account.cash + float(account.shares @ np.nan_to_num(market.close[row])))
        progress(number + 1, len(dates))
    return {**_figures(market, setup, account, np.array(before), np.array(after), (first, dates[-1]))}


def _figures(market: Market, setup: Setup, account: Account, before: Floats, flows: Floats, span: tuple[int, int]) -> dict[str, Any]:
    """Yearly averages: active return before and after tax in bp, losses in per cent of the initial capital, tracking errors in per cent."""
    first, last = span
    years = (last - first) / TRADING_DAYS
    index = market.index_return[first + 1 : last + 1]
    active, tally = before - index, account.tally
    pre = BPS * (np.log1p(before).sum() - np.log1p(index).sum()) / years
    benefit = BPS * float(np.log1p(flows).sum()) / years
    predicted = np.array(tally.predicted or [np.nan])
    return {
        "key": setup.key,
        "strategy": setup.strategy,
        "wash_rule": setup.wash_rule,
        "frequency": setup.frequency,
        "first": setup.first.isoformat(),
        "last": setup.last.isoformat(),
        "dates": len(flows),
        "years": round(years, 2),
        "active_before_tax_bps": round(float(pre), 1),
        "active_after_tax_bps": round(float(pre + benefit), 1),
        "tax_alpha_bps": round(benefit, 1),
        "losses_pct_a_year": round(100 * tally.losses_usd / START_USD / years, 2),
        "gains_pct_a_year": round(100 * tally.gains_usd / START_USD / years, 2),
        "turnover_a_year": round(tally.traded_usd / 2 / float(np.mean(account.daily)) / years, 2),
        "te_realised_pct": round(100 * float(active.std() * np.sqrt(TRADING_DAYS)), 3),
        "te_predicted_pct": round(100 * float(np.sqrt(np.mean(predicted**2))), 3),
        "disallowed_usd": round(account.books.disallowed_usd(), 2),
        "unsolved": tally.unsolved,
        "solve_ms_p50": _quantile(tally.solve_ms, 0.5),
        "gap_bps_p50": _quantile(tally.gaps_bps, 0.5),
        "gap_bps_max": _quantile(tally.gaps_bps, 1.0),
    }


def _quantile(values: list[float] | None, at: float) -> float | None:
    return round(float(np.quantile(values, at)), 4) if values else None
