"""Synthetic transition cases of any size, by kind of account; the same arguments give the same case.

legacy        a third of the target's names and others beside it, large gains       cash          nothing but cash
seasoned      most of the target's names, many lots at a loss                       concentrated  legacy with 30 % in one long-held name
"""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from services.optimizer.core.arrays import Floats, Ints, frozen
from services.optimizer.core.dual.tax_law import Nets, TaxLaw
from services.optimizer.core.transition.case import Lots, Names, Outlook, Restriction, RestrictionKind, TaxBase, TransitionCase

AS_OF = date(2026, 11, 20)
LAW = TaxLaw(Decimal("0.408"), Decimal("0.238"), Decimal("0.37"), Decimal(3000), Decimal("0.19"), Decimal("0.19"))
KINDS = ("legacy", "seasoned", "concentrated", "cash")
SECTORS = ("Energy", "Financials", "Health care", "Industrials", "Technology", "Utilities")
CENT = Decimal("0.01")


def transition_case(
    kind: str, names: int = 500, lots: int = 2000, seed: int = 1, value_usd: int = 5_000_000, factors: int = 70
) -> TransitionCase:
    """One account of `kind` with `names` names in its target and about `lots` lots."""
    rng = np.random.default_rng([seed, names, KINDS.index(kind)])
    count, factors = names + names // 10, min(factors, max(names // 4, 2))
    target = np.append(rng.lognormal(0.0, 1.0, names), np.zeros(count - names))
    target = target / target.sum()
    price = [Decimal(repr(round(each, 2))) for each in rng.lognormal(4.5, 0.6, count).tolist()]
    weight = _held(kind, rng, target, names)
    held = _lots(kind, rng, weight, price, lots, value_usd)
    worth = sum((s * price[i] for s, i in zip(held.shares, held.name.tolist(), strict=True)), Decimal(0))
    cash = (Decimal(value_usd) - worth).quantize(CENT)
    cash = max(cash, Decimal(0))
    return TransitionCase(
        as_of=AS_OF,
        strategy_id="large_cap",
        strategy_label="Direct-index large cap",
        names=Names(
            security_id=tuple(f"S{i:04d}" for i in range(count)),
            label=tuple(f"Company {i}" for i in range(count)),
            sector=tuple(SECTORS[i % len(SECTORS)] for i in range(count)),
            group=frozen(np.arange(count, dtype=np.intp)),
            price_usd=tuple(price),
            target=frozen(target),
            exposures=_exposures(rng, count, factors),
            specific_var=frozen((rng.uniform(0.15, 0.45, count)) ** 2),
            cost_frac=frozen(rng.uniform(1e-4, 8e-4, count)),
        ),
        lots=held,
        cash_usd=cash,
        value_usd=worth + cash,
        target_cash_frac=0.0,
        tax=TaxBase(LAW, Nets()),
        outlook=Outlook(),
        restrictions=(Restriction("never_own:1", RestrictionKind.NEVER_OWN, "No Energy", tuple(range(0, min(count, 36), 12))),),
        simulated=True,
    )


def _exposures(rng: np.random.Generator, count: int, factors: int) -> Floats:
    style = rng.normal(0.0, 0.04, (count, factors)) * (rng.random((count, factors)) < 0.3)
    style[:, 0] = rng.normal(0.16, 0.03, count)
    return frozen(style)


def _held(kind: str, rng: np.random.Generator, target: Floats, names: int) -> Floats:
    """Weights held, which sum to at most 1."""
    if kind == "cash":
        return np.zeros(len(target))
    chance = 0.75 if kind == "seasoned" else 0.34
    held = rng.random(len(target)) < chance
    tilt = rng.lognormal(0.0, 0.5 if kind == "seasoned" else 0.9, len(target))
    weight = np.where(held, (target + (target == 0) * target[:names].mean()) * tilt, 0.0)
    weight = weight / max(weight.sum(), 1e-9) * 0.99
    if kind == "concentrated":
        weight *= 0.7
        weight[int(np.argmax(weight))] += 0.297
    return np.asarray(weight)


def _lots(kind: str, rng: np.random.Generator, weight: Floats, price: list[Decimal], lots: int, value_usd: int) -> Lots:
    """About `lots` lots of whole shares over the names held, in proportion alike; gains by the kind."""
    names = np.flatnonzero(weight > 0)
    each = max(lots // max(len(names), 1), 1)
    name: list[int] = []
    shares: list[Decimal] = []
    basis: list[Decimal] = []
    day: list[date] = []
    for i in names.tolist():
        parts = rng.dirichlet(np.ones(each)) * weight[i] * value_usd / float(price[i])
        for part in parts.tolist():
            age = int(rng.integers(2, 4000)) if rng.random() < 0.9 else int(rng.integers(2, 360))
            mean = -0.02 if kind == "seasoned" else 0.35
            ratio = float(np.exp(-rng.normal(mean * min(age / 1500 + 0.3, 2.0), 0.3)))
            quantity = Decimal(max(int(part), 1))
            name.append(i)
            shares.append(quantity)
            basis.append((quantity * price[i] * Decimal(repr(round(ratio, 6)))).quantize(CENT))
            day.append(AS_OF - timedelta(days=age))
    numbers: Ints = np.array(name, dtype=np.intp)
    return Lots(tuple(f"L{n}" for n in range(len(name))), frozen(numbers), tuple(shares), tuple(basis), tuple(day))
