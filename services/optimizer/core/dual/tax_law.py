"""A taxpayer's year of gains and losses, netted to the cent: the tax that is reported, beside the cost that decides.

Short gains net with short losses and the short carry, long with long, then the two nets combine (IRC 1222, 1211(b), 1212(b); Schedule D and
its Capital Loss Carryover Worksheet).  A net short gain is ordinary income, the net capital gain is taxed at the long rate; of a net loss
`ordinary_limit` dollars lower ordinary income, short losses first, and the rest is carried under its own character.

Gains are dollars and signed; what is carried or deducted is positive.

Invariants
1. ordinary + preferential gain = the net gain; deduction + what is carried = the net loss; never both.
2. The tax of a year is rounded once, to the cent, ties to even.
"""

from dataclasses import dataclass
from decimal import Decimal

from libs.common.money import ZERO, cents_half_even


@dataclass(frozen=True, slots=True)
class Nets:
    """Net short and long gain of a year, losses carried into it taken off."""

    short: Decimal = ZERO
    long: Decimal = ZERO

    def __add__(self, other: "Nets") -> "Nets":
        """Both together."""
        return Nets(self.short + other.short, self.long + other.long)


@dataclass(frozen=True, slots=True)
class TaxLaw:
    """Rates as fractions, and the policy on losses.

    `ordinary_limit`: dollars of a net loss that lower ordinary income, at `ordinary_frac` (with little income: no more than that).
    `carried_short_frac`, `carried_long_frac`: what a dollar carried into later years is worth to a decision; no part of the year's tax.
    """

    short_frac: Decimal
    long_frac: Decimal
    ordinary_frac: Decimal
    ordinary_limit: Decimal
    carried_short_frac: Decimal = ZERO
    carried_long_frac: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Budgets:
    """Most of the year's tax, net short gain (taxed as ordinary) and net capital gain, in dollars; None is no limit."""

    tax: Decimal | None = None
    short_gain: Decimal | None = None
    long_gain: Decimal | None = None


@dataclass(frozen=True, slots=True)
class TaxPosition:
    """Where a year stands before a plan.

    `year`: the nets that the plan's gains join, of the whole taxpayer.  `budget_year`: the nets that count against the budgets, which may
    be the account's own.  `value`: dollars that weight 1 stands for.
    """

    law: TaxLaw
    year: Nets
    budget_year: Nets
    budgets: Budgets
    value: Decimal


@dataclass(frozen=True, slots=True)
class YearTax:
    """A year netted, and its tax; negative where the deduction saves more than the gains cost."""

    net_short: Decimal
    net_long: Decimal
    ordinary_gain: Decimal
    preferential_gain: Decimal
    deduction: Decimal
    carried_short: Decimal
    carried_long: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class PlanTax:
    """The year without and with a plan."""

    without: YearTax
    with_plan: YearTax

    @property
    def added(self) -> Decimal:
        """What the plan adds to the year's tax; negative: saves."""
        return self.with_plan.tax - self.without.tax


def year_tax(law: TaxLaw, nets: Nets) -> YearTax:
    """Net a year and tax it."""
    net = nets.short + nets.long
    gain, loss = max(net, ZERO), max(-net, ZERO)
    ordinary = min(max(nets.short, ZERO), gain)
    deduction = min(law.ordinary_limit, loss)
    carried = loss - deduction
    carried_short = min(max(-nets.short - deduction, ZERO), carried)
    return YearTax(
        net_short=nets.short,
        net_long=nets.long,
        ordinary_gain=ordinary,
        preferential_gain=gain - ordinary,
        deduction=deduction,
        carried_short=carried_short,
        carried_long=carried - carried_short,
        tax=cents_half_even(_tax(law, ordinary, gain - ordinary, deduction)),
    )


def year_cost(law: TaxLaw, nets: Nets) -> Decimal:
    """What a year costs a decision: its tax, not rounded, less what the losses carried out of it are worth."""
    year = year_tax(law, nets)
    return exact_tax(law, year) - law.carried_short_frac * year.carried_short - law.carried_long_frac * year.carried_long


def exact_tax(law: TaxLaw, year: YearTax) -> Decimal:
    """The year's tax, not rounded."""
    return _tax(law, year.ordinary_gain, year.preferential_gain, year.deduction)


def _tax(law: TaxLaw, ordinary: Decimal, preferential: Decimal, deduction: Decimal) -> Decimal:
    return law.short_frac * ordinary + law.long_frac * preferential - law.ordinary_frac * deduction


def plan_tax(position: TaxPosition, gains: Nets) -> PlanTax:
    """The year's tax without the plan and with its gains."""
    return PlanTax(year_tax(position.law, position.year), year_tax(position.law, position.year + gains))


def budgets_in_force(position: TaxPosition) -> Budgets:
    """The budgets, each at least at what the year has come to already: one that is used up forbids more, it does not demand losses.

    A tax so far counts as it is or as it is rounded, whichever is more, so that doing nothing is always within.
    """
    law, budgets = position.law, position.budgets
    so_far = year_tax(law, position.budget_year)
    return Budgets(
        tax=None if budgets.tax is None else max(budgets.tax, so_far.tax, exact_tax(law, so_far)),
        short_gain=None if budgets.short_gain is None else max(budgets.short_gain, so_far.ordinary_gain),
        long_gain=None if budgets.long_gain is None else max(budgets.long_gain, so_far.preferential_gain),
    )
