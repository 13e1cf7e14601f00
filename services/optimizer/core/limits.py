"""What cash and budgets allow, in exact dollars."""

from dataclasses import dataclass
from decimal import Decimal

from libs.common.money import ZERO
from services.optimizer.core.inputs import Case


@dataclass(frozen=True, slots=True)
class CashBand:
    """Dollars of cash before trading, and the least and most that the account should keep.

    The least covers withdrawals due, and cash that is not settled yet, which can't be spent; the most is never below it.
    """

    before: Decimal
    least: Decimal
    most: Decimal


@dataclass(frozen=True, slots=True)
class Room:
    """What each budget leaves for this plan's net tax and net gains, in dollars; None is no limit.

    Never negative: a budget that is used up forbids net gains, it does not demand losses.
    """

    tax: Decimal | None
    short: Decimal | None
    long: Decimal | None


def cash_band(case: Case) -> CashBand:
    """The account's band on its value less withdrawals due, or the cash it is told to keep: then least and most are the same."""
    account, invested = case.account, case.value_usd - case.withdrawal_usd
    before = account.cash_settled + account.cash_unsettled
    if account.cash_target is not None:
        wanted = max(account.cash_target + case.withdrawal_usd, account.cash_unsettled)
        return CashBand(before, wanted, wanted)
    least = max(account.cash_min_frac * invested + case.withdrawal_usd, account.cash_unsettled)
    most = max(account.cash_max_frac * invested + case.withdrawal_usd, least)
    return CashBand(before, least, most)


def budget_room(case: Case) -> Room:
    """Budgets less what the account used this year; the tax used is that on its net gains, a net loss giving room.

    No limits where the year is netted: tax_position.py has its budgets.
    """
    if not case.taxable or case.account.losses.counts != "at_rates":
        return Room(None, None, None)
    budgets, rates, year = case.account.budgets, case.account.rates, case.year
    tax_used = rates.short_frac * year.short_net + rates.long_frac * year.long_net
    return Room(_left(budgets.tax, tax_used), _left(budgets.short_gain, year.short_net), _left(budgets.long_gain, year.long_net))


def _left(budget: Decimal | None, used: Decimal) -> Decimal | None:
    return None if budget is None else max(budget - used, ZERO)
