"""Columns of decimals as float64 without loss: whole units of a power of ten, and quotients rounded once.

The crossing of a lot's shares, price and basis into float64.  A gain is a difference of nearly equal products, so it is taken of what the
numbers are, in pairs of float64 (Dekker, A floating-point technique for extending the available precision, Numer. Math. 18 (1971)), and
rounded at the end: what `Decimal` gives, for a column at a time.

Invariants
1. Units are exact up to 15 digits at the column's places (`exact`); beyond that they are the nearest float64.
2. A quotient of exact products and differences is the float64 nearest to the true one, but for ties that 28 digits can't tell apart.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.optimizer.core.arrays import Floats, Ints

DIGITS = 15
SPLIT = 134_217_729.0  # 2**27 + 1: halves of a float64 whose products are exact
NEWLINE, POINT, NOUGHT, NINE = 10, 46, np.uint8(48), 9
POWERS = 10 ** np.arange(DIGITS + 1, dtype=np.int64)


class Units(NamedTuple):
    """A column's numbers as units of 10**-places; `own_places` are those that each text has."""

    units: Floats
    places: int
    own_places: Ints
    exact: bool


class Pair(NamedTuple):
    """The unevaluated sum of two float64, the second at most half of the first's last place."""

    high: Floats
    low: Floats


def units_of(texts: Sequence[str]) -> Units:
    """The column of these decimals.  Raises decimal.InvalidOperation for a text that is none."""
    return _plain(texts) or _any(texts)


def _plain(texts: Sequence[str]) -> Units | None:
    """Digits with at most one point among them, all texts at once; None where one is written otherwise or is too long."""
    joined = "\n".join(texts) + "\n"
    raw = np.frombuffer(joined.encode(), dtype=np.uint8)
    ends, points = np.flatnonzero(raw == NEWLINE), np.flatnonzero(raw == POINT)
    is_digit = raw - NOUGHT <= NINE  # of bytes, so that what is below wraps to above
    row_of_point = np.searchsorted(ends, points)
    regular = len(ends) == len(texts) and int(is_digit.sum()) + len(ends) + len(points) == len(raw) and (np.diff(row_of_point) > 0).all()
    if not regular:
        return None
    own_places, counts = np.zeros(len(texts), dtype=np.intp), np.diff(ends, prepend=-1) - 1
    own_places[row_of_point] = ends[row_of_point] - points - 1
    counts[row_of_point] -= 1
    places = int(own_places.max(initial=0))
    if not len(texts) or counts.min() < 1 or int((counts + places - own_places).max()) > DIGITS:
        return None
    whole = np.fromstring(joined.replace(".", ""), dtype=np.int64, sep="\n")
    return Units((whole * POWERS[places - own_places]).astype(np.float64), places, own_places, True)


def _any(texts: Sequence[str]) -> Units:
    return units_of_decimals([Decimal(text) for text in texts])


def units_of_decimals(values: Sequence[Decimal]) -> Units:
    """The column of these numbers, one by one; what is not finite stays so."""
    exponents = (exponent if isinstance(exponent := value.as_tuple().exponent, int) else 0 for value in values)
    own_places = np.array([max(0, -exponent) for exponent in exponents], dtype=np.intp)
    places = min(int(own_places.max(initial=0)), DIGITS)
    units = np.array([float(value.scaleb(places)) for value in values], dtype=np.float64)
    exact = bool((own_places <= places).all() and (np.abs(units) < 10.0**DIGITS).all())
    return Units(units, places, own_places, exact)


def power(places: int) -> float:
    """10**places."""
    return float(10**places)


def product(a: Floats, b: Floats | float) -> Pair:
    """a b, exactly."""
    high: Floats = a * b
    a_high, b_high = _upper(a), _upper(np.asarray(b, dtype=np.float64))
    a_low, b_low = a - a_high, b - b_high
    return Pair(high, a_low * b_low - (((high - a_high * b_high) - a_low * b_high) - a_high * b_low))


def _upper(a: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled = SPLIT * a
    upper: NDArray[np.float64] = scaled - (scaled - a)
    return upper


def difference(a: Pair, b: Pair) -> Pair:
    """a - b."""
    high: Floats = a.high - b.high
    taken = high - a.high
    low = ((a.high - (high - taken)) - (b.high + taken)) + (a.low - b.low)
    total = high + low
    return Pair(total, low - (total - high))


def quotient(a: Pair, b: Pair) -> Floats:
    """a / b, rounded once."""
    first = a.high / b.high
    back = product(first, b.high)
    left = ((a.high - back.high) - back.low) + (a.low - first * b.low)
    rounded: Floats = first + left / b.high
    return rounded


def greater(a: Pair, b: Pair) -> NDArray[np.bool_]:
    """Whether a > b, exactly."""
    found: NDArray[np.bool_] = (a.high > b.high) | ((a.high == b.high) & (a.low > b.low))
    return found
