"""What each number of an account's settings may be, so that no decision rests on one that is none.

Invariants
1. Every number that a decision reads of the settings is in the list, by the name that the account master has for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Protocol

from libs.common.money import ZERO
from libs.common.schemas.account import Budgets, CashFlow, HarvestPolicy, LossPolicy, PlanLimits, TaxRates

ONE, LEAST_CAP, MOST_MONTH = Decimal(1), Decimal("0.000001"), Decimal(12)
BELOW = "below its least value"


class Settings(Protocol):
    """Whatever says how an account is to be run: the account itself, or a file about it."""

    @property
    def rates(self) -> TaxRates: ...
    @property
    def budgets(self) -> Budgets: ...
    @property
    def risk_aversion(self) -> Decimal: ...
    @property
    def cash_min_frac(self) -> Decimal: ...
    @property
    def cash_max_frac(self) -> Decimal: ...
    @property
    def min_trade(self) -> Decimal: ...
    @property
    def cash_flows(self) -> list[CashFlow]: ...
    @property
    def limits(self) -> PlanLimits: ...
    @property
    def losses(self) -> LossPolicy: ...
    @property
    def harvest(self) -> HarvestPolicy: ...


@dataclass(frozen=True, slots=True)
class Range:
    """A number by its name, and the least and the most that it may be; None is no bound."""

    name: str
    value: Decimal
    least: Decimal | None
    most: Decimal | None

    @property
    def problem(self) -> str | None:
        """What is wrong with it, in words that follow the name."""
        if not self.value.is_finite():
            return f"is {self.value}"
        if self.least is not None and self.value < self.least:
            return BELOW
        return "above its greatest value" if self.most is not None and self.value > self.most else None


def first_outside(settings: Settings) -> Range | None:
    """The first number that is none, or outside of what it may be."""
    return next((each for each in ranges(settings) if each.problem is not None), None)


def ranges(settings: Settings) -> Iterator[Range]:
    """Every number given, a number that bounds another before it: whoever stops at the first fault compares good ones alone."""
    for name, value, least, most in chain(_of_account(settings), _of_limits(settings), _of_policies(settings)):
        if value is not None:
            yield Range(name, Decimal(value), least, most)


_Given = tuple[str, Decimal | int | None, Decimal | None, Decimal | None]


def _of_account(settings: Settings) -> Iterator[_Given]:
    rates = settings.rates
    yield "risk_aversion", settings.risk_aversion, ZERO, None
    yield "rates.short_frac", rates.short_frac, ZERO, ONE
    yield "rates.long_frac", rates.long_frac, ZERO, ONE if settings.losses.counts == "at_rates" else rates.short_frac
    yield "rates.ordinary_frac", rates.ordinary_frac, ZERO, ONE
    yield "cash_max_frac", settings.cash_max_frac, ZERO, ONE
    yield "cash_min_frac", settings.cash_min_frac, ZERO, settings.cash_max_frac
    yield "min_trade", settings.min_trade, ZERO, None
    for n, flow in enumerate(settings.cash_flows):
        yield f"cash_flows[{n}].amount", flow.amount, None, None
    for name in ("tax", "short_gain", "long_gain"):
        yield f"budgets.{name}", getattr(settings.budgets, name), ZERO, None


def _of_limits(settings: Settings) -> Iterator[_Given]:
    limits = settings.limits
    yield "limits.tracking_error_frac", limits.tracking_error_frac, LEAST_CAP, ONE
    yield "limits.turnover_frac", limits.turnover_frac, ZERO, None
    yield "limits.trades", limits.trades, ZERO, None
    yield "limits.names", limits.names, ONE, None
    yield "limits.min_holding", limits.min_holding, ZERO, None
    for n, bound in enumerate(limits.weights):
        yield f"limits.weights[{n}].least_frac", bound.least_frac, None, None
        yield f"limits.weights[{n}].most_frac", bound.most_frac, None, None


def _of_policies(settings: Settings) -> Iterator[_Given]:
    losses, harvest = settings.losses, settings.harvest
    lower = min(settings.rates.short_frac, settings.rates.long_frac)
    yield "losses.carried_frac", losses.carried_frac, ZERO, lower
    yield "losses.carried_long_frac", losses.carried_long_frac, ZERO, lower
    yield "losses.ordinary_limit", losses.ordinary_limit, ZERO, None
    yield "harvest.refresh_gain_frac", harvest.refresh_gain_frac, ZERO, ONE
    for n, each in enumerate(harvest.thresholds):
        yield f"harvest.thresholds[{n}].from_month", each.from_month, ONE, MOST_MONTH
        yield f"harvest.thresholds[{n}].from_age_days", each.from_age_days, ZERO, None
        yield f"harvest.thresholds[{n}].loss_frac", each.loss_frac, ZERO, ONE
