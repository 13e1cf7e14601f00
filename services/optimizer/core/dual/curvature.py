"""Kernels: minus the second derivative of g, assembled over the names whose trades move.

Within an option the active weight moves with its price; a temperature mixes a name's options, and a group's sides, and adds the spread of
what is mixed over T; softened lots swap within an option.  The part by factors is kept between steps and updated by the names whose
coefficient changed, four at a time.
"""

import numpy as np

from services.optimizer.core.arrays import Floats
from services.optimizer.core.dual.compiled import compiled
from services.optimizer.core.dual.tables import Scratch, Tables


@compiled
def assemble(t: Tables, w: Scratch, at: Floats, temperature: float, tie: float, afresh: bool) -> None:
    """Fill the upper half of `w.matrix` at the point that the scratch holds; `afresh` forgets the part by factors kept from before."""
    wide, rows = t.exposures.shape[1], t.rows.shape[1] + t.capped
    w.matrix[wide:, wide:] = 0.0
    w.diagonal[:] = 0.0
    w.cross[:] = 0.0
    block_count = len(t.block_first) - 1
    for block in range(block_count):
        _block_spread(t, w, t.block_first[block], t.block_first[block + 1], temperature, tie)
    _by_factors(t, w, afresh)
    w.matrix[:wide, :wide] = w.root
    w.matrix[:wide, wide:] = 0.0
    for i in range(len(w.mean)):
        for r in range(rows):
            amount = w.cross[i, r]
            if amount != 0.0:
                for f in range(wide):
                    w.matrix[f, wide + r] += amount * t.exposures[i, f]
    if temperature > 0:
        for group in range(len(t.group_first) - 1):
            if t.group_first[group + 1] > t.group_first[group] + 1:
                _side_spread(t, w, group, temperature)
    risk, squares = t.risk + (at[wide + rows - 1] if t.capped else 0.0), 0.0
    for f in range(t.factors):
        w.matrix[f, f] += 1.0 / risk
        squares += at[f] * at[f]
        if t.capped:
            w.matrix[f, wide + rows - 1] -= at[f] / (risk * risk)
    if t.capped:
        w.matrix[wide + rows - 1, wide + rows - 1] += squares / (risk * risk * risk)


@compiled
def _block_spread(t: Tables, w: Scratch, first: int, end: int, temperature: float, tie: float) -> None:
    """What a name's options, within one side, add to the name's diagonal and cross and to the rows' corner."""
    wide, rows, i = t.exposures.shape[1], t.rows.shape[1] + t.capped, t.name[first]
    whole, mean = 0.0, 0.0
    mixed = False
    for o in range(first, end):
        share = w.share[o]
        whole += share
        mean += share * w.active[o]
        if share > 0 and w.moves[o] > 0:
            _add(w, i, wide, rows, share * w.moves[o], 1.0, w.move_rows[o])
        if share > 0 and tie > 0 and not t.buys[o]:
            _swap_spread(t, w, o, share)
    for o in range(first, end):
        mixed = mixed or 0.0 < w.share[o] < whole
    if temperature <= 0 or not mixed:
        return
    mean_rows = np.zeros(rows)
    for o in range(first, end):
        if w.share[o] > 0:
            for r in range(rows):
                mean_rows[r] += w.share[o] * w.activity[o, r] / whole
    for o in range(first, end):
        if w.share[o] > 0:
            _add(w, i, wide, rows, w.share[o] / temperature, w.active[o] - mean / whole, w.activity[o] - mean_rows)


@compiled
def _add(w: Scratch, i: int, wide: int, rows: int, weight: float, along: float, along_rows: Floats) -> None:
    """weight x (along; along_rows)(along; along_rows)' of name i."""
    w.diagonal[i] += weight * along * along
    for r in range(rows):
        w.cross[i, r] += weight * along * along_rows[r]
        for q in range(r, rows):
            w.matrix[wide + r, wide + q] += weight * along_rows[r] * along_rows[q]


@compiled
def _swap_spread(t: Tables, w: Scratch, o: int, share: float) -> None:
    """Where softened lots of the option swap: each lot's rows against the mean of those that move."""
    wide, rows = t.exposures.shape[1], t.rows.shape[1]
    for slot in range(t.slot_first[o], t.slot_first[o + 1]):
        weight = share * w.swaps[slot]
        if weight > 0:
            for r in range(rows):
                for q in range(r, rows):
                    off, other = t.rows[slot, r] + w.move_rows[o, r], t.rows[slot, q] + w.move_rows[o, q]
                    w.matrix[wide + r, wide + q] += weight * off * other


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
                    w.matrix[p, q] += weight[row] / temperature * off[p] * off[q]


@compiled
def _by_factors(t: Tables, w: Scratch, afresh: bool) -> None:
    """Bring `w.root` from the coefficients it was made with to those of now."""
    changed, moving = 0, 0
    for i in range(len(w.diagonal)):
        changed += w.diagonal[i] != w.assembled[i]
        moving += w.diagonal[i] != 0.0
    if afresh or changed >= moving:
        w.root[:] = 0.0
        w.assembled[:] = 0.0
    chosen, weight, count = np.empty(4, np.int64), np.empty(4), 0
    for i in range(len(w.diagonal)):
        if w.diagonal[i] != w.assembled[i]:
            chosen[count], weight[count] = i, w.diagonal[i] - w.assembled[i]
            w.assembled[i] = w.diagonal[i]
            count += 1
            if count == 4:
                _add_four(t.exposures, w.root, chosen, weight)
                count = 0
    if count > 0:
        for spare in range(count, 4):
            chosen[spare], weight[spare] = chosen[0], 0.0
        _add_four(t.exposures, w.root, chosen, weight)


@compiled
def _add_four(exposures: Floats, root: Floats, chosen: Floats, weight: Floats) -> None:
    """Add weight x b b' of four names to the upper half of `root`."""
    b0, b1, b2, b3 = exposures[chosen[0]], exposures[chosen[1]], exposures[chosen[2]], exposures[chosen[3]]
    wide = exposures.shape[1]
    for f in range(wide):
        a0, a1, a2, a3 = weight[0] * b0[f], weight[1] * b1[f], weight[2] * b2[f], weight[3] * b3[f]
        line = root[f]
        for j in range(f, wide):
            line[j] += (a0 * b0[j] + a1 * b1[j]) + (a2 * b2[j] + a3 * b3[j])
