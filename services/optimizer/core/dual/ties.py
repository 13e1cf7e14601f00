"""Sales where lots of one name tie in price.

At a binding budget two lots of a name end at the same price, and what is sold of each jumps with the multiplier: the dual has a kink there
and Newton stalls.  With a *tie* softening t > 0 a lot's price rises with what is sold of it, from p to p + t; the sales are then a
continuous function of the multipliers.  The plan's objective is off by at most t times the weight sold; bounds are always taken at t = 0.

An option's sales solve   sum_l clip((mu - p_l) size_l / t, 0, size_l) + mu / k = start + pull / k   for the price mu, which is a
search over the sorted ends of the lots' price ranges (k the name's stiffness, start its active weight, pull its factor price).
"""

from dataclasses import dataclass

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Softened:
    """By slot: what is sold, and by how much that moves with the slot's own price (0 at the ends of its range)."""

    sold: Floats
    moves: Floats


def softened_sales(option: Ints, price: Floats, size: Floats, start: Floats, pull: Floats, stiff: Floats, tie: float) -> Softened:
    """Sales by slot; `option`, `price`, `size` by slot and sorted by option, `start`, `pull`, `stiff` by option; `tie` positive."""
    if not len(option):
        return Softened(np.zeros(0), np.zeros(0))
    slope = size / tie
    at = np.concatenate([price, price + tie])
    owner = np.concatenate([option, option])
    order = np.lexsort((at, owner))
    at, owner = at[order], owner[order]
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    lengths = np.diff(np.append(first, len(owner)))
    slopes = _within(np.concatenate([slope, -slope])[order], first, lengths)
    width = np.diff(at, prepend=at[0])
    width[first] = 0.0
    sold = _within(np.append(0.0, slopes[:-1]) * width, first, lengths)
    over = sold + at / stiff[owner] - (start + pull / stiff)[owner]
    last = _last_true(over <= 0, first)
    mu = np.full(len(start), -np.inf)
    at_last, some = last[last >= 0], owner[first][last >= 0]
    mu[some] = at[at_last] - over[at_last] / (slopes[at_last].clip(min=0.0) + 1.0 / stiff[some])
    part = ((mu[option] - price) / tie).clip(0.0, 1.0)
    inside = (part > 0) & (part < 1)
    return Softened(part * size, np.where(inside, slope, 0.0))


def _within(steps: Floats, first: Ints, lengths: Ints) -> Floats:
    """Running sums that begin anew at each of `first`."""
    running = np.cumsum(steps)
    before: Floats = running[first] - steps[first]
    again: Floats = running - np.repeat(before, lengths)
    return again


def _last_true(holds: Bools, first: Ints) -> Ints:
    """By segment, the last position that holds; -1 where none does."""
    last: Ints = np.maximum.reduceat(np.where(holds, np.arange(len(holds)), -1), first)
    return last
