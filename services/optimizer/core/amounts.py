"""Columns of dollars rounded as `Decimal` rounds them: in float64 where that settles it, in decimals where it does not.

An estimate in float64 with a bound on its error tells the rounded number unless a tie may lie within the bound; only those few are worked
out in decimals, one by one, by the rule that defines them.

Invariants
1. What comes out is what `exact` gives for every entry, as long as the error is no more than said.
2. A zero is worked out exactly, so that its sign is.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from services.optimizer.core.arrays import Bools, Floats

ERROR = 2.0**-49  # of the terms' sizes: a few roundings of float64
LARGEST = 2.0**50  # steps beyond which the bound is not much less than one
Exact = Callable[[int], Decimal]


class Amounts(NamedTuple):
    """A column: whole steps as float64, and the decimals that they are."""

    steps: Floats
    values: list[Decimal]


def to_nearest(estimate: Floats, size: Floats, step: Decimal, exact: Exact) -> Amounts:
    """Estimates, in steps, to whole ones, ties to even; `size` [entries] is the sum of the absolute terms that each was added up from."""
    steps: Floats = np.rint(estimate)
    sure = 0.5 - np.abs(estimate - steps) > ERROR * size
    return _decimals(steps, sure, estimate, step, exact)


def away_from_zero(estimate: Floats, size: Floats, step: Decimal, exact: Exact) -> Amounts:
    """Positive estimates, in steps, up to whole ones."""
    sure = np.abs(estimate - np.rint(estimate)) > ERROR * size
    return _decimals(np.ceil(estimate), sure, estimate, step, exact)


def _decimals(steps: Floats, sure: Bools, estimate: Floats, step: Decimal, exact: Exact) -> Amounts:
    """`sure` is false where an estimate is no number: then no comparison holds."""
    doubtful = np.flatnonzero(~(sure & (steps != 0) & (np.abs(estimate) < LARGEST))).tolist()
    steps[doubtful] = 0.0
    values = [step * each for each in steps.astype(np.int64).tolist()]
    for i in doubtful:
        values[i] = exact(i)
        steps[i] = float(values[i] / step)
    return Amounts(steps, values)
