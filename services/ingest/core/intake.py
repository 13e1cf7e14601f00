"""The account master: what is agreed with the owner, apart from what the custodian holds."""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from libs.common.schemas.account import (
    AT_RATES,
    BY_OBJECTIVE,
    NO_LIMITS,
    AccountType,
    Budgets,
    CashFlow,
    HarvestPolicy,
    LossPolicy,
    PastSale,
    PlanLimits,
    TaxOpening,
    TaxRates,
    Wish,
)
from services.ingest.core.intake_problem import IntakeProblem
from services.ingest.core.plan_settings import plan_setting_problems

ZERO = Decimal(0)
ONE = Decimal(1)
ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


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
    limits: PlanLimits = NO_LIMITS
    losses: LossPolicy = AT_RATES
    harvest: HarvestPolicy = BY_OBJECTIVE
    cash_target: Decimal | None = None


def problems_of(intake: AccountIntake, today: date) -> list[IntakeProblem]:
    """What is wrong with a master record; empty when it can be taken.  Types are checked before, by decoding."""
    not_numbers = [
        IntakeProblem(name, f"{value} is no number", "Write it as 1234.56") for name, value in _numbers(intake) if not value.is_finite()
    ]
    if not_numbers:
        return not_numbers
    settings = plan_setting_problems(intake.rates, intake.limits, intake.losses, intake.harvest, intake.cash_target)
    return [*_of_ids(intake), *_of_numbers(intake), *settings, *_wish_problems(intake.wishes), *_of_history(intake, today)]


def said_if_set(intake: AccountIntake) -> dict[str, Any]:
    """The settings that an account's event leaves out where they say nothing; what merely equals a default becomes the default itself."""
    defaults = {"limits": NO_LIMITS, "losses": AT_RATES, "harvest": BY_OBJECTIVE, "cash_target": None}
    return {name: default if getattr(intake, name) == default else getattr(intake, name) for name, default in defaults.items()}


def _numbers(intake: AccountIntake) -> Iterator[tuple[str, Decimal]]:
    """Every number of a record, with the member that holds it."""
    for name in ("risk_aversion", "cash_min_frac", "cash_max_frac", "min_trade"):
        yield name, getattr(intake, name)
    if intake.cash_target is not None:
        yield "cash_target", intake.cash_target
    lists: dict[str, Sequence[Struct]] = {
        "cash_flows": intake.cash_flows,
        "wishes": intake.wishes,
        "past_sales": intake.past_sales,
        "limits.weights": intake.limits.weights,
        "harvest.thresholds": intake.harvest.thresholds,
    }
    nested: list[tuple[str, Struct | None]] = [("budgets", intake.budgets), ("tax_opening", intake.tax_opening), ("rates", intake.rates)]
    nested += [("rates.parts", intake.rates.parts), ("limits", intake.limits), ("losses", intake.losses), ("harvest", intake.harvest)]
    nested += [(f"{name}[{index}]", item) for name, items in lists.items() for index, item in enumerate(items)]
    for place, struct in nested:
        for name in struct.__struct_fields__ if struct is not None else ():
            value = getattr(struct, name)
            if isinstance(value, Decimal):
                yield f"{place}.{name}", value


def _of_ids(intake: AccountIntake) -> Iterator[IntakeProblem]:
    if not ACCOUNT_ID.fullmatch(intake.account_id):
        yield IntakeProblem("account_id", f"{intake.account_id!r} is no id", "Use 1 to 40 letters, digits, '-' or '_'")
    for name in ("household_id", "taxpayer_id", "custodian", "strategy_id"):
        value = getattr(intake, name)
        if not ID.fullmatch(value):
            yield IntakeProblem(name, f"{value!r} is no id", "Use 1 to 64 letters, digits, '-', '_' or '.'")


def _of_numbers(intake: AccountIntake) -> Iterator[IntakeProblem]:
    for name, rate in (("short_frac", intake.rates.short_frac), ("long_frac", intake.rates.long_frac)):
        if not ZERO <= rate < ONE:
            yield IntakeProblem(f"rates.{name}", f"{rate} is not a fraction from 0 to 1", "0.408 is 40.8 of a hundred")
    if intake.risk_aversion <= 0:
        yield IntakeProblem("risk_aversion", "is not positive", "20 trades a tracking error of 0.01 for 20 bps")
    if not ZERO <= intake.cash_min_frac <= intake.cash_max_frac <= ONE:
        band = f"{intake.cash_min_frac} to {intake.cash_max_frac} is no band within 0 to 1"
        yield IntakeProblem("cash_min_frac", band, "Give the lower bound first, as fractions of account value")
    if intake.min_trade < 0:
        yield IntakeProblem("min_trade", "is negative", "Give dollars, 0 for none")
    for name in ("tax", "short_gain", "long_gain"):
        budget = getattr(intake.budgets, name)
        if budget is not None and budget < 0:
            yield IntakeProblem(f"budgets.{name}", "is negative", "Give dollars a year, or null for no limit")


def _of_history(intake: AccountIntake, today: date) -> Iterator[IntakeProblem]:
    for index, sale in enumerate(intake.past_sales):
        if sale.trade_date > today:
            yield IntakeProblem(f"past_sales[{index}].trade_date", "is in the future", "Give sales that were made")
        if sale.quantity <= 0:
            yield IntakeProblem(f"past_sales[{index}].quantity", "is not positive", "Give the shares that were sold")
    for name in ("short_gain", "short_loss", "long_gain", "long_loss", "carried_short_loss", "carried_long_loss"):
        if intake.tax_opening is not None and getattr(intake.tax_opening, name) < 0:
            yield IntakeProblem(f"tax_opening.{name}", "is negative", "Gains and losses are both positive numbers here")


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
