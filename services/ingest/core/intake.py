"""The account master: what is agreed with the owner, apart from what the custodian holds."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from libs.common.schemas.account import AccountType, Budgets, CashFlow, PastSale, TaxOpening, TaxRates, Wish

ZERO = Decimal(0)
ONE = Decimal(1)


class AccountIntake(Struct, frozen=True, forbid_unknown_fields=True):
    """One account's master record.  Money in dollars, rates and weights as fractions.

    `risk_aversion` prices tracking error against tax and cost: risk_aversion * TE^2, as a fraction of account value.
    `budgets` is this account's explicit share of its taxpayer's budgets.
    """

    account_id: str
    household_id: str
    taxpayer_id: str
    custodian: str
    account_type: AccountType
    strategy_id: str
    rates: TaxRates
    approval: Literal["auto", "manual"] = "auto"
    do_not_trade: bool = False
    budgets: Budgets = Budgets()
    risk_aversion: Decimal = Decimal(20)
    cash_min_frac: Decimal = Decimal("0.002")
    cash_max_frac: Decimal = Decimal("0.02")
    min_trade: Decimal = Decimal(200)
    cash_flows: list[CashFlow] = []
    wishes: list[Wish] = []
    tax_opening: TaxOpening | None = None
    past_sales: list[PastSale] = []


class IntakeProblem(Struct, frozen=True):
    """A member of a master record that can't be taken, and the remedy."""

    field: str
    problem: str
    remedy: str


def problems_of(intake: AccountIntake, today: date) -> list[IntakeProblem]:
    """What is wrong with a master record; empty when it can be taken.  Types are checked before, by decoding."""
    found: list[IntakeProblem] = []

    def refuse_unless(good: bool, field: str, problem: str, remedy: str) -> None:
        if not good:
            found.append(IntakeProblem(field, problem, remedy))

    for name in ("account_id", "household_id", "taxpayer_id", "custodian", "strategy_id"):
        refuse_unless(bool(getattr(intake, name)), name, "is empty", "Give an opaque id of letters, digits, '-' and '_'")
    for name, rate in (("short_frac", intake.rates.short_frac), ("long_frac", intake.rates.long_frac)):
        refuse_unless(ZERO <= rate < ONE, f"rates.{name}", f"{rate} is not a fraction from 0 to 1", "0.408 is 40.8 of a hundred")
    refuse_unless(intake.risk_aversion > 0, "risk_aversion", "is not positive", "20 trades 1 % of tracking error for 20 bp")
    refuse_unless(
        ZERO <= intake.cash_min_frac <= intake.cash_max_frac <= ONE,
        "cash_min_frac",
        f"{intake.cash_min_frac} to {intake.cash_max_frac} is no band within 0 to 1",
        "Give the lower bound first, as fractions of account value",
    )
    refuse_unless(intake.min_trade >= 0, "min_trade", "is negative", "Give dollars, 0 for none")
    for name in ("tax", "short_gain", "long_gain"):
        budget = getattr(intake.budgets, name)
        refuse_unless(budget is None or budget >= 0, f"budgets.{name}", "is negative", "Give dollars a year, or null for no limit")
    found += _wish_problems(intake.wishes)
    for index, sale in enumerate(intake.past_sales):
        refuse_unless(sale.trade_date <= today, f"past_sales[{index}].trade_date", "is in the future", "Give sales that were made")
    return found


def _wish_problems(wishes: Sequence[Wish]) -> list[IntakeProblem]:
    """Wishes that could not become rules: named here, where the owner's adviser can still mend them."""
    found = []
    for index, wish in enumerate(wishes):
        place = f"wishes[{index}]"
        if not wish.wish_id or any(other.wish_id == wish.wish_id for other in wishes[:index]):
            found.append(IntakeProblem(f"{place}.wish_id", f"{wish.wish_id!r} is empty or comes twice", "Give each wish its own id"))
        if not wish.target or wish.target != wish.target.strip():
            found.append(IntakeProblem(f"{place}.target", f"{wish.target!r} is empty or padded", "Name what the wish is about"))
        if wish.kind != "max_weight":
            if wish.limit_frac is not None:
                found.append(IntakeProblem(f"{place}.limit_frac", f"has no meaning for {wish.kind}", "Leave it out"))
            continue
        if wish.by not in ("security", "issuer"):
            found.append(IntakeProblem(f"{place}.by", f"max_weight by {wish.by} is not offered", "Bound securities or issuers"))
        if wish.limit_frac is None or not ZERO <= wish.limit_frac <= ONE:
            found.append(IntakeProblem(f"{place}.limit_frac", f"{wish.limit_frac} is no fraction from 0 to 1", "0.05 is five of a hundred"))
    return found
