"""Drawn cases with everything in them: recent lots, identity groups, purchases elsewhere, every restriction, fractions of shares, a year
that has begun, cash; and a judge of wash sales that shares nothing with the product."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from services.optimizer.core.dual.tax_law import Nets, TaxLaw
from services.optimizer.core.transition.case import Restriction, RestrictionKind, TransitionCase
from services.optimizer.core.transition.result import NameTrade
from tests.unit.optimizer.transition.cases import AS_OF, small_case

LAW = TaxLaw(Decimal("0.408"), Decimal("0.238"), Decimal("0.37"), Decimal(3000), Decimal("0.19"), Decimal("0.19"))


def odd_case(seed: int) -> TransitionCase:
    """Thirty drawn names or fewer; the same seed, the same case."""
    draw = np.random.default_rng([seed, 7])
    count = int(draw.integers(8, 30))
    value = int(draw.choice([60_000, 800_000, 5_000_000]))
    case = small_case(seed, count, int(draw.integers(1, 4)), value, float(draw.choice([-0.1, 0.1, 0.35])))
    days = [day if draw.random() > 0.15 else AS_OF - timedelta(days=int(draw.integers(0, 34))) for day in case.lots.acquired]
    shares = [each + (Decimal("0.375") if draw.random() < 0.1 else 0) for each in case.lots.shares]
    lots = replace(case.lots, acquired=tuple(days), shares=tuple(shares))
    group = np.arange(count, dtype=np.intp)
    if draw.random() < 0.5:
        group[1], group[-1] = group[0], group[-2]
    cash = Decimal(int(draw.choice([0, value // 100, value // 3])))
    worth = sum((held * case.names.price_usd[i] for i, held in zip(lots.name.tolist(), shares, strict=True)), Decimal(0))
    elsewhere = ((int(draw.integers(count)), AS_OF - timedelta(days=int(draw.integers(0, 40)))),) if draw.random() < 0.4 else ()
    year = (
        Nets(Decimal(int(draw.integers(-20_000, 10_000))), Decimal(int(draw.integers(-20_000, 10_000)))) if draw.random() < 0.5 else Nets()
    )
    return replace(
        case,
        lots=lots,
        names=replace(case.names, group=group),
        cash_usd=cash,
        value_usd=cash + worth.quantize(Decimal("0.01")),
        tax=replace(case.tax, law=LAW, year=year, bought_elsewhere=elsewhere),
        restrictions=tuple(_restrictions(draw, count)),
        min_trade_usd=Decimal(int(draw.choice([0, 0, 200]))),
    )


def _restrictions(draw: np.random.Generator, count: int) -> list[Restriction]:
    kinds = [kind for kind in RestrictionKind if draw.random() < 0.5]
    return [
        Restriction(f"{kind.value}:1", kind, kind.value, tuple(sorted(int(i) for i in draw.choice(count, size=2, replace=False))))
        for kind in kinds
    ]


def of_kind(case: TransitionCase, *kinds: RestrictionKind) -> set[str]:
    """Securities under a restriction of these kinds."""
    return {case.names.security_id[i] for each in case.restrictions if each.kind in kinds for i in each.names}


def wash_sales(case: TransitionCase, trades: Sequence[NameTrade], on: date = AS_OF) -> list[str]:
    """Securities sold at a loss whose identity group is bought that day, here or elsewhere in the 30 days before, or was here by a lot
    that stays."""
    group = dict(zip(case.names.security_id, case.names.group.tolist(), strict=True))
    gone = {lot.lot_id: lot.shares for trade in trades for lot in trade.lots}
    bought = {group[trade.security_id] for trade in trades if trade.shares + sum(lot.shares for lot in trade.lots) > 0}
    bought |= {group[case.names.security_id[i]] for i, day in case.tax.bought_elsewhere if (on - day).days <= 30}
    lots = case.lots
    for lot_id, i, shares, day in zip(lots.lot_id, lots.name.tolist(), lots.shares, lots.acquired, strict=True):
        if (on - day).days <= 30 and gone.get(lot_id, Decimal(0)) < shares:
            bought.add(group[case.names.security_id[i]])
    losing = [trade for trade in trades if any(lot.gain_usd < 0 for lot in trade.lots)]
    return [trade.security_id for trade in losing if group[trade.security_id] in bought]
