"""The account's problem as the dual method's model: options of each name, and every rule that couples names as a row.

Hard rows: budgets, turnover, numbers of trades and of names, bounds on sectors, industries and factors, the tracking-error cap.  Elastic
rows, at the price that exceeds whatever breaking them could gain: the cash band and maximum weights of what is held above them.  What must
be sold is forced; where a hard rule could forbid that, or the side that its group takes, it is rewarded instead with twice that price, and
the reward is taken out of the objective and its bound again (`reward`).

Invariants
1. A plan of the model is a plan of the problem at the same objective, `reward` and elastic breaches aside.
2. The rows are the same for every branch and every list of names held, so that multipliers of one start another.
"""

from dataclasses import dataclass

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.branch import Multipliers, Plan
from services.optimizer.core.dual.model import Lots, Model, Names, Rows, Trades, WeightRows, validated
from services.optimizer.core.dual.tax_pieces import Limits
from services.optimizer.core.dual_options import Ask, Kind, OptionTable, option_table
from services.optimizer.core.plan_rules import NO_RULES, PlanRules
from services.optimizer.core.problem import NO_LIMIT, Problem

INF = float("inf")
CASH_LEAST, CASH_MOST = "cash_min_usd", "cash_max_usd"
TAX, SHORT, LONG = "tax_budget_usd", "short_gain_budget_usd", "long_gain_budget_usd"

TURNOVER, TRADES, NAMES, TRACKING_ERROR = "turnover_frac", "trades", "names", "tracking_error_frac"


@dataclass(frozen=True, slots=True)
class DualProgramme:
    """The model, the problem's number of each of its lots, and what must-sell rewards would add up to if all were sold.

    `weight_names`, `row_names`: what each of the model's weight rows and rows is about, in the order of their multipliers.
    """

    model: Model
    tranches: Ints
    reward: float
    weight_names: tuple[str, ...]
    row_names: tuple[str, ...]

    def plan(self, problem: Problem, trades: Trades) -> Plan:
        """The model's trades as the problem's."""
        sold = np.zeros(len(problem.size))
        sold[self.tranches] = trades.sold
        return Plan(sold, trades.bought.copy())


def dual_programme(problem: Problem, hold: Bools, penalty: float, least: Floats, harvest: Bools | None = None) -> DualProgramme:
    """The model without the names in `hold` [names]; on the sides of `harvest` [groups], or with sides free.  `penalty` is the
    price of a unit of soft breach, `least` [names] the smallest trade, in weight."""
    tranches = np.flatnonzero(problem.may_sell & ~hold[problem.name])
    must, name, cost = problem.must_sell[tranches], problem.name[tranches], problem.cost_frac
    rewarded = hard_rules(problem) | (np.bincount(problem.group)[problem.group] > 1)[name]
    reward = np.where(must & rewarded, 2 * penalty, 0.0)
    buy_max = _most_bought(problem, hold)
    rules = problem.rules
    ranged = bool(least.any()) or rules.trades is not None or rules.names is not None or rules.min_holding > 0
    table = option_table(problem, Ask(tranches, must & ~rewarded, buy_max, least, harvest, ranged))
    rows = _rows(problem, tranches, table, penalty)
    model = Model(
        risk=2 * problem.risk_aversion,
        names=Names(
            held=problem.held,
            target=problem.target,
            exposures=problem.exposures,
            specific_var=problem.specific_var,
            buy_price=cost,
            buy_max=buy_max,
            impact=np.zeros(len(cost)) if problem.impact is None else 2 * problem.impact,
        ),
        lots=Lots(name, problem.size[tranches], _sale_price(problem)[tranches] + cost[name] - reward),
        options=table.options,
        rows=_stacked(rows, len(tranches), len(table.kind)),
        weights=_weight_rows(rules),
        te_cap=rules.tracking_error,
    )
    weight_names, row_names = tuple(row.name for row in rules.weights), tuple(row.name for row in rows)
    return DualProgramme(validated(model), tranches, float(reward @ problem.size[tranches]), weight_names, row_names)


def hard_rules(problem: Problem) -> bool:
    """Whether a rule could keep what must be sold from being sold."""
    netted = problem.standing is not None and problem.standing.limits != Limits()
    return netted or min(problem.tax_room, problem.short_room, problem.long_room) < NO_LIMIT or problem.rules != NO_RULES


def _sale_price(problem: Problem) -> Floats:
    """[tranches] What the model counts on a dollar sold beside its cost; the tax of a netted year comes on top (netted_programme.py)."""
    return problem.sale_frac if problem.standing is None else problem.policy_frac


def _weight_rows(rules: PlanRules) -> WeightRows:
    if not rules.weights:
        return WeightRows()
    count = len(rules.weights)
    coefficient, bound = np.column_stack([row.coefficient for row in rules.weights]), np.array([row.bound for row in rules.weights])
    return WeightRows(coefficient, bound, np.zeros(count), np.full(count, INF))


def _most_bought(problem: Problem, hold: Bools) -> Floats:
    """[names] Weight that may be bought: up to the maximum weight, and never beyond what cash and all sales could pay for."""
    pays = max(1.0, problem.cash) + float(problem.held.sum())
    room = np.minimum(problem.weight_max - problem.held, pays).clip(min=0.0)
    most: Floats = np.where(problem.may_buy & ~hold, room, 0.0)
    return most


@dataclass(frozen=True, slots=True)
class _Row:
    """One rule: coefficients of lots and of buys, what they may add up to, and the price of breaking it (infinite: never)."""

    name: str
    sell: Floats
    buy: Floats
    bound: float
    price: float
    uses: Floats | None = None


def _rows(problem: Problem, tranches: Ints, table: OptionTable, penalty: float) -> list[_Row]:
    """The cash band, the three budgets, turnover and counts, then maximum weights by the name's number; rules without a limit are left
    out."""
    name, cost, gain = problem.name[tranches], problem.cost_frac, problem.gain_frac[tranches]
    spends, pays = 1 + cost, 1 - cost[name]
    nothing = np.zeros(len(cost))
    rows = [
        _Row(CASH_LEAST, -pays, spends, problem.cash - problem.cash_min, penalty),
        _Row(CASH_MOST, pays, -spends, problem.cash_max - problem.cash, penalty),
        _Row(SHORT, problem.is_short[tranches] * gain, nothing, problem.short_room, INF),
        _Row(LONG, problem.is_long[tranches] * gain, nothing, problem.long_room, INF),
        _Row(TAX, problem.tax_frac[tranches], nothing, problem.tax_room, INF),
        _Row(TURNOVER, np.ones(len(tranches)), nothing + 1.0, problem.rules.turnover, INF),
        *_counts(problem, table, np.zeros(len(tranches)), nothing),
    ]
    for i in np.flatnonzero(problem.held > problem.weight_max).tolist():
        own = (name == i).astype(np.float64)
        rows.append(_Row(f"weight_most:{i}", -own, nothing, float(problem.weight_max[i] - problem.held[i]), penalty))
    return [row for row in rows if row.bound < NO_LIMIT]


def _counts(problem: Problem, table: OptionTable, no_lots: Floats, no_buys: Floats) -> list[_Row]:
    """The numbers of names traded, and of names held afterwards."""
    rules, name, found = problem.rules, table.options.name, []
    if rules.trades is not None:
        trading = (table.kind != Kind.HOLD).astype(np.float64)
        found.append(_Row(TRADES, no_lots, no_buys, float(rules.trades), INF, trading))
    if rules.names is not None:
        stays = (table.kind != Kind.SELL_ALL) & ((problem.held[name] > 0) | (table.kind == Kind.BUY)) & ~table.empties
        found.append(_Row(NAMES, no_lots, no_buys, float(rules.names), INF, stays.astype(np.float64)))
    return found


def _stacked(rows: list[_Row], lots: int, options: int) -> Rows:
    return Rows(
        sell=np.column_stack([row.sell for row in rows]).reshape(lots, len(rows)),
        buy=np.column_stack([row.buy for row in rows]),
        bound=np.array([row.bound for row in rows]),
        floor=np.zeros(len(rows)),
        ceiling=np.array([row.price for row in rows]),
        uses=np.column_stack([np.zeros(options) if row.uses is None else row.uses for row in rows]),
    )


def multipliers_of(programme: DualProgramme, multipliers: Floats) -> Multipliers:
    """The rows' multipliers as shadow prices, out of all of the model's."""
    first = programme.model.factors + len(programme.weight_names)
    z = multipliers[first : first + len(programme.row_names)]
    price = dict(zip(programme.row_names, z.tolist(), strict=True))
    weights = zip(programme.weight_names, multipliers[programme.model.factors : first].tolist(), strict=True)
    rules = [*weights, *((each, price[each]) for each in (TURNOVER, TRADES, NAMES) if each in price)]
    if programme.model.capped:
        rules.append((TRACKING_ERROR, float(multipliers[-1])))
    cash = price.get(CASH_LEAST, 0.0) - price.get(CASH_MOST, 0.0)
    return Multipliers(cash, price.get(TAX, 0.0), price.get(SHORT, 0.0), price.get(LONG, 0.0), tuple(rules))
