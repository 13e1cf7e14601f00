"""Builds the quadratic programme of a case: which lots are alike, what may be bought and sold, and every number as a fraction.

Invariants
1. The case is not changed, and the problem's arrays can't be.
2. A lot that market, screen, a window or an unknown basis keeps from being sold has `may_sell` false.
"""

from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from libs.common.money import ZERO, float_from_decimal
from libs.common.schemas.screen import Verdict
from services.optimizer.core.arrays import Bools, Floats, Ints, frozen
from services.optimizer.core.dual.standing import standing
from services.optimizer.core.harvest import policy_prices
from services.optimizer.core.impact import with_impact
from services.optimizer.core.inputs import Case
from services.optimizer.core.limits import budget_room, cash_band
from services.optimizer.core.lots import HeldLot
from services.optimizer.core.market import Snapshot
from services.optimizer.core.plan_rules import plan_rules
from services.optimizer.core.policy import DEFAULT_POLICY, Policy
from services.optimizer.core.problem import NO_LIMIT, Problem
from services.optimizer.core.tax_position import tax_position
from services.optimizer.core.waiting import waiting_prices


class _Kind(NamedTuple):
    """What makes lots of one name alike."""

    name: int
    gain_frac: float
    policy_frac: float
    is_long: bool
    may_sell: bool
    loss: bool
    must_sell: bool
    way_out: bool


def build_problem(case: Case, policy: Policy = DEFAULT_POLICY) -> Problem:
    """Turn a case into arrays; the crossing of its money, shares and prices into float64."""
    rows = _rows(case)
    kinds = _kinds(case, {case.snapshot.security_id[i]: n for n, i in enumerate(rows)}, _prices(case, policy))
    ordered = sorted(kinds, key=lambda kind: (kind.name, kinds[kind][0]))
    invested, band, room = case.value_usd - case.withdrawal_usd, cash_band(case), budget_room(case)
    row, name = _ints(rows), _ints([kind.name for kind in ordered])
    size = _floats([float_from_decimal(_dollars(case, kinds[kind]) / invested) for kind in ordered])
    problem = Problem(
        row=row,
        price_usd=_floats([NO_LIMIT if (price := case.snapshot.price[i]) is None else float_from_decimal(price) for i in rows]),
        held=frozen(np.bincount(name, size, len(rows)).astype(np.float64)),
        target=_targets(case, row),
        exposures=frozen(case.snapshot.exposures[row]),
        specific_var=frozen(case.snapshot.specific_var_ann[row]),
        cost_frac=frozen(case.snapshot.half_spread_frac[row]),
        group=_groups(case, rows),
        may_buy=_bools([_may_buy(case, i) for i in rows]),
        weight_min=_floats([_least_weight(case, i, invested) for i in rows]),
        weight_max=_floats([_most_weight(case, i, invested) for i in rows]),
        name=name,
        size=size,
        gain_frac=_floats([kind.gain_frac for kind in ordered]),
        rate_frac=_floats([_rate(case, kind) for kind in ordered]),
        policy_frac=_floats([kind.policy_frac for kind in ordered]),
        is_short=_bools([case.taxable and not kind.is_long for kind in ordered]),
        is_long=_bools([case.taxable and kind.is_long for kind in ordered]),
        may_sell=_bools([kind.may_sell for kind in ordered]),
        loss=_bools([kind.loss for kind in ordered]),
        must_sell=_bools([kind.must_sell for kind in ordered]),
        way_out=_bools([kind.way_out for kind in ordered]),
        lots=tuple(tuple(kinds[kind]) for kind in ordered),
        risk_aversion=float_from_decimal(case.account.risk_aversion),
        invested_usd=float_from_decimal(invested),
        cash=_fraction(band.before, invested),
        cash_min=_fraction(band.least, invested),
        cash_max=_fraction(band.most, invested),
        tax_room=_fraction(room.tax, invested),
        short_room=_fraction(room.short, invested),
        long_room=_fraction(room.long, invested),
    )
    return with_impact(_with_rules(case, rows, problem), case.snapshot, policy.impact_coefficient)


def _with_rules(case: Case, rows: list[int], problem: Problem) -> Problem:
    """The problem with the owner's limits, and the taxpayer's year where gains and losses count as that is netted."""
    invested, position = case.value_usd - case.withdrawal_usd, tax_position(case)
    rules = plan_rules(case.account, case.snapshot, rows, problem.target, case.value_usd, invested)
    return replace(problem, rules=rules, position=position, standing=None if position is None else standing(position))


def _prices(case: Case, policy: Policy) -> list[float]:
    """By lot, what policies add to the price of selling a dollar of it."""
    return [sum(both) for both in zip(policy_prices(case, policy.harvest), waiting_prices(case, policy.waiting), strict=True)]


def _ints(values: list[int]) -> Ints:
    return frozen(np.array(values, dtype=np.intp))


def _floats(values: list[float]) -> Floats:
    return frozen(np.array(values, dtype=np.float64))


def _bools(values: list[bool]) -> Bools:
    return frozen(np.array(values, dtype=np.bool_))


def _fraction(dollars: Decimal | None, invested: Decimal) -> float:
    return NO_LIMIT if dollars is None else float_from_decimal(dollars / invested)


def _rows(case: Case) -> list[int]:
    """Positions in the snapshot of all that is held or in the strategy, ordered by security."""
    held = {case.snapshot.position[lot.security_id] for lot in case.lots}
    wanted = {int(i) for i, weight in zip(case.model.positions, case.model.weight_frac, strict=True) if weight > 0}
    return sorted(held | wanted, key=lambda i: case.snapshot.security_id[i])


def _targets(case: Case, row: Ints) -> Floats:
    everywhere = np.zeros(len(case.snapshot.security_id))
    everywhere[case.model.positions] = case.model.weight_frac
    return frozen(everywhere[row])


def _groups(case: Case, rows: list[int]) -> Ints:
    groups = [case.snapshot.identity_group[i] for i in rows]
    number = {group: n for n, group in enumerate(sorted(set(groups)))}
    return _ints([number[group] for group in groups])


def _verdict(case: Case, i: int) -> Verdict | None:
    return case.verdicts.get(case.snapshot.security_id[i])


def _may_buy(case: Case, i: int) -> bool:
    """Whether market, screen and windows let this security be bought."""
    snapshot, verdict = case.snapshot, _verdict(case, i)
    priced = snapshot.price[i] is not None and snapshot.blocked[i] is None
    return (
        priced and (verdict is None or (verdict.may_buy and not verdict.must_sell)) and snapshot.identity_group[i] not in case.blocks.buys
    )


def _least_weight(case: Case, i: int, invested: Decimal) -> float:
    """The screen bounds a name's part of the account's value, the programme its part of what is invested."""
    verdict = _verdict(case, i)
    if verdict is None or verdict.min_weight_frac is None or verdict.must_sell:
        return 0.0
    return float_from_decimal(verdict.min_weight_frac * case.value_usd / invested)


def _most_weight(case: Case, i: int, invested: Decimal) -> float:
    verdict = _verdict(case, i)
    if verdict is None or verdict.max_weight_frac is None:
        return NO_LIMIT
    return float_from_decimal(verdict.max_weight_frac * case.value_usd / invested)


def _rate(case: Case, kind: _Kind) -> float:
    rates = case.account.rates
    return float_from_decimal(rates.long_frac if kind.is_long else rates.short_frac) if case.taxable else 0.0


def _kinds(case: Case, number: dict[str, int], policy: list[float]) -> dict[_Kind, list[int]]:
    """Lots by what they are to the programme; the order of lots within a kind is the account's."""
    wanted = set(case.blocks.way_out.values())
    ways_out = {lot.security_id: lot.lot_id for lot in case.lots if lot.lot_id in wanted and _can_go_whole(case, lot)}
    names = {security_id: _name(case, security_id, n, ways_out.get(security_id)) for security_id, n in number.items()}
    taxable, kinds = case.taxable, dict[_Kind, list[int]]()
    for n, lot in enumerate(case.lots):
        kind = _kind(names[lot.security_id], lot, policy[n], taxable)
        found = kinds.get(kind)
        if found is None:
            kinds[kind] = [n]
        else:
            found.append(n)
    return kinds


class _Name(NamedTuple):
    """What the lots of one name have in common: its number, dollars a share, whether market and screen let it be sold, whether the screen
    wants it gone, whether a window keeps its losses, and the lot whose sale lifts that."""

    number: int
    price: Decimal
    sellable: bool
    must_sell: bool
    locked: bool
    way_out: str | None


def _name(case: Case, security_id: str, number: int, way_out: str | None) -> _Name:
    """`way_out` is the lot of this name whose sale lifts the group's window; it does not help the group's other names, whose
    orders could fill before it."""
    i, verdict = case.snapshot.position[security_id], case.verdicts.get(security_id)
    sellable = case.snapshot.blocked[i] is None and (verdict is None or verdict.may_sell)
    locked = case.snapshot.identity_group[i] in case.blocks.loss_sales and way_out is None
    return _Name(number, case.snapshot.price[i] or ZERO, sellable, must_sell(case, security_id), locked, way_out)


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


def _kind(name: _Name, lot: HeldLot, policy_frac: float, taxable: bool) -> _Kind:
    may_sell = name.sellable and (lot.basis is not None or name.must_sell) and not (lot.loss and name.locked)
    gain_frac = 0.0
    if taxable:
        proceeds = lot.quantity * name.price
        gain_frac = float_from_decimal((proceeds - (lot.basis or ZERO)) / proceeds)
    return _Kind(
        name.number,
        gain_frac,
        policy_frac,
        lot.term == "long",
        may_sell,
        lot.loss,
        may_sell and name.must_sell,
        lot.lot_id == name.way_out,
    )


def _priced(snapshot: Snapshot, i: int) -> Decimal:
    price = snapshot.price[i]
    if price is None:
        raise AssertionError(f"{snapshot.security_id[i]} was let through without a price")
    return price


def _dollars(case: Case, lots: list[int]) -> Decimal:
    i = case.snapshot.position[case.lots[lots[0]].security_id]
    return sum((case.lots[n].quantity for n in lots), ZERO) * _priced(case.snapshot, i)
