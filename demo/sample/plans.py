"""Plans of accounts: who owns them, how they were invested and what their owners asked for, before any lot is bought.

A plan says what is to be bought and when in rows of the price history; `holdings` turns it into lots at the simulated prices.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from demo.sample.market import LARGE
from libs.common.schemas.account import (
    AccountType,
    Budgets,
    CashFlow,
    PastSale,
    TaxOpening,
    TaxRates,
    Wish,
    WishBy,
    WishKind,
)

Style = Literal["full", "sample", "fresh", "cash_only", "legacy"]

NO_TAX = TaxRates(Decimal(0), Decimal(0))
NO_BUDGETS = Budgets()
TOP_RATES = TaxRates(Decimal("0.408"), Decimal("0.238"))
FAITH_CATEGORIES = ("adult_entertainment", "alcohol", "gambling", "interest_banking", "tobacco", "weapons")


@dataclass(frozen=True)
class ExtraBuy:
    """A purchase of one name beside the strategy's, worth `value_frac` of the account at today's price.

    `row` is the day of the price history; the account's other purchases leave the name out.  `fraction`: a part of a share on top.
    """

    column: int
    row: int
    value_frac: float
    fraction: Decimal = Decimal(0)


@dataclass(frozen=True)
class Holding:
    """How an account was invested: `names` is the number of names of a sample; `purchases` are (row, part of the money).

    `harvested`: most lots that fell were sold at a loss since, and bought again later at a lower price.
    """

    style: Style
    value_usd: int
    purchases: tuple[tuple[int, float], ...] = ()
    names: int = 0
    cash_frac: float = 0.006
    fractional: bool = False
    harvested: bool = False
    extra: tuple[ExtraBuy, ...] = ()
    avoid_columns: frozenset[int] = frozenset()
    unknown_basis_frac: float = 0.0
    unsettled_usd: int = 0
    foreign_lots: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """One account of the sample: its row in the account master and how it came to its holdings."""

    account_id: str
    household_id: str
    taxpayer_id: str
    account_type: AccountType
    holding: Holding
    strategy_id: str = LARGE
    approval: Literal["auto", "manual"] = "auto"
    do_not_trade: bool = False
    rates: TaxRates = TOP_RATES
    budgets: Budgets = NO_BUDGETS
    risk_aversion: Decimal = Decimal(20)
    cash_flows: tuple[CashFlow, ...] = ()
    wishes: tuple[Wish, ...] = ()
    tax_opening: TaxOpening | None = None
    past_sales: tuple[PastSale, ...] = ()
    avoided_categories: tuple[str, ...] = ()
    avoided_industries: tuple[str, ...] = ()


def wishes(
    account_id: str,
    kind: WishKind,
    by: WishBy,
    targets: tuple[str, ...],
    scope: Literal["account", "household"] = "account",
    limit_frac: Decimal | None = None,
) -> tuple[Wish, ...]:
    """One wish a target, with ids that start with the account's."""
    return tuple(Wish(f"{account_id}-{kind}-{target}".replace(" ", "-"), kind, by, target, scope, limit_frac) for target in targets)


def opening(
    year: int, short_gain: int = 0, short_loss: int = 0, long_gain: int = 0, long_loss: int = 0, carried_short: int = 0
) -> TaxOpening:
    """A taxpayer's year so far, in whole dollars."""
    amounts = (short_gain, short_loss, long_gain, long_loss, carried_short, 0)
    return TaxOpening(year, *(Decimal(amount) for amount in amounts))


def cash_flow(due: date, amount: int) -> CashFlow:
    """Money wanted in (positive) or out (negative), whole dollars."""
    return CashFlow(due, Decimal(amount))
