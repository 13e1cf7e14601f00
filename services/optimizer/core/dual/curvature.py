"""Kernels: minus the second derivative of g, assembled over the names whose trades move.

Within an option the active weight moves with its price; a temperature mixes a name's options, and a group's sides, and adds the spread of
what is mixed over T; softened lots swap within an option.  The part by factors is kept between steps, one with a temperature and one
without, and updated by the names whose coefficient changed, four at a time.
"""

import numpy as np

from services.optimizer.core.arrays import Floats, Ints
from services.optimizer.core.dual.compiled import compiled
from services.optimizer.core.dual.tables import Scratch, Tables

LOST = 1e6  # a coefficient that so many times the largest of now takes off leaves its rounding behind: the part is made afresh


@compiled
def assemble(t: Tables, w: Scratch, at: Floats, temperature: float, tie: float, afresh: bool) -> None:
    """Fill the lower half of `w.matrix` at the point that the scratch holds; `afresh` forgets the part by factors kept from before."""
    wide, rows = t.exposures.shape[1], t.rows.shape[1] + t.capped
    w.matrix[wide:, wide:] = 0.0
    w.diagonal[:] = 0.0
    w.cross[:] = 0.0
    _moves_spread(t, w)
    if tie > 0:
        _swaps_spread(t, w)
    if temperature > 0:
        _mixing_spread(t, w, temperature)
    kept = 1 if temperature > 0 else 0
    _by_factors(t, w, w.root[kept], w.assembled[kept], afresh)
    w.matrix[:wide, :wide] = w.root[kept]
    w.matrix[wide:, :wide] = 0.0
    for i in range(len(w.mean)):
        for r in range(rows):
            amount = w.cross[i, r]
            if amount != 0.0:
                for f in range(wide):
                    w.matrix[wide + r, f] += amount * t.exposures[i, f]
    if temperature > 0:
        for group in range(len(t.group_first) - 1):
            if t.group_first[group + 1] > t.group_first[group] + 1:
                _side_spread(t, w, group, temperature)
    risk, squares = t.risk + (at[wide + rows - 1] if t.capped else 0.0), 0.0
    for f in range(t.factors):
        w.matrix[f, f] += 1.0 / risk
        squares += at[f] * at[f]
        if t.capped:
            w.matrix[wide + rows - 1, f] -= at[f] / (risk * risk)
    if t.capped:
        w.matrix[wide + rows - 1, wide + rows - 1] += squares / (risk * risk * risk)


@compiled
def _moves_spread(t: Tables, w: Scratch) -> None:
    """How each option's trade moves with its price."""
    wide, rows = t.exposures.shape[1], t.rows.shape[1] + t.capped
    for o in range(len(t.name)):
        weight = w.share[o] * w.moves[o]
        if weight > 0:
            w.diagonal[t.name[o]] += weight
            for r in range(rows):
                amount = weight * w.move_rows[o, r]
                w.cross[t.name[o], r] += amount
                for q in range(r, rows):
                    w.matrix[wide + q, wide + r] += amount * w.move_rows[o, q]


@compiled
def _mixing_spread(t: Tables, w: Scratch, temperature: float) -> None:
    """How a name's options, within one side, take over from each other."""
    wide, rows = t.exposures.shape[1], t.rows.shape[1] + t.capped
    mean_rows = np.zeros(rows)
    for block in range(len(t.block_first) - 1):
        whole, mean, largest = 0.0, 0.0, 0.0
        mean_rows[:] = 0.0
        for o in range(t.block_first[block], t.block_first[block + 1]):
            share = w.share[o]
            if share > 0:
                whole, mean, largest = whole + share, mean + share * w.active[o], max(largest, share)
                for r in range(rows):
                    mean_rows[r] += share * w.activity[o, r]
        if largest == whole:
            continue
        for o in range(t.block_first[block], t.block_first[block + 1]):
            if w.share[o] > 0:
                weight, off = w.share[o] / temperature, w.active[o] - mean / whole
                w.diagonal[t.name[o]] += weight * off * off
                for r in range(rows):
                    amount = weight * (w.activity[o, r] - mean_rows[r] / whole)
                    w.cross[t.name[o], r] += amount * off
                    for q in range(r, rows):
                        w.matrix[wide + q, wide + r] += amount * (w.activity[o, q] - mean_rows[q] / whole)


@compiled
def _swaps_spread(t: Tables, w: Scratch) -> None:
    """How softened lots of an option swap: each lot's rows against the mean of those that move."""
    wide, rows = t.exposures.shape[1], t.rows.shape[1]
    for o in range(len(t.name)):
        if w.share[o] <= 0:
            continue
        for slot in range(t.slot_first[o], t.slot_first[o + 1]):
            weight = w.share[o] * w.swaps[slot]
            if weight > 0:
                for r in range(rows):
                    amount = weight * (t.rows[slot, r] + w.move_rows[o, r])
                    for q in range(r, rows):
                        w.matrix[wide + q, wide + r] += amount * (t.rows[slot, q] + w.move_rows[o, q])


@compiled
def _side_spread(t: Tables, w: Scratch, group: int, temperature: float) -> None:
    """What mixing a group's sides adds: the spread of the sides' whole trades, over all multipliers."""
    wide, size = t.exposures.shape[1], len(w.gradient)
    first, end = t.group_first[group], t.group_first[group + 1]
    along, weight = np.zeros((end - first, size)), np.zeros(end - first)
    for side in range(first, end):
        row = side - first
        opens = t.block_first[t.side_first[side]]
        for o in range(opens, t.block_first[t.side_first[side] + 1]):
            weight[row] += w.share[o]
        if weight[row] <= 0:
            continue
        for o in range(opens, t.block_first[t.side_first[side + 1]]):
            if w.share[o] > 0:
                share = w.share[o] / weight[row]
                for f in range(wide):
                    along[row, f] += share * w.active[o] * t.exposures[t.name[o], f]
                for r in range(size - wide):
                    along[row, wide + r] += share * w.activity[o, r]
    mean = np.zeros(size)
    for row in range(end - first):
        mean += weight[row] * along[row]
    for row in range(end - first):
        if weight[row] > 0:
            off = along[row] - mean
            for p in range(size):
                for q in range(p, size):
                    w.matrix[q, p] += weight[row] / temperature * off[p] * off[q]


@compiled
def _by_factors(t: Tables, w: Scratch, root: Floats, assembled: Floats, afresh: bool) -> None:
    """Bring `root` from the coefficients it was made with to those of now."""
    changed, moving, most, gone = 0, 0, 0.0, 0.0
    for i in range(len(w.diagonal)):
        now, before = w.diagonal[i], assembled[i]
        if now != before:
            changed += 1
            gone = max(gone, before)
        moving += now != 0.0
        most = max(most, now)
    if afresh or changed >= moving or gone > LOST * most:
        root[:] = 0.0
        assembled[:] = 0.0
    chosen, weight, count = np.empty(4, np.int64), np.empty(4), 0
    for i in range(len(w.diagonal)):
        now, before = w.diagonal[i], assembled[i]
        if now != before:
            chosen[count], weight[count] = i, now - before
            assembled[i] = now
            count += 1
            if count == 4:
                _add_four(t.exposures, root, chosen, weight)
                count = 0
    if count > 0:
        for spare in range(count, 4):
            chosen[spare], weight[spare] = chosen[0], 0.0
        _add_four(t.exposures, root, chosen, weight)


@compiled
def _add_four(exposures: Floats, root: Floats, chosen: Ints, weight: Floats) -> None:
    """Add weight x b b' of four names to the lower half of `root`."""
    b0, b1, b2, b3 = exposures[chosen[0]], exposures[chosen[1]], exposures[chosen[2]], exposures[chosen[3]]
    for f in range(exposures.shape[1]):
        a0, a1, a2, a3 = weight[0] * b0[f], weight[1] * b1[f], weight[2] * b2[f], weight[3] * b3[f]
        line = root[f]
        for j in range(f + 1):
            line[j] += (a0 * b0[j] + a1 * b1[j]) + (a2 * b2[j] + a3 * b3[j])
