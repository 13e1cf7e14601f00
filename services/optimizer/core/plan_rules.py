"""The owner's limits of every plan as numbers: tracking-error cap, turnover, counts, and bounds on weights and factor exposures.

Invariants
1. A bound names something that the market has; a bound that nothing could keep is refused before any solve, by its place in the account.
2. Every weight row reads  coefficient . weights after trading <= bound,  in fractions of invested value; a two-sided bound is two rows.
"""

from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from libs.common.money import float_from_decimal
from libs.common.schemas.account import AccountChanged, WeightBound
from services.optimizer.core.arrays import Floats, Ints, frozen
from services.optimizer.core.decline import Decline, DeclineCode
from services.optimizer.core.market import Model, Snapshot

NO_LIMIT = float("inf")


@dataclass(frozen=True, slots=True)
class WeightRow:
    """`name` says side, kind and target, as weight_most:sector:Energy; `coefficient` [names]; `bound` in weight (or factor exposure)."""

    name: str
    coefficient: Floats
    bound: float


@dataclass(frozen=True, slots=True)
class PlanRules:
    """Fractions of invested value; no limit is infinite, or None for a number of names."""

    tracking_error: float = NO_LIMIT
    turnover: float = NO_LIMIT
    trades: int | None = None
    names: int | None = None
    min_holding: float = 0.0
    weights: tuple[WeightRow, ...] = field(default=())


NO_RULES = PlanRules()


def plan_rules(account: AccountChanged, snapshot: Snapshot, rows: Ints, target: Floats, value_usd: Decimal, invested: Decimal) -> PlanRules:
    """The limits over the names at `rows` of the snapshot, whose target weights are `target`; the bounds were found to be good."""
    limits = account.limits
    scale = float_from_decimal(value_usd / invested)
    weights = [row for bound in limits.weights for row in _rows_of(bound, _coefficient(bound, snapshot)[rows], target, scale)]
    return PlanRules(
        tracking_error=_or_none(limits.tracking_error_frac),
        turnover=_or_none(limits.turnover_frac) * scale,
        trades=limits.trades,
        names=limits.names,
        min_holding=0.0 if limits.min_holding is None else float_from_decimal(limits.min_holding / invested),
        weights=tuple(weights),
    )


def _or_none(limit: Decimal | None) -> float:
    return NO_LIMIT if limit is None else float_from_decimal(limit)


def _coefficient(bound: WeightBound, snapshot: Snapshot) -> Floats:
    """[securities] What a unit of weight adds to what is bounded."""
    if bound.by == "factor":
        exposure: Floats = snapshot.exposures[:, snapshot.factors.index(bound.target)]
        return exposure
    labels = {"security": snapshot.security_id, "industry": snapshot.industry, "sector": snapshot.sector}[bound.by]
    return np.array([label == bound.target for label in labels], dtype=np.float64)


def _rows_of(bound: WeightBound, coefficient: Floats, target: Floats, scale: float) -> list[WeightRow]:
    found = []
    own = float(coefficient @ target)
    for side, sign, limit in (("most", 1.0, bound.most_frac), ("least", -1.0, bound.least_frac)):
        if limit is not None:
            wanted = own + float_from_decimal(limit) if bound.relative else float_from_decimal(limit) * scale
            found.append(WeightRow(f"weight_{side}:{bound.by}:{bound.target}", frozen(sign * coefficient), sign * wanted))
    return found


def rules_fault(account: AccountChanged, snapshot: Snapshot, model: Model) -> Decline | None:
    """The first limit that names nothing, or that no account could keep; None where all can be asked for.  Its numbers are good."""
    bounds: dict[tuple[str, str], tuple[float, float]] = {}
    for n, bound in enumerate(account.limits.weights):
        place = f"limits.weights[{n}], {bound.by} {bound.target}"
        known = {"security": snapshot.position, "industry": snapshot.industry, "sector": snapshot.sector, "factor": snapshot.factors}
        if bound.target not in known[bound.by]:
            return Decline(DeclineCode.INVALID_ACCOUNT, f"{place}: the market has no {bound.by} of that name")
        coefficient = _coefficient(bound, snapshot)
        own = float(coefficient[model.positions] @ model.weight_frac) if bound.relative else 0.0
        low, high = bounds.get((bound.by, bound.target), (-NO_LIMIT, NO_LIMIT))
        low = max(low, -NO_LIMIT if bound.least_frac is None else own + float(bound.least_frac))
        high = min(high, NO_LIMIT if bound.most_frac is None else own + float(bound.most_frac))
        bounds[bound.by, bound.target] = low, high
        ends = (max(low, 0.0), min(high, 1.0)) if bound.by != "factor" else (low, high)
        if ends[0] > ends[1]:
            return Decline(DeclineCode.INVALID_ACCOUNT, f"{place}: least against most weight", _decimal(ends[1]), _decimal(ends[0]))
    return _crowded(bounds, account)


def _crowded(bounds: dict[tuple[str, str], tuple[float, float]], account: AccountChanged) -> Decline | None:
    """Whether the least weights of all sectors, industries or securities together leave no room, cash included."""
    most = 1.0 - float(account.cash_min_frac)
    for by in ("security", "industry", "sector"):
        least = sum(max(low, 0.0) for (of, _), (low, _) in bounds.items() if of == by)
        if least > most:
            message = f"limits.weights: the least weights by {by} sum to more than cash leaves"
            return Decline(DeclineCode.INVALID_ACCOUNT, message, _decimal(most), _decimal(least))
    return None


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value)).quantize(Decimal("1e-6"))
