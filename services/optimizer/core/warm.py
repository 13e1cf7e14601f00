"""Where a solve starts: the multipliers that the account's last decision ended with, one of the pinned inputs.

Multipliers travel by name, so that a market with another set of factors, or an account with other limits, takes those that it still has
and starts the others from nothing.  To six digits: a start need not be exact, and it is the same wherever it is read.

Invariants
1. The same decision and the same programme give the same start.
2. What the last decision says of names that the programme does not have changes nothing.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from msgspec import Struct

from services.optimizer.core.arrays import Floats
from services.optimizer.core.dual_programme import TRACKING_ERROR, DualProgramme
from services.optimizer.core.problem import Problem


class LastDecision(Struct, frozen=True):
    """What a decision needs to know of the account's last one: a proposal or a decline."""

    proposal_id: str
    multipliers: dict[str, float] = {}


def start_id(last: LastDecision | None) -> str | None:
    """What the pins say of a start: the decision that it comes from, None where it has nothing to give."""
    return last.proposal_id if last is not None and last.multipliers else None


def started(programme: DualProgramme, problem: Problem, said: Mapping[str, float]) -> Floats | None:
    """The programme's multipliers to start from; None without any."""
    if not said:
        return None
    return np.array([said.get(name, 0.0) for name in _names(programme, problem)], dtype=np.float64)


def said_of(programme: DualProgramme, problem: Problem, multipliers: Floats) -> dict[str, float]:
    """The programme's multipliers by name; those that are nought are left out."""
    named = zip(_names(programme, problem), multipliers.tolist(), strict=True)
    return {name: float(f"{value:.6g}") for name, value in named if value}


def _names(programme: DualProgramme, problem: Problem) -> Iterator[str]:
    """In the order of the model's multipliers: factors (by number where they have no names), weight rows, rows, the cap."""
    yield from (f"factor:{name}" for name in problem.factors or range(programme.model.factors))
    yield from programme.weight_names
    yield from programme.row_names
    if programme.model.capped:
        yield TRACKING_ERROR
