"""Losses that a plan does not take, by the first reason that holds for each lot: a no-trade answer says why."""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

import numpy as np

from libs.common.money import ZERO, cents_half_even
from libs.common.schemas.proposal import LossesLeft, ProposedTrade
from services.optimizer.core.harvest import counts
from services.optimizer.core.inputs import Case
from services.optimizer.core.lots import HeldLot
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


def losses_left(
    case: Case, trades: Sequence[ProposedTrade], limited: bool, settings: HarvestSettings, unworthy: Sequence[ProposedTrade] = ()
) -> list[LossesLeft]:
    """By reason, in the closed list's order, beside what `trades` take; `limited`: some limit has a price; `unworthy`: trades that were
    not made, since together they gain less than they cost."""
    if not case.taxable:
        return []
    bought = [trade.security_id for trade in trades if trade.side == "buy"]
    groups = {case.snapshot.identity_group[case.snapshot.position[security_id]] for security_id in bought}
    sold = {each.lot_id: each.quantity for trade in trades for each in trade.lots}
    dropped = {each.lot_id for trade in unworthy for each in trade.lots}
    found: dict[LeftBecause, tuple[int, Decimal]] = {}
    for n in np.flatnonzero(case.lots.has_basis & (case.lots.gain_frac < 0)).tolist():
        left = case.lots.quantity(n) - sold.get(case.lots.lot_id[n], ZERO)
        if left <= 0:
            continue
        lot = case.lots[n]
        loss = _loss(case, lot)
        if loss is None:
            continue
        reason = LeftBecause.COST if lot.lot_id in dropped else _because(case, lot, loss, groups, limited, settings)
        lots, dollars = found.get(reason, (0, ZERO))
        found[reason] = lots + 1, dollars + loss * left / lot.quantity
    return [LossesLeft(reason.value, *_rounded(found[reason])) for reason in LeftBecause if reason in found]


def _rounded(found: tuple[int, Decimal]) -> tuple[int, Decimal]:
    return found[0], cents_half_even(found[1])


def _loss(case: Case, lot: HeldLot) -> Decimal | None:
    """Dollars of loss at the pinned price, positive; None where there is none of a cent, or the basis is not known."""
    price = case.snapshot.price[case.snapshot.position[lot.security_id]]
    if lot.basis is None or price is None:
        return None
    loss = lot.basis - lot.quantity * price
    return cents_half_even(loss) if loss > HALF_A_CENT else None


def _because(case: Case, lot: HeldLot, loss: Decimal, bought: set[str], limited: bool, settings: HarvestSettings) -> LeftBecause:
    i, verdict = case.snapshot.position[lot.security_id], case.verdicts.get(lot.security_id)
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
    return _not_worth_it(case, lot, loss, settings) or (
        LeftBecause.BOUGHT if group in bought else LeftBecause.LIMIT if limited else LeftBecause.RISK
    )


def _not_worth_it(case: Case, lot: HeldLot, loss: Decimal, settings: HarvestSettings) -> LeftBecause | None:
    """Too small for the policy, for its cost, or for a trade."""
    i = case.snapshot.position[lot.security_id]
    price, rates = case.snapshot.price[i] or ZERO, case.account.rates
    if case.account.harvest.mode == "threshold" and not counts(case, lot, settings):
        return LeftBecause.THRESHOLD
    saves = loss * (rates.long_frac if lot.term == "long" else rates.short_frac)
    if saves <= TWICE * case.snapshot.half_spread[i] * lot.quantity * price:
        return LeftBecause.COST
    return LeftBecause.MIN_TRADE if case.positions[lot.security_id] * price < case.account.min_trade else None
