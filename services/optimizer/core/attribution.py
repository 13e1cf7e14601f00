"""Each trade's share of the change in risk.

TE^2 is a quadratic form, so its change from active weights v to v' is exactly the sum over names of

    (v'_i - v_i) [Sigma (v + v')]_i        Sigma = B B' + D

which is each trade's marginal contribution, taken half way between before and after.

Invariant
1. The shares of all names add up to TE^2 after less TE^2 before; a name that does not trade has none.
"""

from services.optimizer.core.arrays import Floats
from services.optimizer.core.branch import Plan
from services.optimizer.core.evaluate import active_weights, no_trade, traded_by_name
from services.optimizer.core.problem import Problem


def variance_shares(problem: Problem, plan: Plan) -> Floats:
    """[names] What each name's trade adds to the yearly variance of the active weights; negative where it lowers it."""
    traded = traded_by_name(problem, plan)
    both = active_weights(problem, no_trade(problem)) + active_weights(problem, plan)
    shares: Floats = traded * covariance_with(problem, both)
    return shares


def covariance_with(problem: Problem, active: Floats) -> Floats:
    """[names] Sigma times active weights."""
    product: Floats = problem.exposures @ (problem.exposures.T @ active) + problem.specific_var * active
    return product
