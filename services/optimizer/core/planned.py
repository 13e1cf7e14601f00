"""The plan of one account: the chain's in fractional shares, then in whole ones."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from services.optimizer.core.branch import Plan, SolveStatus
from services.optimizer.core.chain import Solution, solve_chain
from services.optimizer.core.decline import Decline, DeclineCode
from services.optimizer.core.evaluate import no_trade, traded_by_name, violation
from services.optimizer.core.inputs import Case
from services.optimizer.core.kept import excess, tightened
from services.optimizer.core.netted_programme import linear
from services.optimizer.core.policy import Policy
from services.optimizer.core.problem import Problem
from services.optimizer.core.programme import dominance
from services.optimizer.core.rounding import Shares, round_to_shares
from services.optimizer.core.small_trades import least_trade

TOLERATED = 1e-4  # of invested value: what a solve may break a rule by before rounding puts it right
STEP = Decimal("1e-8")
TIGHTENINGS = 5
ROUNDING = 1e-12  # of invested value: what sums of float64 leave


@dataclass(frozen=True, slots=True)
class Planned:
    """The certified plan in weights, and that in whole shares and in weights again."""

    found: Solution
    shares: Shares
    weights: Plan


def plan_of(case: Case, problem: Problem, policy: Policy) -> Planned | Decline:
    """Solve and round, with limits tightened as long as whole shares exceed them; or why there is no plan."""
    asked, first = problem, None
    for _ in range(TIGHTENINGS):
        planned = _plan(case, asked, policy)
        if isinstance(planned, Decline):
            return planned if first is None else Decline(DeclineCode.LIMITS_CONFLICT, "whole shares can't keep the limits of the account")
        first = planned.found if first is None else first
        over = excess(problem, planned.weights)
        if not over.beyond(ROUNDING):
            return Planned(first, planned.shares, planned.weights)
        asked = tightened(asked, over)
    return Decline(DeclineCode.LIMITS_CONFLICT, "whole shares can't keep the limits of the account")


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
    shares = round_to_shares(near, branch, answer, min_trade)
    return Planned(found, shares, _weights(problem, shares))


def largest_wanted(problem: Problem, policy: Policy) -> float:
    """The largest trade that would be made if trades of any size were, in weight."""
    found = solve_chain(problem, dominance(problem), np.zeros(len(problem.held)), policy)
    return 0.0 if isinstance(found, SolveStatus) else float(np.max(np.abs(traded_by_name(problem, found.chosen.answer.plan)), initial=0.0))


def _weights(problem: Problem, shares: Shares) -> Plan:
    """The rounded trades in weights again, to value them."""
    plan = no_trade(problem)
    per_share = problem.price_usd / problem.invested_usd
    for name, bought in shares.bought.items():
        plan.bought[name] = bought * per_share[name]
    for name, sold in shares.sold.items():
        curve = shares.curves[name]
        for k, tranche in enumerate(curve.tranches):
            part = min(sold, curve.shares[k + 1]) - curve.shares[k]
            plan.sold[tranche] = max(part, 0.0) * per_share[name]
    return plan
