"""Kernels: which option each name takes, read from shares or from costs, and the counts that a choice must keep.

A row that no trade touches, only the options' uses (a number of trades, of names), can't be repaired by trading: the choice itself has to
keep it.

Invariants
1. A choice takes one side of every group and only allowed options.
"""

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.dual.compiled import compiled
from services.optimizer.core.dual.tables import Tables


@compiled
def by_share(t: Tables, share: Floats, allowed: Bools) -> Ints:
    """By name, the allowed option with the largest share, on the side with the largest share."""
    names = len(t.specific_var)
    chosen = np.zeros(names, np.int64)
    for group in range(len(t.group_first) - 1):
        best, most = t.group_first[group], -1.0
        for side in range(t.group_first[group], t.group_first[group + 1]):
            weight, open_to = 0.0, True
            for block in range(t.side_first[side], t.side_first[side + 1]):
                some = False
                for o in range(t.block_first[block], t.block_first[block + 1]):
                    weight += share[o]
                    some = some or allowed[o]
                open_to = open_to and some
            if open_to and weight > most:
                best, most = side, weight
        for block in range(t.side_first[best], t.side_first[best + 1]):
            largest = -1.0
            for o in range(t.block_first[block], t.block_first[block + 1]):
                if allowed[o] and share[o] > largest:
                    largest = share[o]
                    chosen[t.name[o]] = o
    return chosen


@compiled
def by_cost(t: Tables, cost: Floats) -> Ints:
    """By name, the option that costs least, on the side that costs least; options that aren't allowed cost infinitely much."""
    chosen = np.zeros(len(t.specific_var), np.int64)
    for group in range(len(t.group_first) - 1):
        best, least = t.group_first[group], np.inf
        for side in range(t.group_first[group], t.group_first[group + 1]):
            total = 0.0
            for block in range(t.side_first[side], t.side_first[side + 1]):
                total += cost[t.block_first[block] : t.block_first[block + 1]].min()
            if total < least:
                best, least = side, total
        for block in range(t.side_first[best], t.side_first[best + 1]):
            first = t.block_first[block]
            o = first + np.argmin(cost[first : t.block_first[block + 1]])
            chosen[t.name[o]] = o
    return chosen


@compiled
def lags(t: Tables, cost: Floats, chosen: Ints, least: Ints) -> Floats:
    """By group, what the chosen options cost more than the least."""
    behind = np.zeros(len(t.group_first) - 1)
    for group in range(len(behind)):
        side = t.group_first[group]
        for block in range(t.side_first[side], t.side_first[side + 1]):
            i = t.name[t.block_first[block]]
            behind[group] += cost[chosen[i]] - cost[least[i]]
    return behind


@compiled
def keep_counts(t: Tables, cost: Floats, z: Floats, counts: Ints, allowed: Bools, chosen: Ints) -> None:
    """Change `chosen` until the rows in `counts` are kept, least dear first, and fill what is left of them; as far as options allow.

    `cost` is by option, z's charge for the counts included; only groups of one side change.
    """
    if len(counts) == 0:
        return
    raw = np.empty_like(cost)
    for o in range(len(cost)):
        raw[o] = cost[o]
        for r in counts:
            raw[o] -= t.fixed_rows[o, r] * z[r]
    over = np.zeros(len(counts))
    for c in range(len(counts)):
        over[c] = -t.bound[len(t.bound) - t.rows.shape[1] + counts[c]]
        for i in range(len(chosen)):
            over[c] += t.fixed_rows[chosen[i], counts[c]]
    for _ in range(2 * len(chosen)):
        worst = int(np.argmax(over))
        option = _best_change(t, raw, z, counts, allowed, chosen, over, worst)
        if option < 0:
            break
        i = t.name[option]
        for c in range(len(counts)):
            over[c] += t.fixed_rows[option, counts[c]] - t.fixed_rows[chosen[i], counts[c]]
        chosen[i] = option


@compiled
def _best_change(t: Tables, raw: Floats, z: Floats, counts: Ints, allowed: Bools, chosen: Ints, over: Floats, worst: int) -> int:
    """The change that lowers the worst row at the least cost a unit; where all are kept, the one that gains most; -1 where none."""
    best, least = -1, np.inf
    repairing = over[worst] > 1e-9
    for group in range(len(t.group_first) - 1):
        side = t.group_first[group]
        if t.group_first[group + 1] > side + 1:
            continue
        for o in range(t.block_first[t.side_first[side]], t.block_first[t.side_first[side + 1]]):
            now = chosen[t.name[o]]
            if not allowed[o] or o == now:
                continue
            less, rate, keeps = t.fixed_rows[now, counts[worst]] - t.fixed_rows[o, counts[worst]], raw[o] - raw[now], True
            for c in range(len(counts)):
                more = t.fixed_rows[o, counts[c]] - t.fixed_rows[now, counts[c]]
                keeps = keeps and (over[c] + more <= 1e-9 or (repairing and more <= 0.0))
                if repairing and c != worst:
                    rate += more * z[counts[c]]
            if repairing and keeps and less > 0.0 and rate / less < least:
                best, least = o, rate / less
            if not repairing and keeps and rate < min(least, -1e-12):
                best, least = o, rate
    return best
