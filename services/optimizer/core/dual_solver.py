"""The dual method on one branch: keeps `branch.BranchSolver`, as PDLP does, which answers where the dual has no plan.

A branch fixes the sides of groups; a name that may be bought or sold still chooses, so the solve is not quite convex and is certified all
the same.  Each solve starts from the multipliers of the one before.
"""

from services.optimizer.core.arrays import Bools, Floats
from services.optimizer.core.branch import Answer, Branch, SolveStatus
from services.optimizer.core.dual.solve import DEFAULT_EFFORT, Outcome, solve
from services.optimizer.core.dual_programme import dual_programme, multipliers_of
from services.optimizer.core.pdlp import PdlpSolver
from services.optimizer.core.problem import Problem


class DualSolver:
    """One account's problem; `start` are multipliers of an earlier solve of it."""

    def __init__(self, problem: Problem, penalty: float, iteration_limit: int, start: Floats | None = None) -> None:
        self._problem, self._penalty, self._iteration_limit, self._start = problem, penalty, iteration_limit, start

    def solve(self, branch: Branch, tolerance: float) -> Answer:
        """Solve on the branch; `tolerance` is PDLP's, should it be needed."""
        programme = dual_programme(self._problem, branch.hold, self._penalty, branch.harvest)
        solved = solve(programme.model, DEFAULT_EFFORT, self._start)
        if solved.trades is None:
            return PdlpSolver(self._problem, self._iteration_limit, branch.hold).solve(branch, tolerance)
        self._start = solved.start
        status = SolveStatus.OPTIMAL if solved.outcome is Outcome.CERTIFIED else SolveStatus.ITERATION_LIMIT
        z = solved.multipliers[programme.model.factors :]
        plan = programme.plan(self._problem, solved.trades)
        return Answer(status, plan, multipliers_of(programme, z), solved.newton_steps)

    def narrowed(self, hold: Bools) -> "DualSolver":
        """The same: names in `hold` cost nothing here."""
        return DualSolver(self._problem, self._penalty, self._iteration_limit, self._start)
