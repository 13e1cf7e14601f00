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

from libs.common.money import float_from_decimal
from services.optimizer.core.arrays import Bools, Floats, frozen
from services.optimizer.core.dual.netting import NettedStart
from services.optimizer.core.dual.solve import Effort
from services.optimizer.core.dual.tax_law import Budgets
from services.optimizer.core.evaluate import active_weights
from services.optimizer.core.problem import Problem
from services.optimizer.core.transition.book import Book, after_year, day_of_year, opening
from services.optimizer.core.transition.case import Outlook, TransitionCase
from services.optimizer.core.transition.exit_credit import Parts, cut_at, unsplit, with_exit_credit
from services.optimizer.core.transition.given import kept, sales_of
from services.optimizer.core.transition.one_period import (
    ALL_THE_WAY,
    EFFORT,
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


GivenTrades = tuple[tuple[Floats, Floats], ...]  # by year: sold [lots of the case], bought [names], in weights of today's value


@dataclass(slots=True)
class _Way:
    """What the years of one plan share and leave to each other."""

    case: TransitionCase
    rules: Rules
    most: Floats
    given: GivenTrades = ()
    start: NettedStart | None = None
    effort: Effort = EFFORT
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


def most_held(case: TransitionCase, problem: Problem, end: YearPlan | None = None) -> Floats:
    """[names] The weight that purchases stop at: the target, or where going all the way now (`end`) would end if that is more."""
    way = end or solve_year(case, problem, Goal(ALL_THE_WAY))
    if not way.reached:
        return problem.target
    most: Floats = np.maximum(active_weights(problem, way.trades) + problem.target, problem.target)
    return most


def within_ceilings(rules: Rules, most: Floats) -> Floats:
    """`most` with room in the other names for what final ceilings below it take away from staged ones."""
    names = np.array([staged.name for staged in rules.staged], dtype=np.intp)
    ceilings = np.array([staged.ceilings[-1] for staged in rules.staged])
    taken = float((most[names] - ceilings).clip(min=0.0).sum())
    others = float(most.sum() - most[names].sum())
    if taken <= 0 or others <= 0:
        return most
    widened: Floats = most * (1.0 + taken / others)
    widened[names] = np.minimum(most[names], np.maximum(ceilings, 0.0))
    return widened


def plan_years(
    case: TransitionCase,
    rules: Rules,
    most: Floats | None = None,
    given: GivenTrades = (),
    effort: Effort = EFFORT,
) -> YearsPlan:
    """The plan of `rules.years` years, year by year; `most` is `most_held` of today, if it was found already.

    Of `given`, the years before the last are carried out as far as the rules allow, and only the last is planned.
    """
    book = opening(case)
    stop = most_held(case, book_problem(case, book, 1)) if most is None else most
    way = _Way(case, rules, within_ceilings(rules, stop), given, effort=effort)
    carried: list[Carried] = []
    solved: list[YearPlan] = []
    for number in range(1, rules.years + 1):
        if number > 1:
            book = replace(after_year(case, carried[-1].book, carried[-1].tax.with_plan, number), on=way.day(number))
        if given and number < rules.years:
            done: Carried | None = _given_year(way, book, number)
        else:
            year, done = _year(way, book, number)
            solved.append(year)
        if done is None:
            return YearsPlan(tuple(carried), tuple(solved), reached=False)
        carried.append(done)
        _remember_losses(way, done, book)
    return YearsPlan(tuple(carried), tuple(solved), reached=True)


def _year(way: _Way, book: Book, number: int) -> tuple[YearPlan, Carried | None]:
    """Solve a year and carry it out."""
    case, rules, whole = way.case, way.rules, unsplit(holdings_of(way.case, book))
    parts = _parts(way, book, whole, number)
    plain = _problem(way, book, whole, number)
    problem = plain if parts is whole else _problem(way, book, parts, number)
    last = rules.deadline and number == rules.years
    risk = case.outlook.risk_aversion * risk_years(case.outlook, number, rules.years if rules.deadline else None)
    goal = Goal(ALL_THE_WAY if last else risk, budgets=rules.budget(number))
    year = solve_year(case, problem, goal, way.effort, None if rules.staged else way.start)
    if not year.reached:
        return year, None
    way.start = year.start
    sold = parts.merged(year.trades.sold, len(book.lots.shares))
    return year, carry_out(case, book, number, sold, year.trades.bought, rules.budget(number), plain)


def _given_year(way: _Way, book: Book, number: int) -> Carried:
    """Carry out the given trades of a year."""
    case, (sold, bought) = way.case, way.given[number - 1]
    problem = _problem(way, book, unsplit(holdings_of(case, book)), number)
    grown = float_from_decimal(case.value_usd) * (1.0 + case.outlook.growth_frac) ** (number - 1)
    wanted, scale = sales_of(case, book, sold), grown / problem.invested_usd
    for staged in way.rules.staged:
        own, cap = problem.name == staged.name, np.inf if staged.yearly_frac is None else staged.yearly_frac / scale
        wanted[own] *= min(1.0, cap / max(float(wanted[own].sum()), 1e-12))
    plan = kept(problem, wanted * scale, bought * scale)
    return carry_out(case, book, number, plan.sold, plan.bought, way.rules.budget(number), problem)


def _parts(way: _Way, book: Book, whole: Parts, number: int) -> Parts:
    """The year's lots: with an exit credit where a deadline lies ahead, and cut at what may be sold of a staged name in a year."""
    case, rules = way.case, way.rules
    parts, left = whole, rules.years - number
    if left > 0 and (rules.deadline or rules.staged):
        holdings = whole.holdings
        held: Floats = np.bincount(holdings.name, holdings.size, len(way.most)).astype(np.float64)
        forced = np.clip(held - way.most, 0.0, None) if rules.deadline else np.zeros(len(held))
        for staged in rules.staged:
            forced[staged.name] = max(float(held[staged.name]) - staged.ceilings[-1], 0.0)
        may_leave = holdings.lot >= 0
        parts = with_exit_credit(case.tax.law, case.outlook, book, holdings, forced, may_leave, (left, way.day(rules.years)))
    caps = {staged.name: staged.yearly_frac for staged in rules.staged if staged.yearly_frac is not None}
    return cut_at(case.tax.law, parts, caps) if caps else parts


def _problem(way: _Way, book: Book, parts: Parts, number: int) -> Problem:
    """The year's problem: what was bought in the plan stays, purchases stop at `most`, staged names have their ceiling and cap."""
    base = year_problem(way.case, parts.holdings, book.value_usd, book.year, number)
    may_sell = base.may_sell & (parts.holdings.lot >= 0) & ~parts.beyond
    stuck = np.isin(base.name, base.name[parts.holdings.recent & ~may_sell])  # what was bought lately and stays makes losses wash sales
    may_sell &= ~(stuck & base.loss)
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
