"""The plan of one account: the chain's in fractional shares, then in whole ones."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from services.optimizer.core.branch import Plan, SolveStatus
from services.optimizer.core.chain import Method, Solution, solve_chain
from services.optimizer.core.conflict import broken_by_shares
from services.optimizer.core.decline import Decline, DeclineCode
from services.optimizer.core.evaluate import traded_by_name, violation
from services.optimizer.core.inputs import Case
from services.optimizer.core.kept import Excess, excess, loosened, tightened
from services.optimizer.core.netted_programme import linear, without_budgets
from services.optimizer.core.policy import Policy
from services.optimizer.core.problem import Problem
from services.optimizer.core.programme import dominance
from services.optimizer.core.repair import repaired
from services.optimizer.core.rounding import Shares, round_to_shares
from services.optimizer.core.small_trades import least_trade

TOLERATED = 1e-4  # of invested value: what a solve may break a rule by before rounding puts it right
STEP = Decimal("1e-8")
TIGHTENINGS = 5
LOOSER = (1.0, 2.0, 4.0, 8.0)  # times what whole shares exceeded the limits by
ROUNDING = 1e-12  # of invested value: what sums of float64 leave


@dataclass(frozen=True, slots=True)
class Planned:
    """The certified plan in weights, that in whole shares and in weights again, and `rounded` as it was before any repair."""

    found: Solution
    shares: Shares
    weights: Plan
    rounded: Plan


def plan_of(case: Case, problem: Problem, policy: Policy) -> Planned | Decline:
    """Solve and round; or why there is no plan, and where only whole shares stand against one, which limits to loosen for them."""
    found = _within(case, problem, policy)
    if not isinstance(found, Excess):
        return found
    for times in LOOSER if _easy(case, problem, policy) else ():
        planned = _within(case, loosened(problem, found, times), policy)
        if isinstance(planned, Planned):
            return broken_by_shares(problem, _least_loose(case, problem, found, times, planned, policy), enough=True)
    return broken_by_shares(problem, loosened(problem, found, 1.0), enough=False)


def _easy(case: Case, problem: Problem, policy: Policy) -> bool:
    """Whether the account is solved so quickly that it may be solved many times more."""
    planned = _plan(case, problem, policy)
    return isinstance(planned, Planned) and planned.found.method is Method.DUAL


def _least_loose(case: Case, problem: Problem, over: Excess, times: float, planned: Planned, policy: Policy) -> Problem:
    """The loosened problem, or as long as there is a plan still, one loosened by no more than what the last plan needs."""
    enough = loosened(problem, over, times)
    for _ in range(TIGHTENINGS):
        needed = excess(problem, planned.weights)
        looser = loosened(problem, needed, 1.0)
        again = _within(case, looser, policy) if needed.beyond(ROUNDING) else None
        if not isinstance(again, Planned):
            return enough
        enough, planned = looser, again
    return enough


def _within(case: Case, problem: Problem, policy: Policy) -> Planned | Excess | Decline:
    """A plan with limits tightened as long as whole shares exceed them; or by what those exceeded them at least."""
    asked, first, least = problem, None, None
    for _ in range(TIGHTENINGS):
        planned = _plan(case, asked, policy)
        if isinstance(planned, Decline):
            return planned if least is None else least
        first = planned.found if first is None else first
        over = excess(problem, planned.weights)
        if not over.beyond(ROUNDING):
            return Planned(first, planned.shares, planned.weights, planned.rounded)
        least = over if least is None or over.size < least.size else least
        before = excess(problem, planned.rounded)
        asked = tightened(asked, before if before.size > over.size else over)
    if least is None:
        raise AssertionError("a plan is tried at least once")
    return least


def _plan(case: Case, problem: Problem, policy: Policy) -> Planned | Decline:
    min_trade = float(case.account.min_trade)
    found = solve_chain(problem, dominance(problem), least_trade(problem, min_trade), policy)
    if found is SolveStatus.INFEASIBLE:
        return Decline(DeclineCode.LIMITS_CONFLICT, "no plan keeps all limits of the account")
    if isinstance(found, SolveStatus):
        return Decline(DeclineCode.SOLVER_FAILED, f"no solver has a plan; the last ended with {found.value}")
    branch, answer = found.chosen.branch, found.chosen.answer
    broken = violation(problem, branch, answer.plan)
    if broken > TOLERATED:
        actual = Decimal(repr(broken)).quantize(STEP)
        return Decline(DeclineCode.SOLVER_FAILED, "the solver's plan breaks a rule, in weight", Decimal(repr(TOLERATED)), actual)
    near = linear(problem, answer.plan, found.gain_prices)
    answer = answer if problem.standing is None else without_budgets(answer)
    shares, book = round_to_shares(near, branch, answer, min_trade, problem.standing)
    best = repaired(problem, near, book, answer, shares, dominance(problem), found.objective)
    return Planned(found, best.shares, best.plan, shares.curves.plan(problem, shares.bought, shares.sold))


def largest_wanted(problem: Problem, policy: Policy) -> float:
    """The largest trade that would be made if trades of any size were, in weight."""
    found = solve_chain(problem, dominance(problem), np.zeros(len(problem.held)), policy)
    return 0.0 if isinstance(found, SolveStatus) else float(np.max(np.abs(traded_by_name(problem, found.chosen.answer.plan)), initial=0.0))
