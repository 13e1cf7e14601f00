"""The tax on a return's year: as it stands, without any capital gain or loss, and if everything were sold.

An estimate: federal income tax by the rate schedules, 0/15/20 on the preferential part, NIIT, and a state's rates where given.  It knows no
credits, no alternative minimum tax, no other income than it is told.
"""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from libs.common.money import ZERO
from services.wash_sale.core.tax_year.giving import OpenLot
from services.wash_sale.core.tax_year.netting import Carryover, Netting, YearItems, items_of, net, net_investment_income
from services.wash_sale.core.tax_year.rates import StackedGain, niit, no_state_tax, ordinary_tax, stack_gain, state_at_rates
from services.wash_sale.core.tax_year.tables import FilingStatus, YearTable


class StateRates(Struct, frozen=True, forbid_unknown_fields=True):
    """A state's rates on net short gain and on net capital gain, as fractions, under the name that the estimate shows."""

    name: str
    short_frac: Decimal
    long_frac: Decimal


class Income(Struct, frozen=True, forbid_unknown_fields=True):
    """A return's other figures of the year in dollars, all without capital gains and losses.

    `ordinary_taxable_income` is taxable income after deductions and without qualified dividends (it may be negative); `magi` and
    `investment_income` (interest, dividends and so on) hold the dividends.
    """

    ordinary_taxable_income: Decimal
    magi: Decimal
    investment_income: Decimal
    qualified_dividends: Decimal = ZERO
    state: StateRates | None = None

    @property
    def taxable(self) -> Decimal:
        """Taxable income before any capital gain or loss."""
        return self.ordinary_taxable_income + self.qualified_dividends


class TaxFigures(Struct, frozen=True):
    """The parts of a tax in dollars; `gain_tax` is the tax on net capital gain and qualified dividends."""

    ordinary_tax: Decimal
    stacked: StackedGain
    gain_tax: Decimal
    niit: Decimal
    state_tax: Decimal

    @property
    def total(self) -> Decimal:
        """All of them."""
        return self.ordinary_tax + self.gain_tax + self.niit + self.state_tax


class TaxEstimate(Struct, frozen=True):
    """`tax_on_gains` is what the year's gains and losses cost (negative: save); `more_if_all_sold` what selling everything would add.

    What is about selling everything is None where it can't be said.
    """

    without_gains: TaxFigures
    now: TaxFigures
    if_all_sold: TaxFigures | None
    tax_without_gains: Decimal
    tax_now: Decimal
    tax_if_all_sold: Decimal | None
    tax_on_gains: Decimal
    more_if_all_sold: Decimal | None
    sources: tuple[str, ...]


def tax_figures(table: YearTable, status: FilingStatus, income: Income, year: Netting) -> TaxFigures:
    """The tax on the other income together with a netted year.

    The tax on the preferential part is never more than it would be at ordinary rates (IRC 1(h)(1)).
    """
    ordinary = income.ordinary_taxable_income + year.ordinary_gain - year.deduction
    preferential = year.preferential_gain + income.qualified_dividends
    stacked = stack_gain(table, status, ordinary, preferential)
    on_ordinary = ordinary_tax(table, status, ordinary)
    at_ordinary_rates = ordinary_tax(table, status, ordinary + preferential) - on_ordinary
    state = state_at_rates(income.state.short_frac, income.state.long_frac) if income.state else no_state_tax
    return TaxFigures(
        ordinary_tax=on_ordinary,
        stacked=stacked,
        gain_tax=min(stacked.tax, at_ordinary_rates),
        niit=niit(status, income.magi + year.taxable_amount, net_investment_income(income.investment_income, year)),
        state_tax=state(income.ordinary_taxable_income, year),
    )


def estimate(
    table: YearTable, status: FilingStatus, income: Income, items: YearItems, carried: Carryover, unrealised: YearItems | None
) -> TaxEstimate:
    """The taxes side by side; `unrealised` is what selling everything would realise."""

    def tax(of: YearItems, carry: Carryover) -> TaxFigures:
        return tax_figures(table, status, income, net(of, carry, status, income.taxable))

    nothing, now = tax(YearItems(), Carryover()), tax(items, carried)
    sold = None if unrealised is None else tax(items + unrealised, carried)
    return TaxEstimate(
        without_gains=nothing,
        now=now,
        if_all_sold=sold,
        tax_without_gains=nothing.total,
        tax_now=now.total,
        tax_if_all_sold=None if sold is None else sold.total,
        tax_on_gains=now.total - nothing.total,
        more_if_all_sold=None if sold is None else sold.total - now.total,
        sources=table.sources,
    )


def unrealised_items(lots: Iterable[OpenLot]) -> YearItems:
    """What selling every lot of known basis at its value would realise."""
    return items_of((lot.term, lot.value - lot.basis) for lot in lots if lot.basis is not None)
