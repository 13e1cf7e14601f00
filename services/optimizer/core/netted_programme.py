"""A problem whose gains count as the taxpayer's year is netted: whole for the dual method, linear near a plan for all else.

Rounding to whole shares and PDLP price a dollar of gain at a rate and keep budgets on sums.  Near a plan the netted year is just that: a
unit of either gain costs what it costs there, and gains up to `most_gains` keep every budget.

Invariants
1. A plan that keeps the rooms of `linear` keeps the netted budgets of the problem, where the plan it is made for does.
"""

from dataclasses import replace

import numpy as np

from services.optimizer.core.branch import Answer, Multipliers, Plan
from services.optimizer.core.dual.netted_model import NettedAccount
from services.optimizer.core.dual.netting import NettedPlan
from services.optimizer.core.dual.standing import Nets
from services.optimizer.core.dual_programme import DualProgramme
from services.optimizer.core.evaluate import net_gain
from services.optimizer.core.problem import Problem


def netted_account(problem: Problem, programme: DualProgramme) -> NettedAccount:
    """The programme's model, which has no tax in its prices, and the gains of its lots by character."""
    gain = problem.gain_frac[programme.tranches]
    return NettedAccount(programme.model, gain * problem.is_short[programme.tranches], gain * problem.is_long[programme.tranches])


def with_budgets(multipliers: Multipliers, netted: NettedPlan) -> Multipliers:
    """The multipliers with those of the netted budgets."""
    shadow = netted.shadow
    return replace(multipliers, tax=shadow.get("tax", 0.0), short=shadow.get("short_gain", 0.0), long=shadow.get("long_gain", 0.0))


def without_budgets(answer: Answer) -> Answer:
    """The answer for `linear`'s problem, whose prices of gains hold those of the budgets already."""
    return replace(answer, multipliers=replace(answer.multipliers, tax=0.0, short=0.0, long=0.0))


def linear(problem: Problem, plan: Plan, prices: Nets | None) -> Problem:
    """The problem as it is near `plan`, a unit of short and of long gain costing `prices` (None: their rates); a problem without a
    netted year is as it was."""
    if problem.standing is None:
        return problem
    short, long = (problem.standing.law.short, problem.standing.law.long) if prices is None else prices
    short_room, long_room = problem.standing.most_gains(net_gain(problem, plan))
    rate = np.where(problem.is_short, short, np.where(problem.is_long, long, 0.0))
    return replace(problem, rate_frac=rate, short_room=short_room, long_room=long_room, position=None, standing=None)
