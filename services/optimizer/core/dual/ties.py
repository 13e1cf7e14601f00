"""Kernels: sales where lots of one name tie in price.

At a binding budget two lots of a name end at the same price, and what is sold of each jumps with the multiplier: the dual has a kink there
and Newton stalls.  With a *tie* softening t > 0 a lot's price rises with what is sold of it, from p to p + t; the sales are then a
continuous function of the multipliers.  The plan's objective is off by at most t times the weight sold; bounds are always taken at t = 0.

An option's sales S(mu) = sum_l clip((mu - p_l) / t, 0, 1) size_l solve   S(mu) + mu / k = base   for the price mu, k the name's stiffness
and impact together: one walk over the sorted ends of the lots' price ranges.  Where that leaves the option's range, S(mu) = its end.
"""

from services.optimizer.core.dual.compiled import compiled
from services.optimizer.core.dual.tables import Scratch, Tables


@compiled
def sell_softened(t: Tables, w: Scratch, o: int, stiff: float, tie: float) -> float:
    """Sales of the option's lots (their `now` prices in `order`) and how they move; what they cost beside risk and impact."""
    rows, joint = t.rows.shape[1], stiff + t.impact[o]
    base = (stiff * t.start[o] + w.pull[t.name[o]] - t.impact[o] * t.forced[o]) / joint
    mu = _level(t, w, o, tie, 1.0 / joint, base)
    total = _fill(t, w, o, tie, mu)
    inside = t.least[o] <= total <= t.most[o]
    if not inside:
        total = _fill(t, w, o, tie, _level(t, w, o, tie, 0.0, t.least[o] if total < t.least[o] else t.most[o]))
    cost, slope = 0.0, 0.0
    for r in range(rows):
        w.move_rows[o, r] = 0.0
    for slot in range(t.slot_first[o], t.slot_first[o + 1]):
        cost += w.sold[slot] * (w.now[slot] + 0.5 * tie * w.sold[slot] / t.size[slot])
        slope += w.swaps[slot]
        for r in range(rows):
            w.activity[o, r] += w.sold[slot] * t.rows[slot, r]
            w.move_rows[o, r] -= w.swaps[slot] * t.rows[slot, r]
    if slope > 0:
        for r in range(rows):
            w.move_rows[o, r] /= slope
    w.moves[o] = slope / (1.0 + joint * slope) if inside else 0.0
    return cost


@compiled
def _fill(t: Tables, w: Scratch, o: int, tie: float, mu: float) -> float:
    """Sales at the price mu, and their sum; `swaps` is a lot's slope where it is sold in part."""
    total = 0.0
    for slot in range(t.slot_first[o], t.slot_first[o + 1]):
        part = min(max((mu - w.now[slot]) / tie, 0.0), 1.0)
        w.sold[slot] = part * t.size[slot]
        w.swaps[slot] = t.size[slot] / tie if 0.0 < part < 1.0 else 0.0
        total += w.sold[slot]
    return total


@compiled
def _level(t: Tables, w: Scratch, o: int, tie: float, per_price: float, wanted: float) -> float:
    """The price mu at which sales + per_price x mu = wanted."""
    first, end = t.slot_first[o], t.slot_first[o + 1]
    begins, ends, slope, sold = first, first, 0.0, 0.0
    at = w.now[w.order[first]]
    if per_price > 0 and per_price * at >= wanted:
        return wanted / per_price
    while ends < end:
        next_end = w.now[w.order[ends]] + tie
        opening = begins < end and w.now[w.order[begins]] <= next_end
        there = w.now[w.order[begins]] if opening else next_end
        more = slope * (there - at)
        if sold + more + per_price * there >= wanted and slope + per_price > 0:
            return at + max(wanted - sold - per_price * at, 0.0) / (slope + per_price)
        sold, at = sold + more, there
        if opening:
            slope += t.size[w.order[begins]] / tie
            begins += 1
        else:
            slope = max(slope - t.size[w.order[ends]] / tie, 0.0)
            ends += 1
    return (wanted - sold) / per_price if per_price > 0 else at
