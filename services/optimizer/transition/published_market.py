"""The market that the running service analyses on: the snapshot that was published, and the strategies that it has models of.

Names, sizes and styles are not published: a security is called by its id, and no strategy can be made by rule.  A security that the
snapshot blocks, or has a fault in, is not judged.
"""

from decimal import Decimal

from libs.common.money import float_from_decimal
from libs.common.schemas.market import MarketPublished
from services.optimizer.core.decline import Decline
from services.optimizer.core.market import Snapshot, prepare
from services.optimizer.transition.catalogue import Catalogue, Strategy
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.market_directory import MarketSecurity, TransitionMarket

CASH_FRAC = Decimal("0.002")


def published_market(published: MarketPublished) -> TransitionMarket | FieldFault:
    """The snapshot as a market for transition analysis, or why it is none."""
    snapshot = prepare(published)
    if isinstance(snapshot, Decline):
        return FieldFault(0, "market", f"The published market can't be used: {snapshot.message}", "Have it published again")
    models = {
        model.strategy_id: {each: Decimal(weight) for each, weight in zip(model.security_id, model.weight_frac, strict=True)}
        for model in published.models
        if model.strategy_id in snapshot.models
    }
    return TransitionMarket(
        as_of=published.as_of,
        simulated=published.simulated,
        risk_model=f"{len(snapshot.factors)} factors, published with the market",
        securities=tuple(_security(published, snapshot, at) for at in range(len(snapshot.security_id))),
        position=snapshot.position,
        factors=snapshot.factors,
        exposures=snapshot.exposures,
        specific_var=snapshot.specific_var_ann,
        in_risk_model=snapshot.in_risk_model,
        models=models,
        managers={},
    )


def _security(published: MarketPublished, snapshot: Snapshot, at: int) -> MarketSecurity:
    security_id = snapshot.security_id[at]
    return MarketSecurity(
        security_id=security_id,
        name=security_id,
        group=snapshot.identity_group[at],
        sector=snapshot.sector[at],
        industry=snapshot.industry[at],
        categories=tuple(published.securities.categories[at]),
        asset_class="equity",
        region="",
        size="",
        style="",
        cap_usd=0.0,
        half_spread_frac=float_from_decimal(snapshot.half_spread[at]),
        price_usd=snapshot.price[at],
        blocked=snapshot.blocked[at],
    )


def catalogue_of(catalogue: Catalogue, market: TransitionMarket) -> Catalogue:
    """The strategies that the market has models of: as in the catalogue, else by their id and with every approach."""
    found = []
    for strategy_id in sorted(market.models):
        known = catalogue.find(strategy_id)
        words = "A model of the published market"
        found.append(known or Strategy(strategy_id, strategy_id, "direct_index", words, CASH_FRAC))
    return Catalogue(found)
