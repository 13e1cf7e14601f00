"""A market for transition analysis, read from a directory: the market files of docs/file-formats.md, and three more.

    market.json         simulated, and what the risk model is called
    securities.csv      as for ingest; market_cap_usd is needed where a strategy's weights follow from a rule
    prices.csv          as for ingest; the last line counts
    models/ID.csv       as for ingest; optional
    attributes.csv      security_id, asset_class, region, size, style; optional
    risk_model.csv      security_id, specific_var_ann, then a column a factor: exposures, annual, factors of unit variance
    managers/ID.csv     manager, security_id, weight_frac: the model portfolios of a multi-manager strategy; optional

The one that ships with the project is simulated.  What can't be read is a fault with its file, line and remedy; nothing raises.
"""

import csv
import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from services.optimizer.core.arrays import Bools, Floats
from services.optimizer.transition.faults import FieldFault

SHIPPED = Path(__file__).parent / "market"
DEFAULT_HALF_SPREAD_BPS = 5.0
WEIGHT_SUM_TOLERANCE = Decimal("1e-6")
Row = dict[str, str]
Weights = dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class MarketSecurity:
    """One security as people and rules see it; `price_usd` None where the last line has none, `blocked` a reason not to trade in it."""

    security_id: str
    name: str
    group: str
    sector: str
    industry: str
    categories: tuple[str, ...]
    asset_class: str
    region: str
    size: str
    style: str
    cap_usd: float
    half_spread_frac: float
    price_usd: Decimal | None
    blocked: str | None = None


@dataclass(frozen=True, slots=True)
class TransitionMarket:
    """Securities in the order of their ids, with the rows of the risk model (zero where `in_risk_model` is false), target models by
    strategy and managers' model portfolios by strategy and manager."""

    as_of: date
    simulated: bool
    risk_model: str
    securities: tuple[MarketSecurity, ...]
    position: dict[str, int]
    factors: tuple[str, ...]
    exposures: Floats
    specific_var: Floats
    in_risk_model: Bools
    models: dict[str, Weights]
    managers: dict[str, dict[str, Weights]]


class _Unreadable(Exception):
    """Carries a fault out of the reading of one file; never leaves this module."""

    def __init__(self, file: str, line: int, field: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.fault = FieldFault(line, f"{file}: {field}" if field else file, message, remedy)


def read_market(directory: Path = SHIPPED) -> TransitionMarket | FieldFault:
    """The market in a directory, or the first thing that is wrong with it."""
    try:
        return _read(directory)
    except _Unreadable as error:
        return error.fault
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return FieldFault(
            0, "market", f"The market directory can't be read: {error}", "Give market files in UTF-8 (docs/transition-intake.md)"
        )


def _read(directory: Path) -> TransitionMarket:
    about = _about(directory)
    as_of, prices = _last_prices(directory)
    kinds = {row["security_id"]: row for _, row in _rows(directory, "attributes.csv", ("security_id",), optional=True)}
    found: dict[str, MarketSecurity] = {}
    for line, row in _rows(directory, "securities.csv", ("security_id", "name", "sector")):
        found[row["security_id"]] = _security(line, row, kinds.get(row["security_id"], {}), prices)
    securities = tuple(found[each] for each in sorted(found))
    position = {each.security_id: i for i, each in enumerate(securities)}
    factors, exposures, variances, covered = _risk(directory, position)
    return TransitionMarket(
        as_of=as_of,
        simulated=bool(about.get("simulated")),
        risk_model=str(about.get("risk_model") or f"{len(factors)} factors (risk_model.csv)"),
        securities=securities,
        position=position,
        factors=factors,
        exposures=exposures,
        specific_var=variances,
        in_risk_model=covered,
        models={path.stem: _model(directory, path, position) for path in sorted((directory / "models").glob("*.csv"))},
        managers={path.stem: _managers(directory, path, position) for path in sorted((directory / "managers").glob("*.csv"))},
    )


def _about(directory: Path) -> dict[str, Any]:
    try:
        about = json.loads((directory / "market.json").read_bytes())
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        raise _Unreadable("market.json", 0, "", "It is no JSON object", 'Write {"simulated": false, "price_basis": "unadjusted"}')
    return about


def _rows(directory: Path, name: str, needed: tuple[str, ...], *, optional: bool = False) -> list[tuple[int, Row]]:
    """The lines of a table with their numbers; every column of `needed` must be there."""
    path = directory / name
    if optional and not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, restval="")
        missing = [each for each in needed if each not in (reader.fieldnames or [])]
        if missing:
            raise _Unreadable(name, 1, missing[0], f"There is no column {missing[0]}", f"Give the columns {', '.join(needed)}")
        return [(reader.line_num, row) for row in reader]


def _last_prices(directory: Path) -> tuple[date, dict[str, Decimal]]:
    rows = _rows(directory, "prices.csv", ("date",))
    if not rows:
        raise _Unreadable("prices.csv", 1, "", "There is no line of prices", "Give at least one day's closes")
    line, last = rows[-1]
    try:
        day = date.fromisoformat(last["date"])
    except ValueError:
        raise _Unreadable("prices.csv", line, "date", f"{last['date']!r} is no date", "Write it as 2026-11-20") from None
    closes = ((name, _number("prices.csv", line, name, text)) for name, text in last.items() if name != "date" and text)
    return day, {name: price for name, price in closes if price > 0}


def _security(line: int, row: Row, kind: Row, prices: dict[str, Decimal]) -> MarketSecurity:
    spread, cap = row.get("half_spread_bps") or "", row.get("market_cap_usd") or ""
    file = "securities.csv"
    return MarketSecurity(
        security_id=row["security_id"],
        name=row["name"],
        group=row.get("identity_group") or row.get("issuer_id") or row["security_id"],
        sector=row["sector"],
        industry=row.get("industry") or row["sector"],
        categories=tuple(text.strip() for text in (row.get("categories") or "").split(";") if text.strip()),
        asset_class=kind.get("asset_class") or "equity",
        region=kind.get("region") or "",
        size=kind.get("size") or "",
        style=kind.get("style") or "",
        cap_usd=float(_number(file, line, "market_cap_usd", cap)) if cap else 0.0,
        half_spread_frac=(float(_number(file, line, "half_spread_bps", spread)) if spread else DEFAULT_HALF_SPREAD_BPS) / 1e4,
        price_usd=prices.get(row["security_id"]),
    )


def _number(file: str, line: int, field: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise _Unreadable(file, line, field, f"{text!r} is no number of at least zero", "Write it as 1234.56")
    return value


def _risk(directory: Path, position: dict[str, int]) -> tuple[tuple[str, ...], Floats, Floats, Bools]:
    name = "risk_model.csv"
    rows = _rows(directory, name, ("security_id", "specific_var_ann"))
    factors = tuple(each for each in (rows[0][1] if rows else {}) if each not in ("security_id", "specific_var_ann"))
    exposures, variances = np.zeros((len(position), len(factors))), np.zeros(len(position))
    covered = np.zeros(len(position), dtype=np.bool_)
    for line, row in rows:
        at = position.get(row["security_id"])
        if at is None:
            continue
        try:
            exposures[at] = [float(row[each]) for each in factors]
            variances[at] = float(row["specific_var_ann"])
        except (TypeError, ValueError):
            raise _Unreadable(name, line, row["security_id"], "A number can't be read", "Give one number for each factor") from None
        covered[at] = bool(np.isfinite(exposures[at]).all()) and isfinite(variances[at]) and variances[at] > 0
    return factors, np.where(covered[:, None], exposures, 0.0), np.where(covered, variances, 0.0), covered


def _model(directory: Path, path: Path, position: dict[str, int]) -> Weights:
    name = f"models/{path.name}"
    found: Weights = {}
    for line, row in _rows(directory, name, ("security_id", "weight_frac")):
        found[_known(name, line, row, position)] = _number(name, line, "weight_frac", row["weight_frac"])
    return _whole(name, found)


def _managers(directory: Path, path: Path, position: dict[str, int]) -> dict[str, Weights]:
    name = f"managers/{path.name}"
    found: dict[str, Weights] = {}
    for line, row in _rows(directory, name, ("manager", "security_id", "weight_frac")):
        book = found.setdefault(row["manager"].strip(), {})
        book[_known(name, line, row, position)] = _number(name, line, "weight_frac", row["weight_frac"])
    return {manager: _whole(name, book) for manager, book in found.items()}


def _known(name: str, line: int, row: Row, position: dict[str, int]) -> str:
    if row["security_id"] not in position:
        raise _Unreadable(
            name, line, "security_id", f"{row['security_id']!r} is not in securities.csv", "Add it there, or take the line out"
        )
    return row["security_id"]


def _whole(name: str, weights: Weights) -> Weights:
    total = sum(weights.values(), Decimal(0))
    if abs(total - 1) > WEIGHT_SUM_TOLERANCE:
        raise _Unreadable(name, 0, "weight_frac", f"Weights sum to {total}", "Let the weights of each model sum to 1")
    return weights
