"""Small accounts of the scorer's format, thick with what makes plans illegal: recent lots, losses, loss sales, restricted names."""

from datetime import date, timedelta
from itertools import product
from typing import Any

import numpy as np

from benchmarks.optimizer_convex import by_piqp, programme_of
from services.optimizer.core.dual.model import Model

AS_OF = date(2026, 1, 15)
Account = dict[str, Any]


def small_account(seed: int, names: int = 8, factors: int = 3) -> Account:
    """Drawn from `seed`."""
    rng = np.random.default_rng(seed)
    tickers = [f"N{i}" for i in range(names)]
    price = rng.uniform(20, 200, names).round(2)
    target = rng.uniform(0.2, 1, names)
    held = target * np.exp(0.5 * rng.normal(size=names)) * (rng.random(names) < 0.85)
    held = 0.97 * held / held.sum()
    value, lots = 100_000.0, []
    for i in np.flatnonzero(held):
        for k, part in enumerate(rng.dirichlet(np.full(int(rng.integers(1, 4)), 2.0))):
            days = int(rng.integers(2, 30)) if rng.random() < 0.25 else int(rng.integers(32, 1200))
            lots.append(
                {
                    "lot_id": f"N{i}_{k}",
                    "ticker": tickers[i],
                    "shares": round(float(held[i] * value * part / price[i]), 4),
                    "basis_per_share": round(float(price[i] * np.exp(0.3 * rng.normal())), 4),
                    "acquired": (AS_OF - timedelta(days=days)).isoformat(),
                    "days_held": days,
                }
            )
    sold = [each for each in tickers if rng.random() < 0.15]
    worth = sum(lot["shares"] * price[tickers.index(lot["ticker"])] for lot in lots)
    return {
        "tickers": tickers,
        "price": price.tolist(),
        "target": (target / target.sum()).tolist(),
        "B": rng.normal(0.3, 0.5, (names, factors)).tolist(),
        "F": np.diag(rng.uniform(0.01, 0.03, factors)).tolist(),
        "D": rng.uniform(0.02, 0.12, names).tolist(),
        "half_spread_bps": rng.uniform(1, 8, names).round(2).tolist(),
        "cash": round(value - worth, 2),
        "value": value,
        "lots": lots,
        "recent_loss_sales": [{"ticker": each, "shares": 10.0, "sold": "2026-01-05", "realized_gain": -100.0} for each in sold],
        "no_buy": [each for each in tickers if rng.random() < 0.1],
        "tax": {"st": 0.408, "lt": 0.238},
        "lam": float(rng.choice([5.0, 20.0, 200.0])),
        "max_te": 0.02,
        "min_trade": 500.0,
    }


def least_over_every_branch(model: Model) -> float:
    """The least objective over every choice of one option a name, each solved by an interior-point method; infinite where none can be."""
    own = [np.flatnonzero(model.options.name == i).tolist() for i in range(len(model.names.held))]
    best = float("inf")
    for chosen in product(*own):
        status, objective = by_piqp(programme_of(model, np.array(chosen)))
        if status == "PIQP_SOLVED":
            best = min(best, objective)
    return best
