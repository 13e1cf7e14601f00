"""The chain of one account's solve: solve, certify, try harder, fall back.

1. The dual method with sides free: a plan, and a bound that no plan within the rules can beat.
2. Certify: the plan's objective by `evaluate.py`, which shares nothing with the dual; the gap is that less the bound.
3. Above `CERTIFIED_GAP`, or without a plan: once more with less smoothing and many more nodes.
4. Still without a plan, and none excluded: the sides that are better for each group alone, PDLP on that branch, and again without what
   is too small to trade; its gap is against the dual's bound.  A dual without end proves that no plan keeps the hard rules.

Deadlines are in work (Newton steps, nodes, iterations), never in time, so that an account that is hard ends the same way everywhere.

Invariants
1. Every path ends in a `SolveState`, or where there is no plan in INFEASIBLE (proved) or PDLP's own status.
2. `lower_bound` is at most the objective of any plan that keeps the problem's hard rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numba
import numpy as np
import ortools

from services.optimizer.core.arrays import Floats
from services.optimizer.core.branch import Answer, Branch, Multipliers, SolveStatus
from services.optimizer.core.dual.netting import NettedPlan, solve_netted
from services.optimizer.core.dual.solve import Certified, Effort, Outcome, solve
from services.optimizer.core.dual_programme import dual_programme, multipliers_of
from services.optimizer.core.evaluate import no_trade, priced
from services.optimizer.core.kept import excess
from services.optimizer.core.netted_programme import linear, netted_account, with_budgets
from services.optimizer.core.pdlp import PdlpSolver
from services.optimizer.core.policy import Policy
from services.optimizer.core.problem import Problem
from services.optimizer.core.sides import USABLE, Chosen, better_sides, harvesting
from services.optimizer.core.small_trades import drop_small_trades
from services.optimizer.core.warm import said_of, started

ORTOOLS = ortools.__version__  # type: ignore[attr-defined, unused-ignore]  # set when it is imported: mypy sees it only in part
SOLVER_VERSION = f"dual-1 numba-{numba.__version__} numpy-{np.__version__} ortools-{ORTOOLS}"
LIMITS_KEPT = 1e-6  # of invested value: what a plan of PDLP may be beyond the owner's limits
CERTIFIED_GAP = 5e-5  # of invested value: half a basis point
FIRST = Effort(enough=2e-5)  # a proof closer than a fifth of a basis point is not worth what its search costs
HARDER = Effort(heat=5e-5, enough=CERTIFIED_GAP, nodes=300, repairs=16, steps=200, work=10_000)


class SolveState(StrEnum):
    """How the chain ended with a plan; a closed list."""

    CERTIFIED = "certified"
    GAP_TOO_WIDE = "gap_too_wide"
    FALLBACK = "fallback"


class Method(StrEnum):
    """What found the plan."""

    DUAL = "dual"
    DUAL_HARDER = "dual_harder"
    PDLP = "pdlp"


@dataclass(frozen=True, slots=True)
class Solution:
    """A plan on its branch, its objective (soft breaches priced in) and the bound, as fractions of invested value.  `gain_prices`: where
    the year is netted, what a unit of short and of long gain costs at the plan.  `multipliers` by name are where the dual ended, for the
    account's next decision to start from; none where the year is netted, which has a start of its own in each piece."""

    chosen: Chosen
    objective: float
    lower_bound: float
    state: SolveState
    method: Method
    nodes: int
    newton_steps: int
    gain_prices: tuple[float, float] | None = None
    multipliers: Mapping[str, float] = field(default_factory=dict)

    @property
    def gap(self) -> float:
        """Never negative: below the bound by rounding is on it."""
        return max(0.0, self.objective - self.lower_bound)


def solve_chain(
    problem: Problem, penalty: float, least: Floats, policy: Policy, first: Effort = FIRST, harder: Effort = HARDER
) -> Solution | SolveStatus:
    """The best plan in fractional shares, no trade below `least` [names], or how the last solver ended without one."""
    search = _Chain(problem, penalty, least, policy)
    search.by_dual(first, Method.DUAL)
    if search.gap > CERTIFIED_GAP and not search.impossible:
        search.by_dual(harder, Method.DUAL_HARDER)
    if search.impossible:
        return SolveStatus.INFEASIBLE
    if search.best is None:
        return search.by_pdlp()
    return search.ended(SolveState.CERTIFIED if search.gap <= CERTIFIED_GAP else SolveState.GAP_TOO_WIDE)


class _Chain:
    """The best plan and the highest bound so far."""

    def __init__(self, problem: Problem, penalty: float, least: Floats, policy: Policy) -> None:
        self._problem, self._penalty, self._least, self._policy = problem, penalty, least, policy
        self._nothing_held = np.zeros(len(problem.held), dtype=np.bool_)
        self._programme = dual_programme(problem, self._nothing_held, penalty, least)
        self._bound, self._objective = -float("inf"), float("inf")
        self._nodes, self._steps = 0, 0
        self._method = Method.DUAL
        self._start = started(self._programme, problem, problem.start)
        self._netted: NettedPlan | None = None
        self._gain_prices: tuple[float, float] | None = None
        self.best: Chosen | None = None
        self.impossible = False

    @property
    def gap(self) -> float:
        return self._objective - self._bound

    def by_dual(self, effort: Effort, method: Method) -> None:
        """Solve with sides free; a second solve starts where the first one ended."""
        solved = self._solved(effort)
        self._start = solved.start
        self._count(solved)
        self._bound = max(self._bound, solved.lower_bound + self._programme.reward)
        self.impossible = solved.outcome is Outcome.INFEASIBLE
        if solved.trades is None:
            return
        self._keep(self._answer(solved), method)

    def _solved(self, effort: Effort) -> Certified:
        """The dual method's answer, by the netted year where there is one."""
        problem, programme = self._problem, self._programme
        if problem.position is None:
            return solve(programme.model, effort, self._start)
        begun = None if self._netted is None else self._netted.start
        self._netted = solve_netted(netted_account(problem, programme), problem.position, effort, begun)
        return self._netted.certified

    def by_pdlp(self) -> Solution | SolveStatus:
        """The sides that are better for each group alone, and PDLP on them; near no trade at all where the year is netted."""
        problem = linear(self._problem, no_trade(self._problem), None)
        sides = better_sides(problem, self._nothing_held.astype(np.float64), Multipliers())
        branch = Branch(sides, self._nothing_held)
        solver = PdlpSolver(problem, self._policy.iteration_limit)
        answer = solver.solve(branch, self._policy.final_tolerance)
        if answer.status not in USABLE:
            return answer.status
        found = drop_small_trades(problem, solver, Chosen(branch, answer), self._least, self._policy)
        if found.answer.status not in USABLE:
            return found.answer.status
        if excess(self._problem, found.answer.plan).beyond(LIMITS_KEPT):
            return SolveStatus.UNKNOWN  # PDLP's programme has no row for these limits
        self._keep(found.answer, Method.PDLP, found.branch)
        return self.ended(SolveState.FALLBACK)

    def ended(self, state: SolveState) -> Solution:
        """What was reached."""
        if self.best is None:
            raise AssertionError("a chain without a plan has no solution")
        warm = None if self._netted is not None else self._start
        said = {} if warm is None else said_of(self._programme, self._problem, warm)
        work = self._nodes, self._steps
        return Solution(self.best, self._objective, self._bound, state, self._method, *work, self._gain_prices, said)

    def _count(self, solved: Certified) -> None:
        self._nodes += solved.nodes
        self._steps += solved.newton_steps

    def _answer(self, solved: Certified) -> Answer:
        programme = self._programme
        if solved.trades is None:
            raise AssertionError("asked for the plan of a solve without one")
        status = SolveStatus.OPTIMAL if solved.outcome is Outcome.CERTIFIED else SolveStatus.ITERATION_LIMIT
        prices = multipliers_of(programme, solved.multipliers)
        if self._netted is not None:
            prices = with_budgets(prices, self._netted)
        return Answer(status, programme.plan(self._problem, solved.trades), prices, solved.newton_steps)

    def _keep(self, answer: Answer, method: Method, branch: Branch | None = None) -> None:
        objective = priced(self._problem, answer.plan, self._penalty)
        if objective < self._objective:
            taken = Branch(harvesting(self._problem, answer.plan), self._nothing_held) if branch is None else branch
            self.best, self._objective, self._method = Chosen(taken, answer), objective, method
            self._gain_prices = None if self._netted is None or branch is not None else self._netted.prices
