"""The securities of the histories, and snapshots of them."""

from decimal import Decimal

from libs.common.schemas.market import MarketPublished, RiskModel, SecurityColumns
from tests.unit.orders.samples import AS_OF

D = Decimal
GROUP_OF = {"AAA": "A", "AAB": "A", "BBB": "B", "CCC": "C"}
PRICES = {"AAA": D(100), "AAB": D(110), "BBB": D(50), "CCC": D(20)}
NAMES = sorted(GROUP_OF)
HALF_SPREAD_BPS = D(2)
COLLAR = D("0.01")


def snapshot(market_id: str, factors: dict[str, str], blocked: str | None) -> MarketPublished:
    """A snapshot with each base price times its factor, and perhaps one name that jumped."""
    columns = SecurityColumns(
        security_id=NAMES,
        issuer_id=NAMES,
        identity_group=[GROUP_OF[name] for name in NAMES],
        sector=["S"] * len(NAMES),
        industry=["I"] * len(NAMES),
        categories=[[] for _ in NAMES],
        price=[str((PRICES[name] * D(factors.get(name, "1"))).quantize(D("0.01"))) for name in NAMES],
        half_spread_bps=[float(HALF_SPREAD_BPS)] * len(NAMES),
        adv_usd=[1e7] * len(NAMES),
        blocked=["price_jump" if name == blocked else None for name in NAMES],
    )
    return MarketPublished(market_id, AS_OF, True, columns, [], RiskModel([], [], [], []), [])


def price_in(market: MarketPublished, security_id: str) -> Decimal:
    """Dollars a share."""
    return D(market.securities.price[NAMES.index(security_id)] or "0")


def blocked_in(market: MarketPublished) -> set[str]:
    """What nothing may trade in."""
    return {name for name, reason in zip(NAMES, market.securities.blocked, strict=True) if reason is not None}
