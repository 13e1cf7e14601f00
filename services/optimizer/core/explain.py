"""Says why: a reason and a share of the risk for each trade, and what was asked and not reached (limits: shadow.py)."""

from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from libs.common.money import ZERO, cents_half_even
from libs.common.schemas.proposal import ProposedTrade, TradeReason, Unmet
from libs.common.schemas.screen import Verdict
from services.optimizer.core.amounts import to_nearest
from services.optimizer.core.arrays import Bools, Floats
from services.optimizer.core.attribution import covariance_with, variance_shares
from services.optimizer.core.branch import Multipliers, Plan
from services.optimizer.core.build import free_to_sell
from services.optimizer.core.evaluate import active_weights
from services.optimizer.core.inputs import Case
from services.optimizer.core.limits import cash_band
from services.optimizer.core.problem import Problem
from services.optimizer.core.shadow import PRESSES, TRACKING_ERROR, TURNOVER
from services.optimizer.core.trades import Drafts

SQUARE_BPS = 1e8  # square basis points in a square of one


def give_reasons(case: Case, problem: Problem, drafts: Drafts, plan: Plan) -> list[ProposedTrade]:
    """Each trade with the first reason that holds, and its share of the change in risk; `plan` is what is proposed, in weights.

    Sales: restriction (the screen wants it gone, or holds it below a weight), harvest (it realises a net loss), cash (cash is short),
    drift (it was above target), refresh (a small gain, for a new basis).
    Buys: cash (cash was above its band), harvest (losses were sold and this takes their place above target), drift (it was below
    target).
    Both: gain_deferral (it offsets the risk of gains that are kept), constraint (it balances what other limits keep away from target).
    """
    share = variance_shares(problem, plan)[drafts.name]
    variance = _written(share * SQUARE_BPS, 4)
    risk = _written(share * (problem.risk_aversion * problem.invested_usd), 2)
    columns = (drafts.security_id, drafts.selling.tolist(), drafts.quantity, drafts.price, _reasons(case, problem, drafts, plan))
    amounts = (drafts.lots, drafts.tax, drafts.cost, variance, risk)
    return [
        ProposedTrade(security_id, "sell" if selling else "buy", quantity, price, reason, lots, tax, cost, variance_bps2, of_risk)
        for security_id, selling, quantity, price, reason, lots, tax, cost, variance_bps2, of_risk in zip(*columns, *amounts, strict=True)
    ]


def _written(values: Floats, places: int) -> list[Decimal]:
    """Float64 to so many places, ties to even."""
    steps = values * 10.0**places
    return to_nearest(steps, np.abs(steps), Decimal(1).scaleb(-places), lambda i: Decimal(f"{values[i]:.{places}f}")).values


def _reasons(case: Case, problem: Problem, drafts: Drafts, plan: Plan) -> list[TradeReason]:
    """[trades] The first reason that holds."""
    after, band, name = active_weights(problem, plan) + problem.target, cash_band(case), drafts.name
    losing = np.array([tax < ZERO for tax in drafts.tax], dtype=np.bool_)
    harvesting = case.account.harvest.mode != "off" and bool(losing.any())
    deferred = covariance_with(problem, _gains_kept(problem, plan, after))[name]
    credited = np.bincount(problem.name[problem.policy_frac < 0], minlength=len(after))[name] > 0
    before, target = problem.held[name], problem.target[name]
    screened, gone = _screened(case)
    row = problem.row[name]
    restricted = screened[row] & (gone[row] | (before > problem.weight_max[name]))
    selling = drafts.selling
    tests: list[tuple[TradeReason, Bools]] = [
        ("restriction", selling & restricted),
        ("cash", ~selling & (band.before > band.most)),
        ("harvest", np.where(selling, losing, after[name] > target) & harvesting),
        ("cash", selling & (band.before < band.least)),
        ("drift", np.where(selling, before > target, before < target)),
        ("refresh", selling & credited),
        ("gain_deferral", np.where(selling, deferred > 0, deferred < 0)),
    ]
    reasons: list[TradeReason] = [reason for reason, _ in tests] + ["constraint"]
    first = np.argmax([*(holds for _, holds in tests), np.ones(len(name), dtype=np.bool_)], axis=0)
    return [reasons[each] for each in first.tolist()]


def _screened(case: Case) -> tuple[Bools, Bools]:
    """[securities] Whether the screen says something of it, and whether it wants it gone."""
    position = case.snapshot.position
    screened, gone = np.zeros(len(position), dtype=np.bool_), np.zeros(len(position), dtype=np.bool_)
    for security_id, verdict in case.verdicts.items():
        if security_id in position:
            screened[position[security_id]], gone[position[security_id]] = True, verdict.must_sell
    return screened, gone


def _gains_kept(problem: Problem, plan: Plan, after: Floats) -> Floats:
    """[names] Weight above target in names that keep a gain which might have been realised."""
    kept = problem.may_sell & (problem.tax_frac > 0) & (plan.sold < problem.size)
    keeping = np.bincount(problem.name[kept], minlength=len(after)) > 0
    above: Floats = np.where(keeping, (after - problem.target).clip(min=0.0), 0.0)
    return above


def unmet_wishes(case: Case, problem: Problem, drafts: Drafts, multipliers: Multipliers, cash_after: Decimal) -> list[Unmet]:
    """What the screen or the owner asked for and the trades do not do; securities in order, cash last."""
    sold = {drafts.security_id[i]: drafts.quantity[i] for i in np.flatnonzero(drafts.selling).tolist()}
    holding = _limit_that_holds(case, drafts, multipliers)
    found = [*_left_over(case, sold, multipliers, holding), *_too_heavy(case, problem, drafts, multipliers, holding)]
    band = cash_band(case)
    lack, spare = cents_half_even(band.least) - cash_after, cash_after - cents_half_even(band.most)
    if lack > 0:
        found.append(Unmet(None, "cash_raise", holding or "nothing_more_to_sell", lack))
    elif spare > max(case.account.min_trade, _dearest_share(problem)):
        found.append(Unmet(None, "cash_invest", holding or "nothing_more_to_buy", spare))
    return found


def _limit_that_holds(case: Case, drafts: Drafts, multipliers: Multipliers) -> str | None:
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
    wanted = sorted(security_id for security_id, verdict in case.verdicts.items() if wants_sale(verdict))
    for security_id in wanted:
        position = case.positions.get(security_id, ZERO)
        left = position - sold.get(security_id, ZERO)
        if left > 0:
            yield Unmet(security_id, "must_sell", _obstacle(case, security_id, position, left, multipliers, holding), left)


def _too_heavy(case: Case, problem: Problem, drafts: Drafts, multipliers: Multipliers, holding: str | None) -> Iterator[Unmet]:
    """Held above its maximum weight, by more than the one share that rounding may leave."""
    heavy = np.flatnonzero(problem.held > problem.weight_max).tolist()
    traded = {name: n for n, name in enumerate(drafts.name.tolist())} if heavy else {}
    for name in heavy:
        i, trade = int(problem.row[name]), traded.get(name)
        security_id, price = case.snapshot.security_id[i], case.snapshot.price[i]
        verdict = case.verdicts.get(security_id)
        if price is None or verdict is None or verdict.max_weight_frac is None:
            continue
        change = ZERO if trade is None else -drafts.quantity[trade] if drafts.selling[trade] else drafts.quantity[trade]
        shares = case.positions[security_id] + change
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
