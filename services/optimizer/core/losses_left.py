"""Losses that a plan does not take, by the first reason that holds for each lot: a no-trade answer says why."""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from libs.common.money import ZERO, cents_half_even
from libs.common.schemas.proposal import Binding, LossesLeft, ProposedTrade
from services.optimizer.core.harvest import counts
from services.optimizer.core.inputs import Case
from services.optimizer.core.policy import HarvestSettings
from services.optimizer.core.windows import WINDOW

HALF_A_CENT = Decimal("0.005")
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


def limited(binding: Sequence[Binding]) -> bool:
    """Whether a limit other than on cash holds the plan back."""
    return any(not each.name.startswith("cash") for each in binding)


def losses_left(
    case: Case,
    trades: Sequence[ProposedTrade],
    held_back: bool,
    settings: HarvestSettings,
    unworthy: Sequence[ProposedTrade] = (),
) -> list[LossesLeft]:
    """By reason, in the closed list's order, beside what `trades` take; `held_back`: a limit holds the plan back; `unworthy`: trades that
    were not made, since together they gain less than they cost."""
    if not case.taxable:
        return []
    bought = [trade.security_id for trade in trades if trade.side == "buy"]
    groups = {case.snapshot.identity_group[case.snapshot.position[security_id]] for security_id in bought}
    sold = {each.lot_id: each.quantity for trade in trades for each in trade.lots}
    dropped = {each.lot_id for trade in unworthy for each in trade.lots}
    found: dict[LeftBecause, tuple[int, Decimal]] = {}
    lots, prices, at = case.lots, case.snapshot.price, case.lots.at.tolist()
    texts = lots.columns.quantity
    for n in np.flatnonzero(lots.has_basis & (lots.gain_frac < 0)).tolist():
        lot_id, price = lots.lot_id[n], prices[at[n]]
        gone = sold.get(lot_id)
        if gone is not None and str(gone) == texts[n]:
            continue
        held = lots.quantity(n)
        left = held if gone is None else held - gone
        basis = lots.basis(n) if left > 0 else None
        if basis is None or price is None or basis - held * price <= HALF_A_CENT:
            continue
        loss = _Loss(n, at[n], lots.columns.security_id[n], held * price, cents_half_even(basis - held * price))
        reason = LeftBecause.COST if lot_id in dropped else _because(case, loss, groups, held_back, settings)
        count, dollars = found.get(reason, (0, ZERO))
        found[reason] = count + 1, dollars + (loss.loss if gone is None else loss.loss * left / held)
    return [LossesLeft(reason.value, *_rounded(found[reason])) for reason in LeftBecause if reason in found]


class _Loss(NamedTuple):
    """A lot with a loss of a cent or more: its number, row in the snapshot, dollars at the pinned price, and loss in dollars, positive."""

    lot: int
    row: int
    security_id: str
    value: Decimal
    loss: Decimal


def _rounded(found: tuple[int, Decimal]) -> tuple[int, Decimal]:
    return found[0], cents_half_even(found[1])


def _because(case: Case, loss: _Loss, bought: set[str], held_back: bool, settings: HarvestSettings) -> LeftBecause:
    i, verdict = loss.row, case.verdicts.get(loss.security_id)
    group = case.snapshot.identity_group[i]
    window = case.blocks.loss_sales.get(group)
    if case.snapshot.blocked[i] is not None:
        return LeftBecause.MARKET
    if verdict is not None and not verdict.may_sell:
        return LeftBecause.RESTRICTION
    if window is not None:
        return LeftBecause.WINDOW if window == WINDOW else LeftBecause.HOUSEHOLD
    if case.account.harvest.mode == "off":
        return LeftBecause.POLICY
    return _not_worth_it(case, loss, settings) or (
        LeftBecause.BOUGHT if group in bought else LeftBecause.LIMIT if held_back else LeftBecause.RISK
    )


def _not_worth_it(case: Case, loss: _Loss, settings: HarvestSettings) -> LeftBecause | None:
    """Too small for the policy, for its cost, or for a trade."""
    price, rates = case.snapshot.price[loss.row] or ZERO, case.account.rates
    if case.account.harvest.mode == "threshold" and not counts(case, case.lots[loss.lot], settings):
        return LeftBecause.THRESHOLD
    saves = loss.loss * (rates.long_frac if case.lots.term(loss.lot) == "long" else rates.short_frac)
    if saves <= TWICE * case.snapshot.half_spread[loss.row] * loss.value:
        return LeftBecause.COST
    return LeftBecause.MIN_TRADE if case.positions[loss.security_id] * price < case.account.min_trade else None
