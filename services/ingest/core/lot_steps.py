"""How much of a lot's change do our trades explain?

A *step* is what one trade does to one lot and the earlier snapshot did not hold: shares bought (or a sale taken back) are positive, shares
sold (or a purchase taken back) negative, in shares of the newest snapshot.  A custodian books trades in their order, so the steps of a lot
are reflected up to some point: the one at which they add up to the lot's change.  Whole trades are likelier than parts of one.

Invariants
1. What is explained of a step lies between zero and the step.
2. What is explained of all steps of a lot lies between zero and the lot's change.
3. A change that some first steps add up to is explained by whole steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate, pairwise, takewhile

from libs.common.money import ZERO


@dataclass(frozen=True)
class Step:
    """One part of a trade as a lot feels it.  `trade` and `part` say which; `lot_id` is the lot as the trade names it.

    `shares` is what the lot would change by; `due` says that a custodian in order reflects it by now.
    """

    trade: int
    part: int
    lot_id: str
    shares: Decimal
    due: bool


def explained(steps: Sequence[Step], change: Decimal) -> list[Decimal]:
    """For each step of one lot, in order, how much of it the lot's change shows.

    Where several points add up to the change (a sale and its bust), the later one counts if every step up to it is due.
    """
    sums = _sums(steps)
    target = min(max(change, min(sums)), max(sums))
    points = [n for n, total in enumerate(sums) if total == target]
    if not points:
        split = next(n for n, (low, high) in enumerate(map(sorted, pairwise(sums))) if low < target < high)
        return [step.shares if n < split else target - sums[n] if n == split else ZERO for n, step in enumerate(steps)]
    point = points[0]
    for later in points[1:]:
        if all(step.due for step in steps[point:later]):
            point = later
    return [step.shares if n < point else ZERO for n, step in enumerate(steps)]


def adds_up(steps: Sequence[Step], change: Decimal) -> bool:
    """Whether the first of these steps, each whole, add up to the change."""
    return change in _sums(steps)


def due_shares(steps: Sequence[Step]) -> Decimal:
    """What a lot changed by if its custodian is in order: all first steps that are due."""
    return sum((step.shares for step in takewhile(lambda step: step.due, steps)), ZERO)


def _sums(steps: Sequence[Step]) -> list[Decimal]:
    return list(accumulate((step.shares for step in steps), initial=ZERO))
