"""A plan over years, made year by year: each year is solved for the years that its risk lasts, carried out in whole shares, and the next
one is planned from what was really realised.

The risk that a year leaves counts for the years that remain, discounted: to the horizon, or to the deadline of a timeline.  Before a
deadline what must leave anyway has an exit credit (exit_credit.py); in its last year the plan goes all the way, by the rule of the
immediate approach.

Invariants
1. Lots bought in the plan are not sold in it, and purchases stop at the weight that going all the way would end at.
2. A year's budgets are kept by what is booked, each year by itself.
3. Losses carried out of a year are carried into the next, under their own character, and no others.
4. No sale at a loss and purchase of one identity group lie within 30 days of each other, whatever the days of the years.
5. The last year of a timeline ends at the target where nothing stands against it.
"""

from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, frozen
from services.optimizer.core.dual.netting import NettedStart
from services.optimizer.core.dual.tax_law import Budgets
from services.optimizer.core.evaluate import active_weights
from services.optimizer.core.problem import Problem
from services.optimizer.core.transition.book import Book, after_year, day_of_year, opening
from services.optimizer.core.transition.case import Outlook, TransitionCase
from services.optimizer.core.transition.exit_credit import Parts, unsplit, with_exit_credit
from services.optimizer.core.transition.one_period import (
    ALL_THE_WAY,
    NO_BUDGETS,
    WINDOW,
    Goal,
    YearPlan,
    book_problem,
    holdings_of,
    solve_year,
    year_problem,
)
from services.optimizer.core.transition.outcome import Carried, carry_out


@dataclass(frozen=True, slots=True)
class Staged:
    """A name's ceiling at the end of each year, and the most of the account sold of it in a year."""

    name: int
    ceilings: tuple[float, ...]
    yearly_frac: float | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What a plan over years keeps: `budgets` by year (the last one goes on), a deadline or none, staged names, the days of its years."""

    years: int
    deadline: bool = False
    budgets: tuple[Budgets, ...] = (NO_BUDGETS,)
    staged: tuple[Staged, ...] = ()
    days: tuple[date, ...] = ()

    def budget(self, number: int) -> Budgets:
        """Of year `number`, from 1."""
        return self.budgets[min(number, len(self.budgets)) - 1]


@dataclass(frozen=True, slots=True)
class YearsPlan:
    """The years carried out; `reached`: every year had a plan (one without is left as it was, and the plan ends there).

    `gap`: the largest certified gap of a year's own solve, a fraction of account value.
    """

    carried: tuple[Carried, ...]
    solved: tuple[YearPlan, ...]
    reached: bool

    @property
    def gap(self) -> float:
        return max((year.gap for year in self.solved), default=0.0)


@dataclass(slots=True)
class _Way:
    """What the years of one plan share and leave to each other."""

    case: TransitionCase
    rules: Rules
    most: Floats
    start: NettedStart | None = None
    losses: list[tuple[int, date]] = field(default_factory=list)

    def day(self, number: int) -> date:
        """When the trades of a year are made."""
        return self.rules.days[number - 1] if self.rules.days else day_of_year(self.case, number)


def annuity(outlook: Outlook, years: int) -> float:
    """What one a year for so many years is worth today, the first at once."""
    return sum((1.0 + outlook.discount_frac) ** -k for k in range(years))


def risk_years(outlook: Outlook, number: int, deadline: int | None) -> float:
    """The years that the risk left by year `number` counts for, in that year's account value (risk counts on today's)."""
    remaining = outlook.horizon_years - number + 1 if deadline is None else deadline - number
    return annuity(outlook, max(remaining, 1)) / (1.0 + outlook.growth_frac) ** (number - 1)


def most_held(case: TransitionCase, problem: Problem) -> Floats:
    """[names] The weight that purchases stop at: the target, or where going all the way now would end if that is more."""
    way = solve_year(case, problem, Goal(ALL_THE_WAY))
    if not way.reached:
        return problem.target
    most: Floats = np.maximum(active_weights(problem, way.trades) + problem.target, problem.target)
    return most


def plan_years(case: TransitionCase, rules: Rules, most: Floats | None = None) -> YearsPlan:
    """The plan of `rules.years` years, year by year; `most` is `most_held` of today, if it was found already."""
    book = opening(case)
    way = _Way(case, rules, most_held(case, book_problem(case, book, 1)) if most is None else most)
    carried: list[Carried] = []
    solved: list[YearPlan] = []
    for number in range(1, rules.years + 1):
        if number > 1:
            book = replace(after_year(case, carried[-1].book, carried[-1].tax.with_plan, number), on=way.day(number))
        year, done = _year(way, book, number)
        solved.append(year)
        if done is None:
            return YearsPlan(tuple(carried), tuple(solved), reached=False)
        carried.append(done)
        _remember_losses(way, done, book)
    return YearsPlan(tuple(carried), tuple(solved), reached=True)


def _year(way: _Way, book: Book, number: int) -> tuple[YearPlan, Carried | None]:
    """Solve a year and carry it out."""
    case, rules = way.case, way.rules
    parts = _parts(way, book, number)
    problem = _problem(way, book, parts, number)
    last = rules.deadline and number == rules.years
    risk = case.outlook.risk_aversion * risk_years(case.outlook, number, rules.years if rules.deadline else None)
    year = solve_year(case, problem, Goal(ALL_THE_WAY if last else risk, budgets=rules.budget(number)), start=way.start)
    if not year.reached:
        return year, None
    way.start = year.start
    sold = parts.merged(year.trades.sold, len(book.lots.shares))
    return year, carry_out(case, book, number, sold, year.trades.bought, rules.budget(number))


def _parts(way: _Way, book: Book, number: int) -> Parts:
    """The year's lots, with an exit credit where a deadline lies ahead."""
    case, rules = way.case, way.rules
    holdings = holdings_of(case, book)
    if not rules.deadline or number == rules.years:
        return unsplit(holdings)
    held = np.bincount(holdings.name, holdings.size, len(way.most))
    forced = np.clip(held - way.most, 0.0, None)
    until = (rules.years - number, way.day(rules.years))
    return with_exit_credit(case.tax.law, case.outlook, book, holdings, forced, holdings.lot >= 0, until)


def _problem(way: _Way, book: Book, parts: Parts, number: int) -> Problem:
    """The year's problem: what was bought in the plan stays, purchases stop at `most`, staged names have their ceiling and cap."""
    base = year_problem(way.case, parts.holdings, book.value_usd, book.year, number)
    may_sell = base.may_sell & (parts.holdings.lot >= 0)
    weight_max = np.maximum(base.held, way.most)
    for staged in way.rules.staged:
        weight_max[staged.name] = staged.ceilings[min(number, len(staged.ceilings)) - 1]
    return replace(
        base,
        may_sell=frozen(may_sell),
        must_sell=frozen(base.must_sell & may_sell),
        way_out=frozen(base.way_out & may_sell),
        may_buy=frozen(base.may_buy & ~_sold_lately(way, book)),
        weight_max=frozen(weight_max),
    )


def _sold_lately(way: _Way, book: Book) -> Bools:
    """[names] Whose identity group the plan sold at a loss in the 30 days before the book's day."""
    group = way.case.names.group
    lately = [name for name, day in way.losses if book.on - day <= WINDOW]
    return np.isin(group, group[np.array(lately, dtype=np.intp)])


def _remember_losses(way: _Way, done: Carried, book: Book) -> None:
    names = {security: i for i, security in enumerate(way.case.names.security_id)}
    losing = (trade for trade in done.trades if any(lot.gain_usd < 0 for lot in trade.lots))
    way.losses += [(names[trade.security_id], book.on) for trade in losing]


def total_tax(plan: YearsPlan) -> Decimal:
    """What the plan's years add to the tax, each as it is netted."""
    return sum((each.tax.added for each in plan.carried), Decimal(0))
