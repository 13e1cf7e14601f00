"""Kernels: the least cost of one option in closed form, and how its trades move with the multipliers.

An option's cost is 1/2 k v^2 + pull v + prices + 1/2 c traded^2, k the name's stiffness and c its impact.  A purchase is one clip.  A sale
fills the option's lots in order of price until the next would cost more than it saves, which is one clip a lot, within the option's range;
with ties softened (dual/ties.py) it is the search for one price.
"""

import numpy as np

from services.optimizer.core.arrays import Floats
from services.optimizer.core.dual.compiled import compiled
from services.optimizer.core.dual.tables import Scratch, Tables
from services.optimizer.core.dual.ties import sell_softened

SHORT = 32  # lots: up to here an order is repaired by insertion, beyond it is sorted afresh


@compiled
def option_minimum(t: Tables, w: Scratch, o: int, z: Floats, x: float, tie: float) -> None:
    """Fill the option's entries of the scratch at row multipliers z and the cap's x; `w.pull` holds the names' factor prices."""
    rows, i = t.rows.shape[1], t.name[o]
    stiff = (t.risk + x) * t.specific_var[i]
    cost = t.fixed_price[o]
    for r in range(rows):
        w.activity[o, r] = t.fixed_rows[o, r]
        cost += t.fixed_rows[o, r] * z[r]
    w.moves[o] = 0.0
    w.bought[o] = 0.0
    v = t.start[o]
    if t.buys[o]:
        cost += _buy(t, w, o, z, stiff)
        v += w.bought[o]
    elif t.slot_first[o + 1] > t.slot_first[o]:
        _price_lots(t, w, o, z)
        if tie > 0:
            cost += sell_softened(t, w, o, stiff, tie)
        else:
            cost += _sell(t, w, o, stiff)
        for slot in range(t.slot_first[o], t.slot_first[o + 1]):
            v -= w.sold[slot]
    traded = t.forced[o] + abs(v - t.start[o])
    w.active[o] = v
    w.cost[o] = cost + 0.5 * stiff * v * v + w.pull[i] * v + 0.5 * t.impact[o] * traded * traded
    if t.capped:
        w.activity[o, rows] = 0.5 * t.specific_var[i] * v * v
        w.move_rows[o, rows] = t.specific_var[i] * v


@compiled
def _buy(t: Tables, w: Scratch, o: int, z: Floats, stiff: float) -> float:
    """The purchase and what it costs beside risk and impact."""
    rows, price = t.rows.shape[1], t.buy_price[o]
    for r in range(rows):
        price += t.buy_rows[o, r] * z[r]
    joint = stiff + t.impact[o]
    wanted = -(w.pull[t.name[o]] + price + stiff * t.start[o]) / joint
    bought = min(max(wanted, t.least[o]), t.most[o])
    w.bought[o] = bought
    if t.least[o] < wanted < t.most[o]:
        w.moves[o] = 1.0 / joint
        for r in range(rows):
            w.move_rows[o, r] = t.buy_rows[o, r]
    for r in range(rows):
        w.activity[o, r] += bought * t.buy_rows[o, r]
    return bought * price


@compiled
def _price_lots(t: Tables, w: Scratch, o: int, z: Floats) -> None:
    """Prices of the option's lots at z, and the lots in order of them (the earlier slot first where they tie)."""
    first, end, rows = t.slot_first[o], t.slot_first[o + 1], t.rows.shape[1]
    for slot in range(first, end):
        price = t.price[slot]
        for r in range(rows):
            price += t.rows[slot, r] * z[r]
        w.now[slot] = price
    if not t.reorders[o]:
        return
    if end - first > SHORT:
        w.order[first:end] = first + np.argsort(w.now[first:end], kind="mergesort")
        return
    for place in range(first + 1, end):
        slot = w.order[place]
        price = w.now[slot]
        q = place
        while q > first and (w.now[w.order[q - 1]] > price or (w.now[w.order[q - 1]] == price and w.order[q - 1] > slot)):
            w.order[q] = w.order[q - 1]
            q -= 1
        w.order[q] = slot


@compiled
def _sell(t: Tables, w: Scratch, o: int, stiff: float) -> float:
    """Each lot full before the next; at most one is sold in part.  What the sales cost beside risk and impact."""
    rows, joint = t.rows.shape[1], stiff + t.impact[o]
    base = (stiff * t.start[o] + w.pull[t.name[o]] - t.impact[o] * t.forced[o]) / joint
    before, cost, going = 0.0, 0.0, True
    for place in range(t.slot_first[o], t.slot_first[o + 1]):
        slot = w.order[place]
        w.sold[slot] = 0.0
        if not going:
            continue
        wanted = base - w.now[slot] / joint - before
        least, room = max(min(t.least[o] - before, t.size[slot]), 0.0), max(min(t.most[o] - before, t.size[slot]), 0.0)
        sold = min(max(wanted, least), room)
        going = sold >= t.size[slot]
        if least < wanted < room:
            w.moves[o] = 1.0 / joint
            for r in range(rows):
                w.move_rows[o, r] = -t.rows[slot, r]
        if sold > 0:
            w.sold[slot] = sold
            cost += sold * w.now[slot]
            for r in range(rows):
                w.activity[o, r] += sold * t.rows[slot, r]
        before += t.size[slot]
    return cost
