"""All years of a plan as one convex problem, a relaxation of what any plan over years can do.

    minimise   sum_t d^(t-1) [tax_t + G_t cost (sold_t + bought_t)] + lam sum_t r_t TE_t²  -  what the losses left at the end are worth
    w_t = w_(t-1) - sales + purchases, in today's units (prices G_t = (1+g)^(t-1) move every weight alike); sum_t s_lt <= q_l
    a gain is paid for, p, or met by losses, x (of character, against character); a loss is used, deducted (o) or carried (c):
        pS + xSS + xLS = short gains     cS' + xSS + xSL + oS = cS + short losses     oS + oL <= the ordinary limit
        pL + xLL + xSL = long gains      cL' + xLL + xLS + oL = cL + long losses      tax = tS pS + tL pL - tO (oS + oL)

The netting function is one way to share losses out (the one with p c' = 0, xLS pL = 0 and xSL pS = 0), so its tax is never below the
best one here; a name may sell and buy in a year as
far as the hull of "one of both" lets it.  So no plan over years costs less than this problem's least.  r_t: risk of the years that t
stands for, the last year's to the horizon.  (transition-method.md, section 3.)

Units: basis points of today's account value for weights, taxes and the objective; factors' exposures as given, so y is in bp too.

Invariants
1. A plan year by year that keeps the rules of years.py is a point of the problem, at the value of `plan_value` (value.py).
2. Every variable has finite bounds.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp  # type: ignore[import-untyped]  # has no stubs

from libs.common.money import float_from_decimal
from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.dual.tax_law import year_tax
from services.optimizer.core.problem import Problem
from services.optimizer.core.terms import is_long
from services.optimizer.core.transition.book import day_of_year
from services.optimizer.core.transition.case import TransitionCase
from services.optimizer.core.transition.one_period import allowed
from services.optimizer.core.transition.quadratic import Quadratic, RowList
from services.optimizer.core.transition.value import risk_weights
from services.optimizer.core.transition.years import Rules

BPS = 1e4
SHARE = 1.0  # bp: what a sale in whole shares may be beyond a cap by
TAX_COLUMNS = 10
SS, LS, LL, SL, OS, OL, PS, PL, CS, CL = range(TAX_COLUMNS)  # x, x, x, x, o, o, p, p, and c at the year's end
SHORT, LONG = (SS, LS, PS), (LL, SL, PL)  # what becomes of gains
SHORT_USED, LONG_USED = (CS, SS, SL, OS), (CL, LL, LS, OL)  # and of losses


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a plan's weights [years, names] and cash [years] stay within, and the most bought of a name in a year [names]: bounds of the
    problem that contain the plan in whole shares."""

    most_weight: Floats
    most_bought: Floats
    least_cash: Floats
    most_cash: Floats


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a year's variables stand: lots that may be sold, names that may be bought, weights, factors, cash, tax."""

    lots: Ints
    buys: Ints
    names: int
    factors: int

    @property
    def width(self) -> int:
        return len(self.lots) + len(self.buys) + self.names + self.factors + 1 + TAX_COLUMNS

    def block(self, year: int, part: str) -> Ints:
        """Column numbers of a part of a year (from 0)."""
        sizes = {
            "sold": len(self.lots),
            "bought": len(self.buys),
            "held": self.names,
            "factors": self.factors,
            "cash": 1,
            "tax": TAX_COLUMNS,
        }
        first = year * self.width
        for name, size in sizes.items():
            if name == part:
                return np.arange(first, first + size, dtype=np.intp)
            first += size
        raise KeyError(part)


@dataclass(frozen=True, slots=True)
class Joint:
    """The problem and what it was made of."""

    quadratic: Quadratic
    columns: Columns
    years: int


@dataclass(frozen=True, slots=True)
class Made:
    """What the problem is made of."""

    case: TransitionCase
    columns: Columns
    first: Problem
    envelope: Envelope


def joint_model(case: TransitionCase, rules: Rules, first: Problem, envelope: Envelope) -> Joint:
    """The problem of `rules`; `first` is the first year's (its lots are the case's), `envelope` contains the plan it is to judge."""
    may = allowed(case)
    sellable = np.flatnonzero(may.may_sell[first.name])  # a loss barred by a wash sale now may go later
    columns = Columns(sellable, np.flatnonzero(may.may_buy), len(first.held), first.exposures.shape[1])
    made = Made(case, columns, first, envelope)
    equal, atmost = RowList(columns.width * rules.years), RowList(columns.width * rules.years)
    low, high = np.zeros(equal.width), np.zeros(equal.width)
    p, c, constant = np.zeros(equal.width), np.zeros(equal.width), 0.0
    for t in range(rules.years):
        gain, long = _gains(case, first, columns, t)
        _holdings_rows(columns, first, t, equal)
        _tax_rows(case, columns, t, gain, long, (equal, atmost))
        _budget_rows(case, rules, columns, first, t, atmost)
        _hull_rows(made, t, gain, atmost)
        constant += _objective(case, columns, first, rules.years, t, p, c)
        _boxes(made, rules, t, low, high)
    lots = np.arange(len(columns.lots), dtype=np.intp)
    atmost.add(first.size[columns.lots] * BPS, *((lots, columns.block(t, "sold"), np.ones(len(lots))) for t in range(rules.years)))
    (a, b), (g, h) = equal.matrix(), atmost.matrix()
    return Joint(Quadratic(sp.diags(p, format="csc"), c, constant, a, b, g, h, low, high), columns, rules.years)


def growth(case: TransitionCase, year: int) -> float:
    """G of a year, from 0."""
    return (1.0 + case.outlook.growth_frac) ** year


def _gains(case: TransitionCase, first: Problem, columns: Columns, t: int) -> tuple[Floats, Bools]:
    """[columns' lots] Gain on a unit of today's weight sold in year t, and whether it is long term then."""
    day = day_of_year(case, t + 1)
    long = np.array([is_long(case.lots.acquired[lot], day) for lot in columns.lots.tolist()], dtype=np.bool_)
    return growth(case, t) - 1.0 + first.gain_frac[columns.lots], long


def _holdings_rows(columns: Columns, first: Problem, t: int, equal: RowList) -> None:
    """Weights, factors and cash move by trades alone."""
    names, held, sold, bought = np.arange(columns.names), columns.block(t, "held"), columns.block(t, "sold"), columns.block(t, "bought")
    cash, name = columns.block(t, "cash"), first.name[columns.lots]
    chain = [(names, held, np.ones(columns.names)), (name, sold, np.ones(len(sold))), (columns.buys, bought, -np.ones(len(bought)))]
    pays, spends = 1 - first.cost_frac[name], 1 + first.cost_frac[columns.buys]
    nought = np.zeros(1, dtype=np.intp)
    purse = [(nought, cash, np.ones(1)), (np.zeros_like(sold), sold, -pays), (np.zeros_like(bought), bought, spends)]
    if t == 0:
        equal.add(first.held * BPS, *chain)
        equal.add(np.array([first.cash * BPS]), *purse)
    else:
        equal.add(np.zeros(columns.names), *chain, (names, columns.block(t - 1, "held"), -np.ones(columns.names)))
        equal.add(np.zeros(1), *purse, (nought, columns.block(t - 1, "cash"), -np.ones(1)))
    name_at, factor = np.nonzero(first.exposures)
    y = columns.block(t, "factors")
    equal.add(
        first.exposures.T @ first.target * BPS,
        (factor, held[name_at], first.exposures[name_at, factor]),
        (np.arange(columns.factors), y, -np.ones(columns.factors)),
    )


def _tax_rows(case: TransitionCase, columns: Columns, t: int, gain: Floats, long: Bools, rows: tuple[RowList, RowList]) -> None:
    """Gains are paid for or met; losses are used, deducted up to the limit, or carried."""
    sold, tax, value = columns.block(t, "sold"), columns.block(t, "tax"), float_from_decimal(case.value_usd)
    begun = [float_from_decimal(each) / value * BPS if t == 0 else 0.0 for each in (case.tax.year.short, case.tax.year.long)]
    for kind, gains, losses, carry, so_far in ((~long, SHORT, SHORT_USED, CS, begun[0]), (long, LONG, LONG_USED, CL, begun[1])):
        up, down = np.flatnonzero(kind & (gain > 0)), np.flatnonzero(kind & (gain < 0))
        met = (np.zeros(len(gains), dtype=np.intp), tax[list(gains)], np.ones(len(gains)))
        rows[0].add(np.array([max(so_far, 0.0)]), met, (0 * up, sold[up], -gain[up]))
        used = [(np.zeros(len(losses), dtype=np.intp), tax[list(losses)], np.ones(len(losses))), (0 * down, sold[down], gain[down])]
        if t > 0:
            used.append((np.zeros(1, dtype=np.intp), columns.block(t - 1, "tax")[[carry]], -np.ones(1)))
        rows[0].add(np.array([max(-so_far, 0.0)]), *used)
    limit = float_from_decimal(case.tax.law.ordinary_limit) / value * BPS
    rows[1].add(np.array([limit]), (np.zeros(2, dtype=np.intp), tax[[OS, OL]], np.ones(2)))


def _budget_rows(case: TransitionCase, rules: Rules, columns: Columns, first: Problem, t: int, atmost: RowList) -> None:
    """The year's tax within its budget, staged names within their yearly cap; the gains' budgets are bounds on pS and pL."""
    for staged in rules.staged:
        own = columns.block(t, "sold")[first.name[columns.lots] == staged.name]
        if staged.yearly_frac is not None:
            atmost.add(np.array([staged.yearly_frac * BPS + SHARE]), (0 * own, own, np.ones(len(own))))
    budget = rules.budget(t + 1).tax
    if budget is None:
        return
    law, tax = case.tax.law, columns.block(t, "tax")
    rates = np.array([float_from_decimal(each) for each in (law.short_frac, law.long_frac, -law.ordinary_frac, -law.ordinary_frac)])
    bound = in_force(case, t, float_from_decimal(budget) / float_from_decimal(case.value_usd) * BPS, "tax")
    atmost.add(np.array([bound]), (np.zeros(4, dtype=np.intp), tax[[PS, PL, OS, OL]], rates))


def in_force(case: TransitionCase, t: int, budget: float, kind: str) -> float:
    """A budget in bp, at least at what the first year has come to already."""
    if t > 0:
        return budget
    so_far = year_tax(case.tax.law, case.tax.year)
    used = {"tax": so_far.tax, "short": so_far.ordinary_gain, "long": so_far.preferential_gain}[kind]
    return max(budget, float_from_decimal(used) / float_from_decimal(case.value_usd) * BPS)


def _hull_rows(made: Made, t: int, gain: Floats, atmost: RowList) -> None:
    """Where a lot of a name has a loss: a part of its losses sold and a part of the most bought are together at most the whole, and so
    are the latter and a part of the most held (purchases end there).  In the first year losses need lots bought lately to leave whole.
    """
    columns, first, envelope = made.columns, made.first, made.envelope
    name, most = first.name[columns.lots], envelope.most_weight.max(axis=0)
    losing = np.flatnonzero(gain < 0)
    losses: Floats = np.bincount(name[losing], first.size[columns.lots[losing]], columns.names).astype(np.float64)
    names = np.intersect1d(np.flatnonzero((losses > 0) & (envelope.most_bought > 0)), columns.buys)
    place = np.full(columns.names, -1)
    place[names] = np.arange(len(names))
    sold, bought = losing[place[name[losing]] >= 0], np.flatnonzero(place[columns.buys] >= 0)
    u = (place[columns.buys[bought]], columns.block(t, "bought")[bought], 1 / envelope.most_bought[columns.buys[bought]])
    s = (place[name[sold]], columns.block(t, "sold")[sold], 1 / losses[name[sold]])
    atmost.add(np.full(len(names), BPS), s, u)
    if t > 0:
        atmost.add(np.full(len(names), BPS), u, (place[names], columns.block(t - 1, "held")[names], 1 / most[names]))
    out = np.flatnonzero(first.way_out[columns.lots] & (losses[name] > 0)) if t == 0 else np.zeros(0, dtype=np.intp)
    for lot in out.tolist():
        own, nought = losing[(name[losing] == name[lot]) & (losing != lot)], np.zeros(1, dtype=np.intp)
        left = (nought, columns.block(t, "sold")[[lot]], np.array([-1 / first.size[columns.lots[lot]]]))
        atmost.add(np.zeros(1), (0 * own, columns.block(t, "sold")[own], np.full(len(own), 1 / losses[name[lot]])), left)


def _objective(case: TransitionCase, columns: Columns, first: Problem, years: int, t: int, p: Floats, c: Floats) -> float:
    """Fill in the year's part of the objective; the constant that it lacks."""
    outlook, law = case.outlook, case.tax.law
    discount, grown = (1.0 + outlook.discount_frac) ** -t, growth(case, t)
    risk = 2 * outlook.risk_aversion * float(risk_weights(case, years)[t]) / BPS  # bp of bp²
    held, wanted = columns.block(t, "held"), first.target * BPS
    p[held], c[held] = risk * first.specific_var, -risk * first.specific_var * wanted
    p[columns.block(t, "factors")] = risk
    c[columns.block(t, "sold")] = discount * grown * first.cost_frac[first.name[columns.lots]]
    c[columns.block(t, "bought")] = discount * grown * first.cost_frac[columns.buys]
    tax = columns.block(t, "tax")
    ordinary = float_from_decimal(law.ordinary_frac)
    c[tax[[PS, PL]]] = discount * np.array([float_from_decimal(law.short_frac), float_from_decimal(law.long_frac)])
    c[tax[[OS, OL]]] = -discount * ordinary
    if t == years - 1:
        c[tax[[CS, CL]]] = -discount * np.array([float_from_decimal(law.carried_short_frac), float_from_decimal(law.carried_long_frac)])
    return 0.5 * risk * float(wanted @ (first.specific_var * wanted))


def _boxes(made: Made, rules: Rules, t: int, low: Floats, high: Floats) -> None:
    """Bounds of the year's variables; those that only have to be finite are far out, those that are no choice have no room."""
    case, columns, first, envelope = made.case, made.columns, made.first, made.envelope
    gain, long = _gains(case, first, columns, t)
    sold = columns.block(t, "sold")
    barred = (t == 0) & ~first.may_sell[columns.lots]
    high[sold] = np.where(barred, 0.0, first.size[columns.lots] * BPS)
    room = 1.0 - first.held / envelope.most_weight.max(axis=0).clip(min=1e-12) if t == 0 else np.ones(columns.names)
    high[columns.block(t, "bought")] = (envelope.most_bought * room.clip(min=0.0))[columns.buys] * BPS
    high[columns.block(t, "held")] = envelope.most_weight[t] * BPS
    cash, y, tax = columns.block(t, "cash"), columns.block(t, "factors"), columns.block(t, "tax")
    low[cash], high[cash] = envelope.least_cash[t] * BPS, envelope.most_cash[t] * BPS
    reach = 2 * BPS * np.abs(first.exposures).max(axis=0, initial=0.0)
    low[y], high[y] = -reach, reach
    value = float_from_decimal(case.value_usd)
    taxed, lost = gain.clip(min=0.0) * high[sold], (-first.gain_frac).clip(min=0.0) * first.size * BPS
    for of_kind, begun, used in ((~long, case.tax.year.short, SHORT), (long, case.tax.year.long, LONG)):
        so_far = max(float_from_decimal(begun), 0.0) / value * BPS if t == 0 else 0.0
        high[tax[list(used)]] = float(taxed[of_kind].sum()) + so_far
    carried = sum(max(-float_from_decimal(each), 0.0) for each in (case.tax.year.short, case.tax.year.long)) / value * BPS
    high[tax[[CS, CL]]] = float(lost.sum()) + carried
    high[tax[[OS, OL]]] = min(float_from_decimal(case.tax.law.ordinary_limit) / value * BPS, float(lost.sum()) + carried)
    for kind, column, budget in (("short", PS, rules.budget(t + 1).short_gain), ("long", PL, rules.budget(t + 1).long_gain)):
        if budget is not None:
            high[tax[column]] = in_force(case, t, float_from_decimal(budget) / value * BPS, kind)
