"""The other 220 accounts, in 148 households: drawn from the kinds of accounts that a manager's book is made of."""

from dataclasses import replace
from decimal import Decimal

import numpy as np

from demo.sample.days import rng_of
from demo.sample.market import DIVIDEND, LARGE, SampleMarket
from demo.sample.picks import Picks
from demo.sample.plans import FAITH_CATEGORIES, NO_BUDGETS, NO_TAX, ExtraBuy, Holding, Plan, opening, wishes
from demo.sample.stories import YEAR, past_loss
from libs.common.schemas.account import AccountType, Budgets, PastSale, TaxOpening, TaxRates, Wish, WishKind

FIRST_ACCOUNT, FIRST_HOUSEHOLD = 31, 23
HOUSEHOLD_SIZES = (1,) * 96 + (2,) * 40 + (3,) * 8 + (5,) * 4
# a household's first account is taxable; another taxable one is the spouse's
LATER_TYPES: tuple[AccountType, ...] = ("traditional_ira", "roth_ira", "taxable")
RATES = (("0.408", "0.238"), ("0.35", "0.188"), ("0.24", "0.15"))

# kind: (odds in a taxable account, odds in a retirement account)
KINDS = {
    "full": (0.05, 0.04),
    "sample": (0.72, 0.81),
    "dividend": (0.10, 0.10),
    "fresh": (0.015, 0.015),
    "cash_only": (0.01, 0.01),
    "legacy": (0.04, 0.0),
    "concentrated": (0.07, 0.0),
}
ESG_CATEGORIES = ("fossil_fuel", "tobacco", "weapons")
WIDE_INDUSTRIES = ("Casinos", "Oil Producers", "Tobacco")


class Crowd:
    """Draws the plans one household after the other."""

    def __init__(self, market: SampleMarket, picks: Picks) -> None:
        self._market = market
        self._picks = picks
        self._rng = rng_of(3)
        self._next_account = FIRST_ACCOUNT

    def plans(self) -> list[Plan]:
        """All plans, by account id."""
        sizes = self._rng.permutation(np.array(HOUSEHOLD_SIZES)).tolist()
        return [plan for number, size in enumerate(sizes) for plan in self._household(f"H{FIRST_HOUSEHOLD + number:03d}", size)]

    def _household(self, household_id: str, size: int) -> list[Plan]:
        short_frac, long_frac = map(Decimal, RATES[int(self._rng.choice(3, p=[0.5, 0.3, 0.2]))])
        rates = TaxRates(short_frac, long_frac)
        plans = []
        for member in range(size):
            kind = "taxable" if member == 0 else LATER_TYPES[int(self._rng.choice(3, p=[0.45, 0.2, 0.35]))]
            taxpayer = f"T-{household_id}-{'b' if member and kind == 'taxable' else 'a'}"
            plans.append(self._account(f"A{self._next_account:04d}", household_id, taxpayer, kind, rates, member == 0))
            self._next_account += 1
        return plans

    def _account(
        self, account_id: str, household_id: str, taxpayer_id: str, account_type: AccountType, rates: TaxRates, first: bool
    ) -> Plan:
        rng, taxable = self._rng, account_type == "taxable"
        odds = np.array([pair[0 if taxable else 1] for pair in KINDS.values()])
        kind = str(rng.choice(list(KINDS), p=odds / odds.sum()))
        asked, categories, industries = self._wishes(account_id)
        sales = self._past_sales(account_id) if taxable and kind == "sample" and rng.random() < 0.2 else ()
        sold = frozenset(self._market.column_of[sale.security_id] for sale in sales)
        holding = self._holding(kind, sold)
        return Plan(
            account_id,
            household_id,
            taxpayer_id,
            account_type,
            holding,
            strategy_id=DIVIDEND if kind == "dividend" else LARGE,
            approval="manual" if rng.random() < 0.03 else "auto",
            do_not_trade=bool(rng.random() < 0.015),
            rates=rates if taxable else NO_TAX,
            budgets=self._budgets(kind, holding.value_usd) if taxable else NO_BUDGETS,
            risk_aversion=Decimal(int(rng.choice([10, 20, 40], p=[0.2, 0.6, 0.2]))),
            wishes=asked,
            tax_opening=self._opening() if first and rng.random() < 0.3 else None,
            past_sales=sales,
            avoided_categories=categories,
            avoided_industries=industries,
        )

    def _holding(self, kind: str, sold: frozenset[int]) -> Holding:
        rng, today = self._rng, self._picks.today_row
        value = int(round(float(np.clip(rng.lognormal(np.log(650_000), 0.6), 200_000, 2_000_000)), -3))
        seasoned = Holding(
            "sample",
            value,
            cash_frac=float(rng.uniform(0.003, 0.015)),
            fractional=bool(rng.random() < 0.15),
            harvested=bool(rng.random() < 0.97),
            avoid_columns=sold,
            unsettled_usd=int(rng.integers(5, 60)) * 100 if rng.random() < 0.06 else 0,
        )
        if kind == "full":
            return replace(seasoned, style="full", value_usd=int(rng.integers(1_500, 5_000)) * 1000, purchases=self._purchases(3))
        if kind == "fresh":
            bought = ((today - int(rng.integers(2, 18)), 1.0),)
            return replace(
                seasoned, style="fresh", purchases=bought, names=int(rng.integers(60, 160)), cash_frac=float(rng.uniform(0.2, 0.6))
            )
        if kind == "cash_only":
            return Holding("cash_only", value, cash_frac=1.0)
        if kind == "legacy":
            return replace(seasoned, style="legacy", names=int(rng.integers(24, 60)), harvested=False)
        names = int(rng.integers(110, 150)) if kind == "dividend" else int(rng.choice([100, 150, 200, 250], p=[0.1, 0.35, 0.35, 0.2]))
        extra: tuple[ExtraBuy, ...] = ()
        if kind == "concentrated":
            extra = (ExtraBuy(int(rng.choice(self._picks.winners)), self._picks.winner_row, float(rng.uniform(0.31, 0.55))),)
        unknown = float(rng.uniform(0.05, 0.3)) if rng.random() < 0.05 else 0.0
        return replace(seasoned, purchases=self._purchases(2), names=names, extra=extra, unknown_basis_frac=unknown)

    def _purchases(self, most: int) -> tuple[tuple[int, float], ...]:
        """The first purchase, and up to `most` less one later; one account in eight also bought within the last 30 days."""
        rng, today = self._rng, self._picks.today_row
        rows = sorted(rng.integers(30, today - 30, int(rng.integers(1, most + 1))).tolist())
        if rng.random() < 0.125:
            rows.append(today - int(rng.integers(2, 18)))
        later = [float(rng.uniform(0.04, 0.12)) for _ in rows[1:]]
        return tuple(zip(rows, [1.0 - sum(later), *later], strict=True))

    def _wishes(self, account_id: str) -> tuple[tuple[Wish, ...], tuple[str, ...], tuple[str, ...]]:
        """What the owner asked, and the categories and industries that the account therefore never bought."""
        rng, draw = self._rng, self._rng.random()
        large = self._market.models[LARGE]
        heavy = self._market.universe[int(rng.choice(np.argsort(-large, kind="stable")[:40]))].security_id
        if draw < 0.07:
            return wishes(account_id, "never_buy", "category", FAITH_CATEGORIES), FAITH_CATEGORIES, ()
        if draw < 0.14:
            return wishes(account_id, "never_buy", "category", ESG_CATEGORIES), ESG_CATEGORIES, ()
        if draw < 0.18:
            industry = str(rng.choice(WIDE_INDUSTRIES))
            return wishes(account_id, "never_buy", "industry", (industry,)), (), (industry,)
        if draw < 0.20:
            return wishes(account_id, "max_weight", "security", (heavy,), limit_frac=Decimal("0.01")), (), ()
        if draw < 0.26:
            kinds: tuple[WishKind, ...] = ("hold", "never_sell", "never_add")
            return wishes(account_id, kinds[int(rng.integers(3))], "security", (heavy,)), (), ()
        return (), (), ()

    def _past_sales(self, account_id: str) -> tuple[PastSale, ...]:
        columns = self._rng.choice(self._picks.losers, int(self._rng.integers(1, 4)), replace=False).tolist()
        return tuple(past_loss(self._market, self._picks, account_id, c, int(self._rng.integers(5, 80))) for c in sorted(columns))

    def _budgets(self, kind: str, value_usd: int) -> Budgets:
        """Owners of grown or unfamiliar holdings set a budget; few others do."""
        rng = self._rng
        if kind in ("concentrated", "legacy") or rng.random() < 0.1:
            return Budgets(tax=Decimal(int(value_usd * rng.uniform(0.002, 0.008) / 100) * 100))
        if rng.random() < 0.05:
            return Budgets(short_gain=Decimal(0))
        return NO_BUDGETS

    def _opening(self) -> TaxOpening:
        amounts = [int(x) * 100 for x in self._rng.integers(0, 300, 5)]
        if self._rng.random() < 0.5:
            return opening(YEAR, carried_short=amounts[4] * 3)
        return opening(YEAR, *amounts[:4])
