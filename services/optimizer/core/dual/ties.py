"""Kernels: sales where lots of one name tie in price.

At a binding budget two lots of a name end at the same price, and what is sold of each jumps with the multiplier: the dual has a kink there
and Newton stalls.  With a *tie* softening t > 0 a lot's price rises with what is sold of it, from p to p + t; the sales are then a
continuous function of the multipliers.  The plan's objective is off by at most t times the weight sold; bounds are always taken at t = 0.

An option's sales S(mu) = sum_l clip((mu - p_l) / t, 0, 1) size_l solve   S(mu) + mu / k = base   for the price mu, k the name's stiffness
and impact together: one walk over the sorted ends of the lots' price ranges.  Where that leaves the option's range, S(mu) = its end.
"""

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.dual.compiled import compiled
from services.optimizer.core.dual.tables import Scratch, Tables


@compiled
def sell_softened(t: Tables, w: Scratch, x: float, allowed: Bools, tie: float) -> None:
    """Sales of every option's lots (their `now` prices in `order`), how they move, and what they cost beside risk and impact."""
    rows = t.rows.shape[1]
    for o in range(len(t.name)):
        first, end = t.slot_first[o], t.slot_first[o + 1]
        if first == end or not allowed[o]:
            continue
        stiff = (t.risk + x) * t.specific_var[t.name[o]]
        joint = stiff + t.impact[o]
        base = (stiff * t.start[o] + w.pull[t.name[o]] - t.impact[o] * t.forced[o]) / joint
        order, now, size, sold, swaps = w.order[first:end], w.now[first:end], t.size[first:end], w.sold[first:end], w.swaps[first:end]
        total = _fill(now, size, sold, swaps, tie, _level(order, first, now, size, tie, 1.0 / joint, base))
        inside = t.least[o] <= total <= t.most[o]
        if not inside:
            range_end = t.least[o] if total < t.least[o] else t.most[o]
            _fill(now, size, sold, swaps, tie, _level(order, first, now, size, tie, 0.0, range_end))
        slope = 0.0
        for r in range(rows):
            w.move_rows[o, r] = 0.0
        for slot in range(first, end):
            sale = w.sold[slot]
            if sale > 0:
                w.active[o] -= sale
                w.cost[o] += sale * (w.now[slot] + 0.5 * tie * sale / t.size[slot])
                slope += w.swaps[slot]
                for r in range(rows):
                    w.activity[o, r] += sale * t.rows[slot, r]
                    w.move_rows[o, r] -= w.swaps[slot] * t.rows[slot, r]
        if slope > 0:
            for r in range(rows):
                w.move_rows[o, r] /= slope
        w.moves[o] = slope / (1.0 + joint * slope) if inside else 0.0


@compiled
def _fill(now: Floats, size: Floats, sold: Floats, swaps: Floats, tie: float, mu: float) -> float:
    """Sales at the price mu, and their sum; `swaps` is a lot's slope where it is sold in part."""
    total, per_tie = 0.0, 1.0 / tie
    for slot in range(len(now)):
        part = min(max((mu - now[slot]) * per_tie, 0.0), 1.0)
        sold[slot] = part * size[slot]
        swaps[slot] = size[slot] * per_tie if 0.0 < part < 1.0 else 0.0
        total += sold[slot]
    return total


@compiled
def _level(order: Ints, first: int, now: Floats, size: Floats, tie: float, per_price: float, wanted: float) -> float:
    """The price mu at which sales + per_price x mu = wanted."""
    begins, ends, slope, sold, at = 0, 0, 0.0, 0.0, float(now[order[0] - first])
    if per_price > 0 and per_price * at >= wanted:
        return wanted / per_price
    while ends < len(order):
        next_end = float(now[order[ends] - first]) + tie
        opening = begins < len(order) and now[order[begins] - first] <= next_end
        there = float(now[order[begins] - first]) if opening else next_end
        more = slope * (there - at)
        if sold + more + per_price * there >= wanted and slope + per_price > 0:
            return at + max(wanted - sold - per_price * at, 0.0) / (slope + per_price)
        sold, at = sold + more, there
        if opening:
            slope += size[order[begins] - first] / tie
            begins += 1
        else:
            slope = max(slope - size[order[ends] - first] / tie, 0.0)
            ends += 1
    return (wanted - sold) / per_price if per_price > 0 else at
