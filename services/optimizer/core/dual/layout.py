"""Kernels: a model's options, lots and rows laid out for those that walk them: free lots by option and price, sums of what is forced.

Invariants
1. Free lots of one option and one price stay in the order that the model lists them in.
"""

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.dual.compiled import compiled

SHORT = 32  # lots: up to here an option's are sorted by insertion


@compiled
def slots_laid_out(
    count: int, slot_option: Ints, slot_lot: Ints, slot_forced: Bools, lot_size: Floats, lot_price: Floats, lot_rows: Floats
) -> tuple[Ints, Ints, Floats, Floats, Floats, Bools]:
    """Of `count` options: each free slot's lot, where options begin, sizes, prices, rows, and whether rows can reorder an option's lots."""
    first = np.zeros(count + 1, np.int64)
    for s in range(len(slot_option)):
        if not slot_forced[s]:
            first[slot_option[s] + 1] += 1
    for o in range(count):
        first[o + 1] += first[o]
    lot, at = np.empty(first[count], np.int64), 0
    for s in range(len(slot_option)):
        if not slot_forced[s]:
            lot[at] = slot_lot[s]
            at += 1
    for o in range(count):
        _sort(lot[first[o] : first[o + 1]], lot_price)
    rows = np.empty((len(lot), lot_rows.shape[1]))
    size, price, reorders = np.empty(len(lot)), np.empty(len(lot)), np.zeros(count, np.bool_)
    for o in range(count):
        for s in range(first[o], first[o + 1]):
            size[s], price[s] = lot_size[lot[s]], lot_price[lot[s]]
            for r in range(lot_rows.shape[1]):
                rows[s, r] = lot_rows[lot[s], r]
                if rows[s, r] != rows[first[o], r]:
                    reorders[o] = True
    return lot, first, size, price, rows, reorders


@compiled
def _sort(lot: Ints, price: Floats) -> None:
    """In place, by price; the earlier first where they tie."""
    if len(lot) > SHORT:
        there = np.empty(len(lot))
        for a in range(len(lot)):
            there[a] = price[lot[a]]
        order, before = np.argsort(there, kind="mergesort"), lot.copy()
        for a in range(len(lot)):
            lot[a] = before[order[a]]
        return
    for a in range(1, len(lot)):
        own, q = lot[a], a
        while q > 0 and price[lot[q - 1]] > price[own]:
            lot[q] = lot[q - 1]
            q -= 1
        lot[q] = own


@compiled
def forced_sums(
    slot_option: Ints, slot_lot: Ints, slot_forced: Bools, lot_size: Floats, lot_price: Floats, lot_rows: Floats, uses: Floats
) -> tuple[Floats, Floats, Floats]:
    """By option: weight of the lots that it sells in full, what they cost, and what they and its choice take of the rows."""
    forced, price, rows = np.zeros(len(uses)), np.zeros(len(uses)), uses.copy()
    for s in range(len(slot_option)):
        if slot_forced[s]:
            o, lot = slot_option[s], slot_lot[s]
            forced[o] += lot_size[lot]
            price[o] += lot_size[lot] * lot_price[lot]
            for r in range(rows.shape[1]):
                rows[o, r] += lot_size[lot] * lot_rows[lot, r]
    return forced, price, rows


@compiled
def blocks_laid_out(name: Ints, side: Ints, group: Ints) -> tuple[Ints, Ints, Ints]:
    """Where blocks, sides and groups begin, and the end of each; options are sorted by group, side and name."""
    count = len(name)
    block_first, side_first, group_first = np.empty(count + 1, np.int64), np.empty(count + 1, np.int64), np.empty(count + 1, np.int64)
    blocks, sides, groups = 0, 0, 0
    for o in range(count):
        new_side = o == 0 or side[o] != side[o - 1]
        if new_side and (o == 0 or group[o] != group[o - 1]):
            group_first[groups] = sides
            groups += 1
        if new_side:
            side_first[sides] = blocks
            sides += 1
        if new_side or name[o] != name[o - 1]:
            block_first[blocks] = o
            blocks += 1
    block_first[blocks], side_first[sides], group_first[groups] = count, blocks, sides
    return block_first[: blocks + 1].copy(), side_first[: sides + 1].copy(), group_first[: groups + 1].copy()
