"""The approaches that are done at once: keep all, sell all, immediate, within one year's budgets, to a tracking error.

Invariants
1. Selling all sells every lot that may be sold, except losses in names that the target buys: those stay, up to the target, since
   buying them back would be a wash sale.
2. The immediate plan's tracking error is the least that restrictions and wash sales permit, and its tax the least of such plans.
3. A plan within budgets keeps them to the cent, one to a tracking error is at most that in whole shares.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.optimizer.core.arrays import Bools, Floats
from services.optimizer.core.branch import Plan
from services.optimizer.core.dual.tax_law import Budgets
from services.optimizer.core.evaluate import evaluate, no_trade
from services.optimizer.core.problem import Problem
from services.optimizer.core.transition.book import Book, opening
from services.optimizer.core.transition.case import ApproachKind, TransitionCase
from services.optimizer.core.transition.one_period import NO_BUDGETS, Goal, YearPlan, all_the_way, book_problem, solve_year, te_after
from services.optimizer.core.transition.outcome import Carried, carry_out
from services.optimizer.core.transition.result import Approach, Certificate, ShadowPrice
from services.optimizer.core.transition.summary import Baseline, approach_of, certificate_of, not_planned
from services.optimizer.core.transition.words import budget_price, counted, percent, te_price

EXACT = Certificate("exact", method="nothing to optimise")
NEAR = 1000.0  # lam within budgets: a tenth of a per cent of tracking error, from 1 %, is worth 1.9 % of the account in tax
TAX_FIRST = 0.01  # lam towards a tracking error: below the cap risk hardly counts
TIGHTENINGS = 4
LABELS = {
    ApproachKind.KEEP: "Keep everything",
    ApproachKind.SELL_ALL: "Sell everything, buy the target",
    ApproachKind.IMMEDIATE: "All the way now",
    ApproachKind.TAX_BUDGET: "Within the tax budget",
    ApproachKind.GAIN_BUDGET: "Within the gain budgets",
    ApproachKind.TE_TARGET: "To the tracking error wanted",
}


@dataclass(frozen=True, slots=True)
class Today:
    """The case as approaches start from it: book, problem, and what they are compared with; `end` is the way to the target."""

    case: TransitionCase
    book: Book
    problem: Problem
    base: Baseline
    sold_all: Carried
    end: YearPlan


def today(case: TransitionCase) -> Today:
    """What every approach needs, once."""
    book = opening(case)
    problem = book_problem(case, book, 1)
    all_sold = selling_all(problem)
    sold_all = carry_out(case, book, 1, all_sold.sold, all_sold.bought, problem=problem)
    base = Baseline(round(te_after(problem, no_trade(problem)), 10), sold_all.outcome.realised.tax_usd)
    return Today(case, book, problem, base, sold_all, all_the_way(case, problem))


def keep(now: Today) -> Approach:
    """No trade."""
    nothing = no_trade(now.problem)
    carried = carry_out(now.case, now.book, 1, nothing.sold, nothing.bought, problem=now.problem)
    return approach_of(now.case, now.base, "keep", ApproachKind.KEEP, LABELS[ApproachKind.KEEP], [carried], EXACT)


def sell_all(now: Today) -> Approach:
    """Everything sold that may be, the target bought."""
    kept = now.problem.size - now.sold_all.weights.sold
    barred = len(np.unique(now.problem.name[(kept > 1e-9) & ~now.problem.may_sell]))
    losses = len(np.unique(now.problem.name[(kept > 1e-9) & now.problem.may_sell & now.problem.loss]))
    notes = [f"Part of {counted(barred)} stays: restrictions or the wash-sale rule keep lots from being sold."] if barred else []
    notes += [f"In {counted(losses)} that the target buys, lots at a loss stay: buying them back would be a wash sale."] if losses else []
    label = LABELS[ApproachKind.SELL_ALL]
    return approach_of(now.case, now.base, "sell_all", ApproachKind.SELL_ALL, label, [now.sold_all], EXACT, notes=notes)


def selling_all(problem: Problem) -> Plan:
    """The plan that sells all lots that may go and buys the target."""
    wanted = problem.may_buy & (problem.target > 0)
    sold = np.where(problem.may_sell, problem.size, 0.0) - _losses_kept(problem, wanted)
    left = problem.held - np.bincount(problem.name, sold, len(problem.held))
    lacking = np.where(wanted & ~_losing(problem, sold), (problem.target - left).clip(min=0.0), 0.0)
    cash = problem.cash - problem.cash_min + float(sold @ (1.0 - problem.cost_frac[problem.name]))
    needed = float(lacking @ (1.0 + problem.cost_frac))
    return Plan(sold, lacking * (max(cash, 0.0) / needed) if needed > 0 else lacking)


def _losses_kept(problem: Problem, wanted: Bools) -> Floats:
    """[lots] Weight of lots at a loss that stays: of a name alone in its group up to its target, the smallest losses first; else all."""
    count = len(problem.held)
    losing = problem.may_sell & problem.loss & (np.bincount(problem.group, wanted, count) > 0)[problem.group[problem.name]]
    alone = (np.bincount(problem.group, minlength=count)[problem.group] == 1) & ~(np.bincount(problem.name, problem.way_out, count) > 0)
    room = np.where(alone, problem.target, np.inf)
    kept = np.zeros(len(problem.size))
    for lot in np.flatnonzero(losing)[np.argsort(-problem.gain_frac[losing], kind="stable")].tolist():
        i = int(problem.name[lot])
        kept[lot] = min(float(problem.size[lot]), float(room[i]))
        room[i] -= kept[lot]
    return kept


def _losing(problem: Problem, sold: Floats) -> Bools:
    """[names] Whether a lot of the name's group is sold at a loss."""
    losses = (problem.loss & (sold > 0)).astype(np.float64)
    found = np.bincount(problem.group[problem.name], losses, len(problem.held)) > 0
    return np.asarray(found[problem.group])


def immediate(now: Today) -> Approach:
    """All the way to the target now."""
    return _of(now, ApproachKind.IMMEDIATE, now.end, _carried(now, now.end, NO_BUDGETS))


def one_year_budget(now: Today, kind: ApproachKind, budgets: Budgets) -> Approach:
    """The approach of one year within these budgets."""
    solved = solve_year(now.case, now.problem, Goal(NEAR, budgets=budgets))
    if not solved.reached:
        return not_planned(kind.value, kind, LABELS[kind], "out_of_reach", "No plan keeps the budgets.")
    prices = [budget_price(now.case, rule, price, solved) for rule, price in sorted(solved.netted.shadow.items()) if price > 1e-9]
    return _of(now, kind, solved, _carried(now, solved, budgets), prices)


def te_target(now: Today, wanted: float) -> Approach:
    """The least tax that reaches a tracking error, in whole shares."""
    kind, cap = ApproachKind.TE_TARGET, wanted
    carried_end = _carried(now, now.end, NO_BUDGETS)
    if carried_end.outcome.te_frac > wanted:
        reached = percent(carried_end.outcome.te_frac)
        reason = f"Restrictions and wash sales leave at least {reached} of tracking error: the target would have to be {reached} or more."
        return not_planned(kind.value, kind, LABELS[kind], "out_of_reach", reason)
    for _ in range(TIGHTENINGS):
        solved = solve_year(now.case, now.problem, Goal(TAX_FIRST, te_cap=cap))
        if not solved.reached:
            break
        carried = _carried(now, solved, NO_BUDGETS)
        over = carried.outcome.te_frac - wanted
        if over <= 0:
            price = float(solved.netted.piece.multipliers[-1]) * cap
            return _of(now, kind, solved, carried, (te_price(now.case, price),) if price > 0 else ())
        cap -= 1.5 * over + 1e-7
        if cap <= 0:
            break
    return _of(now, kind, now.end, carried_end)


def _carried(now: Today, solved: YearPlan, budgets: Budgets) -> Carried:
    return carry_out(now.case, now.book, 1, solved.trades.sold, solved.trades.bought, budgets, now.problem)


def _of(now: Today, kind: ApproachKind, solved: YearPlan, carried: Carried, prices: Sequence[ShadowPrice] = ()) -> Approach:
    """The approach of one year's plan."""
    value, standing = evaluate(solved.problem, solved.trades), solved.problem.standing
    added = standing.added(solved.gains) if standing is not None else value.tax
    certificate = certificate_of(solved, added + value.cost)
    return approach_of(now.case, now.base, kind.value, kind, LABELS[kind], [carried], certificate, prices)
