"""Builds the quadratic programme of a case: which lots are alike, what may be bought and sold, and every number as a fraction.

Invariants
1. The case is not changed, and the problem's arrays can't be.
2. A lot that market, screen, a window or an unknown basis keeps from being sold has `may_sell` false.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from libs.common.money import float_from_decimal
from services.optimizer.core.arrays import Bools, Floats, Ints, frozen
from services.optimizer.core.decimals import power, units_of_decimals
from services.optimizer.core.dual.standing import standing
from services.optimizer.core.harvest import policy_prices
from services.optimizer.core.impact import with_impact
from services.optimizer.core.inputs import Case
from services.optimizer.core.limits import budget_room, cash_band
from services.optimizer.core.lot_kernels import alike, ratios
from services.optimizer.core.lots import HeldLot, Lots
from services.optimizer.core.plan_rules import plan_rules
from services.optimizer.core.policy import DEFAULT_POLICY, Policy
from services.optimizer.core.problem import NO_LIMIT, Problem
from services.optimizer.core.tax_position import tax_position
from services.optimizer.core.waiting import waiting_prices
from services.optimizer.core.windows import in_groups

NO_START: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Allowed:
    """By security of the snapshot: what market, screen and windows let an account do, and bounds on the name's weight.

    `locked`: a window keeps its losses, and no lot leads out of it.  `way_out` [lots] is the lot whose sale lifts the name's window; it
    does not help the group's other names, whose orders could fill before it.
    """

    may_buy: Bools
    may_sell: Bools
    must_sell: Bools
    locked: Bools
    weight_min: Floats
    weight_max: Floats
    way_out: Bools


@dataclass(frozen=True, slots=True)
class _Tranches:
    """Lots by what they are to the programme: of each tranche its first lot and its lots' numbers; of each lot its tranche."""

    first: Ints
    lots: tuple[tuple[int, ...], ...]
    of_lot: Ints


def build_problem(case: Case, policy: Policy = DEFAULT_POLICY, start: Mapping[str, float] = NO_START) -> Problem:
    """Turn a case into arrays; the crossing of its money, shares and prices into float64.  `start` as Problem says."""
    snapshot, lots, row = case.snapshot, case.lots, _rows(case)
    invested, band, room = case.value_usd - case.withdrawal_usd, cash_band(case), budget_room(case)
    allowed, policy_frac, number = _allowed(case, invested), _prices(case, policy), _numbers(case, row)
    may_sell = _may_sell(case, allowed)
    tranches = _tranches(number, lots, policy_frac, may_sell, allowed.way_out)
    first, name, size = tranches.first, frozen(number[tranches.first]), _sizes(case, tranches, invested)
    problem = Problem(
        row=frozen(row),
        price_usd=frozen(snapshot.price_usd[row]),
        held=frozen(np.bincount(name, size, len(row)).astype(np.float64)),
        target=_targets(case, row),
        exposures=frozen(snapshot.exposures[row]),
        specific_var=frozen(snapshot.specific_var_ann[row]),
        cost_frac=frozen(snapshot.half_spread_frac[row]),
        group=frozen(np.unique(snapshot.group[row], return_inverse=True)[1]),
        may_buy=frozen(allowed.may_buy[row]),
        weight_min=frozen(allowed.weight_min[row]),
        weight_max=frozen(allowed.weight_max[row]),
        name=name,
        size=size,
        gain_frac=frozen(lots.gain_frac[first]),
        rate_frac=_rates(case, lots.is_long[first]),
        policy_frac=frozen(policy_frac[first]),
        is_short=frozen(~lots.is_long[first] & case.taxable),
        is_long=frozen(lots.is_long[first]),
        may_sell=frozen(may_sell[first]),
        loss=frozen(lots.loss[first]),
        must_sell=frozen(may_sell[first] & allowed.must_sell[lots.at[first]]),
        way_out=frozen(allowed.way_out[first]),
        lots=tranches.lots,
        risk_aversion=float_from_decimal(case.account.risk_aversion),
        invested_usd=float_from_decimal(invested),
        cash=_fraction(band.before, invested),
        cash_min=_fraction(band.least, invested),
        cash_max=_fraction(band.most, invested),
        tax_room=_fraction(room.tax, invested),
        short_room=_fraction(room.short, invested),
        long_room=_fraction(room.long, invested),
    )
    return replace(with_impact(_with_rules(case, row, problem), snapshot, policy.impact_coefficient), start=start)


def _with_rules(case: Case, row: Ints, problem: Problem) -> Problem:
    """The problem with the owner's limits, and the taxpayer's year where gains and losses count as that is netted."""
    invested, position = case.value_usd - case.withdrawal_usd, tax_position(case)
    rules = plan_rules(case.account, case.snapshot, row, problem.target, case.value_usd, invested)
    year = None if position is None else standing(position)
    return replace(problem, rules=rules, position=position, standing=year, factors=case.snapshot.factors)


def _prices(case: Case, policy: Policy) -> Floats:
    """By lot, what policies add to the price of selling a dollar of it."""
    both: Floats = np.array(policy_prices(case, policy.harvest)) + np.array(waiting_prices(case, policy.waiting))
    return both


def _fraction(dollars: Decimal | None, invested: Decimal) -> float:
    return NO_LIMIT if dollars is None else float_from_decimal(dollars / invested)


def _rows(case: Case) -> Ints:
    """Positions in the snapshot of all that is held or in the strategy, ordered by security."""
    needed = np.zeros(len(case.snapshot.security_id), dtype=np.bool_)
    needed[case.lots.at] = True
    needed[case.model.positions[case.model.weight_frac > 0]] = True
    found = np.flatnonzero(needed)
    return found[np.argsort(case.snapshot.rank[found])]


def _numbers(case: Case, row: Ints) -> Ints:
    """[lots] Their names' numbers in the programme."""
    number = np.zeros(len(case.snapshot.security_id), dtype=np.intp)
    number[row] = np.arange(len(row))
    return number[case.lots.at]


def _rates(case: Case, is_long: Bools) -> Floats:
    """The tax on a dollar of gain; none in an IRA or Roth."""
    short, long = (float_from_decimal(rate) for rate in (case.account.rates.short_frac, case.account.rates.long_frac))
    return frozen(np.where(is_long, long, short) * case.taxable)


def _targets(case: Case, row: Ints) -> Floats:
    everywhere = np.zeros(len(case.snapshot.security_id))
    everywhere[case.model.positions] = case.model.weight_frac
    return frozen(everywhere[row])


def _allowed(case: Case, invested: Decimal) -> _Allowed:
    """The screen bounds a name's part of the account's value, the programme its part of what is invested."""
    snapshot, count = case.snapshot, len(case.snapshot.security_id)
    may_buy = snapshot.unblocked & np.isfinite(snapshot.price_usd) & ~in_groups(snapshot, case.blocks.buys)
    may_sell, must = snapshot.unblocked.copy(), np.zeros(count, dtype=np.bool_)
    weight_min, weight_max = np.zeros(count), np.full(count, NO_LIMIT)
    for verdict in case.verdicts.values():
        i = snapshot.position.get(verdict.security_id)
        if i is None:
            continue
        may_buy[i] &= verdict.may_buy and not verdict.must_sell
        may_sell[i] &= verdict.may_sell
        must[i] = verdict.must_sell
        if verdict.min_weight_frac is not None and not verdict.must_sell:
            weight_min[i] = float_from_decimal(verdict.min_weight_frac * case.value_usd / invested)
        if verdict.max_weight_frac is not None:
            weight_max[i] = float_from_decimal(verdict.max_weight_frac * case.value_usd / invested)
    locked = in_groups(snapshot, case.blocks.loss_sales)
    way_out = _ways_out(case, locked)
    locked[case.lots.at[way_out]] = False
    return _Allowed(may_buy, may_sell, must, locked, weight_min, weight_max, way_out)


def _ways_out(case: Case, locked: Bools) -> Bools:
    """[lots] Those whose whole sale lifts the window of their name, one a name; `locked` [securities] have a window."""
    wanted, found = case.blocks.way_out.values(), dict[int, int]()
    for n in sorted({case.lots.number[lot_id] for lot_id in wanted if lot_id in case.lots.number}):
        if locked[case.lots.at[n]] and _can_go_whole(case, case.lots[n]):
            found[int(case.lots.at[n])] = n
    flags = np.zeros(len(case.lots), dtype=np.bool_)
    flags[list(found.values())] = True
    return flags


def _may_sell(case: Case, allowed: _Allowed) -> Bools:
    """[lots] What market, screen, a window or an unknown basis do not keep from being sold."""
    at, lots = case.lots.at, case.lots
    return allowed.may_sell[at] & (lots.has_basis | allowed.must_sell[at]) & ~(lots.loss & allowed.locked[at])


def _tranches(name: Ints, lots: Lots, policy_frac: Floats, may_sell: Bools, way_out: Bools) -> _Tranches:
    """Lots that are alike in every coefficient, in the order of their names and first lots; within one the order is the account's.  What
    must be sold is alike within a name."""
    kind = lots.is_long + 2 * may_sell + 4 * lots.loss + 8 * way_out
    of_lot, first, order, begins = (np.empty(len(name) + 1, dtype=np.intp) for _ in range(4))
    count = alike(name, lots.gain_frac, policy_frac, kind, of_lot, first, order, begins)
    of_lot, first, numbers = of_lot[:-1], first[:count], order[:-1].tolist()
    if count == len(name):
        return _Tranches(first, tuple(zip(numbers, strict=True)), of_lot)
    ends = begins[: count + 1].tolist()
    return _Tranches(first, tuple(tuple(numbers[begin:end]) for begin, end in pairwise(ends)), of_lot)


def _sizes(case: Case, tranches: _Tranches, invested: Decimal) -> Floats:
    """[tranches] Their dollars as fractions of what is invested."""
    snapshot, shares, whole = case.snapshot, case.lots.shares, units_of_decimals([invested])
    units = np.bincount(tranches.of_lot, shares.units, len(tranches.first)).astype(np.float64)
    more = shares.places + snapshot.price_places - whole.places
    price, found = snapshot.price_units[case.lots.at[tranches.first]], np.empty(len(units))
    ratios(units, price, float(whole.units[0]), power(max(-more, 0)), power(max(more, 0)), found)
    return frozen(found)


def must_sell(case: Case, security_id: str) -> bool:
    """Whether the screen wants the whole position gone."""
    verdict = case.verdicts.get(security_id)
    return verdict is not None and verdict.must_sell


def free_to_sell(case: Case, lot: HeldLot) -> bool:
    """Whether market, screen and a known basis let this lot be sold, wash sales aside."""
    verdict = case.verdicts.get(lot.security_id)
    allowed = case.snapshot.blocked[case.snapshot.position[lot.security_id]] is None and (verdict is None or verdict.may_sell)
    return allowed and (lot.basis is not None or must_sell(case, lot.security_id))


def _can_go_whole(case: Case, lot: HeldLot) -> bool:
    """Whether all of this lot can leave in whole shares: alone, with a share of other lots, or with the whole position."""
    position = case.positions[lot.security_id]
    fits = lot.quantity == int(lot.quantity) or position == lot.quantity or position - lot.quantity >= 1
    return fits and free_to_sell(case, lot)
