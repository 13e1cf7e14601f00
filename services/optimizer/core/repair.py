"""Whole shares repaired: a few names chosen again together, by OR-Tools CP-SAT.

Rounding in turn can leave out a trade that the plan needs, since each name sees the cash and the common risk of those before it alone.
Where that breaks a rule, or moves a trade by more than a share and costs more than LOSES, the names that matter (neighbourhood.py) are
chosen once more together (share_programme.py), until the programme's own answer is where its tangents are; and the names that matter
then, while that gains.

Invariants
1. What comes back is no further beyond budgets and cash than what came in, then no further beyond limits, and costs no more where it is
   as far: all by `evaluate.py`.
2. The same arguments give the same shares.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from services.optimizer.core.arrays import Ints
from services.optimizer.core.branch import Answer, Plan
from services.optimizer.core.evaluate import active_weights, budget_excess, cash_after, priced
from services.optimizer.core.kept import excess
from services.optimizer.core.nearest_shares import CENT_USD
from services.optimizer.core.neighbourhood import Neighbourhood, neighbourhood
from services.optimizer.core.problem import Problem
from services.optimizer.core.rounding import Shares
from services.optimizer.core.share_book import Book
from services.optimizer.core.share_programme import Rounded, ShareProgramme

LOSES = 1e-4  # of invested value: a basis point; at five hundred names whole shares cost half of one, which no repair gets back
PASSES, ROUNDS = 3, 4
GAINS_LITTLE = 1e-6  # of invested value
BREAKS = 1e-12  # of invested value: what sums of float64 leave


@dataclass(frozen=True, slots=True)
class Judged:
    """A plan in whole shares, by how much it is beyond budgets and cash, and beyond the owner's limits, and its objective with soft
    breaches priced in.  Limits can be tightened for another try, budgets can't: they come first."""

    shares: Shares
    plan: Plan
    beyond: float
    breaks: float
    objective: float

    def better(self, other: "Judged") -> bool:
        if abs(self.beyond - other.beyond) > BREAKS:
            return self.beyond < other.beyond
        if abs(self.breaks - other.breaks) > BREAKS:
            return self.breaks < other.breaks
        return self.objective < other.objective


def judged(problem: Problem, shares: Shares, penalty: float) -> Judged:
    """The shares, judged by the problem itself."""
    plan = shares.curves.plan(problem, shares.bought, shares.sold)
    cents = (len(shares.bought) + len(shares.sold)) * CENT_USD / problem.invested_usd
    floor = min(problem.cash_min, problem.cash)  # what is not settled yet is below the first
    overspent = max(0.0, floor + cents - cash_after(problem, plan)) if shares.bought else 0.0
    beyond = max(0.0, budget_excess(problem, plan)) + overspent
    return Judged(shares, plan, beyond, max(0.0, excess(problem, plan).size), priced(problem, plan, penalty))


def repaired(problem: Problem, near: Problem, book: Book, answer: Answer, shares: Shares, penalty: float, objective: float) -> Judged:
    """The shares, or better ones; `near` is the problem as it is linear near the plan, `objective` the plan's in fractional shares."""
    best = judged(problem, shares, penalty)
    exposure = near.exposures.T @ active_weights(near, answer.plan)
    for _ in range(PASSES):
        before = best
        keeps = max(best.beyond, best.breaks) <= BREAKS
        if keeps and best.objective - objective <= LOSES:
            break
        around = neighbourhood(near, book, answer.plan, best.plan, excess(problem, best.plan))
        if keeps and not around.moved:
            break
        programme = ShareProgramme(near, around, Rounded(exposure, answer.multipliers, best.plan, book), penalty)
        for chosen in answers(programme):
            found = judged(problem, changed(before.shares, around, chosen), penalty)
            best = found if found.better(best) else best
        if not best.better(before) or (keeps and best.objective > before.objective - GAINS_LITTLE):
            break
        book.take(best.shares.bought, best.shares.sold)
    return best


def answers(programme: ShareProgramme, rounds: int = ROUNDS) -> Iterator[Ints]:
    """The programme's answers, each with a tangent more, until one is where its tangents are."""
    for _ in range(rounds):
        chosen = programme.solve()
        if chosen is None:
            return
        yield chosen
        if not programme.touch(chosen):
            return


def changed(shares: Shares, around: Neighbourhood, chosen: Ints) -> Shares:
    """The shares with these choices instead."""
    bought, sold = dict(shares.bought), dict(shares.sold)
    for name, traded in zip(around.names.tolist(), around.shares[chosen].tolist(), strict=True):
        bought.pop(name, None)
        sold.pop(name, None)
        if traded > 0:
            bought[name] = int(traded)
        if traded < 0:
            sold[name] = -traded
    return replace(shares, bought=dict(sorted(bought.items())), sold=dict(sorted(sold.items())))
