"""An account with a year's netted tax, as one convex dual model a piece (dual/tax_pieces.py).

A piece is a price on each lot's gain and rows at the end of the model's own: an elastic one for each hinge, whose multiplier's box is the
hinge's slope, and a hard one for each row of the budgets' choice.

Invariants
1. A plan's objective in a piece's model, plus the model's constant, is at least its risk and cost with what it adds to the year's cost.
2. Only prices and rows differ between the models of one account, so all are as valid as the account's own (which has been `validated`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.optimizer.core.arrays import Floats, frozen
from services.optimizer.core.dual.model import Model, Rows, Trades
from services.optimizer.core.dual.primal import elastic_objective
from services.optimizer.core.dual.standing import Nets, Standing, standing
from services.optimizer.core.dual.tax_law import TaxPosition
from services.optimizer.core.dual.tax_pieces import BudgetChoice, Law, Line, Piece, Reach, budget_choices, cost, pieces

FIT_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class NettedAccount:
    """An account's model whose prices hold no tax; by lot, the short and the long gain on a unit of weight sold (one of them zero).

    `budget_price`: objective per unit by which a budget is exceeded; infinite: budgets are kept.
    """

    model: Model
    short_gain: Floats
    long_gain: Floats
    budget_price: float = np.inf

    def gains(self, sold: Floats) -> Nets:
        """Short and long gain of what is sold [lots], in fractions of account value."""
        return float(self.short_gain @ sold), float(self.long_gain @ sold)

    @property
    def first_row(self) -> int:
        """Where a piece's rows begin among the multipliers: after the factors, the rows on weights and the model's own rows."""
        return self.model.factors + len(self.model.weights.bound) + len(self.model.rows.bound)


@dataclass(frozen=True, slots=True)
class Choice:
    """A piece with a choice of budget rows, at a price where they may be exceeded."""

    piece: Piece
    budget: BudgetChoice
    budget_price: float = np.inf

    @property
    def lines(self) -> list[Line]:
        """The rows that the piece adds, in their order."""
        return [*(hinge.line for hinge in self.piece.hinges), *(row.line for row in self.budget.rows)]

    @property
    def ceilings(self) -> list[float]:
        """The most that each row's multiplier may be."""
        return [*(hinge.slope for hinge in self.piece.hinges), *(self.budget_price / row.per_unit for row in self.budget.rows)]

    def prices(self, own: Floats) -> Nets:
        """What a unit of short and of long gain costs at these multipliers of the piece's rows."""
        priced = list(zip(self.lines, own.tolist(), strict=True))
        return self.piece.short + sum(z * line.short for line, z in priced), self.piece.long + sum(z * line.long for line, z in priced)

    def shadow(self, own: Floats) -> dict[str, float]:
        """By budget, what a unit more of it would lower the objective by."""
        prices: dict[str, float] = {}
        for row, z in zip(self.budget.rows, own[len(self.piece.hinges) :].tolist(), strict=True):
            prices[row.budget] = prices.get(row.budget, 0.0) + z * row.per_unit
        return prices

    def fitted(self, prices: Nets) -> Floats:
        """Multipliers in their boxes that price gains nearest to `prices` (least squares, a coordinate at a time)."""
        rows = [(line.short, line.long, line.short**2 + line.long**2, most) for line, most in zip(self.lines, self.ceilings, strict=True)]
        z = [0.0] * len(rows)
        short, long = prices[0] - self.piece.short, prices[1] - self.piece.long
        for _ in range(FIT_ROUNDS):
            before = z.copy()
            for k, (per_short, per_long, squares, most) in enumerate(rows):
                step = min(max(z[k] + (short * per_short + long * per_long) / squares, 0.0), most) - z[k]
                short, long, z[k] = short - step * per_short, long - step * per_long, z[k] + step
            if z == before:
                break
        return np.array(z)


@dataclass(frozen=True, slots=True)
class Year:
    """Where the year stands, and the choices that a plan could need."""

    standing: Standing
    choices: tuple[Choice, ...]

    @property
    def net(self) -> Nets:
        """What the cost starts from."""
        return self.standing.net

    @property
    def budget_net(self) -> Nets:
        """What the budgets start from."""
        return self.standing.budget_net


def true_objective(account: NettedAccount, year: Year, trades: Trades) -> float:
    """Risk and cost of a plan, and what its gains add to the cost of the year; a budget exceeded at its price, where it has one."""
    gains = account.gains(trades.sold)
    over = max(year.standing.excess(gains), 0.0) * account.budget_price if np.isfinite(account.budget_price) else 0.0
    return elastic_objective(account.model, trades) + year.standing.added(gains) + over


def year_of(account: NettedAccount, position: TaxPosition) -> Year:
    """The position for this account: pieces and choices that no plan of it can reach are left out."""
    at = standing(position)
    choices = budget_choices(at.law, at.limits, _reach(account, at.budget_net))
    needed = _needed(at.law, choices, _reach(account, at.net), at.net == at.budget_net)
    return Year(at, tuple(replace(choice, budget_price=account.budget_price) for choice in needed))


def piece_model(account: NettedAccount, year: Year, choice: Choice) -> tuple[Model, float]:
    """The model of a piece, and the constant that its objective lacks."""
    model, piece, rows = account.model, choice.piece, account.model.rows
    bounds = [-hinge.line.over(*year.net) for hinge in piece.hinges] + [-row.line.over(*year.budget_net) for row in choice.budget.rows]
    sell = [line.short * account.short_gain + line.long * account.long_gain for line in choice.lines]
    added = len(bounds)
    widened = Rows(
        sell=frozen(np.column_stack([rows.sell, *sell])),
        buy=frozen(np.hstack([rows.buy, np.zeros((len(rows.buy), added))])),
        bound=frozen(np.append(rows.bound, bounds)),
        floor=frozen(np.append(rows.floor, np.zeros(added))),
        ceiling=frozen(np.append(rows.ceiling, choice.ceilings)),
        uses=frozen(np.hstack([rows.uses, np.zeros((len(rows.uses), added))])),
    )
    price: Floats = model.lots.sell_price + piece.short * account.short_gain + piece.long * account.long_gain
    constant = piece.constant + piece.short * year.net[0] + piece.long * year.net[1] - cost(year.standing.law, *year.net)
    return replace(model, lots=replace(model.lots, sell_price=frozen(price)), rows=widened), constant


def _needed(law: Law, budgets: Sequence[BudgetChoice], reach: Reach, same_year: bool) -> tuple[Choice, ...]:
    """Pieces with choices.  Where cost and budgets start from one year, a piece that is exact for one sign of the long net goes only with
    the choice that is weaker there."""
    every = pieces(law)
    reached = [piece for piece in every if any(all(reach.passes(line) for line in region) for region in piece.where)] or list(every)
    split = same_year and {piece.splits_short for piece in reached} == {False, True}
    return tuple(
        Choice(piece, budget)
        for piece in reached
        for budget in budgets
        if not split or budget.splits_short is None or budget.splits_short is piece.splits_short
    )


def _reach(account: NettedAccount, net: Nets) -> Reach:
    """Nets if every gain, or every loss, of a character were taken."""
    short, long = account.short_gain * account.model.lots.size, account.long_gain * account.model.lots.size
    return Reach(
        (net[0] + float(short.clip(max=0.0).sum()), net[0] + float(short.clip(min=0.0).sum())),
        (net[1] + float(long.clip(max=0.0).sum()), net[1] + float(long.clip(min=0.0).sum())),
    )
