"""Kernels over lots: decimals read as whole units, and exact products and differences of them rounded once (see decimals.py)."""

import numpy as np
from numpy.typing import NDArray

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.dual.compiled import compiled

DIGITS = 15
NEWLINE, POINT, NOUGHT, NINE = 10, 46, 48, 9
SPLIT = 134_217_729.0  # 2**27 + 1: halves of a float64 whose products are exact


@compiled
def read_units(raw: NDArray[np.uint8], values: Ints, own_places: Ints) -> int:
    """Lines of digits with at most one point among them, as whole numbers and the digits after the point; how many lines there are, or -1
    where one is written otherwise or is too long."""
    line, digits, places, value = 0, 0, -1, 0
    for byte in raw:
        if byte == NEWLINE:
            if digits == 0 or line == len(values):
                return -1
            values[line], own_places[line] = value, max(places, 0)
            line, digits, places, value = line + 1, 0, -1, 0
        elif byte == POINT:
            if places >= 0:
                return -1
            places = 0
        else:
            if byte < NOUGHT or byte > NOUGHT + NINE or digits == DIGITS:
                return -1
            value = 10 * value + int(byte) - NOUGHT
            digits += 1
            if places >= 0:
                places += 1
    return line


@compiled
def product(a: float, b: float) -> tuple[float, float]:
    """a b, exactly, as the unevaluated sum of two."""
    high = a * b
    scaled_a, scaled_b = SPLIT * a, SPLIT * b
    a_high, b_high = scaled_a - (scaled_a - a), scaled_b - (scaled_b - b)
    a_low, b_low = a - a_high, b - b_high
    return high, a_low * b_low - (((high - a_high * b_high) - a_low * b_high) - a_high * b_low)


@compiled
def difference(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    """a - b, of pairs."""
    high = a[0] - b[0]
    taken = high - a[0]
    low = ((a[0] - (high - taken)) - (b[0] + taken)) + (a[1] - b[1])
    total = high + low
    return total, low - (total - high)


@compiled
def quotient(a: tuple[float, float], b: tuple[float, float]) -> float:
    """a / b, of pairs, rounded once."""
    first = a[0] / b[0]
    back = product(first, b[0])
    left = ((a[0] - back[0]) - back[1]) + (a[1] - first * b[1])
    return float(first + left / b[0])


@compiled
def greater(a: tuple[float, float], b: tuple[float, float]) -> bool:
    """Whether a > b, of pairs, exactly."""
    return a[0] > b[0] or (a[0] == b[0] and a[1] > b[1])


@compiled
def gain_fractions(shares: Floats, price: Floats, basis: Floats, of_proceeds: float, of_basis: float, gains: Floats) -> None:
    """(proceeds - basis) / proceeds; units of proceeds and of basis are brought to one size by whole factors."""
    for n in range(len(shares)):
        proceeds = product(shares[n], price[n] * of_proceeds)
        gains[n] = quotient(difference(proceeds, product(basis[n], of_basis)), proceeds)


@compiled
def could_be_losses(basis: Floats, shares: Floats, least_price: Floats, of_proceeds: float, of_basis: float, found: Bools) -> None:
    """Whether the basis is above the least proceeds."""
    for n in range(len(shares)):
        found[n] = greater(product(basis[n], of_basis), product(shares[n], least_price[n] * of_proceeds))


@compiled
def ratios(units: Floats, price: Floats, whole: float, of_units: float, of_whole: float, found: Floats) -> None:
    """units price / whole."""
    for n in range(len(units)):
        found[n] = quotient(product(units[n], price[n] * of_units), product(whole, of_whole))


@compiled
def alike(name: Ints, gain: Floats, price: Floats, kind: Ints, of_lot: Ints, first: Ints, order: Ints, begins: Ints) -> int:
    """Lots that are alike in name, gain, price and kind, numbered by name and then by their first lot: of each lot its number, of each
    number its first lot, and its lots as order[begins[k] : begins[k + 1]]; how many there are."""
    names = 0
    for n in name:
        names = max(names, n + 1)
    last, before = np.full(names, -1), np.full(len(name), -1)
    for lot in range(len(name)):
        before[lot], last[name[lot]] = last[name[lot]], lot
    lots = np.empty(len(name), np.int64)
    count, at = 0, 0
    for i in range(names):
        own, lot = 0, last[i]
        while lot >= 0:
            lots[own], lot, own = lot, before[lot], own + 1
        begun = count
        for k in range(own - 1, -1, -1):
            lot, found = lots[k], begun
            while found < count:
                other = first[found]
                if gain[other] == gain[lot] and kind[other] == kind[lot] and price[other] == price[lot]:
                    break
                found += 1
            if found == count:
                first[count], count = lot, count + 1
            of_lot[lot] = found
        for found in range(begun, count):
            begins[found] = at
            for k in range(own - 1, -1, -1):
                if of_lot[lots[k]] == found:
                    order[at], at = lots[k], at + 1
    begins[count] = at
    return count


@compiled
def slots(sells: Ints, begin: Ints, end: Ints, loss: Bools, forced: Bools, way_out: Bools, option: Ints, lot: Ints, must: Bools) -> int:
    """What options may sell, option by option and lot by lot, and whether it is forced; how many slots there are.

    `sells` [options]: 0 nothing, 1 what is no loss, 2 anything, a way out whole, 3 all of it; their lots are from `begin` to `end`.
    """
    count = 0
    for o in range(len(sells)):
        if sells[o] == 0:
            continue
        for n in range(begin[o], end[o]):
            if sells[o] == 1 and loss[n]:
                continue
            option[count], lot[count] = o, n
            must[count] = sells[o] == 3 or forced[n] or (sells[o] == 2 and way_out[n])
            count += 1
    return count
