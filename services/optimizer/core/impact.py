"""What a trade moves its own price by: a cost that grows with the square of what is traded.

    cost of trading x dollars = coefficient * sd * x^2 / volume        sd daily volatility by the risk model, volume median dollars a day

A linear temporary impact (Almgren and Chriss, Optimal execution of portfolio transactions, Journal of Risk 3 (2000), section 1.5) keeps the
programme quadratic.  Measured impact is flatter: sd times the 3/5 power of the part of a day's volume (Almgren, Thum, Hauptmann and Li,
Direct estimation of equity market impact, Risk 18 (2005), eta .142), or its square root by common practice.  The line that meets the square
root at a part q of a day's volume has coefficient 1 / sqrt(q): 10 at a hundredth, 3 at a tenth.

It is off unless the house sets it.  Impact is of the firm's whole order of the day, which one account's solve does not know, and at an
account's own size these laws are extrapolations: an account alone pays the half spread.  Where accounts are large beside the volume of what
they hold, a coefficient makes trades smaller in names that trade little.

Invariants
1. It is part of the objective and of its bound, never of a proposal's cash or cost, which stay at half spreads.
2. A name without a known volume costs what the account's least traded one costs.
"""

from dataclasses import replace
from math import sqrt

import numpy as np

from services.optimizer.core.arrays import Floats, frozen
from services.optimizer.core.market import Snapshot
from services.optimizer.core.problem import Problem

TRADING_DAYS = 252.0


def with_impact(problem: Problem, snapshot: Snapshot, coefficient: float) -> Problem:
    """The problem with the impact of its names' trades; as it was where the coefficient is nothing."""
    if coefficient == 0.0:
        return problem
    volume = snapshot.adv_usd[problem.row]
    known = np.isfinite(volume) & (volume > 0)
    if not known.any():
        return problem
    least = float(volume[known].min())
    deviation: Floats = np.sqrt((problem.exposures**2).sum(axis=1) + problem.specific_var) / sqrt(TRADING_DAYS)
    impact = coefficient * deviation * problem.invested_usd / np.where(known, volume, least)
    return replace(problem, impact=frozen(impact))
