"""Checks a finished proposal against the owner's limits in exact decimals, from the case alone; part of verify.py.

Invariants, checked here for every proposal that leaves
1. At most `trades` names trade, at most `names` are held afterwards, and what is bought plus what is sold is within the turnover.
2. A name that trades is held for at least `min_holding` afterwards, or not at all.
3. Weights by security, industry and sector are within their bounds; factor exposures too, in float64.
4. Tracking error, as the proposal says it, is within its cap.
"""

from collections.abc import Iterator
from decimal import Decimal

from libs.common.money import CENT, ZERO, float_from_decimal
from libs.common.schemas.account import PlanLimits, WeightBound
from libs.common.schemas.proposal import ProposalCreated, ProposedTrade
from services.optimizer.core.inputs import Case

SAID_TO = Decimal("1e-8")  # tracking error is quantised to this
EXPOSURE = 1e-9  # of a factor's yearly volatility


def limit_faults(case: Case, proposal: ProposalCreated) -> Iterator[str]:
    """What the proposal breaks, in words."""
    limits, trades = case.account.limits, proposal.trades
    if limits.trades is not None and len(trades) > limits.trades:
        yield f"{len(trades)} names trade, more than {limits.trades}"
    if limits.turnover_frac is not None:
        traded = sum([trade.quantity * trade.price for trade in trades], ZERO)
        if traded > limits.turnover_frac * case.value_usd + CENT:
            yield f"{traded} dollars are bought and sold, more than the turnover allows"
    if limits.tracking_error_frac is not None and proposal.te_after_frac > limits.tracking_error_frac + SAID_TO:
        yield f"tracking error of {proposal.te_after_frac} exceeds its cap"
    if limits.names is not None or limits.min_holding is not None or limits.weights:
        yield from _holding_faults(case, limits, trades, _shares_after(case, trades))


def _holding_faults(case: Case, limits: PlanLimits, trades: list[ProposedTrade], after: dict[str, Decimal]) -> Iterator[str]:
    """Limits on what is held afterwards, shares by security."""
    held = sum(shares > 0 for shares in after.values())
    if limits.names is not None and held > limits.names:
        yield f"{held} names would be held, more than {limits.names}"
    if limits.min_holding is not None:
        for trade in trades:
            dollars = after[trade.security_id] * trade.price
            if ZERO < dollars < limits.min_holding - CENT:
                yield f"{dollars} dollars of {trade.security_id} would be less than the least holding"
    for bound in limits.weights:
        yield from _of_bound(case, bound, after)


def _shares_after(case: Case, trades: list[ProposedTrade]) -> dict[str, Decimal]:
    after = dict(case.positions)
    for trade in trades:
        change = trade.quantity if trade.side == "buy" else -trade.quantity
        after[trade.security_id] = after.get(trade.security_id, ZERO) + change
    return after


def _of_bound(case: Case, bound: WeightBound, after: dict[str, Decimal]) -> Iterator[str]:
    """Dollars against the bound in dollars: of the account's value, or beside the target on what is invested."""
    snapshot, invested = case.snapshot, case.value_usd - case.withdrawal_usd
    if bound.by == "factor":
        yield from _of_factor(case, bound, after)
        return
    labels = {"security": snapshot.security_id, "industry": snapshot.industry, "sector": snapshot.sector}[bound.by]
    members = {security_id for security_id, label in zip(snapshot.security_id, labels, strict=True) if label == bound.target}
    dollars = sum((shares * (snapshot.price[snapshot.position[name]] or ZERO) for name, shares in after.items() if name in members), ZERO)
    own = sum(
        (
            Decimal(repr(float(weight)))
            for i, weight in zip(case.model.positions, case.model.weight_frac, strict=True)
            if snapshot.security_id[i] in members
        ),
        ZERO,
    )
    for frac, sign in ((bound.most_frac, 1), (bound.least_frac, -1)):
        if frac is None:
            continue
        limit = (own + frac) * invested if bound.relative else frac * case.value_usd
        if sign * (dollars - limit) > CENT:
            yield f"{dollars} dollars of {bound.by} {bound.target} are beyond the bound of {limit}"


def _of_factor(case: Case, bound: WeightBound, after: dict[str, Decimal]) -> Iterator[str]:
    snapshot, invested = case.snapshot, float_from_decimal(case.value_usd - case.withdrawal_usd)
    column = snapshot.exposures[:, snapshot.factors.index(bound.target)]
    own = float(column[case.model.positions] @ case.model.weight_frac) if bound.relative else 0.0
    scale = 1.0 if bound.relative else float_from_decimal(case.value_usd) / invested
    reached = sum(
        float_from_decimal(shares * (snapshot.price[snapshot.position[name]] or ZERO)) / invested * float(column[snapshot.position[name]])
        for name, shares in after.items()
    )
    for frac, sign in ((bound.most_frac, 1.0), (bound.least_frac, -1.0)):
        if frac is not None and sign * (reached - own - scale * float_from_decimal(frac)) > EXPOSURE:
            yield f"an exposure of {reached} to factor {bound.target} is beyond its bound"
