"""Writes the simulated market that ships with transition analysis: the same bytes on each call.

    python -m services.optimizer.transition.simulated_market DIR

Everything in it is fictional and says so (market.json).  It is a market directory of docs/file-formats.md with three tables more
(market_directory.py), so that ingest can read it too.
"""

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np

from services.optimizer.transition.catalogue import Catalogue, made_weights, read_catalogue
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.market_directory import SHIPPED, TransitionMarket, Weights, read_market
from services.optimizer.transition.simulated_funds import BOND_FUNDS, SHARE_FUNDS, BondFund
from services.optimizer.transition.simulated_risk import FACTORS, fund_rows, share_rows
from services.optimizer.transition.simulated_universe import SEED, Security, make_shares

AS_OF = "2026-11-20"
WEIGHT_UNITS = 100_000_000  # weights are written to eight places
HALF_SPREAD_BPS = {"large": 1.5, "mid": 4.0, "small": 11.0, "fund": 1.0}

# strategy: manager: (names, region is US, sizes, lean of the choice to growth)
MANAGERS: dict[str, dict[str, tuple[int, bool, tuple[str, ...], float]]] = {
    "multi-manager-large-cap": {
        "Alder Growth": (55, True, ("large",), 1.2),
        "Birch Value": (60, True, ("large",), -1.2),
        "Cedar Core": (110, True, ("large",), 0.0),
        "Dogwood Quality": (40, True, ("large",), 0.4),
    },
    "multi-manager-small-mid-cap": {
        "Elm Mid Cap": (70, True, ("mid",), 0.2),
        "Fir Small Value": (60, True, ("small",), -1.0),
        "Gorse Small Growth": (55, True, ("small",), 1.0),
    },
    "multi-manager-international": {
        "Hazel Europe and Asia": (50, False, ("large",), 0.0),
        "Ivy International Value": (35, False, ("large",), -1.0),
        "Juniper International Growth": (35, False, ("large",), 1.0),
    },
}


def write_market(directory: Path) -> None:
    """Every file of the market; directories are made where they are missing."""
    shares = make_shares()
    for name in ("models", "managers"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    about = {
        "simulated": True,
        "price_basis": "unadjusted",
        "note": "Fictional securities, prices and models: no company, fund or manager in it exists.",
        "risk_model": f"simulated, {len(FACTORS)} independent factors",
    }
    _write(directory / "market.json", json.dumps(about, indent=2) + "\n")
    _write_securities(directory, shares)
    _write_risk(directory, shares)
    for strategy_id, managers in MANAGERS.items():
        rows = [(name, each, weight) for name, how in managers.items() for each, weight in _chosen(shares, name, *how)]
        _table(directory / "managers" / f"{strategy_id}.csv", ("manager", "security_id", "weight_frac"), rows)
    _write_models(directory)


def _write_securities(directory: Path, shares: list[Security]) -> None:
    rows: list[tuple[object, ...]] = []
    kinds, prices = [], {}
    for s in shares:
        cap, volume = round(s.cap_usd / 1e6) * 1_000_000, round(s.cap_usd * 0.004 / 1e4) * 10_000
        rows.append(
            (s.security_id, s.name, s.issuer_id, s.sector, s.industry, ";".join(s.categories), volume, HALF_SPREAD_BPS[s.size], cap)
        )
        kinds.append((s.security_id, s.asset_class, s.region, s.size, s.style))
        prices[s.security_id] = s.price_cents
    for fund in (*SHARE_FUNDS, *BOND_FUNDS):
        of_bonds = isinstance(fund, BondFund)
        sector, industry = ("Bonds", fund.industry) if isinstance(fund, BondFund) else ("Funds", "Funds of shares")
        rows.append((fund.security_id, fund.name, fund.security_id, sector, industry, "", 50_000_000, HALF_SPREAD_BPS["fund"], ""))
        kinds.append((fund.security_id, "bond_fund" if of_bonds else "fund", "", "", ""))
        prices[fund.security_id] = fund.price_cents
    header = ("security_id", "name", "issuer_id", "sector", "industry", "categories", "adv_usd", "half_spread_bps", "market_cap_usd")
    _table(directory / "securities.csv", header, sorted(rows, key=str))
    _table(directory / "attributes.csv", ("security_id", "asset_class", "region", "size", "style"), sorted(kinds))
    ids = sorted(prices)
    _table(directory / "prices.csv", ("date", *ids), [(AS_OF, *(f"{prices[each] / 100:.2f}" for each in ids))])


def _write_risk(directory: Path, shares: list[Security]) -> None:
    exposures, variances = share_rows(shares)
    more, own = fund_rows(shares, exposures, variances)
    ids = [s.security_id for s in shares] + [fund.security_id for fund in (*SHARE_FUNDS, *BOND_FUNDS)]
    values = np.column_stack([np.concatenate([variances, own]), np.vstack([exposures, more])])
    rows = [(each, *(_short(value) for value in row)) for each, row in zip(ids, values.tolist(), strict=True)]
    _table(directory / "risk_model.csv", ("security_id", "specific_var_ann", *FACTORS), sorted(rows))


def _short(value: float) -> str:
    return f"{value:.7f}".rstrip("0").rstrip(".") if round(value, 7) else "0"


def _chosen(shares: list[Security], manager: str, count: int, in_us: bool, sizes: tuple[str, ...], lean: float) -> list[tuple[str, str]]:
    """A manager's model: the names that score best on style and the manager's own view, weighted by the root of capitalisation."""
    rng = np.random.default_rng([SEED, *manager.encode()])
    pool = [s for s in shares if (s.region == "US") is in_us and s.size in sizes]
    score = np.array([lean * s.growth for s in pool]) + 0.5 * rng.standard_normal(len(pool))
    best = np.argsort(-score, kind="stable")[:count]
    size = np.array([pool[i].cap_usd ** 0.5 for i in best])
    weights = {pool[i].security_id: Decimal(repr(float(each))) for i, each in zip(best, size / size.sum(), strict=True)}
    return list(_to_eight_places(weights).items())


def _to_eight_places(weights: Weights) -> dict[str, str]:
    """Weights as text that sums to 1 exactly, by largest remainder."""
    total = sum(weights.values(), Decimal(0))
    exact = {each: weight / total * WEIGHT_UNITS for each, weight in weights.items()}
    units = {each: int(value) for each, value in exact.items()}
    left = WEIGHT_UNITS - sum(units.values())
    for each in sorted(exact, key=lambda e: (units[e] - exact[e], e))[:left]:
        units[each] += 1
    return {each: f"{units[each] / WEIGHT_UNITS:.8f}" for each in sorted(units) if units[each]}


def _write_models(directory: Path) -> None:
    """What every strategy of the catalogue comes to in this market."""
    catalogue, market = read_catalogue(), _without_models(read_market(directory))
    if isinstance(catalogue, FieldFault):
        raise TypeError(catalogue.text())
    for strategy in catalogue.strategies:
        _table(
            directory / "models" / f"{strategy.strategy_id}.csv",
            ("security_id", "weight_frac"),
            _target(strategy.strategy_id, catalogue, market),
        )


def _without_models(market: TransitionMarket | FieldFault) -> TransitionMarket:
    if isinstance(market, FieldFault):
        raise TypeError(market.text())
    market.models.clear()
    return market


def _target(strategy_id: str, catalogue: Catalogue, market: TransitionMarket) -> list[tuple[str, str]]:
    strategy = catalogue.find(strategy_id)
    weights = None if strategy is None else made_weights(strategy, catalogue, market)
    if not isinstance(weights, dict):
        raise TypeError(f"{strategy_id}: {weights}")
    return list(_to_eight_places(weights).items())


def _table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    _write(path, text.getvalue())


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode())


if __name__ == "__main__":
    write_market(Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED)
