"""One year of a transition as the daily solve's problem: what is held and wanted, what the client and the wash-sale rule allow.

    minimise   lam TE² + trade cost + what the trades add to the year's netted tax (and to what its carried losses are worth)
    subject to cash at its target, the year's budgets as it is netted, a cap on TE where there is one, restrictions, wash sales, min trade

The first year starts from the case, later ones from what a plan left.  Weights are fractions of the account's value in that year.

Invariants
1. A name that may not be sold, or is locked, is never sold; one that may not be bought is never bought; one never to be owned leaves as
   far as the wash-sale rule lets it (never sell beats never own).
2. No lot is sold at a loss while its identity group is bought, here or elsewhere, in the 30 days before or in the plan; lots bought here
   in those days lift that for their name by leaving with it, whole.
3. The trades of a plan that is reported keep the year's budgets, whatever else gives.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import numpy as np

from libs.common.money import ZERO, float_from_decimal
from services.optimizer.core.arrays import Bools, Floats, Ints, frozen
from services.optimizer.core.branch import Plan
from services.optimizer.core.dual.netting import NettedPlan, NettedStart, solve_netted
from services.optimizer.core.dual.solve import Effort, Outcome
from services.optimizer.core.dual.standing import standing
from services.optimizer.core.dual.tax_law import Budgets, Nets, TaxPosition, year_tax
from services.optimizer.core.dual_programme import DualProgramme, dual_programme
from services.optimizer.core.evaluate import active_weights, net_gain, variance
from services.optimizer.core.netted_programme import netted_account
from services.optimizer.core.plan_rules import NO_RULES, PlanRules
from services.optimizer.core.problem import NO_LIMIT, Problem
from services.optimizer.core.programme import dominance
from services.optimizer.core.small_trades import least_trade
from services.optimizer.core.transition.book import Book, opening, view
from services.optimizer.core.transition.case import RestrictionKind, TransitionCase

WINDOW = timedelta(days=30)
NO_BUDGETS = Budgets()
CASH_ROOM = 0.002  # of the account: how much more than its target cash may be
ALL_THE_WAY = 1e6  # lam: a thousandth of a per cent of tracking error outweighs a hundredth of a per cent of tax
EFFORT = Effort(enough=4e-5, tight=1e-5)  # branching ends within half a basis point, changes of options well within it
BARRED_FROM_BUYING = (RestrictionKind.NEVER_OWN, RestrictionKind.NEVER_BUY, RestrictionKind.LOCKED)
BARRED_FROM_SELLING = (RestrictionKind.NEVER_SELL, RestrictionKind.LOCKED)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What is held when a year begins, by lot, sorted by name; sizes are above zero.

    `lot`: its position in the case, -1 if bought in the plan; `gain_frac`: gain on a dollar sold; `recent`: bought in the 30 days before;
    `credit_frac`: what the objective counts on a dollar sold beside tax and cost (negative: a reason to sell).
    """

    lot: Ints
    name: Ints
    size: Floats
    gain_frac: Floats
    is_long: Bools
    recent: Bools
    credit_frac: Floats
    cash: float


@dataclass(frozen=True, slots=True)
class Allowed:
    """By name: what restrictions leave."""

    may_buy: Bools
    may_sell: Bools
    must_leave: Bools


@dataclass(frozen=True, slots=True)
class Goal:
    """What a year's plan is after: lam (one per cent of tracking error costs lam basis points), a cap on TE, budgets in dollars."""

    risk_aversion: float
    te_cap: float = NO_LIMIT
    budgets: Budgets = NO_BUDGETS


@dataclass(frozen=True, slots=True)
class YearPlan:
    """The best plan of a year in weights, on the problem it answers; None where nothing keeps the rules."""

    problem: Problem
    programme: DualProgramme
    netted: NettedPlan

    @property
    def start(self) -> NettedStart:
        """Where another solve of the same holdings starts."""
        return self.netted.start

    @property
    def reached(self) -> bool:
        """Whether there is a plan."""
        return self.netted.trades is not None

    @property
    def excluded(self) -> bool:
        """Whether it is proved that there is none."""
        return self.netted.outcome is Outcome.INFEASIBLE

    @property
    def objective(self) -> float:
        """Risk, cost and tax added, as a fraction of account value."""
        return self.netted.objective + self.programme.reward

    @property
    def lower_bound(self) -> float:
        """What no plan can beat."""
        return self.netted.lower_bound + self.programme.reward

    @property
    def gap(self) -> float:
        return max(0.0, self.netted.objective - self.netted.lower_bound)

    @property
    def trades(self) -> Plan:
        """Weight sold by lot of the problem, and bought by name.  Raises ValueError where there is no plan."""
        if self.netted.trades is None:
            raise ValueError("a year without a plan has no trades")
        return self.programme.plan(self.problem, self.netted.trades)

    @property
    def te(self) -> float:
        """Tracking error after the plan, annual."""
        return te_after(self.problem, self.trades)

    @property
    def gains(self) -> tuple[float, float]:
        """Net short and long gain, fractions of account value."""
        return net_gain(self.problem, self.trades)

    @property
    def tax(self) -> float:
        """What the plan adds to the year's tax (not to what carried losses are worth), a fraction of account value."""
        return tax_added(self.problem, self.gains)

    @property
    def unsold(self) -> float:
        """Weight that must leave, may, and does not: a budget or the cap stands against it."""
        problem = self.problem
        return float((problem.size - self.trades.sold)[problem.must_sell].clip(min=0.0).sum())


def te_after(problem: Problem, plan: Plan) -> float:
    """Tracking error after a plan, annual."""
    return float(np.sqrt(max(variance(problem, active_weights(problem, plan)), 0.0)))


def tax_added(problem: Problem, gains: tuple[float, float]) -> float:
    """What gains add to the year's tax, in fractions of account value."""
    if problem.standing is None:
        raise AssertionError("a transition's year is netted")
    law = replace(problem.standing.law, carried_short=0.0, carried_long=0.0)
    return replace(problem.standing, law=law).added(gains)


def allowed(case: TransitionCase) -> Allowed:
    """What the client's restrictions leave of each name."""
    count = len(case.names.target)
    may_buy, may_sell, must = np.ones(count, dtype=np.bool_), np.ones(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
    for each in case.restrictions:
        names = np.array(each.names, dtype=np.intp)
        may_buy[names] &= each.kind not in BARRED_FROM_BUYING
        may_sell[names] &= each.kind not in BARRED_FROM_SELLING
        must[names] |= each.kind is RestrictionKind.NEVER_OWN
    return Allowed(frozen(may_buy), frozen(may_sell), frozen(must & may_sell))


def holdings_of(case: TransitionCase, book: Book) -> Holdings:
    """What a book holds; bought in the 30 days before, for the wash-sale rule, is what was bought in those before the book's day."""
    seen, at = view(book), {lot_id: n for n, lot_id in enumerate(case.lots.lot_id)}
    return Holdings(
        lot=frozen(np.array([at.get(lot_id, -1) for lot_id in book.lots.lot_id], dtype=np.intp)),
        name=seen.name,
        size=seen.size,
        gain_frac=seen.gain,
        is_long=seen.is_long,
        recent=frozen(np.array([book.on - day <= WINDOW for day in book.lots.acquired], dtype=np.bool_)),
        credit_frac=frozen(np.zeros(len(seen.size))),
        cash=seen.cash,
    )


def holdings_now(case: TransitionCase) -> Holdings:
    """What is held today."""
    return holdings_of(case, opening(case))


def book_problem(case: TransitionCase, book: Book, number: int) -> Problem:
    """The problem of year `number`, its lots those of the book."""
    return year_problem(case, holdings_of(case, book), book.value_usd, book.year, number)


def year_problem(
    case: TransitionCase, holdings: Holdings, value_usd: Decimal | None = None, year: Nets | None = None, number: int = 1
) -> Problem:
    """The problem of year `number` (prices grown as the case assumes), before a goal is set.

    `value_usd`: the account's value that year, `year`: its nets before the plan, carried losses taken off; the case's if not given.
    Purchases elsewhere bar losses in the first year alone.
    """
    names, may, count, value = case.names, allowed(case), len(case.names.target), value_usd or case.value_usd
    price = np.array([float_from_decimal(each) for each in names.price_usd]) * (1.0 + case.outlook.growth_frac) ** (number - 1)
    barred, way_out = _wash_sales(case, holdings, first=number == 1)
    may_sell = may.may_sell[holdings.name] & ~barred
    position = TaxPosition(case.tax.law, year or case.tax.year, year or case.tax.year, NO_BUDGETS, value)
    return Problem(
        row=frozen(np.arange(count, dtype=np.intp)),
        price_usd=frozen(price),
        held=frozen(np.bincount(holdings.name, holdings.size, count).astype(np.float64)),
        target=names.target,
        exposures=names.exposures,
        specific_var=names.specific_var,
        cost_frac=names.cost_frac,
        group=frozen(np.unique(names.group, return_inverse=True)[1].astype(np.intp)),
        may_buy=may.may_buy,
        weight_min=frozen(np.zeros(count)),
        weight_max=frozen(np.full(count, NO_LIMIT)),
        name=holdings.name,
        size=holdings.size,
        gain_frac=holdings.gain_frac,
        rate_frac=frozen(np.zeros(len(holdings.size))),
        policy_frac=holdings.credit_frac,
        is_short=frozen(~holdings.is_long),
        is_long=holdings.is_long,
        may_sell=frozen(may_sell),
        loss=frozen(holdings.gain_frac < 0),
        must_sell=frozen(may_sell & may.must_leave[holdings.name]),
        way_out=frozen(way_out & may_sell),
        lots=tuple((lot,) for lot in range(len(holdings.size))),
        risk_aversion=case.outlook.risk_aversion,
        invested_usd=float_from_decimal(value),
        cash=holdings.cash,
        cash_min=case.target_cash_frac,
        cash_max=case.target_cash_frac + CASH_ROOM,
        tax_room=NO_LIMIT,  # the netted year keeps the budgets
        short_room=NO_LIMIT,
        long_room=NO_LIMIT,
        position=position,
        standing=standing(position),
    )


def _wash_sales(case: TransitionCase, holdings: Holdings, first: bool) -> tuple[Bools, Bools]:
    """[lots] Those that would be wash sales whatever the plan does, and recent ones that lift that for their name by leaving whole."""
    names, group = holdings.name, case.names.group
    elsewhere = [i for i, day in case.tax.bought_elsewhere if first and case.as_of - day <= WINDOW]
    barred = np.isin(group[names], group[np.array(elsewhere, dtype=np.intp)])
    fresh = np.unique(names[holdings.recent])
    for i in fresh.tolist():
        barred |= (group[names] == group[i]) & (names != i)
    return barred & (holdings.gain_frac < 0), holdings.recent & ~barred


def within(case: TransitionCase, problem: Problem, goal: Goal) -> Problem:
    """The problem with a goal's aversion to risk, cap and budgets.

    A budget of tax limits both the year's tax and what the plan adds to it: where the year so far saves tax, the lower of the two.
    """
    position, budgets = problem.position, goal.budgets
    if position is None:
        raise AssertionError("a transition's year is netted")
    if budgets.tax is not None:
        budgets = replace(budgets, tax=budgets.tax + min(year_tax(position.law, position.year).tax, ZERO))
    rules = NO_RULES if goal.te_cap == NO_LIMIT else PlanRules(tracking_error=goal.te_cap)
    asked = replace(position, budgets=budgets)
    return replace(problem, risk_aversion=goal.risk_aversion, rules=rules, position=asked, standing=standing(asked))


def all_the_way(case: TransitionCase, problem: Problem, effort: Effort = EFFORT, start: NettedStart | None = None) -> YearPlan:
    """To the target as far as restrictions and wash sales permit, at the least tax that allows it: risk is weighed so heavily that tax
    decides among what is equally near."""
    return solve_year(case, problem, Goal(ALL_THE_WAY), effort, start)


def solve_year(case: TransitionCase, problem: Problem, goal: Goal, effort: Effort = EFFORT, start: NettedStart | None = None) -> YearPlan:
    """The best plan of a year for a goal, certified; `start` is where a solve of the same holdings ended."""
    asked = within(case, problem, goal)
    nothing_held = np.zeros(len(asked.held), dtype=np.bool_)
    least = least_trade(asked, float_from_decimal(case.min_trade_usd)) if case.min_trade_usd > 0 else np.zeros(len(asked.held))
    programme = dual_programme(asked, nothing_held, dominance(asked), least)
    if asked.position is None:
        raise AssertionError("a transition's year is netted")
    return YearPlan(asked, programme, solve_netted(netted_account(asked, programme), asked.position, effort, start))
