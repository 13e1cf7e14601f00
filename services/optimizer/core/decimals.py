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

from services.optimizer.core.arrays import Floats, Ints
from services.optimizer.core.lot_kernels import DIGITS, read_units

POWERS = 10 ** np.arange(DIGITS + 1, dtype=np.int64)


class Units(NamedTuple):
    """A column's numbers as units of 10**-places; `own_places` are those that each text has."""

    units: Floats
    places: int
    own_places: Ints
    exact: bool


def units_of(texts: Sequence[str]) -> Units:
    """The column of these decimals.  Raises decimal.InvalidOperation for a text that is none."""
    return _plain(texts) or _any(texts)


def _plain(texts: Sequence[str]) -> Units | None:
    """Digits with at most one point among them, all texts at once; None where one is written otherwise or is too long."""
    raw = np.frombuffer(("\n".join(texts) + "\n").encode(), dtype=np.uint8)
    values, own_places = np.empty(len(texts), dtype=np.int64), np.empty(len(texts), dtype=np.intp)
    if read_units(raw, values, own_places) != len(texts):
        return None
    places = int(own_places.max(initial=0))
    more = places - own_places
    if (values >= POWERS[DIGITS - more]).any():
        return None
    return Units((values * POWERS[more]).astype(np.float64), places, own_places, True)


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
