"""Says why: a reason and a share of the risk for each trade, and what was asked and not reached (limits: shadow.py)."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from libs.common.money import ZERO, cents_half_even
from libs.common.schemas.proposal import ProposedTrade, TradeReason, Unmet
from libs.common.schemas.screen import Verdict
from services.optimizer.core.arrays import Bools, Floats
from services.optimizer.core.attribution import covariance_with, variance_shares
from services.optimizer.core.branch import Multipliers, Plan
from services.optimizer.core.build import free_to_sell
from services.optimizer.core.evaluate import active_weights
from services.optimizer.core.inputs import Case
from services.optimizer.core.limits import CashBand, cash_band
from services.optimizer.core.problem import Problem
from services.optimizer.core.shadow import PRESSES, TRACKING_ERROR, TURNOVER
from services.optimizer.core.trades import Draft

SQUARE_BPS = 1e8  # square basis points in a square of one


@dataclass(frozen=True, slots=True)
class _Around:
    """What a trade's reason depends on beside itself: weights after, the cash band, whether losses are sold, and by name the covariance
    with gains that were not realised, and whether a lot of it has a credit for a new basis."""

    after: Floats
    band: CashBand
    harvesting: bool
    deferred: Floats
    credited: Bools


def give_reasons(case: Case, problem: Problem, drafts: list[Draft], plan: Plan) -> list[ProposedTrade]:
    """Each trade with the first reason that holds, and its share of the change in risk; `plan` is what is proposed, in weights.

    Sales: restriction (the screen wants it gone, or holds it below a weight), harvest (it realises a net loss), cash (cash is short),
    drift (it was above target), refresh (a small gain, for a new basis).
    Buys: cash (cash was above its band), harvest (losses were sold and this takes their place above target), drift (it was below
    target).
    Both: gain_deferral (it offsets the risk of gains that are kept), constraint (it balances what other limits keep away from target).
    """
    after = active_weights(problem, plan) + problem.target
    deferred = covariance_with(problem, _gains_kept(problem, plan, after))
    credited = np.bincount(problem.name[problem.policy_frac < 0], minlength=len(after)) > 0
    harvesting = case.account.harvest.mode != "off" and any(draft.tax < 0 for draft in drafts)
    around = _Around(after, cash_band(case), harvesting, deferred, credited)
    shares, dollars = variance_shares(problem, plan).tolist(), problem.risk_aversion * problem.invested_usd
    trades = []
    for draft in drafts:
        share = shares[draft.name]
        variance, risk = Decimal(f"{share * SQUARE_BPS:.4f}"), Decimal(f"{share * dollars:.2f}")  # ties to even, twice as fast as quantize
        trades.append(draft.with_reason(_reason(case, problem, draft, around), variance, risk))
    return trades


def _gains_kept(problem: Problem, plan: Plan, after: Floats) -> Floats:
    """[names] Weight above target in names that keep a gain which might have been realised."""
    kept = problem.may_sell & (problem.tax_frac > 0) & (plan.sold < problem.size)
    keeping = np.bincount(problem.name[kept], minlength=len(after)) > 0
    above: Floats = np.where(keeping, (after - problem.target).clip(min=0.0), 0.0)
    return above


def _reason(case: Case, problem: Problem, draft: Draft, around: _Around) -> TradeReason:
    i, band = draft.name, around.band
    target = float(problem.target[i])
    if draft.selling:
        return _why_sold(case, problem, draft, around, target)
    if band.before > band.most:
        return "cash"
    if around.harvesting and around.after[i] > target:
        return "harvest"
    if problem.held[i] < target:
        return "drift"
    return "gain_deferral" if around.deferred[i] < 0 else "constraint"


def _why_sold(case: Case, problem: Problem, draft: Draft, around: _Around, target: float) -> TradeReason:
    i, verdict = draft.name, case.verdicts.get(draft.security_id)
    before = float(problem.held[i])
    if verdict is not None and (verdict.must_sell or before > problem.weight_max[i]):
        return "restriction"
    if draft.tax < 0 and around.harvesting:
        return "harvest"
    if around.band.before < around.band.least:
        return "cash"
    if before > target:
        return "drift"
    if around.credited[i]:
        return "refresh"
    return "gain_deferral" if around.deferred[i] > 0 else "constraint"


def unmet_wishes(case: Case, problem: Problem, drafts: list[Draft], multipliers: Multipliers, cash_after: Decimal) -> list[Unmet]:
    """What the screen or the owner asked for and the trades do not do; securities in order, cash last."""
    sold = {draft.security_id: draft.quantity for draft in drafts if draft.selling}
    holding = _limit_that_holds(case, drafts, multipliers)
    found = [*_left_over(case, sold, multipliers, holding), *_too_heavy(case, problem, drafts, multipliers, holding)]
    band = cash_band(case)
    lack, spare = cents_half_even(band.least) - cash_after, cash_after - cents_half_even(band.most)
    if lack > 0:
        found.append(Unmet(None, "cash_raise", holding or "nothing_more_to_sell", lack))
    elif spare > max(case.account.min_trade, _dearest_share(problem)):
        found.append(Unmet(None, "cash_invest", holding or "nothing_more_to_buy", spare))
    return found


def _limit_that_holds(case: Case, drafts: list[Draft], multipliers: Multipliers) -> str | None:
    """The limit on trades, turnover or tracking error that stands against trading more."""
    most = case.account.limits.trades
    if most is not None and len(drafts) >= most:
        return "trades"
    return next((name for name in (TURNOVER, TRACKING_ERROR) if multipliers.of(name) > PRESSES), None)


def _dearest_share(problem: Problem) -> Decimal:
    priced = problem.price_usd[problem.may_buy]
    return cents_half_even(Decimal(repr(float(np.max(priced, initial=0.0)))))


def wants_sale(verdict: Verdict | None) -> bool:
    """Whether a rule asks for the sale, even where another forbids it."""
    return verdict is not None and (verdict.must_sell or any(rule.kind == "must_sell" for rule in verdict.rules))


def _left_over(case: Case, sold: dict[str, Decimal], multipliers: Multipliers, holding: str | None) -> Iterator[Unmet]:
    for security_id, position in sorted(case.positions.items()):
        left = position - sold.get(security_id, ZERO)
        if left > 0 and wants_sale(case.verdicts.get(security_id)):
            yield Unmet(security_id, "must_sell", _obstacle(case, security_id, position, left, multipliers, holding), left)


def _too_heavy(case: Case, problem: Problem, drafts: list[Draft], multipliers: Multipliers, holding: str | None) -> Iterator[Unmet]:
    """Held above its maximum weight, by more than the one share that rounding may leave."""
    change = {draft.security_id: -draft.quantity if draft.selling else draft.quantity for draft in drafts}
    for name in np.flatnonzero(problem.held > problem.weight_max):
        i = int(problem.row[name])
        security_id, price = case.snapshot.security_id[i], case.snapshot.price[i]
        verdict = case.verdicts.get(security_id)
        if price is None or verdict is None or verdict.max_weight_frac is None:
            continue
        shares = case.positions[security_id] + change.get(security_id, ZERO)
        excess = shares - verdict.max_weight_frac * case.value_usd / price
        if excess > 1:
            reason = _obstacle(case, security_id, case.positions[security_id], excess, multipliers, holding)
            yield Unmet(security_id, "max_weight", reason, excess.quantize(Decimal(1)))


def _obstacle(case: Case, security_id: str, position: Decimal, left: Decimal, multipliers: Multipliers, holding: str | None) -> str:
    """What keeps these shares in the account, the strongest first."""
    i, verdict = case.snapshot.position[security_id], case.verdicts.get(security_id)
    blocked, group = case.snapshot.blocked[i], case.snapshot.identity_group[i]
    if blocked is not None:
        return blocked
    if verdict is not None and not verdict.may_sell:
        return verdict.rules[0].kind if verdict.rules else "may_not_sell"
    if position < 1:
        return "less_than_one_share"
    held = [lot for lot in case.lots if lot.security_id == security_id]
    if group in case.blocks.loss_sales and any(lot.loss for lot in held):
        return case.blocks.loss_sales[group]
    if any(not free_to_sell(case, lot) for lot in held):
        return "unknown_basis"
    budgets = ("tax_budget", multipliers.tax), ("short_gain_budget", multipliers.short), ("long_gain_budget", multipliers.long)
    spent = [name for name, price in budgets if price > PRESSES]
    return spent[0] if spent else "whole_shares" if left < 1 else holding or "min_trade"
