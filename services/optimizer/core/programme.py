"""The convex programme of one branch as rows and columns, in factor form; no solver in it.

Variables, all fractions of invested value but y:
    u [active names]  weight less target          s [tranches that may be sold]        p [names with s that may be bought]
    y [factors]       B'(w - target)              over [names above their maximum]     lack, spare   cash below, above its band
    minimise   lam (u'Du + y'y) + s'(tax + cost - reward) + p'cost + u'cost (names without s) + M (over + lack + spare)
    rows       u_i + sum s - p = held_i - target_i (names with s)     B'u - y = -B'(names that can't trade)
               cash in its band     net short, net long gain and tax within budgets     u_i - over_i <= weight_max_i - target_i
A name without s has its buy in u itself: u_i >= held_i - target_i.  M exceeds any gain that breaking a soft rule could bring; what
must be sold is rewarded with M instead of fixed, so that hard budgets never make the programme infeasible.
"""

from dataclasses import dataclass

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.branch import Branch, Plan, buyable, sellable
from services.optimizer.core.evaluate import risk_gradient
from services.optimizer.core.problem import Problem

INF = float("inf")


@dataclass(frozen=True, slots=True)
class Row:
    """One linear row: `low` <= coefficients over columns <= `high`."""

    columns: Ints
    coefficients: Floats
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns are what.  `names`, `tranches`, `pairs`, `heavy` list the problem's own numbers; the rest are column offsets."""

    names: Ints
    tranches: Ints
    pairs: Ints
    heavy: Ints
    first_s: int
    first_p: int
    first_y: int
    first_over: int
    lack: int
    spare: int
    column_of_name: Ints
    single: Bools

    @property
    def columns(self) -> int:
        return self.spare + 1


def layout_of(problem: Problem, hold: Bools) -> Layout:
    """Number the columns: only what can trade, and is not in `hold` [names], has one."""
    tranches = np.flatnonzero(problem.may_sell & ~hold[problem.name])
    with_s = np.zeros(len(problem.held), dtype=np.bool_)
    with_s[problem.name[tranches]] = True
    may_buy = problem.may_buy & ~hold
    names = np.flatnonzero(may_buy | with_s)
    pairs = np.flatnonzero(may_buy & with_s)
    heavy = np.flatnonzero(with_s & (problem.held > problem.weight_max))
    column_of_name = np.full(len(problem.held), -1, dtype=np.intp)
    column_of_name[names] = np.arange(len(names))
    first_s = len(names)
    first_p = first_s + len(tranches)
    first_y = first_p + len(pairs)
    first_over = first_y + problem.exposures.shape[1]
    lack = first_over + len(heavy)
    single = (may_buy & ~with_s)[names]
    return Layout(names, tranches, pairs, heavy, first_s, first_p, first_y, first_over, lack, lack + 1, column_of_name, single)


def dominance(problem: Problem) -> float:
    """M: more than what breaking a soft rule by one unit could gain in tax, cost and risk together."""
    steepest = float(np.max(np.abs(risk_gradient(problem, problem.held - problem.target)), initial=0.0))
    dearest = float(np.max(np.abs(problem.sale_frac), initial=0.0)) + float(np.max(problem.cost_frac, initial=0.0))
    return 1.0 + 2.0 * (steepest + dearest)


def separable_rows(problem: Problem, layout: Layout) -> list[Row]:
    """The rows that tie a name's own columns and the factors together."""
    return [*_link_rows(problem, layout), *_factor_rows(problem, layout), *_weight_rows(problem, layout)]


def coupling_rows(problem: Problem, layout: Layout) -> list[Row]:
    """Cash, then net short gain, net long gain and tax: the rows whose multipliers are shadow prices, always these four."""
    return [_cash_row(problem, layout), *_budget_rows(problem, layout)]


def bounds(problem: Problem, layout: Layout, branch: Branch) -> tuple[Floats, Floats]:
    """Column bounds on a branch."""
    low, high = np.zeros(layout.columns), np.full(layout.columns, INF)
    names, may_buy = layout.names, buyable(problem, branch)
    active = (problem.held - problem.target)[names]
    top = np.maximum(problem.weight_max - problem.target, problem.held - problem.target)[names]
    bottom = (np.minimum(problem.weight_min, problem.held) - problem.target)[names]
    low[: layout.first_s] = np.where(layout.single, active, bottom)
    high[: layout.first_s] = np.where(layout.single & ~may_buy[names], active, top)
    high[layout.first_s : layout.first_p] = np.where(sellable(problem, branch), problem.size, 0.0)[layout.tranches]
    high[layout.first_p : layout.first_y] = np.where(may_buy[layout.pairs], INF, 0.0)
    low[layout.first_y : layout.first_over] = -INF
    return low, high


def base_cost(problem: Problem, layout: Layout, penalty: float) -> Floats:
    """The linear objective without a branch's rewards."""
    cost = np.zeros(layout.columns)
    cost[: layout.first_s] = np.where(layout.single, problem.cost_frac[layout.names], 0.0)
    cost[layout.first_s : layout.first_p] = (problem.sale_frac + problem.cost_frac[problem.name])[layout.tranches]
    cost[layout.first_p : layout.first_y] = problem.cost_frac[layout.pairs]
    cost[layout.first_over :] = penalty
    return cost


def quadratic(problem: Problem, layout: Layout) -> Floats:
    """The diagonal of the quadratic objective, without the half: column squared times this."""
    diagonal = np.zeros(layout.columns)
    diagonal[: layout.first_s] = problem.risk_aversion * problem.specific_var[layout.names]
    diagonal[layout.first_y : layout.first_over] = problem.risk_aversion
    return diagonal


def _link_rows(problem: Problem, layout: Layout) -> list[Row]:
    """u + sales - purchase = what is held less target, for names with tranches that may be sold."""
    sold: dict[int, list[int]] = {}
    for column, tranche in enumerate(layout.tranches, start=layout.first_s):
        sold.setdefault(int(problem.name[tranche]), []).append(column)
    bought = {int(name): column for column, name in enumerate(layout.pairs, start=layout.first_p)}
    rows = []
    for name, columns in sold.items():
        own = [int(layout.column_of_name[name]), *columns]
        signs = np.ones(len(own) + (name in bought))
        if name in bought:
            own.append(bought[name])
            signs[-1] = -1.0
        active = float(problem.held[name] - problem.target[name])
        rows.append(Row(np.array(own), signs, active, active))
    return rows


def _factor_rows(problem: Problem, layout: Layout) -> list[Row]:
    """B'u - y = -B'(active weights of names that can't trade)."""
    still = np.ones(len(problem.held), dtype=np.bool_)
    still[layout.names] = False
    offset = problem.exposures[still].T @ (problem.held - problem.target)[still]
    rows = []
    for k in range(problem.exposures.shape[1]):
        columns = np.append(np.arange(layout.first_s), layout.first_y + k)
        rows.append(Row(columns, np.append(problem.exposures[layout.names, k], -1.0), -float(offset[k]), -float(offset[k])))
    return rows


def _weight_rows(problem: Problem, layout: Layout) -> list[Row]:
    """u - over <= maximum less target, for names that begin above their maximum."""
    rows = []
    for column, name in enumerate(layout.heavy, start=layout.first_over):
        columns = np.array([int(layout.column_of_name[name]), column])
        rows.append(Row(columns, np.array([1.0, -1.0]), -INF, float(problem.weight_max[name] - problem.target[name])))
    return rows


def _cash_row(problem: Problem, layout: Layout) -> Row:
    """Cash after trades and costs, less what is spare and plus what is lacking, lies in its band."""
    coefficients = np.zeros(layout.columns)
    spend = 1 + problem.cost_frac
    names = layout.names[layout.single]
    coefficients[: layout.first_s][layout.single] = -spend[names]
    coefficients[layout.first_s : layout.first_p] = 1 - problem.cost_frac[problem.name[layout.tranches]]
    coefficients[layout.first_p : layout.first_y] = -spend[layout.pairs]
    coefficients[layout.lack], coefficients[layout.spare] = 1.0, -1.0
    constant = problem.cash + float(spend[names] @ (problem.held - problem.target)[names])
    columns = np.flatnonzero(coefficients)
    return Row(columns, coefficients[columns], problem.cash_min - constant, problem.cash_max - constant)


def _budget_rows(problem: Problem, layout: Layout) -> list[Row]:
    """Net short gain, net long gain and net tax of the sales, each at most what its budget leaves; always three rows."""
    columns = np.arange(layout.first_s, layout.first_p)
    gain = problem.gain_frac[layout.tranches]
    weights = (problem.is_short[layout.tranches] * gain, problem.is_long[layout.tranches] * gain, problem.tax_frac[layout.tranches])
    rooms = (problem.short_room, problem.long_room, problem.tax_room)
    return [Row(columns[w != 0], w[w != 0], -INF, room) for w, room in zip(weights, rooms, strict=True)]


def plan_of(problem: Problem, layout: Layout, columns: Floats) -> Plan:
    """The trades; where a name is both sold and bought (without tax or cost nothing forbids it) only the net is kept."""
    sold, bought = np.zeros(len(problem.size)), np.zeros(len(problem.held))
    sold[layout.tranches] = columns[layout.first_s : layout.first_p]
    bought[layout.pairs] = columns[layout.first_p : layout.first_y]
    names = layout.names[layout.single]
    bought[names] = (columns[: layout.first_s][layout.single] - (problem.held - problem.target)[names]).clip(min=0.0)
    by_name = np.bincount(problem.name, sold, len(bought))
    both = np.minimum(by_name, bought)
    share = np.divide(both, by_name, out=np.zeros_like(both), where=by_name > 0)
    return Plan(sold * (1 - share[problem.name]), bought - both)
