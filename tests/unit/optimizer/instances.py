"""Account instances of the scorer's format as payloads, and a proposal as the scorer's trades.

The instance's rules map to the platform's: no_buy to a screen, recent loss sales to windows on buys, lots of the last 30 days to
windows on loss sales; costs and rates are its own, the collar is zero and cash has no upper bound.
"""

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import structs

from libs.common.schemas.account import TaxRates
from libs.common.schemas.market import MarketPublished, RiskModel, SecurityColumns, TargetModel
from libs.common.schemas.proposal import ProposalCreated
from tests.unit.optimizer.samples import AS_OF, Lot, World, verdict, window, world

DATA = Path(__file__).parent / "data"
WINDOW_DAYS = 30


def load(name: str) -> dict[str, Any]:
    return json.loads((DATA / f"acct_{name}.json").read_text())


def market_of_instance(instance: dict[str, Any]) -> MarketPublished:
    ids = instance["tickers"]
    weights = [Decimal(repr(each)).quantize(Decimal("1e-10")) for each in instance["target"]]
    weights[0] += 1 - sum(weights)
    columns = SecurityColumns(
        security_id=ids,
        issuer_id=ids,
        identity_group=ids,
        sector=["any"] * len(ids),
        industry=["any"] * len(ids),
        categories=[[] for _ in ids],
        price=[repr(each) for each in instance["price"]],
        half_spread_bps=instance["half_spread_bps"],
        adv_usd=[1e7] * len(ids),
        blocked=[None] * len(ids),
    )
    exposures = np.array(instance["B"]) @ np.linalg.cholesky(np.array(instance["F"]))
    risk = RiskModel(ids, [str(k) for k in range(exposures.shape[1])], exposures.tolist(), instance["D"])
    held = [(each, str(weight)) for each, weight in zip(ids, weights, strict=True) if weight > 0]
    model = TargetModel("core", [each for each, _ in held], [weight for _, weight in held])
    return MarketPublished("market-1", AS_OF, True, columns, [model], risk, [])


def world_of(instance: dict[str, Any], min_trade: str = "0") -> World:
    """The instance as one decision of the platform."""
    lots = [
        Lot(each["lot_id"], each["ticker"], repr(each["shares"]), repr(each["basis_per_share"]), date.fromisoformat(each["acquired"]))
        for each in instance["lots"]
    ]
    recent = [lot for lot in lots if AS_OF - lot.start <= timedelta(days=WINDOW_DAYS)]
    after_buys = [window(lot.security_id, [lot.security_id], account_id="A1", lot_ids=[lot.lot_id]) for lot in recent]
    after_losses = [window(each["ticker"], [each["ticker"]]) for each in instance["recent_loss_sales"]]
    base = world(
        [],
        lots,
        repr(instance["cash"]),
        [verdict(each, "never_buy", may_buy=False) for each in instance["no_buy"]],
        ledger={"blocked_buys": after_losses, "blocked_loss_sales": after_buys},
        rates=TaxRates(Decimal(repr(instance["tax"]["st"])), Decimal(repr(instance["tax"]["lt"]))),
        risk_aversion=Decimal(repr(instance["lam"])),
        cash_min_frac=Decimal(0),
        cash_max_frac=Decimal(1),
        min_trade=Decimal(min_trade),
    )
    run = structs.replace(base.run, price_collar_bps=0)
    return World(base.account, base.screen, base.ledger, market_of_instance(instance), run)


def scored_trades(proposal: ProposalCreated) -> list[dict[str, Any]]:
    """The proposal in the scorer's format."""
    trades: list[dict[str, Any]] = []
    for trade in proposal.trades:
        if trade.side == "buy":
            trades.append({"ticker": trade.security_id, "side": "BUY", "shares": float(trade.quantity)})
        else:
            trades += [{"ticker": trade.security_id, "side": "SELL", "shares": float(x.quantity), "lot_id": x.lot_id} for x in trade.lots]
    return trades
