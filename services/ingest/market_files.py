"""The market directory: security master, prices, target models, corporate actions and capitalisation (docs/file-formats.md).

    market.json                      {"simulated": true|false, "price_basis": "unadjusted"|"split_adjusted"}
    securities.(csv|parquet)         security_id, name, issuer_id, identity_group?, sector, industry, categories?, adv_usd,
                                     half_spread_bps?, market_cap_usd?
    prices.(csv|parquet)             date, then one column a security; empty is no price
    models/<strategy_id>.(csv|parquet)   security_id, weight_frac
    corporate_actions.(csv|parquet)  security_id, ex_date, kind, value and the terms of reorganizations: market_actions.py; optional
    capitalisation.(csv|parquet)     wide as prices, dollars; optional

`read_market_directory` returns what the files say; `load_market` the snapshot of a day.  Anything wrong raises BadInput.
"""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal, cast

from libs.common.errors import BadInput
from libs.common.schemas.market import MarketPublished
from services.ingest.core.market import MarketSettings, build_market
from services.ingest.core.market_inputs import MarketInputs, ModelWeights, PriceBasis, Security, WideTable
from services.ingest.market_actions import known_security, read_actions
from services.ingest.market_tables import Row, decimal_of, read_rows, read_wide, table_path

SECURITY_COLUMNS = ("security_id", "name", "issuer_id", "sector", "industry", "adv_usd")
SECURITY_OPTIONS = ("identity_group", "categories", "half_spread_bps", "market_cap_usd")
MODEL_SUM_TOLERANCE = Decimal("0.000001")


def load_market(directory: Path, as_of: date) -> MarketPublished:
    """The snapshot of `as_of` from the market directory; raises BadInput naming file, line, field and remedy."""
    return build_market(read_market_directory(directory), as_of, MarketSettings())


def read_market_directory(directory: Path) -> MarketInputs:
    """All of the market directory, checked and brought to one order of securities; raises BadInput."""
    if not directory.is_dir():
        raise BadInput(str(directory), None, None, "there is no such directory", "Name the directory with the market files")
    simulated, price_basis = _read_market_json(directory)
    securities = _read_securities(directory)
    ids = [security.security_id for security in securities]
    path = table_path(directory, "corporate_actions")
    actions, reorganizations = read_actions(path, set(ids)) if path else ((), ())
    if reorganizations and price_basis == "split_adjusted":
        name, one = cast(Path, path).name, reorganizations[0]
        problem = f"{one.kind} of {one.security_id}: its terms are of unadjusted shares, the prices are split_adjusted"
        raise BadInput(name, None, "kind", problem, "Give unadjusted prices, or take such lines out")
    return MarketInputs(
        simulated=simulated,
        price_basis=price_basis,
        securities=securities,
        closes=_read_prices(directory, ids),
        models=_read_models(directory, set(ids)),
        actions=actions,
        capitalisation=_read_capitalisation(directory, ids),
        reorganizations=reorganizations,
    )


def _read_market_json(directory: Path) -> tuple[bool, PriceBasis]:
    name = "market.json"
    try:
        content = json.loads((directory / name).read_bytes())
    except FileNotFoundError:
        raise _missing(name, '{"simulated": false, "price_basis": "unadjusted"}') from None
    except ValueError as error:
        raise BadInput(name, None, None, f"it is not JSON ({error})", "Write it again") from error
    if not isinstance(content, dict) or not isinstance(content.get("simulated"), bool):
        raise BadInput(name, None, "simulated", "it is not true or false", "Say whether the market is simulated")
    if content.get("price_basis") not in ("unadjusted", "split_adjusted"):
        raise BadInput(name, None, "price_basis", "it is not known", 'Write "unadjusted" or "split_adjusted"')
    return content["simulated"], cast(PriceBasis, content["price_basis"])


def _read_securities(directory: Path) -> tuple[Security, ...]:
    path = _required(directory, "securities")
    found: dict[str, Security] = {}
    for row in read_rows(path, path.name, SECURITY_COLUMNS, SECURITY_OPTIONS):
        security = _security(row)
        if security.security_id in found:
            raise row.bad("security_id", f"{security.security_id} is there twice", "Keep one line a security")
        found[security.security_id] = security
    if not found:
        raise BadInput(path.name, None, None, "there is no security in it", "Give one line a security")
    return tuple(found[security_id] for security_id in sorted(found))


def _security(row: Row) -> Security:
    return Security(
        security_id=row.text("security_id"),
        name=row.text("name"),
        issuer_id=row.text("issuer_id"),
        identity_group=row.fields.get("identity_group") or row.text("issuer_id"),
        sector=row.text("sector"),
        industry=row.text("industry"),
        categories=tuple(text.strip() for text in row.fields.get("categories", "").split(";") if text.strip()),
        adv_usd=_positive(row, "adv_usd"),
        half_spread_bps=_positive(row, "half_spread_bps") if row.fields.get("half_spread_bps") else None,
        market_cap_usd=_positive(row, "market_cap_usd") if row.fields.get("market_cap_usd") else None,
    )


def _read_prices(directory: Path, ids: list[str]) -> WideTable:
    path = _required(directory, "prices")
    return read_wide(path, path.name, ids, "price")


def _read_capitalisation(directory: Path, ids: list[str]) -> WideTable | None:
    path = table_path(directory, "capitalisation")
    return read_wide(path, path.name, ids, "capitalisation") if path else None


def _read_models(directory: Path, ids: set[str]) -> tuple[ModelWeights, ...]:
    folder = directory / "models"
    stems = sorted({path.stem for path in folder.glob("*.csv")} | {path.stem for path in folder.glob("*.parquet")})
    if not stems:
        raise _missing("models", "one file a strategy, models/<strategy_id>.csv")
    return tuple(_read_model(cast(Path, table_path(folder, stem)), ids) for stem in stems)


def _read_model(path: Path, ids: set[str]) -> ModelWeights:
    name = f"models/{path.name}"
    weights: dict[str, Decimal] = {}
    for row in read_rows(path, name, ("security_id", "weight_frac")):
        security_id = known_security(row, "security_id", ids)
        if security_id in weights:
            raise row.bad("security_id", f"{security_id} is there twice", "Keep one line a security")
        weight = decimal_of(row, "weight_frac")
        if weight < 0:
            raise row.bad("weight_frac", f"{weight} is negative", "Give a fraction of 0 or more")
        weights[security_id] = weight
    total = sum(weights.values(), Decimal(0))
    if abs(total - 1) > MODEL_SUM_TOLERANCE:
        raise BadInput(name, None, "weight_frac", f"the weights sum to {total}", "Give fractions that sum to 1")
    return ModelWeights(path.stem, tuple(weights), tuple(weights.values()))


def _positive(row: Row, field: Literal["adv_usd", "half_spread_bps", "market_cap_usd"]) -> float:
    value = float(decimal_of(row, field))
    if not 0 < value < float("inf"):
        raise row.bad(field, f"{value:g} is not positive", "Give a positive number")
    return value


def _required(directory: Path, stem: str) -> Path:
    path = table_path(directory, stem)
    if path is None:
        raise _missing(f"{stem}.csv", f"{stem}.csv or {stem}.parquet")
    return path


def _missing(name: str, example: str) -> BadInput:
    return BadInput(name, None, None, "it is missing from the market directory", f"Add {example}")
