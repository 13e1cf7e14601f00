"""What a solve may spend and what it answers."""

from dataclasses import dataclass
from enum import StrEnum

from services.optimizer.core.arrays import Floats
from services.optimizer.core.dual.model import Trades


class Outcome(StrEnum):
    """How a solve ended; a closed list."""

    CERTIFIED = "certified"
    GAP_TOO_WIDE = "gap_too_wide"
    INFEASIBLE = "infeasible"  # proved: the bound exceeds what any plan could cost
    NO_PLAN = "no_plan"  # none found, and none excluded


@dataclass(frozen=True, slots=True)
class Effort:
    """What a solve may spend; gaps are fractions of account value.

    The temperature is `heat` over the number of names.  Options are changed, in at most `repairs` rounds, until the gap is `tight` or a
    round gains little; above a gap of `enough`, at most `nodes` of branch and bound follow; a plan counts as certified up to `certified`.
    A climb takes at most `steps` of Newton, and no node is begun after `work` of them in all: the deadline of a solve, which ends alike
    wherever it runs.  With hard counts `enough` is `counted`.
    """

    heat: float = 1.5e-4
    enough: float = 5e-6
    counted: float = 5e-5
    certified: float = 5e-5
    tight: float = 5e-6
    nodes: int = 60
    repairs: int = 8
    steps: int = 60
    work: int = 4_000


@dataclass(frozen=True, slots=True)
class Certified:
    """The best plan, its objective and bound in fractions of account value.

    `multipliers` (nu, z) belong to the plan: shadow prices.  `root_bound` is the dual's value at `bound_multipliers`, which anyone can
    recompute; `lower_bound` is at least that, branch and bound having raised it.  `start` warms a later solve.
    """

    outcome: Outcome
    trades: Trades | None
    objective: float
    lower_bound: float
    multipliers: Floats
    root_bound: float
    bound_multipliers: Floats
    start: Floats
    newton_steps: int
    nodes: int

    @property
    def gap(self) -> float:
        return self.objective - self.lower_bound


DEFAULT_EFFORT = Effort()


@dataclass(frozen=True, slots=True)
class Rival:
    """The answer of another model whose plans compete with this one's: its objective and its bound, in this one's terms."""

    objective: float = float("inf")
    lower_bound: float = float("inf")


NO_RIVAL = Rival()
