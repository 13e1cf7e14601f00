"""Which securities the stories of the sample need: chosen from the simulated prices, so that a loss is a loss and a gain a gain."""

from dataclasses import dataclass

import numpy as np

from demo.sample.days import DEMO_DAYS
from demo.sample.market import LARGE, SampleMarket
from demo.sample.prices import Floats, Ints, class_pairs


@dataclass(frozen=True)
class Picks:
    """Columns and rows: `*_row` is the day on which the loss or gain lot was bought; `recent_row` lies within 30 days of the demo.

    `losers` fell by a tenth or more from wash_row to recent_row, `winners` doubled since winner_row.
    """

    today_row: int
    recent_row: int
    jump: int
    jump_row: int
    wash: int
    wash_row: int
    pair_first: int
    pair_second: int
    pair_row: int
    winner: int
    winner_row: int
    fraction: int
    heaviest: int
    losers: tuple[int, ...]
    winners: tuple[int, ...]


def split_adjusted(market: SampleMarket) -> Floats:
    """Prices in dollars of today's shares: comparable from day to day, but for the unannounced jump."""
    adjusted: Floats = market.history.price_cents / 100 / split_factor(market)
    return adjusted


def split_factor(market: SampleMarket) -> Ints:
    """By day and security: how many shares one share of that day is on the first demo day."""
    first_demo_row = market.row(DEMO_DAYS[0].business_date)
    factor = np.ones_like(market.history.price_cents)
    for split in market.history.splits:
        row = market.row(split.ex_date)
        if row <= first_demo_row:
            factor[:row, split.column] *= split.ratio
    return factor


def make_picks(market: SampleMarket) -> Picks:
    """Choose the stories' securities; raises ValueError when the simulated history has none that fits."""
    today = market.row(DEMO_DAYS[0].business_date)
    change = split_adjusted(market)[today] / split_adjusted(market) - 1
    weight = market.models[LARGE]
    special = {market.history.jump_column, market.history.split_column} | {c for pair in class_pairs(market.universe) for c in pair}
    ordinary = (weight > 0) & ~np.isin(np.arange(len(weight)), list(special))
    wash_row, winner_row = today - 180, today - 700
    wash = _heaviest(weight, ordinary & (change[wash_row] < -0.2) & (change[today - 1] > -0.05))
    winner = _heaviest(weight, ordinary & (change[winner_row] > 1.0))
    fraction = _heaviest(weight, ordinary & (np.abs(change[winner_row]) < 0.2))
    pair, pair_row = _falling_pair(market, change, today)
    jump, recent = market.history.jump_column, today - 8
    lost = (1 + change[wash_row]) / (1 + change[recent]) - 1
    losers = tuple(np.flatnonzero(ordinary & (lost < -0.1) & (np.arange(len(weight)) != wash)).tolist())
    winners = tuple(np.flatnonzero(ordinary & (change[winner_row] > 1.0)).tolist())
    heaviest = int(np.argmax(weight))
    return Picks(
        today,
        recent,
        jump,
        today - 400,
        wash,
        wash_row,
        pair[0],
        pair[1],
        pair_row,
        winner,
        winner_row,
        fraction,
        heaviest,
        losers,
        winners,
    )


def _heaviest(weight: Ints, eligible: np.ndarray) -> int:
    if not eligible.any():
        raise ValueError("no security of the simulated history fits a story")
    return int(np.argmax(np.where(eligible, weight, -1)))


def _falling_pair(market: SampleMarket, change: Floats, today: int) -> tuple[tuple[int, int], int]:
    """The issuer with two share classes, and the day since which its first class fell most; at least 45 trading days back."""
    weight = market.models[LARGE]
    pairs = [pair for pair in class_pairs(market.universe) if weight[pair[0]] > 0 and weight[pair[1]] > 0]
    falls = [(float(change[200 : today - 45, first].min()), first, second) for first, second in pairs]
    _, first, second = min(falls)
    return (first, second), 200 + int(np.argmin(change[200 : today - 45, first]))
