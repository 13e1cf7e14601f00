"""One account in one JSON document: lots, cash, prices, target, risk model and rules, for `python -m services.optimizer solve`.

docs/file-formats.md has the format, docs/examples/solve/account.json an account; account_file_reader.py reads and checks it.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from libs.common.schemas.account import AccountType, Budgets, CashFlow, HarvestPolicy, LossPolicy, PlanLimits, TaxRates, WishKind


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a member of the document, and what to do."""

    field: str
    problem: str
    remedy: str


class FileLot(Struct, frozen=True, forbid_unknown_fields=True):
    """One lot: `tax_basis` in dollars of the whole lot, null when unknown; `held_since` where it is not `acquired`."""

    lot_id: str
    security_id: str
    quantity: Decimal
    tax_basis: Decimal | None
    acquired: date | None
    held_since: date | None = None


class FileSecurity(Struct, frozen=True, forbid_unknown_fields=True):
    """One security: dollars a share, weight in the target, cost of trading, what it belongs to, and its row of the risk model."""

    security_id: str
    price: Decimal
    exposures: list[float]
    specific_var_ann: float
    target_frac: Decimal = Decimal(0)
    half_spread_bps: float = 3.0
    adv_usd: float = 1e8
    sector: str = ""
    industry: str = ""
    identity_group: str | None = None
    blocked: str | None = None


class FileRule(Struct, frozen=True, forbid_unknown_fields=True):
    """A rule of `kind` over what `by` = `target` names; `limit_frac` for max_weight."""

    kind: WishKind
    target: str
    by: Literal["security", "industry", "sector"] = "security"
    limit_frac: Decimal | None = None


class FileTrade(Struct, frozen=True, forbid_unknown_fields=True):
    """A trade of the last 30 days elsewhere in the household, or a sale at a loss here."""

    security_id: str
    trade_date: date


class FileYear(Struct, frozen=True, forbid_unknown_fields=True):
    """The taxpayer's year to date in dollars; losses are positive numbers, carried ones are from earlier years."""

    short_gain: Decimal = Decimal(0)
    short_loss: Decimal = Decimal(0)
    long_gain: Decimal = Decimal(0)
    long_loss: Decimal = Decimal(0)
    carried_short_loss: Decimal = Decimal(0)
    carried_long_loss: Decimal = Decimal(0)


class AccountFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The document.  Settings as in the account master; `raise_cash` or `invest_cash`: dollars by which cash should rise or fall."""

    as_of: date
    rates: TaxRates
    cash: Decimal
    factors: list[str]
    securities: list[FileSecurity]
    lots: list[FileLot]
    account_id: str = "ACCOUNT"
    account_type: AccountType = "taxable"
    cash_unsettled: Decimal = Decimal(0)
    raise_cash: Decimal | None = None
    invest_cash: Decimal | None = None
    cash_target: Decimal | None = None
    cash_flows: list[CashFlow] = []
    risk_aversion: Decimal = Decimal(20)
    cash_min_frac: Decimal = Decimal("0.002")
    cash_max_frac: Decimal = Decimal("0.02")
    min_trade: Decimal = Decimal(200)
    price_collar_bps: int = 0
    budgets: Budgets = Budgets()
    limits: PlanLimits = PlanLimits()
    losses: LossPolicy = LossPolicy()
    harvest: HarvestPolicy = HarvestPolicy()
    rules: list[FileRule] = []
    year: FileYear = FileYear()
    sold_at_a_loss: list[FileTrade] = []
    bought_elsewhere: list[FileTrade] = []
