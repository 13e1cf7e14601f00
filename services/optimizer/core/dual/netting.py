"""The certified solve with a year's netted tax as its cost, and budgets on what netting yields.

The tax is the least of a few convex pieces (dual/tax_pieces.py), each a model of its own (dual/netted_model.py).  The one
that costs least where the plan is likely to end is solved first; every other starts where the last one ended, and ends where its bound
shows that it does no better.

Invariants
1. lower_bound is at most the objective of every plan that keeps the rules and the budgets, taxed by the netting function.
2. The objective reported is the plan's with the tax of the netting function, whatever piece the plan comes from.
3. A plan that is reported keeps every budget to FEASIBLE, in account value, unless the account has a price for exceeding them.
4. The same arguments give the same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from libs.common.money import cents_from_float_half_even, float_from_decimal
from services.optimizer.core.arrays import Floats
from services.optimizer.core.dual.model import Trades
from services.optimizer.core.dual.netted_model import Choice, NettedAccount, Year, piece_model, true_objective, year_of
from services.optimizer.core.dual.solve import DEFAULT_EFFORT, NO_RIVAL, Certified, Effort, Outcome, Rival, solve
from services.optimizer.core.dual.tax_law import Nets, PlanTax, TaxPosition, plan_tax


@dataclass(frozen=True, slots=True)
class NettedStart:
    """Where a solve ended, to start another: multipliers without the netting's own rows, prices of a unit of short and long gain, and the
    plan's gains."""

    multipliers: Floats
    prices: tuple[float, float]
    gains: tuple[float, float]


@dataclass(frozen=True, slots=True)
class NettedPlan:
    """The best plan over all pieces, in fractions of account value; `gap` is certified.

    `tax`: the year with and without the plan, None without one.  `shadow`: what a unit more of each budget would lower the objective by,
    for small changes.  `prices`: what a unit more of short and of long gain costs at the plan.  `piece`: the answer of the piece that the
    plan comes from; its objective and bound are the piece's own.  Pieces were `solved`, or `abandoned` by their bound.
    """

    outcome: Outcome
    trades: Trades | None
    objective: float
    lower_bound: float
    tax: PlanTax | None
    shadow: Mapping[str, float]
    prices: tuple[float, float]
    piece: Certified
    start: NettedStart
    solved: int
    abandoned: int
    newton_steps: int
    nodes: int

    @property
    def gap(self) -> float:
        return self.objective - self.lower_bound

    @property
    def certified(self) -> Certified:
        """The plan with its own objective and bound beside the multipliers of its piece."""
        return replace(
            self.piece,
            outcome=self.outcome,
            trades=self.trades,
            objective=self.objective,
            lower_bound=self.lower_bound,
            newton_steps=self.newton_steps,
            nodes=self.nodes,
        )


def solve_netted(
    account: NettedAccount, position: TaxPosition, effort: Effort = DEFAULT_EFFORT, start: NettedStart | None = None
) -> NettedPlan:
    """The plan of least risk, cost and netted tax within the budgets; `start` is where an earlier solve ended, a pinned input."""
    year = year_of(account, position)
    return _Netting(account, position, year, effort).run(start or _naive_start(account, year))


def _naive_start(account: NettedAccount, year: Year) -> NettedStart:
    """From zero, gains priced at their rates, every loss taken: where harvesting leads."""
    size = account.model.lots.size
    losses = (float(account.short_gain.clip(max=0.0) @ size), float(account.long_gain.clip(max=0.0) @ size))
    return NettedStart(np.zeros(account.first_row + int(account.model.capped)), (year.standing.law.short, year.standing.law.long), losses)


class _Netting:
    """The best plan and the least bound over the pieces taken so far."""

    def __init__(self, account: NettedAccount, position: TaxPosition, year: Year, effort: Effort) -> None:
        self.account, self.position, self.year, self.effort = account, position, year, effort
        self.lower = self.objective = float("inf")
        self.trades: Trades | None = None
        self.best: tuple[Certified, Choice] | None = None
        self.solved = self.abandoned = self.steps = self.nodes = 0
        self.excluded = True

    def run(self, start: NettedStart) -> NettedPlan:
        at, left = start, list(self.year.choices)
        while left:
            at = self._take(left.pop(self._next(left, at)), at)
        if self.best is None:
            raise AssertionError("an account has at least one piece, and the first is always solved")
        answer, choice = self.best
        own, lower = self._own(answer.multipliers, choice), min(self.lower, self.objective)
        return NettedPlan(
            outcome=self._outcome(lower),
            trades=self.trades,
            objective=self.objective,
            lower_bound=lower,
            tax=None if self.trades is None else plan_tax(self.position, self._dollars(self.trades)),
            shadow=choice.shadow(own),
            prices=choice.prices(own),
            piece=answer,
            start=self._ended(answer, choice),
            solved=self.solved,
            abandoned=self.abandoned,
            newton_steps=self.steps,
            nodes=self.nodes,
        )

    def _take(self, choice: Choice, at: NettedStart) -> NettedStart:
        """Bound a piece, and solve it where its bound does not pass the least of those solved; where the next piece starts."""
        model, constant = piece_model(self.account, self.year, choice)
        rival = self._rival(constant)
        answer = solve(model, self.effort, self._begun(choice, at), rival)
        self.steps, self.nodes = self.steps + answer.newton_steps, self.nodes + answer.nodes
        self.lower = min(self.lower, answer.lower_bound + constant)
        if answer.trades is None and rival is not NO_RIVAL:
            self.abandoned += 1
            return at
        self.solved += 1
        self.excluded &= answer.outcome is Outcome.INFEASIBLE
        self.best = self.best or (answer, choice)
        if answer.trades is not None:
            objective = true_objective(self.account, self.year, answer.trades)
            if objective < self.objective:
                self.trades, self.objective, self.best = answer.trades, objective, (answer, choice)
        return self._ended(answer, choice)

    def _rival(self, constant: float) -> Rival:
        """The best plan so far, in the terms of a piece with this constant; its bound counts where it is certified."""
        if self.trades is None:
            return NO_RIVAL
        certified = self.objective - self.lower <= self.effort.certified
        return Rival(self.objective - constant, self.lower - constant if certified else np.inf)

    def _outcome(self, lower: float) -> Outcome:
        if self.trades is None:
            return Outcome.INFEASIBLE if self.excluded else Outcome.NO_PLAN
        return Outcome.CERTIFIED if self.objective - lower <= self.effort.certified else Outcome.GAP_TOO_WIDE

    def _next(self, left: Sequence[Choice], at: NettedStart) -> int:
        """The piece that costs least where the last plan ended; those whose budgets break there last."""
        year, (short, long) = self.year, at.gains
        net = (year.net[0] + short, year.net[1] + long)
        used = (year.budget_net[0] + short, year.budget_net[1] + long)

        def expected(index: int) -> tuple[float, float]:
            broken = sum(max(row.line.over(*used), 0.0) for row in left[index].budget.rows)
            return broken, left[index].piece.value(*net)

        return min(range(len(left)), key=expected)

    def _own(self, multipliers: Floats, choice: Choice) -> Floats:
        own: Floats = multipliers[self.account.first_row : self.account.first_row + len(choice.lines)]
        return own

    def _begun(self, choice: Choice, at: NettedStart) -> Floats:
        """Multipliers for this piece: those of its rows that price gains as the start does."""
        begun: Floats = np.insert(at.multipliers, self.account.first_row, choice.fitted(at.prices))
        return begun

    def _ended(self, answer: Certified, choice: Choice) -> NettedStart:
        own, first = self._own(answer.start, choice), self.account.first_row
        gains = (0.0, 0.0) if answer.trades is None else self.account.gains(answer.trades.sold)
        return NettedStart(np.delete(answer.start, np.arange(first, first + len(own))), choice.prices(own), gains)

    def _dollars(self, trades: Trades) -> Nets:
        """The plan's gains, each rounded to the cent."""
        value = float_from_decimal(self.position.value)
        short, long = (cents_from_float_half_even(gain * value) for gain in self.account.gains(trades.sold))
        return Nets(short, long)
