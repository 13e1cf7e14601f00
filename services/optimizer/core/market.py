"""A market snapshot as the optimizer reads it: columns indexed once, arrays shared by every account of a run.

Invariants
1. Prices are positive and finite or missing; specific variances of what is in the risk model are positive; each model's weights are not
   negative and sum to 1.
2. The arrays can't be written to.
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from math import inf, isfinite

import numpy as np

from libs.common.money import float_from_decimal
from libs.common.schemas.market import MarketPublished, RiskModel, SecurityColumns, TargetModel
from services.optimizer.core.arrays import Bools, Floats, Ints, frozen
from services.optimizer.core.decimals import units_of_decimals
from services.optimizer.core.decline import Decline, DeclineCode

BPS = Decimal(10_000)
MOST_PRICE = Decimal(10) ** 9  # dollars a share: what no share costs
MOST_EXPOSURE, MOST_VARIANCE = 1e3, 1e6  # a yearly volatility, and a variance, of a hundred thousand per cent
NOT_PRICED = Decimal("NaN")
WEIGHT_SUM_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Model:
    """A strategy's target: positions in the snapshot's securities and their weights as fractions."""

    positions: Ints
    weight_frac: Floats


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One market, indexed.  Rows of every array follow the snapshot's securities.

    `exposures` [securities, factors] and `specific_var_ann` [securities] are zero where `in_risk_model` is false.
    `price_units` are prices in units of 10**-`price_places`, `price_usd` in dollars (NaN and infinite without a price); `unblocked` may be
    traded as far as the market goes; `rank` and `group` number securities and identity groups by their ids in order.
    `half_spread_frac` is the cost of trading one dollar; `adv_usd` the median daily dollar volume.  `faults` by security and `model_faults`
    by strategy name the field that can't be used: only accounts that hold or follow one are refused.  A security with a fault has no
    price here and no row in the risk model.
    """

    market_id: str
    security_id: tuple[str, ...]
    position: dict[str, int]
    identity_group: tuple[str, ...]
    sector: tuple[str, ...]
    industry: tuple[str, ...]
    price: tuple[Decimal | None, ...]
    half_spread: tuple[Decimal, ...]
    blocked: tuple[str | None, ...]
    price_units: Floats
    price_places: int
    price_usd: Floats
    unblocked: Bools
    rank: Ints
    group: Ints
    group_number: dict[str, int]
    half_spread_frac: Floats
    adv_usd: Floats
    factors: tuple[str, ...]
    exposures: Floats
    specific_var_ann: Floats
    in_risk_model: Bools
    models: dict[str, Model]
    faults: dict[str, str]
    model_faults: dict[str, str]


def prepare(market: MarketPublished) -> Snapshot | Decline:
    """Index a published market with the faults in it, or decline it whole where its columns are not a table."""
    columns = market.securities
    position = {security_id: i for i, security_id in enumerate(columns.security_id)}
    if len(position) != len(columns.security_id):
        return Decline(DeclineCode.INVALID_MARKET, "security_id names a security twice")
    prices = [_price(text) for text in columns.price]
    faults = _faults(columns, prices) | _risk_faults(market.risk)
    usable = [security_id not in faults for security_id in columns.security_id]
    exposures, specific, covered = _risk_rows(market.risk, position, faults)
    half_spread = _half_spreads(columns, usable)
    priced = [price if good else None for price, good in zip(prices, usable, strict=True)]
    price = units_of_decimals([NOT_PRICED if each is None else each for each in priced])
    group_number = {group: n for n, group in enumerate(sorted(set(columns.identity_group)))}
    model_faults = {model.strategy_id: fault for model in market.models if (fault := _model_fault(model, position)) is not None}
    return Snapshot(
        market_id=market.market_id,
        security_id=tuple(columns.security_id),
        position=position,
        identity_group=tuple(columns.identity_group),
        sector=tuple(columns.sector),
        industry=tuple(columns.industry),
        price=tuple(priced),
        half_spread=half_spread,
        blocked=tuple(columns.blocked),
        price_units=frozen(price.units),
        price_places=price.places,
        price_usd=frozen(np.array([inf if each is None else float_from_decimal(each) for each in priced], dtype=np.float64)),
        unblocked=frozen(np.array([each is None for each in columns.blocked], dtype=np.bool_)),
        rank=_rank(columns.security_id),
        group=frozen(np.array([group_number[each] for each in columns.identity_group], dtype=np.intp)),
        group_number=group_number,
        half_spread_frac=frozen(np.array([float_from_decimal(each) for each in half_spread], dtype=np.float64)),
        adv_usd=frozen(np.array(columns.adv_usd, dtype=np.float64)),
        factors=tuple(market.risk.factors),
        exposures=frozen(exposures),
        specific_var_ann=frozen(specific),
        in_risk_model=frozen(covered),
        models={model.strategy_id: _model(model, position) for model in market.models if model.strategy_id not in model_faults},
        faults=faults,
        model_faults=model_faults,
    )


def _half_spreads(columns: SecurityColumns, usable: list[bool]) -> tuple[Decimal, ...]:
    """By security, what trading a dollar costs, in dollars."""
    bps = zip(columns.half_spread_bps, usable, strict=True)
    return tuple(Decimal(repr(float(each))) / BPS if good else Decimal(0) for each, good in bps)


def _rank(ids: list[str]) -> Ints:
    """Where each id stands among them all, in order."""
    rank = np.zeros(len(ids), dtype=np.intp)
    rank[sorted(range(len(ids)), key=ids.__getitem__)] = np.arange(len(ids))
    return frozen(rank)


def _price(text: str | None) -> Decimal | None:
    """The price, or a price that `_fault` refuses: NaN for what can't be read."""
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


def _model(model: TargetModel, position: dict[str, int]) -> Model:
    rows = np.array([position[security_id] for security_id in model.security_id], dtype=np.intp)
    weights = np.array([float(weight) for weight in model.weight_frac], dtype=np.float64)
    return Model(frozen(rows), frozen(weights))


def _risk_rows(risk: RiskModel, position: dict[str, int], faults: dict[str, str]) -> tuple[Floats, Floats, Bools]:
    """The risk model's rows in the order of the snapshot's securities; rows of names that the snapshot lacks, or
    that have a fault, are left out."""
    exposures = np.zeros((len(position), len(risk.factors)))
    specific, covered = np.zeros(len(position)), np.zeros(len(position), dtype=np.bool_)
    known = [i for i, security_id in enumerate(risk.security_id) if security_id in position and security_id not in faults]
    rows = np.array([position[risk.security_id[i]] for i in known], dtype=np.intp)
    if known:
        exposures[rows] = np.array([risk.exposures[i] for i in known], dtype=np.float64).reshape(len(known), len(risk.factors))
        specific[rows] = np.array([risk.specific_var_ann[i] for i in known], dtype=np.float64)
        covered[rows] = True
    return exposures, specific, covered


def _faults(columns: SecurityColumns, prices: list[Decimal | None]) -> dict[str, str]:
    """By security, the price or spread that can't be used."""
    found = {}
    for security_id, price, spread in zip(columns.security_id, prices, columns.half_spread_bps, strict=True):
        if price is not None and not (price.is_finite() and 0 < price <= MOST_PRICE):
            found[security_id] = f"price of {security_id} is {price}"
        elif not (isfinite(spread) and 0 <= spread < BPS):
            found[security_id] = f"half_spread_bps of {security_id} is {spread}"
    return found


def _risk_faults(risk: RiskModel) -> dict[str, str]:
    """By security, the row of the risk model that can't be used.  In factor form the model is positive definite if specific variances
    are positive."""
    found = {}
    for security_id, row, variance in zip(risk.security_id, risk.exposures, risk.specific_var_ann, strict=True):
        if not 0 < variance <= MOST_VARIANCE:
            found[security_id] = f"specific_var_ann of {security_id} is {variance}"
        elif len(row) == len(risk.factors) and max(map(abs, row), default=0.0) > MOST_EXPOSURE:
            found[security_id] = f"exposures of {security_id} have {max(row, key=abs)}, more than any yearly volatility"
        elif len(row) != len(risk.factors) or not all(map(isfinite, row)):
            found[security_id] = f"exposures of {security_id} are not {len(risk.factors)} finite numbers"
    return found


def _model_fault(model: TargetModel, position: dict[str, int]) -> str | None:
    weights = [float(weight) for weight in model.weight_frac]
    for security_id, weight in zip(model.security_id, weights, strict=True):
        if security_id not in position:
            return f"model {model.strategy_id} holds {security_id}, which the snapshot lacks"
        if not (isfinite(weight) and weight >= 0):
            return f"weight_frac of {security_id} in model {model.strategy_id} is {weight}"
    if abs(sum(weights) - 1) > WEIGHT_SUM_TOLERANCE:
        return f"weights of model {model.strategy_id} sum to {sum(weights)}"
    return None
