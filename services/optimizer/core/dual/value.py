"""The separable dual and its derivatives at given multipliers; each option's inner minimum in closed form (dual/inner.py).

    g(nu, e, z, x) = sum over groups of min over sides of sum over names of min over options of m_o  -  |nu|^2 / (2 (risk + x))
                     - e'(weight bound - A'target)  -  bound'z  -  x te_cap^2 / 2

m_o is the least of 1/2 (risk + x) D_i v^2 + (B_i nu + A_i e) v + prices over the option's trades, prices including z times the rows'
coefficients.  g is a lower bound of the *non-convex* problem at every (nu, e, z, x) in its box.  With a temperature T > 0 minima over
options and sides are soft minima -T log sum exp(-m/T), which lie below and are smooth.

Invariants
1. Weak duality: `value` at any multipliers in their boxes is at most the objective of any plan that keeps the rules.
2. `gradient` is the derivative of `value` where that exists.
3. `curvature` is positive semidefinite: minus the second derivative where that exists.
"""

from dataclasses import dataclass

import numpy as np

from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.dual.compiled import compiled
from services.optimizer.core.dual.curvature import assemble
from services.optimizer.core.dual.inner import option_minima
from services.optimizer.core.dual.model import Trades
from services.optimizer.core.dual.tables import Prepared, Scratch, Tables, prepare

__all__ = ["DualPoint", "curvature", "dual_gradient", "dual_value", "evaluate", "least_costs", "prepare", "trades_of"]
NEGLIGIBLE = -40.0  # exponents below it make a share that no sum of shares feels


@compiled
def dual_value(t: Tables, w: Scratch, at: Floats, temperature: float, allowed: Bools, tie: float) -> float:
    """g at the multipliers `at` with only the `allowed` options; the scratch then holds every option's minimiser and share."""
    wide, rows = t.exposures.shape[1], t.rows.shape[1]
    x = at[wide + rows] if t.capped else 0.0
    _pull(t.exposures, at, w.pull)
    option_minima(t, w, at[wide:], x, allowed, tie)
    _block_minima(t, w, temperature)
    total = _group_minima(t, w, temperature)
    squares = 0.0
    for f in range(t.factors):
        squares += at[f] * at[f]
    total -= squares / (2.0 * (t.risk + x)) + x * t.half_cap_sq
    for r in range(len(t.bound)):
        total -= at[t.factors + r] * t.bound[r]
    return total


@compiled
def _pull(exposures: Floats, at: Floats, pull: Floats) -> None:
    """Prices of names' active weights: exposures times multipliers, four names abreast."""
    names, wide = exposures.shape
    for i in range(0, names - 3, 4):
        p0, p1, p2, p3 = 0.0, 0.0, 0.0, 0.0
        for f in range(wide):
            p0 += exposures[i, f] * at[f]
            p1 += exposures[i + 1, f] * at[f]
            p2 += exposures[i + 2, f] * at[f]
            p3 += exposures[i + 3, f] * at[f]
        pull[i], pull[i + 1], pull[i + 2], pull[i + 3] = p0, p1, p2, p3
    for i in range(names - names % 4, names):
        pull[i] = 0.0
        for f in range(wide):
            pull[i] += exposures[i, f] * at[f]


@compiled
def _block_minima(t: Tables, w: Scratch, temperature: float) -> None:
    """By block the (soft) minimum over its options, and each one's share of it; the first where they tie."""
    for block in range(len(w.block_cost)):
        first, end = t.block_first[block], t.block_first[block + 1]
        best, least = first, np.inf
        for o in range(first, end):
            w.share[o] = 0.0
            if w.cost[o] < least:
                least, best = w.cost[o], o
        w.block_cost[block] = least
        if temperature <= 0 or not least < np.inf or end == first + 1:
            w.share[best] = 1.0
            continue
        total = 0.0
        for o in range(first, end):
            behind = (least - w.cost[o]) / temperature
            if behind > NEGLIGIBLE:
                w.share[o] = np.exp(behind)
                total += w.share[o]
        w.block_cost[block] = least - temperature * np.log(total)
        for o in range(first, end):
            w.share[o] /= total


@compiled
def _group_minima(t: Tables, w: Scratch, temperature: float) -> float:
    """The sum of the groups' (soft) minima over their sides; options' shares become those within their group."""
    whole = 0.0
    for group in range(len(t.group_first) - 1):
        first, end = t.group_first[group], t.group_first[group + 1]
        best, least = first, np.inf
        for side in range(first, end):
            w.side_cost[side] = 0.0
            for block in range(t.side_first[side], t.side_first[side + 1]):
                w.side_cost[side] += w.block_cost[block]
            if w.side_cost[side] < least:
                best, least = side, w.side_cost[side]
        whole += least
        if end == first + 1:
            continue
        weight = 1.0
        if temperature > 0:
            weight = np.exp((least - w.side_cost[first:end]) / temperature).sum()
            whole -= temperature * np.log(weight)
        for side in range(first, end):
            share = 1.0 if side == best else 0.0
            if temperature > 0:
                share = np.exp((least - w.side_cost[side]) / temperature) / weight
            for o in range(t.block_first[t.side_first[side]], t.block_first[t.side_first[side + 1]]):
                w.share[o] *= share
    return whole


@compiled
def dual_gradient(t: Tables, w: Scratch, at: Floats) -> None:
    """The derivative of g at the point that the scratch holds."""
    wide, rows = t.exposures.shape[1], t.rows.shape[1]
    risk = t.risk + (at[wide + rows] if t.capped else 0.0)
    w.gradient[:] = 0.0
    w.mean[:] = 0.0
    for o in range(len(t.name)):
        share = w.share[o]
        if share > 0:
            w.mean[t.name[o]] += share * w.active[o]
            for r in range(rows + t.capped):
                w.gradient[wide + r] += share * w.activity[o, r]
    for i in range(len(w.mean)):
        for f in range(wide):
            w.gradient[f] += w.mean[i] * t.exposures[i, f]
    squares = 0.0
    for f in range(t.factors):
        squares += at[f] * at[f]
        w.gradient[f] -= at[f] / risk
    for r in range(len(t.bound)):
        w.gradient[t.factors + r] -= t.bound[r]
    if t.capped:
        w.gradient[wide + rows] += squares / (2.0 * risk * risk) - t.half_cap_sq


@dataclass(frozen=True, slots=True)
class DualPoint:
    """g and its derivative; by option the weight in the (soft) minimum and the least cost."""

    value: float
    gradient: Floats
    share: Floats
    cost: Floats


def evaluate(ready: Prepared, multipliers: Floats, temperature: float, allowed: Bools, tie: float = 0.0) -> DualPoint:
    """g with only the `allowed` options at `multipliers`; the plain minimum where `temperature` is 0; `tie` softens lots."""
    t, w = ready.tables, ready.scratch
    value = dual_value(t, w, multipliers, temperature, allowed, tie)
    dual_gradient(t, w, multipliers)
    return DualPoint(value, w.gradient.copy(), w.share.copy(), w.cost.copy())


def least_costs(ready: Prepared, multipliers: Floats, allowed: Bools) -> tuple[float, Floats]:
    """g with only the `allowed` options, and what each costs at least; infinite where it isn't allowed."""
    value = dual_value(ready.tables, ready.scratch, multipliers, 0.0, allowed, 0.0)
    return value, ready.scratch.cost.copy()


def curvature(ready: Prepared, multipliers: Floats, temperature: float, allowed: Bools, tie: float = 0.0) -> Floats:
    """Minus the second derivative of g at the multipliers."""
    t, w = ready.tables, ready.scratch
    dual_value(t, w, multipliers, temperature, allowed, tie)
    dual_gradient(t, w, multipliers)
    assemble(t, w, multipliers, temperature, tie, True)
    lower = np.tril(w.matrix)
    whole: Floats = lower + np.tril(lower, -1).T
    return whole


def trades_of(ready: Prepared, chosen: Ints) -> Trades:
    """The plan that the chosen options make at the point last evaluated; forced lots included."""
    model, t, w = ready.model, ready.tables, ready.scratch
    inside = np.zeros(len(t.name), dtype=np.bool_)
    inside[chosen] = True
    option = np.repeat(np.arange(len(t.name)), np.diff(t.slot_first))
    sold = np.bincount(ready.slot_lot, w.sold * inside[option], len(model.lots.size)).astype(np.float64, copy=False)
    options = model.options
    forced = options.slot_lot[options.slot_forced & inside[options.slot_option]]
    sold[forced] = model.lots.size[forced]
    bought = np.zeros(len(model.names.held))
    bought[t.name[chosen]] = w.bought[chosen]
    return Trades(sold, bought, chosen)
