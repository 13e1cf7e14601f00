"""A small market and the strategies that make rules over it: seven names, two share classes of one issuer, one blocked name."""

from datetime import date
from decimal import Decimal

from hypothesis import strategies as st

from libs.common.schemas.account import AccountChanged, Budgets, LotColumns, TaxRates, Wish, WishBy, WishKind
from libs.common.schemas.market import MarketPublished, RiskModel, SecurityColumns
from services.restrictions.core.rules import Level, Rule
from services.restrictions.core.screen import universe_of

# security, issuer, sector, industry, categories, blocked
NAMES: list[tuple[str, str, str, str, list[str], str | None]] = [
    ("ALE", "Alefield", "Staples", "Brewers", ["alcohol"], None),
    ("BOLT", "Boltworks", "Industrials", "Defense", ["weapons"], None),
    ("COAL", "Coaldale", "Energy", "Coal", ["fossil", "thermal_coal"], None),
    ("DUO.A", "Duocorp", "Technology", "Software", [], None),
    ("DUO.B", "Duocorp", "Technology", "Software", [], None),
    ("EGG", "Eggers", "Staples", "Food", [], None),
    ("FIX", "Fixit", "Industrials", "Machinery", ["weapons"], "price_jump"),
]
UNPRICED = "OLDCO"


def market() -> MarketPublished:
    """The sample market as it is published."""
    columns = SecurityColumns(
        security_id=[name[0] for name in NAMES],
        issuer_id=[name[1] for name in NAMES],
        identity_group=[name[1] for name in NAMES],
        sector=[name[2] for name in NAMES],
        industry=[name[3] for name in NAMES],
        categories=[name[4] for name in NAMES],
        price=["10" for _ in NAMES],
        half_spread_bps=[1.0 for _ in NAMES],
        adv_usd=[1e6 for _ in NAMES],
        blocked=[name[5] for name in NAMES],
    )
    return MarketPublished("market-1", date(2026, 1, 5), True, columns, [], RiskModel([], [], [], []), [])


UNIVERSE = universe_of("market-1", date(2026, 1, 5), market().securities)


def account_changed(
    account_id: str = "A1", household_id: str = "H1", version: int = 1, held: tuple[str, ...] = ("EGG",), wishes: tuple[Wish, ...] = ()
) -> AccountChanged:
    """An account that holds one lot of each security in `held`."""
    count = len(held)
    return AccountChanged(
        account_id=account_id,
        household_id=household_id,
        taxpayer_id="T1",
        custodian="C1",
        account_type="taxable",
        version=version,
        business_date=date(2026, 1, 5),
        trade_seq=0,
        state="open",
        state_reason=None,
        strategy_id="S1",
        approval="auto",
        do_not_trade=False,
        rates=TaxRates(Decimal("0.408"), Decimal("0.238")),
        budgets=Budgets(),
        risk_aversion=Decimal(20),
        cash_min_frac=Decimal("0.002"),
        cash_max_frac=Decimal("0.02"),
        min_trade=Decimal(200),
        cash_settled=Decimal(1000),
        cash_unsettled=Decimal(0),
        cash_flows=[],
        wishes=list(wishes),
        tax_opening=None,
        past_sales=[],
        lots=LotColumns(
            lot_id=[f"L{n}" for n in range(count)],
            security_id=list(held),
            quantity=["10"] * count,
            cost_basis=["100"] * count,
            acquired=["2025-01-02"] * count,
            provisional=[False] * count,
        ),
        aliases={},
        breaks=[],
    )


def rule(kind: WishKind, by: WishBy, *targets: str, level: Level = "account", limit: str | None = None, rule_id: str = "r") -> Rule:
    """A rule by its words."""
    return Rule(rule_id, kind, by, tuple(sorted(targets)), level, None if limit is None else Decimal(limit))


TARGETS: dict[WishBy, list[str]] = {
    "security": [*(name[0] for name in NAMES), UNPRICED, "NOWHERE"],
    "issuer": ["Alefield", "Duocorp", "Fixit", "Nobody"],
    "industry": ["Brewers", "Software", "Coal", "Nothing"],
    "sector": ["Staples", "Industrials", "Technology", "Nothing"],
    "category": ["alcohol", "weapons", "fossil", "thermal_coal", "nothing"],
}
KINDS: list[WishKind] = ["hold", "never_sell", "must_sell", "never_buy", "never_add"]


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Any rule that intake takes."""
    bounded = draw(st.booleans())
    bys: list[WishBy] = ["security", "issuer"] if bounded else list(TARGETS)
    by = draw(st.sampled_from(bys))
    return Rule(
        rule_id=draw(st.sampled_from(["r1", "r2", "r3", "r4"])),
        kind="max_weight" if bounded else draw(st.sampled_from(KINDS)),
        by=by,
        targets=tuple(sorted(draw(st.sets(st.sampled_from(TARGETS[by]), min_size=1, max_size=3)))),
        level=draw(st.sampled_from(["account", "household"])),
        limit_frac=draw(st.decimals(0, 1, places=2)) if bounded else None,
    )


rule_lists = st.lists(rules(), max_size=6)
holdings = st.frozensets(st.sampled_from([*(name[0] for name in NAMES), UNPRICED]), max_size=4)
