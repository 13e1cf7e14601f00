"""Losses that a plan does not take, by the first reason that holds for each lot: a no-trade answer says why."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import numpy as np

from libs.common.money import CENT, ZERO, cents_half_even, float_from_decimal
from libs.common.schemas.proposal import Binding, LossesLeft
from services.optimizer.core.amounts import ERROR, to_nearest
from services.optimizer.core.arrays import Bools, Floats, Ints
from services.optimizer.core.harvest import counts
from services.optimizer.core.inputs import Case
from services.optimizer.core.policy import HarvestSettings
from services.optimizer.core.trades import Drafts
from services.optimizer.core.windows import WINDOW, in_groups

TWICE = 2  # the loss is sold, and something is bought in its place


class LeftBecause(StrEnum):
    """Why a loss is left, the strongest first; a closed list."""

    MARKET = "market_block"  # the market snapshot blocks the security
    RESTRICTION = "restriction"  # a rule forbids the sale
    WINDOW = "wash_sale_window"  # a purchase of the last 30 days would wash it
    HOUSEHOLD = "household_intent"  # another account of the household buys it
    POLICY = "harvest_off"  # the account takes no losses for their own sake
    THRESHOLD = "below_threshold"  # smaller than what its month and age ask for
    COST = "below_cost"  # it saves less than selling and replacing costs
    MIN_TRADE = "below_min_trade"  # the lot's position is smaller than the smallest trade
    BOUGHT = "bought_instead"  # its identity group is bought, so it can't be sold at a loss
    LIMIT = "limit"  # a limit of the account holds the plan back
    RISK = "risk"  # the tracking error it would cost is worth more


REASONS = tuple(each for each in LeftBecause if each is not LeftBecause.LIMIT)


def limited(binding: Sequence[Binding]) -> bool:
    """Whether a limit other than on cash holds the plan back."""
    return any(not each.name.startswith("cash") for each in binding)


def losses_left(
    case: Case, made: Drafts | None, held_back: bool, settings: HarvestSettings, unworthy: Drafts | None = None
) -> list[LossesLeft]:
    """By reason, in the closed list's order, beside what the trades `made` take; `held_back`: a limit holds the plan back; `unworthy`:
    trades that were not made, since together they gain less than they cost."""
    losses = _losses(case) if case.taxable else None
    if losses is None or not len(losses.lot):
        return []
    gone, rest = _flags(case, made), {} if made is None else made.taken.rest
    some = ~gone
    some[list(rest)] = True
    reason = _reasons(case, losses, made, settings)
    reason[_flags(case, unworthy)[losses.lot]] = REASONS.index(LeftBecause.COST)
    stays, whole = some[losses.lot], ~gone[losses.lot]
    counts_by = np.bincount(reason[stays], minlength=len(REASONS)).tolist()
    cents = np.bincount(reason[whole], losses.cents[whole], len(REASONS)).tolist()
    dollars = [CENT * int(each) for each in cents]
    for n in np.flatnonzero(stays & ~whole).tolist():
        lot = int(losses.lot[n])
        dollars[reason[n]] += losses.loss[n] * rest[lot] / case.lots.quantity(lot)
    named = (LeftBecause.LIMIT if each is LeftBecause.RISK and held_back else each for each in REASONS)
    return [
        LossesLeft(because.value, count, cents_half_even(loss))
        for because, count, loss in zip(named, counts_by, dollars, strict=True)
        if count
    ]


@dataclass(frozen=True, slots=True)
class _Losses:
    """Lots with a loss of a cent or more: number, row in the snapshot, dollars at the pinned price, and the loss, positive, to the cent."""

    lot: Ints
    row: Ints
    value: Floats
    cents: Floats
    loss: list[Decimal]


def _losses(case: Case) -> _Losses:
    lots = case.lots
    lot = np.flatnonzero(lots.has_basis & (lots.gain_frac < 0))
    row = lots.at[lot]
    value, basis = lots.shares_float[lot] * case.snapshot.price_usd[row], lots.basis_usd[lot]
    numbers = lot.tolist()

    def exact(i: int) -> Decimal:
        return cents_half_even((lots.basis(numbers[i]) or ZERO) - _value(case, numbers[i]))

    loss = to_nearest(100.0 * (basis - value), 100.0 * (basis + value), CENT, exact)
    some = np.flatnonzero(loss.steps > 0)
    return _Losses(lot[some], row[some], value[some], loss.steps[some], [loss.values[i] for i in some.tolist()])


def _value(case: Case, lot: int) -> Decimal:
    """Dollars of a lot at the pinned price."""
    return case.lots.quantity(lot) * (case.snapshot.price[int(case.lots.at[lot])] or ZERO)


def _flags(case: Case, drafts: Drafts | None) -> Bools:
    """[lots] Whether trades take something of the lot."""
    flags = np.zeros(len(case.lots), dtype=np.bool_)
    if drafts is not None:
        flags[drafts.taken.lot] = True
    return flags


def _reasons(case: Case, losses: _Losses, made: Drafts | None, settings: HarvestSettings) -> Ints:
    """[losses] The first reason that holds, as its place in REASONS; RISK stands for LIMIT too."""
    snapshot, lots = case.snapshot, losses.lot.tolist()
    unsold = [snapshot.position[each] for each, verdict in case.verdicts.items() if not verdict.may_sell and each in snapshot.position]
    windows = {group for group, why in case.blocks.loss_sales.items() if why == WINDOW}
    buys = [] if made is None else [made.security_id[n] for n in np.flatnonzero(~made.selling).tolist()]
    bought = {snapshot.identity_group[snapshot.position[each]] for each in buys}
    tests = {
        LeftBecause.MARKET: ~snapshot.unblocked[losses.row],
        LeftBecause.RESTRICTION: np.isin(losses.row, unsold) if unsold else False,
        LeftBecause.WINDOW: in_groups(snapshot, windows)[losses.row],
        LeftBecause.HOUSEHOLD: in_groups(snapshot, case.blocks.loss_sales.keys() - windows)[losses.row],
        LeftBecause.POLICY: case.account.harvest.mode == "off",
        LeftBecause.THRESHOLD: _below_threshold(case, lots, settings),
        LeftBecause.COST: _below_cost(case, losses),
        LeftBecause.MIN_TRADE: _below_min_trade(case)[losses.row],
        LeftBecause.BOUGHT: in_groups(snapshot, bought)[losses.row],
        LeftBecause.RISK: True,
    }
    holds = np.empty((len(REASONS), len(lots)), dtype=np.bool_)
    for place, because in enumerate(REASONS):
        holds[place] = tests[because]
    first: Ints = np.argmax(holds, axis=0)
    return first


def _below_threshold(case: Case, lots: list[int], settings: HarvestSettings) -> Bools | bool:
    if case.account.harvest.mode != "threshold":
        return False
    return np.array([not counts(case, case.lots[n], settings) for n in lots], dtype=np.bool_)


def _below_cost(case: Case, losses: _Losses) -> Bools:
    """Whether it saves no more than selling and replacing costs."""
    rates, lots = case.account.rates, losses.lot.tolist()
    is_long = case.lots.is_long[losses.lot]
    saves = losses.cents / 100.0 * np.where(is_long, float_from_decimal(rates.long_frac), float_from_decimal(rates.short_frac))
    cost = TWICE * case.snapshot.half_spread_frac[losses.row] * losses.value
    below = saves <= cost
    for i in np.flatnonzero(np.abs(saves - cost) <= ERROR * (saves + cost)).tolist():
        rate = rates.long_frac if is_long[i] else rates.short_frac
        below[i] = losses.loss[i] * rate <= TWICE * case.snapshot.half_spread[int(losses.row[i])] * _value(case, lots[i])
    return below


def _below_min_trade(case: Case) -> Bools:
    """[securities] Whether the position is worth less than the smallest trade."""
    snapshot, least = case.snapshot, float_from_decimal(case.account.min_trade)
    shares = np.bincount(case.lots.at, case.lots.shares_float, len(snapshot.security_id))
    value = np.where(shares > 0, shares * np.where(shares > 0, snapshot.price_usd, 0.0), 0.0)
    below: Bools = value < least
    for i in np.flatnonzero((shares > 0) & (np.abs(value - least) <= ERROR * len(case.lots) * (value + least))).tolist():
        below[i] = case.positions[snapshot.security_id[i]] * (snapshot.price[i] or ZERO) < case.account.min_trade
    return below
