"""Price moves that look like a split nobody told us of: a split is never harvested.

A move between two closes is unexplained when, after the corporate actions effective between them, it is beyond the bounds or close
to a usual split.  The second rule is there because a two-for-one split on a day when the stock rose stays within minus half.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from services.ingest.core.market_inputs import WideTable
from services.ingest.core.market_returns import RowActions


@dataclass(frozen=True, slots=True)
class MoveBounds:
    """`jump_frac`: the largest move either way, as a fraction.  `split_ratios`, new shares for one old, are recognised when the
    close is within `split_tolerance_frac` of the one they would leave.  Moves of the last `lookback_days` calendar days count, so
    that a name stays blocked until its custodians have booked the split."""

    jump_frac: float = 0.5
    split_ratios: tuple[float, ...] = (1.5, 2.0)
    split_tolerance_frac: float = 0.06
    lookback_days: int = 10


def has_unexplained_move(closes: WideTable, actions: RowActions, column: int, as_of: date, bounds: MoveBounds) -> bool:
    """Whether the security in `column` moved suspiciously between two of its closes, the later one in the look-back."""
    values = closes.values[:, column]
    rows = np.flatnonzero(np.isfinite(values))
    first = np.datetime64(as_of - timedelta(days=bounds.lookback_days), "D")
    recent = rows[1:][closes.dates[rows[1:]] > first]
    for before, row in zip(rows[len(rows) - len(recent) - 1 :], recent, strict=False):
        between = slice(before + 1, row + 1)
        split = float(np.prod(actions.split[between, column]))
        paid = float(actions.dividend[between, column].sum())
        if is_suspicious(float(values[row] + paid) * split / float(values[before]), bounds):
            return True
    return False


def is_suspicious(ratio: float, bounds: MoveBounds) -> bool:
    """Whether a close over the one before (after corporate actions) is beyond the bounds or looks like an unannounced split."""
    beyond = not 1.0 - bounds.jump_frac <= ratio <= 1.0 + bounds.jump_frac
    return beyond or any(abs(ratio * split - 1.0) <= bounds.split_tolerance_frac for split in bounds.split_ratios)
