"""Where a case's tax year stands, for an account whose losses count as its taxpayer's year is netted.

What a gain costs depends on the taxpayer's whole year, with the gains that the run's earlier proposals of the taxpayer's other accounts are
about to realise: else each account would use up the same room.  A budget is the account's own share of its taxpayer's (DESIGN, decision
14), so it counts what the account itself has realised.  Losses carried into the year are the taxpayer's: they count against a budget where
the account is its household's only one, and else only in the cost, so that no two accounts use them up.
"""

from dataclasses import dataclass
from decimal import Decimal

from libs.common.money import ZERO
from services.optimizer.core.dual.tax_law import Budgets, Nets, TaxLaw, TaxPosition, budgets_in_force, year_tax
from services.optimizer.core.inputs import Case


def tax_position(case: Case) -> TaxPosition | None:
    """The position before the plan, of which weight 1 is the invested value; None where every gain and loss counts at its rate."""
    if not case.taxable or case.account.losses.counts == "at_rates":
        return None
    budgets = case.account.budgets
    carried = _carried(case)
    own = Nets(case.year.short_net, case.year.long_net)
    return TaxPosition(
        law=tax_law(case),
        year=_realised(case) + case.intended + carried,
        budget_year=own + carried if case.only_account else own,
        budgets=Budgets(budgets.tax, budgets.short_gain, budgets.long_gain),
        value=case.value_usd - case.withdrawal_usd,
    )


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """One budget of the year, as far as it is in force, and what it comes to with a plan; in dollars."""

    name: str
    limit: Decimal
    actual: Decimal


def budget_uses(position: TaxPosition, gains: Nets) -> list[BudgetUse]:
    """The budgets that there are, with a plan's gains, by the netted year."""
    given, year = budgets_in_force(position), year_tax(position.law, position.budget_year + gains)
    uses = (
        ("tax", given.tax, year.tax),
        ("short_gain", given.short_gain, year.ordinary_gain),
        ("long_gain", given.long_gain, year.preferential_gain),
    )
    return [BudgetUse(name, limit, actual) for name, limit, actual in uses if limit is not None]


def tax_law(case: Case) -> TaxLaw:
    """The account's rates and policy on losses; under `none` a loss saves tax on the year's gains and nothing more."""
    rates, losses = case.account.rates, case.account.losses
    ordinary = rates.short_frac if rates.ordinary_frac is None else rates.ordinary_frac
    if losses.counts == "none":
        return TaxLaw(rates.short_frac, rates.long_frac, ordinary, ZERO)
    carried_long = losses.carried_frac if losses.carried_long_frac is None else losses.carried_long_frac
    return TaxLaw(rates.short_frac, rates.long_frac, ordinary, losses.ordinary_limit, losses.carried_frac, carried_long)


def _realised(case: Case) -> Nets:
    """The taxpayer's nets of the year to date; the account's own where the ledger says none of the taxpayer."""
    year = case.taxpayer_year
    if year is None:
        return Nets(case.year.short_net, case.year.long_net)
    return Nets(year.short_gain - year.short_loss, year.long_gain - year.long_loss)


def _carried(case: Case) -> Nets:
    """Losses carried into the year, as negative nets."""
    year = case.taxpayer_year
    if year is None:
        return Nets()
    short: Decimal = -year.carried_short_loss
    return Nets(short, -year.carried_long_loss)
