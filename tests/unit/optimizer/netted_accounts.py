"""Small accounts with netted years, and their least cost by regions: the year's formula is linear in each, so PDLP does the rest.

The regions are those of the law, not the pieces that the product solves: signs of the two nets and of their sum, and the ordinary limit.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
from ortools.linear_solver import pywraplp

from services.optimizer.core.dual.model import Lots, Model, Rows, validated
from services.optimizer.core.dual.netted_model import NettedAccount
from services.optimizer.core.dual.tax_law import Budgets, Nets, TaxLaw, TaxPosition
from tests.unit.optimizer.dual_models import choices, limits, pdlp_objective, random_model

INF = float("inf")
VALUE = Decimal(1_000_000)
RATES = [(0.408, 0.238, 0.37), (0.408, 0.238, 0.408), (0.35, 0.15, 0.35), (0.3, 0.3, 0.3), (0.25, 0.15, 0.32)]
CARRIED = [(0.0, 0.0), (0.19, 0.19), (0.19, 0.1), (0.1, 0.2), (0.4, 0.238), (0.45, 0.45)]


def random_account(seed: int, names: int = 6) -> NettedAccount:
    """A small model without taxes, with gains of either character on its lots."""
    rng, model = np.random.default_rng([seed, 1]), random_model(seed, names=names)
    gain = rng.uniform(-0.6, 0.6, len(model.lots.size))
    short = rng.random(len(gain)) < 0.5
    spread = model.names.buy_price[model.lots.name]
    bare = validated(replace(model, lots=Lots(model.lots.name, model.lots.size, spread)))
    return NettedAccount(bare, gain * short, gain * ~short)


def random_position(seed: int, budgets: bool = False) -> TaxPosition:
    """A year of nets up to a twentieth of the account either way; with `budgets`, some of the three."""
    rng = np.random.default_rng([seed, 2])
    rates, carried = RATES[int(rng.integers(len(RATES)))], CARRIED[int(rng.integers(len(CARRIED)))]
    short, long, ordinary = (_dollars(each) for each in rates)
    carried_short, carried_long = (_dollars(each) for each in carried)
    law = TaxLaw(short, long, ordinary, Decimal(int(rng.choice([0, 3000, 20_000]))), carried_short, carried_long)
    year = Nets(_dollars(50_000 * rng.uniform(-1, 1)), _dollars(50_000 * rng.uniform(-1, 1)))
    tax, short_gain, long_gain = (_dollars(rng.uniform(0, 15_000)) if budgets and rng.random() < 0.6 else None for _ in range(3))
    budget_year = year if rng.random() < 0.5 else Nets()
    return TaxPosition(law, year, budget_year, Budgets(tax, short_gain, long_gain), VALUE)


def _dollars(amount: float) -> Decimal:
    return Decimal(str(round(amount, 3)))


@dataclass(frozen=True)
class Region:
    """Where the law is linear: `inside` are rows (a, b, c) with a S + b L >= c; a unit of each net costs `prices`, beside `constant`."""

    inside: tuple[tuple[float, float, float], ...]
    prices: tuple[float, float]
    constant: float
    ordinary: tuple[float, float]
    preferential: tuple[float, float]
    tax: tuple[float, float, float]


def regions(law: TaxLaw) -> list[Region]:
    """The seven regions of the law, in units of account value."""
    s, g, o, vs, vl = (
        float(each) for each in (law.short_frac, law.long_frac, law.ordinary_frac, law.carried_short_frac, law.carried_long_frac)
    )
    m = float(law.ordinary_limit / VALUE)
    none, net, deep = (0.0, 0.0), (1.0, 1.0), (0.0, 0.0, -o * m)
    return [
        Region(((1, 0, 0), (0, 1, 0)), (s, g), 0.0, (1.0, 0.0), (0.0, 1.0), (s, g, 0.0)),
        Region(((0, -1, 0), (1, 1, 0)), (s, s), 0.0, net, none, (s, s, 0.0)),
        Region(((-1, 0, 0), (1, 1, 0)), (g, g), 0.0, none, net, (g, g, 0.0)),
        Region(((-1, -1, 0), (1, 1, -m)), (o, o), 0.0, none, none, (o, o, 0.0)),
        Region(((-1, -1, m), (1, 0, -m), (0, -1, 0)), (vl, vl), vl * m - o * m, none, none, deep),
        Region(((-1, 0, m), (0, -1, 0)), (vs, vl), vs * m - o * m, none, none, deep),
        Region(((-1, -1, m), (0, 1, 0)), (vs, vs), vs * m - o * m, none, none, deep),
    ]


def least_by_regions(account: NettedAccount, position: TaxPosition, untaxed_cost: float) -> float:
    """The least objective over every choice of options and every pair of regions (of the cost, of the budgets); infinite where none is.

    `untaxed_cost` is what the year costs before the plan.
    """
    least = INF
    for chosen in choices(account.model):
        for cost in regions(position.law):
            for budget in regions(position.law) if position.year != position.budget_year else [cost]:
                model, constant = _in_regions(account, position, cost, budget)
                found = pdlp_objective(model, chosen, 1e-9) if _reachable(model, chosen) else None
                least = min(least, INF if found is None else found[0] + constant - untaxed_cost)
    return least


def _reachable(model: Model, chosen: list[int]) -> bool:
    """Whether any plan of these options keeps the rows, by the simplex method: PDLP takes long to find that none does."""
    low, high, most = limits(model, chosen)
    glop = pywraplp.Solver.CreateSolver("GLOP")
    trades = [glop.NumVar(lo, hi, "") for lo, hi in zip([*low, *np.zeros(len(most))], [*high, *most], strict=True)]
    for r, bound in enumerate(model.rows.bound):
        row = glop.Constraint(-glop.infinity(), float(bound))
        for trade, coefficient in zip(trades, [*model.rows.sell[:, r], *model.rows.buy[:, r]], strict=True):
            row.SetCoefficient(trade, float(coefficient))
    return bool(glop.Solve() == pywraplp.Solver.OPTIMAL)


def _in_regions(account: NettedAccount, position: TaxPosition, cost: Region, budget: Region) -> tuple[Model, float]:
    """The model with nets kept inside the regions and within the budgets, and the constant of its cost."""
    model, rows = account.model, account.model.rows
    net = [float(each / VALUE) for each in (position.year.short, position.year.long)]
    used = [float(each / VALUE) for each in (position.budget_year.short, position.budget_year.long)]
    sell: list[Any] = []
    bound: list[float] = []

    def keep(a: float, b: float, most: float, start: list[float]) -> None:
        sell.append(a * account.short_gain + b * account.long_gain)
        bound.append(most - a * start[0] - b * start[1])

    for region, start in ((cost, net), (budget, used)):
        for a, b, c in region.inside:
            keep(-a, -b, -c, start)
    limits, so_far = position.budgets, _so_far(position)
    parts = [(limits.tax, budget.tax), (limits.short_gain, (*budget.ordinary, 0.0)), (limits.long_gain, (*budget.preferential, 0.0))]
    for (limit, (a, b, constant)), done in zip(parts, so_far, strict=True):
        if limit is not None:
            keep(a, b, max(float(limit / VALUE), done) - constant, used)
    added = len(bound)
    price = model.lots.sell_price + cost.prices[0] * account.short_gain + cost.prices[1] * account.long_gain
    widened = Rows(
        np.column_stack([rows.sell, *sell]),
        np.hstack([rows.buy, np.zeros((len(rows.buy), added))]),
        np.append(rows.bound, bound),
        np.append(rows.floor, np.zeros(added)),
        np.append(rows.ceiling, np.full(added, INF)),
    )
    constant = cost.constant + cost.prices[0] * net[0] + cost.prices[1] * net[1]
    return validated(replace(model, lots=Lots(model.lots.name, model.lots.size, price), rows=widened)), constant


def _so_far(position: TaxPosition) -> tuple[float, float, float]:
    """Tax, short gain and long gain of the budgets' year before the plan; the tax exact or rounded, whichever is more."""
    short, long, law = float(position.budget_year.short), float(position.budget_year.long), position.law
    gain, loss = max(short + long, 0.0), max(-short - long, 0.0)
    ordinary = min(max(short, 0.0), gain)
    tax = float(law.short_frac) * ordinary + float(law.long_frac) * (gain - ordinary)
    tax -= float(law.ordinary_frac) * min(loss, float(law.ordinary_limit))
    return max(tax, round(tax, 2)) / float(VALUE), ordinary / float(VALUE), (gain - ordinary) / float(VALUE)


def every_region(account: NettedAccount, position: TaxPosition) -> list[tuple[Model, float]]:
    """The account's model in each pair of regions, with the constant of its cost."""
    pairs = ((cost, budget) for cost in regions(position.law) for budget in regions(position.law))
    same = position.year == position.budget_year
    return [_in_regions(account, position, cost, budget) for cost, budget in pairs if not same or cost == budget]
