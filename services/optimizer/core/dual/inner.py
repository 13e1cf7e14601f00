"""Kernels: the least cost of every option in closed form, and how its trades move with the multipliers.

An option's cost is 1/2 k v^2 + pull v + prices + 1/2 c traded^2, k the name's stiffness and c its impact.  A purchase is one clip.  A sale
fills the option's lots in order of price until the next would cost more than it saves, which is one clip a lot, within the option's range;
with ties softened (dual/ties.py) it is the search for one price.

Each kernel walks all options: handing a kernel its arrays costs more than an option's arithmetic.
"""

import numpy as np

from services.optimizer.core.arrays import Bools, Floats
from services.optimizer.core.dual.compiled import compiled
from services.optimizer.core.dual.tables import Scratch, Tables
from services.optimizer.core.dual.ties import sell_softened

SHORT = 32  # lots: up to here an order is repaired by insertion, beyond it is sorted afresh


@compiled
def option_minima(t: Tables, w: Scratch, z: Floats, x: float, allowed: Bools, tie: float) -> None:
    """Fill the scratch by option at row multipliers z and the cap's x; `w.pull` holds the names' factor prices."""
    _begin(t, w, z)
    _buy(t, w, z, x, allowed)
    _price_lots(t, w, z)
    _order_lots(t, w)
    if tie > 0:
        sell_softened(t, w, x, allowed, tie)
    else:
        _sell(t, w, x, allowed)
    _end(t, w, x, allowed)


@compiled
def _begin(t: Tables, w: Scratch, z: Floats) -> None:
    """What an option costs and takes of the rows before its free trades."""
    rows = t.rows.shape[1]
    for o in range(len(t.name)):
        cost = t.fixed_price[o]
        for r in range(rows):
            w.activity[o, r] = t.fixed_rows[o, r]
            cost += t.fixed_rows[o, r] * z[r]
        w.cost[o] = cost
        w.active[o] = t.start[o]
        w.moves[o] = 0.0
        w.bought[o] = 0.0


@compiled
def _buy(t: Tables, w: Scratch, z: Floats, x: float, allowed: Bools) -> None:
    """Purchases, and what they cost beside risk and impact."""
    rows = t.rows.shape[1]
    for o in range(len(t.name)):
        if not (t.buys[o] and allowed[o]):
            continue
        price = t.buy_price[o]
        for r in range(rows):
            price += t.buy_rows[o, r] * z[r]
        stiff = (t.risk + x) * t.specific_var[t.name[o]]
        joint = stiff + t.impact[o]
        wanted = -(w.pull[t.name[o]] + price + stiff * t.start[o]) / joint
        bought = min(max(wanted, t.least[o]), t.most[o])
        w.bought[o] = bought
        w.active[o] += bought
        w.cost[o] += bought * price
        moves = t.least[o] < wanted < t.most[o]
        w.moves[o] = 1.0 / joint if moves else 0.0
        for r in range(rows):
            w.move_rows[o, r] = t.buy_rows[o, r]
            w.activity[o, r] += bought * t.buy_rows[o, r]


@compiled
def _price_lots(t: Tables, w: Scratch, z: Floats) -> None:
    """Prices of lots at z."""
    w.now[:] = t.price
    for r in range(t.rows.shape[1]):
        if z[r] != 0.0:
            for slot in range(len(t.price)):
                w.now[slot] += t.rows[slot, r] * z[r]


@compiled
def _order_lots(t: Tables, w: Scratch) -> None:
    """Each option's lots in order of price, the earlier slot first where they tie."""
    for o in range(len(t.name)):
        first, end = t.slot_first[o], t.slot_first[o + 1]
        if not t.reorders[o]:
            continue
        if end - first > SHORT:
            w.order[first:end] = first + np.argsort(w.now[first:end], kind="mergesort")
            continue
        for place in range(first + 1, end):
            slot = w.order[place]
            price = w.now[slot]
            q = place
            while q > first and (w.now[w.order[q - 1]] > price or (w.now[w.order[q - 1]] == price and w.order[q - 1] > slot)):
                w.order[q] = w.order[q - 1]
                q -= 1
            w.order[q] = slot


@compiled
def _sell(t: Tables, w: Scratch, x: float, allowed: Bools) -> None:
    """Each lot full before the next, at most one of an option sold in part, and what sales cost beside risk and impact."""
    rows = t.rows.shape[1]
    for o in range(len(t.name)):
        first, end = t.slot_first[o], t.slot_first[o + 1]
        if first == end or not allowed[o]:
            continue
        stiff = (t.risk + x) * t.specific_var[t.name[o]]
        joint = stiff + t.impact[o]
        base = (stiff * t.start[o] + w.pull[t.name[o]] - t.impact[o] * t.forced[o]) / joint
        before, going = 0.0, True
        for place in range(first, end):
            slot = w.order[place]
            size = t.size[slot]
            w.sold[slot] = 0.0
            if not going:
                continue
            wanted = base - w.now[slot] / joint - before
            least, room = max(min(t.least[o] - before, size), 0.0), max(min(t.most[o] - before, size), 0.0)
            sold = min(max(wanted, least), room)
            going = sold >= size
            before += size
            if least < wanted < room:
                w.moves[o] = 1.0 / joint
                for r in range(rows):
                    w.move_rows[o, r] = -t.rows[slot, r]
            if sold > 0:
                w.sold[slot] = sold
                w.active[o] -= sold
                w.cost[o] += sold * w.now[slot]
                for r in range(rows):
                    w.activity[o, r] += sold * t.rows[slot, r]


@compiled
def _end(t: Tables, w: Scratch, x: float, allowed: Bools) -> None:
    """Add risk, factor price and impact; an option that isn't allowed costs infinitely much."""
    rows = t.rows.shape[1]
    for o in range(len(t.name)):
        if not allowed[o]:
            w.cost[o] = np.inf
            continue
        i, v = t.name[o], w.active[o]
        traded = t.forced[o] + abs(v - t.start[o])
        w.cost[o] += 0.5 * (t.risk + x) * t.specific_var[i] * v * v + w.pull[i] * v + 0.5 * t.impact[o] * traded * traded
        if t.capped:
            w.activity[o, rows] = 0.5 * t.specific_var[i] * v * v
            w.move_rows[o, rows] = t.specific_var[i] * v
