"""What branch and bound branches on: a group's sides, else the options of a name.

Invariants
1. The children of a node allow, between them, every choice that the node allows and none besides.
"""

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.dual.tables import Tables


def children(t: Tables, allowed: Bools, group: int) -> list[Bools]:
    """The node's branches at the group: a side each, or where it has one side left, an option each of its first undecided name."""
    sides = range(int(t.group_first[group]), int(t.group_first[group + 1]))
    spans = [slice(int(t.block_first[t.side_first[side]]), int(t.block_first[t.side_first[side + 1]])) for side in sides]
    whole = slice(spans[0].start, spans[-1].stop)
    live = [span for side, span in zip(sides, spans, strict=True) if _open_side(t, allowed, side)]
    if len(live) > 1:
        return [_only(allowed, whole, np.arange(span.start, span.stop)) for span in live]
    for side in sides:
        for block in range(int(t.side_first[side]), int(t.side_first[side + 1])):
            span = slice(int(t.block_first[block]), int(t.block_first[block + 1]))
            options = span.start + np.flatnonzero(allowed[span])
            if len(options) > 1:
                return [_only(allowed, span, options[k : k + 1]) for k in range(len(options))]
    return []


def open_choices(t: Tables, allowed: Bools) -> Bools:
    """By group, whether it still has something to decide: more allowed options than names."""
    ends = t.block_first[t.side_first[t.group_first]]
    options = np.add.reduceat(allowed.astype(np.intp), ends[:-1])
    names = t.side_first[t.group_first[:-1] + 1] - t.side_first[t.group_first[:-1]]
    return options > names


def mixing(t: Tables, share: Floats) -> Floats:
    """By group, how far the soft minimum is from one choice: the sum over names of 1 - the largest share."""
    largest = np.maximum.reduceat(share, t.block_first[:-1])
    ends = t.side_first[t.group_first]
    mixed: Floats = np.diff(ends).astype(np.float64) - np.add.reduceat(largest, ends[:-1])
    return mixed


def _open_side(t: Tables, allowed: Bools, side: int) -> bool:
    blocks = range(int(t.side_first[side]), int(t.side_first[side + 1]))
    return all(allowed[t.block_first[block] : t.block_first[block + 1]].any() for block in blocks)


def _only(allowed: Bools, span: slice, options: Ints) -> Bools:
    child = allowed.copy()
    child[span] = False
    child[options] = allowed[options]
    return child
