"""Simulated returns, prices, splits and dividends of the sample's securities.

r = market + sector + industry + styles + specific, daily log returns from normal draws with a market volatility that wanders;
the coefficients are set so that single names, sectors and the index move about as large US companies do.

Invariants:
1. Apart from the jump, no one-day return is outside +-25 % once splits are applied.
2. `price_cents` is what was paid on the day; a split divides it on its ex-date by the split's ratio.
3. The jump security falls by more than half on the first demo day and no corporate action says why.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from demo.sample.days import DEMO_DAYS, date_index, rng_of
from demo.sample.universe import Security

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PAST_SPLITS = 24
DEMO_SPLIT_RATIO = 2
JUMP_RATIO = 3  # what the unannounced split really was; it stands nowhere but here
LARGEST_DAILY_LOG_RETURN = 0.22


@dataclass(frozen=True)
class Split:
    """`ratio` new shares for one old, from `ex_date` on; `column` is the security's position in the universe."""

    column: int
    ex_date: date
    ratio: int


@dataclass(frozen=True)
class Dividend:
    """Dollars a share, in hundredths of a cent, to the holders on the day before `ex_date`."""

    column: int
    ex_date: date
    amount_e4: int


@dataclass(frozen=True)
class PriceHistory:
    """Prices by day (row) and security (column).  `cap_usd` is the capitalisation of the day, without look-ahead in its path."""

    days: list[date]
    price_cents: Ints
    cap_usd: Ints
    adv_usd: Floats
    splits: list[Split]
    dividends: list[Dividend]
    jump_column: int
    split_column: int


def simulate_prices(universe: list[Security], days: list[date]) -> PriceHistory:
    """The whole simulated history on `days`, which must end with the demo's days."""
    rng = rng_of(2)
    final_cap = _final_caps(universe, rng)
    log_path = _second_classes_follow_first(universe, _log_paths(universe, final_cap, len(days), rng), rng)
    log_path -= log_path[-1]
    final_price = np.clip(np.exp(rng.normal(4.35, 0.65, len(universe))), 12.0, 700.0)
    cap_usd = np.round(np.exp(log_path) * final_cap, -6).astype(np.int64)
    jump, split = _demo_columns(cap_usd[-1])
    splits = _past_splits(log_path, days, {jump, split}, rng)
    splits.append(Split(split, DEMO_DAYS[1].business_date, DEMO_SPLIT_RATIO))
    price = np.exp(log_path) * final_price
    for action in splits:
        price[: date_index(days, action.ex_date), action.column] *= action.ratio
    price[date_index(days, DEMO_DAYS[0].business_date) :, jump] /= JUMP_RATIO
    price_cents = np.maximum(np.round(price * 100), 1).astype(np.int64)
    adv_usd = np.round(final_cap * np.exp(rng.normal(-5.3, 0.45, len(universe))), -3)
    dividends = _dividends(price_cents, days, rng)
    return PriceHistory(days, price_cents, cap_usd, adv_usd, splits, dividends, jump, split)


def _final_caps(universe: list[Security], rng: np.random.Generator) -> Floats:
    """Capitalisation at the end, dollars: lognormal; a second class is two thirds of the first."""
    cap = np.exp(rng.normal(np.log(1.8e10), 1.05, len(universe)))
    for first, second in class_pairs(universe):
        cap[second] = cap[first] * 2 / 3
    return cap


def class_pairs(universe: list[Security]) -> list[tuple[int, int]]:
    """Positions of the two share classes of each issuer that has two."""
    first: dict[str, int] = {}
    pairs = []
    for column, security in enumerate(universe):
        if security.issuer_id in first:
            pairs.append((first[security.issuer_id], column))
        first.setdefault(security.issuer_id, column)
    return pairs


def _log_paths(universe: list[Security], final_cap: Floats, length: int, rng: np.random.Generator) -> Floats:
    """Cumulated log returns from the factor model, one row a day."""
    names = len(universe)
    calm = np.zeros(length)
    shocks = rng.normal(0.0, 0.12, length)
    for t in range(1, length):
        calm[t] = 0.97 * calm[t - 1] + shocks[t]
    market = 0.00035 + 0.0085 * np.exp(0.8 * calm) * rng.standard_normal(length)
    beta = np.clip(rng.normal(1.0, 0.25, names), 0.4, 1.8)
    returns = market[:, None] * beta
    returns += _group_returns([s.sector for s in universe], 0.0050, length, rng)
    returns += _group_returns([s.sector + s.industry for s in universe], 0.0035, length, rng)
    size = np.log(final_cap) - np.log(final_cap).mean()
    styles = np.column_stack([size / size.std(), rng.standard_normal((names, 2))])
    style_returns = 0.0022 * rng.standard_normal((length, 3))
    returns += np.einsum("tk,nk->tn", style_returns, styles)
    specific_sd = rng.uniform(0.008, 0.022, names)
    returns += specific_sd * rng.standard_normal((length, names)) - 0.5 * specific_sd**2
    returns = np.clip(returns, -LARGEST_DAILY_LOG_RETURN, LARGEST_DAILY_LOG_RETURN)
    path: Floats = np.cumsum(returns, axis=0)
    return path


def _group_returns(groups: list[str], daily_sd: float, length: int, rng: np.random.Generator) -> Floats:
    """One return a day for each distinct group, given to its members."""
    labels = sorted(set(groups))
    draws = daily_sd * rng.standard_normal((length, len(labels)))
    column = {label: i for i, label in enumerate(labels)}
    chosen: Floats = draws[:, [column[group] for group in groups]]
    return chosen


def _second_classes_follow_first(universe: list[Security], path: Floats, rng: np.random.Generator) -> Floats:
    """Class B moves as class A but for a small gap that closes again."""
    for first, second in class_pairs(universe):
        path[:, second] = path[:, first] + 0.001 * rng.standard_normal(len(path))
    return path


def _demo_columns(last_cap: Ints) -> tuple[int, int]:
    """The jump and the split security: names of middling size, so that many accounts hold them and none is ruled by them."""
    by_cap = np.argsort(-last_cap, kind="stable")
    return int(by_cap[120]), int(by_cap[90])


def _past_splits(path: Floats, days: list[date], taken: set[int], rng: np.random.Generator) -> list[Split]:
    """Splits of the names that rose most, each on a day when it stood high, before the last 60 days; ordered by date."""
    growth = path[-60] - path[0]
    columns = [int(c) for c in np.argsort(-growth, kind="stable") if int(c) not in taken][:PAST_SPLITS]
    rows = rng.integers(200, len(days) - 60, PAST_SPLITS)
    ratios = rng.choice([2, 2, 2, 3, 4, 5], PAST_SPLITS)
    splits = [Split(c, days[int(row)], int(ratio)) for c, row, ratio in zip(columns, rows, ratios, strict=True)]
    return sorted(splits, key=lambda split: (split.ex_date, split.column))


def _dividends(price_cents: Ints, days: list[date], rng: np.random.Generator) -> list[Dividend]:
    """Quarterly dividends of two names in three, one to four per cent of the price a year; none in the last five days."""
    names: int = price_cents.shape[1]
    pays = rng.random(names) < 0.67
    quarter_e4 = (price_cents * rng.uniform(0.01, 0.04, names) * 25).astype(np.int64)
    offsets = rng.integers(2, 63, names).tolist()
    rows = [
        Dividend(column, days[row], int(quarter_e4[row, column]))
        for column in np.flatnonzero(pays).tolist()
        for row in range(offsets[column], len(days) - 5, 63)
    ]
    return sorted(rows, key=lambda dividend: (dividend.ex_date, dividend.column))
