"""What is too small to trade, and how a solver that can't rule it out is brought to leave it: drop, and solve again.

A trade is too small below the account's minimum in dollars, or below half a share.  Where many small trades do one thing together (new
cash spread over five hundred names), as many of the largest are kept as their sum can feed.
"""

import numpy as np

from services.optimizer.core.arrays import Bools, Floats
from services.optimizer.core.branch import Answer, Branch, BranchSolver, forced
from services.optimizer.core.evaluate import traded_by_name, way_out_missed
from services.optimizer.core.policy import Policy
from services.optimizer.core.problem import Problem
from services.optimizer.core.sides import SOLD_WHOLE, USABLE, Chosen

NOTHING = 1e-9


def least_trade(problem: Problem, min_trade_usd: float) -> Floats:
    """[names] The smallest trade worth making, in weight."""
    dollars = np.maximum(min_trade_usd, np.where(np.isfinite(problem.price_usd), problem.price_usd / 2, 0.0))
    least: Floats = dollars / problem.invested_usd
    return least


def exempt(problem: Problem, branch: Branch, answer: Answer, least: Floats) -> Bools:
    """[names] Never dropped: what must be sold, whole positions, and what is above its maximum weight by a trade worth making."""
    must = np.bincount(problem.name, forced(problem, branch), len(problem.held)) > 0
    whole = (problem.held > 0) & (-traded_by_name(problem, answer.plan) >= problem.held * (1 - SOLD_WHOLE))
    too_heavy = problem.held - problem.weight_max >= least
    either: Bools = must | whole | too_heavy
    return either


def drop_small_trades(problem: Problem, solver: BranchSolver, chosen: Chosen, least: Floats, policy: Policy) -> Chosen:
    """The plan on the chosen sides without trades below `least` [names]; some may stay below the minimum for rounding to judge.

    What the plan does not trade stays untraded, so that each round solves for fewer names.
    """
    branch, answer = chosen.branch, chosen.answer
    for _ in range(policy.drop_rounds):
        small = _small(problem, branch, answer, least)
        if not small.any():
            break
        branch = Branch(branch.harvest & ~_closed(problem, branch, answer), branch.hold | small | _untraded(problem, branch, answer, least))
        answer = solver.narrowed(branch.hold).solve(branch, policy.final_tolerance)
        if answer.status not in USABLE:
            break
    return Chosen(branch, answer)


def _untraded(problem: Problem, branch: Branch, answer: Answer, least: Floats) -> Bools:
    """[names] Left alone by the plan, and free to be."""
    alone: Bools = (np.abs(traded_by_name(problem, answer.plan)) <= NOTHING) & ~exempt(problem, branch, answer, least)
    return alone


def _small(problem: Problem, branch: Branch, answer: Answer, least: Floats) -> Bools:
    """[names] What to drop now: of the small buys, and of the small sales, all but the largest that their sum can feed."""
    traded = traded_by_name(problem, answer.plan)
    free = ~exempt(problem, branch, answer, least)
    dropped = np.zeros(len(traded), dtype=np.bool_)
    for side in (traded > NOTHING, traded < -NOTHING):
        small = np.flatnonzero(free & side & (np.abs(traded) < least))
        if len(small):
            size = np.abs(traded[small])
            kept = int(size.sum() // np.median(least[small]))
            dropped[small[np.argsort(-size, kind="stable")[kept:]]] = True
    return dropped


def _closed(problem: Problem, branch: Branch, answer: Answer) -> Bools:
    """[groups] Harvests that the plan could not open, for want of budget to sell the way out."""
    closed: Bools = way_out_missed(problem, branch, answer.plan, SOLD_WHOLE) > 0
    return closed
