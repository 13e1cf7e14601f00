"""Transition cases for tests: a small drawn account, and the scorer's account instances as a case."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from services.optimizer.core.dual.tax_law import Nets, TaxLaw
from services.optimizer.core.transition.case import Lots, Names, Outlook, TaxBase, TransitionCase

AS_OF = date(2026, 3, 2)
LAW = TaxLaw(Decimal("0.408"), Decimal("0.238"), Decimal("0.37"), Decimal(3000))


def case_of_instance(instance: dict[str, Any], **changes: Any) -> TransitionCase:
    """A generator's account (shared optimiser instances) moving to its index; spreads and rates are its own, restrictions are left out."""
    price = tuple(Decimal(repr(each)) for each in instance["price"])
    index = {ticker: i for i, ticker in enumerate(instance["tickers"])}
    lots = sorted(instance["lots"], key=lambda lot: index[lot["ticker"]])
    shares = tuple(Decimal(repr(lot["shares"])) for lot in lots)
    names = Names(
        security_id=tuple(instance["tickers"]),
        label=tuple(instance["tickers"]),
        sector=tuple(str(each) for each in instance["sector"]),
        group=np.arange(len(price), dtype=np.intp),
        price_usd=price,
        target=np.array(instance["target"]),
        exposures=np.array(instance["B"]) @ np.linalg.cholesky(np.array(instance["F"])),
        specific_var=np.array(instance["D"]),
        cost_frac=np.array(instance["half_spread_bps"]) / 1e4,
    )
    held = Lots(
        lot_id=tuple(lot["lot_id"] for lot in lots),
        name=np.array([index[lot["ticker"]] for lot in lots], dtype=np.intp),
        shares=shares,
        basis_usd=tuple(
            (count * Decimal(repr(lot["basis_per_share"]))).quantize(Decimal("0.01")) for count, lot in zip(shares, lots, strict=True)
        ),
        acquired=tuple(date.fromisoformat(lot["acquired"]) for lot in lots),
    )
    return whole(date.fromisoformat(instance["meta"]["as_of"]), names, held, Decimal(repr(instance["cash"])), LAW, **changes)


def whole(as_of: date, names: Names, lots: Lots, cash: Decimal, law: TaxLaw, **changes: Any) -> TransitionCase:
    """A case of these holdings, its value added up."""
    worth = sum((shares * names.price_usd[i] for i, shares in zip(lots.name.tolist(), lots.shares, strict=True)), Decimal(0))
    case = TransitionCase(as_of, "core", "Core", names, lots, cash, cash + worth.quantize(Decimal("0.01")), 0.0, TaxBase(law, Nets()))
    return replace(case, **changes)


def small_case(
    seed: int, count: int = 12, lots_a_name: int = 3, value: int = 2_000_000, gain: float = 0.35, **changes: Any
) -> TransitionCase:
    """A drawn account of `count` names with gains of about `gain` of value, moving to equal weights over most of them."""
    draw = np.random.default_rng(seed)
    price = [Decimal(f"{each:.2f}") for each in np.exp(draw.normal(4.0, 0.5, count))]
    target = np.where(np.arange(count) < count * 3 // 4, 1.0, 0.0)
    held = draw.dirichlet(np.full(count, 1.5)) * 0.99
    lot_name, shares, basis, acquired = [], [], [], []
    for i in range(count):
        for part in draw.dirichlet(np.full(lots_a_name, 2.0)):
            quantity = Decimal(int(held[i] * part * value / float(price[i])))
            if quantity > 0:
                lot_name.append(i)
                shares.append(quantity)
                basis.append(
                    (quantity * price[i] * Decimal(f"{np.exp(-gain + 0.25 * draw.standard_normal()):.4f}")).quantize(Decimal("0.01"))
                )
                acquired.append(AS_OF - timedelta(days=int(draw.integers(35, 1200))))
    names = Names(
        security_id=tuple(f"N{i:03d}" for i in range(count)),
        label=tuple(f"Name {i}" for i in range(count)),
        sector=("any",) * count,
        group=np.arange(count, dtype=np.intp),
        price_usd=tuple(price),
        target=target / target.sum(),
        exposures=np.column_stack([0.15 * (1 + 0.2 * draw.standard_normal(count)), 0.05 * draw.standard_normal((count, 2))]),
        specific_var=draw.uniform(0.15, 0.4, count) ** 2,
        cost_frac=draw.uniform(1e-4, 8e-4, count),
    )
    ids = tuple(f"L{k}" for k in range(len(lot_name)))
    lots = Lots(ids, np.array(lot_name, dtype=np.intp), tuple(shares), tuple(basis), tuple(acquired))
    return whole(AS_OF, names, lots, Decimal(value) / 100, LAW, **{"outlook": Outlook(), **changes})
