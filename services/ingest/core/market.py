"""The market snapshot of a day: prices, target models, spreads, splits, what is blocked, and the risk model.

Invariants:
1. Nothing dated after `as_of` is read: changing it leaves the snapshot bit-identical.
2. Target weights are multiples of 1e-8, positive, and sum to exactly 1.
3. A name with a recent move beyond the bounds that no corporate action explains is blocked; with its action it is not.
4. A name without a price of the last days is blocked.
5. `market_id` is a function of the content: the same inputs give the same id.
"""

import math
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec
import numpy as np

from libs.common.ids import bytes_id
from libs.common.money import plain, split_largest_remainder
from libs.common.schemas.market import CorporateAction, MarketPublished, RiskModel, SecurityColumns, TargetModel
from services.ingest.core.market_inputs import Floats, MarketInputs, ModelWeights
from services.ingest.core.market_moves import MoveBounds, has_unexplained_move
from services.ingest.core.market_returns import RowActions, risk_panel, row_actions
from services.ingest.core.risk import RiskSettings, fit_risk_model
from services.ingest.core.risk.settings import TRADING_DAYS

WEIGHT_STEP = Decimal("0.00000001")
PRICE_STEP = Decimal("0.000001")
WIDEST_HALF_SPREAD_BPS = 100.0


@dataclass(frozen=True, slots=True)
class MarketSettings:
    """Calendar days: a price older than `stale_days` blocks, splits of the last `action_days` are published."""

    stale_days: int = 5
    action_days: int = 10
    moves: MoveBounds = field(default_factory=MoveBounds)
    risk: RiskSettings = field(default_factory=RiskSettings)


@dataclass(frozen=True, slots=True)
class LastClose:
    """A security's last close at or before the snapshot's date."""

    close: float
    day: date


def build_market(inputs: MarketInputs, as_of: date, settings: MarketSettings) -> MarketPublished:
    """Decide the snapshot for decisions taken after the close of `as_of`; never refuses: what can't be priced is blocked."""
    known = inputs.until(as_of)
    actions = row_actions(known)
    risk = fit_risk_model(risk_panel(known, actions), as_of, settings.risk)
    market = MarketPublished(
        market_id="",
        as_of=as_of,
        simulated=inputs.simulated,
        securities=_securities(known, actions, as_of, risk, settings),
        models=[target_model(model) for model in sorted(known.models, key=lambda model: model.strategy_id)],
        risk=risk,
        corporate_actions=_recent_splits(known, as_of, settings.action_days),
        reorganizations=list(known.reorganizations),
    )
    return msgspec.structs.replace(market, market_id=bytes_id(msgspec.json.encode(market)))


def _securities(known: MarketInputs, actions: RowActions, as_of: date, risk: RiskModel, settings: MarketSettings) -> SecurityColumns:
    last = last_closes(known)
    sd = daily_sd(risk)
    half_spread = [
        half_spread_bps(close.close if close else None, security.adv_usd, float(sd[i]))
        if security.half_spread_bps is None
        else security.half_spread_bps
        for i, (security, close) in enumerate(zip(known.securities, last, strict=True))
    ]
    return SecurityColumns(
        security_id=[s.security_id for s in known.securities],
        issuer_id=[s.issuer_id for s in known.securities],
        identity_group=[s.identity_group for s in known.securities],
        sector=[s.sector for s in known.securities],
        industry=[s.industry for s in known.securities],
        categories=[sorted(set(s.categories)) for s in known.securities],
        price=[None if close is None else plain(price_from_float_half_even(close.close)) for close in last],
        half_spread_bps=half_spread,
        adv_usd=[s.adv_usd for s in known.securities],
        blocked=_blocked(known, actions, last, as_of, settings),
    )


def last_closes(known: MarketInputs) -> list[LastClose | None]:
    """The last close of each security, None for one that never had any."""
    closes = known.closes
    found: list[LastClose | None] = []
    for column in closes.values.T:
        rows = np.flatnonzero(np.isfinite(column))
        found.append(LastClose(float(column[rows[-1]]), closes.dates[rows[-1]].item()) if len(rows) else None)
    return found


def _blocked(
    known: MarketInputs, actions: RowActions, last: list[LastClose | None], as_of: date, settings: MarketSettings
) -> list[str | None]:
    """Why nothing may trade in each name: no price to trade on (none, too old, or from before an action), or a jump."""
    oldest = as_of - timedelta(days=settings.stale_days)
    latest_split = {a.security_id: a.ex_date for a in sorted(known.actions, key=lambda a: a.ex_date) if a.kind == "split"}
    gone = {one.security_id for one in known.reorganizations if one.kind in ("merger", "cash_merger")}
    spun = {one.security_id: one.ex_date for one in known.reorganizations if one.kind == "spin_off"}
    adjusted = known.price_basis == "split_adjusted"
    blocked: list[str | None] = []
    for i, (security, close) in enumerate(zip(known.securities, last, strict=True)):
        split = None if adjusted else latest_split.get(security.security_id)
        changed = max(day for day in (split, spun.get(security.security_id), date.min) if day is not None)
        if close is None or close.day < max(oldest, changed) or security.security_id in gone:
            blocked.append("no_price")
        elif has_unexplained_move(known.closes, actions, i, as_of, settings.moves):
            blocked.append("price_jump")
        else:
            blocked.append(None)
    return blocked


def daily_sd(risk: RiskModel) -> Floats:
    """(securities,) forecast standard deviation of a day's return, as a fraction."""
    exposures = np.array(risk.exposures, dtype=np.float64).reshape(len(risk.security_id), len(risk.factors))
    sd: Floats = np.sqrt(((exposures**2).sum(axis=1) + np.array(risk.specific_var_ann)) / TRADING_DAYS)
    return sd


def half_spread_bps(price: float | None, adv_usd: float, sd_day: float) -> float:
    """Modelled half spread, basis points to four decimals; the widest for a security without a price.

    Reference: risk-model-and-evidence, section 3 (form from common practice, coefficients not fitted to quotes).  The tick floor
    50 / price wants the price that is paid; an adjusted one is a stand-in.
    """
    if price is None:
        return WIDEST_HALF_SPREAD_BPS
    by_volume = 2.0 * math.pow(adv_usd / 1e8, -0.4) * math.sqrt(sd_day / 0.015)
    return round(min(WIDEST_HALF_SPREAD_BPS, max(0.3, 50.0 / price, by_volume)), 4)


def price_from_float_half_even(close: float) -> Decimal:
    """Cross out of the price file: dollars a share to six places, ties to even."""
    return Decimal(repr(close)).quantize(PRICE_STEP, rounding=ROUND_HALF_EVEN)


def target_model(model: ModelWeights) -> TargetModel:
    """The model with weights that sum to exactly 1, by largest remainder in steps of 1e-8; names that round to 0 are left out."""
    rows = sorted(zip(model.security_id, model.weight_frac, strict=True))
    weights = split_largest_remainder(Decimal(1), [weight for _, weight in rows], WEIGHT_STEP)
    kept = [(security_id, weight) for (security_id, _), weight in zip(rows, weights, strict=True) if weight > 0]
    return TargetModel(model.strategy_id, [security_id for security_id, _ in kept], [plain(weight) for _, weight in kept])


def _recent_splits(known: MarketInputs, as_of: date, days: int) -> list[CorporateAction]:
    """Splits effective in the last days, none where lots are in adjusted shares already."""
    if known.price_basis == "split_adjusted":
        return []
    recent = [a for a in known.actions if a.kind == "split" and a.ex_date > as_of - timedelta(days=days)]
    return [CorporateAction(a.security_id, a.ex_date, "split", a.value) for a in sorted(recent, key=lambda a: (a.security_id, a.ex_date))]
