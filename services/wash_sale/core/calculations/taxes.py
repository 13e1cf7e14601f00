"""Netting, the tax on gains, NIIT and the tables, from given figures (section 6)."""

from decimal import Decimal

from libs.common.money import ZERO
from services.wash_sale.core.calculations.inputs import Answer, dollars, signed, status_of, taken, year_of
from services.wash_sale.core.history_fields import Fields
from services.wash_sale.core.refusals import RefusalCode
from services.wash_sale.core.tax_year import netting, rates
from services.wash_sale.core.tax_year.tables import NIIT_RATE, NIIT_THRESHOLDS, YEARS, year_table


def net_year(inputs: Fields) -> Answer:
    """A year's netting.  A term's loss may be given raw, with what a wash sale denied of it.

    `taxable_income_line15_after_loss` is taxable income with the deduction of the loss in it.
    """
    items = netting.YearItems(
        short_gain=dollars(inputs, "st_gain"),
        short_loss=dollars(inputs, "st_loss") + _allowed_loss(inputs, "st"),
        long_gain=dollars(inputs, "lt_gain"),
        long_loss=dollars(inputs, "lt_loss") + _allowed_loss(inputs, "lt"),
    )
    carried = netting.Carryover(dollars(inputs, "st_carryover_in"), dollars(inputs, "lt_carryover_in"))
    status, income = status_of(inputs), None
    if inputs.has("taxable_income_line15_after_loss"):
        income = inputs.number("taxable_income_line15_after_loss") + netting.net(items, carried, status).deduction
    year = netting.net(items, carried, status, income)
    return {
        "net_short_term": year.net_short,
        "net_long_term": year.net_long,
        "schedule_d_line16": year.total,
        "deduction_against_ordinary": year.deduction,
        "carryover_short": year.carryover.short,
        "carryover_long": year.carryover.long,
        "net_capital_gain": year.preferential_gain,
        "expired": netting.expired_at_death(year),
    }


def _allowed_loss(inputs: Fields, term: str) -> Decimal:
    raw, denied = dollars(inputs, f"{term}_raw_loss"), dollars(inputs, f"{term}_disallowed")
    if denied > raw:
        raise inputs.bad(RefusalCode.NOT_READABLE, f"{term}_disallowed", f"{denied} is more than the loss of {raw}")
    return raw - denied


def gain_tax(inputs: Fields) -> Answer:
    """0/15/20 on top of ordinary taxable income; NIIT too where MAGI is given."""
    table = taken(year_table(year_of(inputs)), inputs)
    gain = dollars(inputs, "adjusted_net_capital_gain", "net_capital_gain")
    found = rates.stack_gain(table, status_of(inputs), signed(inputs, "ordinary_taxable_income"), gain)
    answer: Answer = {"at_0": found.at_0, "at_15": found.at_15, "at_20": found.at_20, "tax_on_gain": found.tax}
    return {**answer, **(net_investment_income_tax(inputs) if inputs.has("magi") else {})}


def net_investment_income_tax(inputs: Fields) -> Answer:
    """NIIT."""
    return {"niit": rates.niit(status_of(inputs), inputs.number("magi"), inputs.number("net_investment_income"))}


def two_years(inputs: Fields) -> Answer:
    """A year and the next, by `y1_` and `y2_`: what a loss leaves to the second, and net investment income in both.  Long-term."""
    answer: Answer = {}
    carried = netting.Carryover()
    for year in ("y1", "y2"):
        items = netting.YearItems(long_gain=dollars(inputs, f"{year}_gain"), long_loss=dollars(inputs, f"{year}_loss"))
        found = netting.net(items, carried, status_of(inputs))
        carried = found.carryover
        answer |= {
            f"{year}_net_gain": max(ZERO, found.total),
            f"{year}_deduction": found.deduction,
            f"{year}_carryover": carried.short + carried.long,
            f"{year}_nii": netting.net_investment_income(dollars(inputs, f"{year}_interest"), found),
        }
    return answer


def figures(_: Fields) -> Answer:
    """The breakpoints, rates and thresholds that the tables have."""
    return {
        "thresholds": {str(year): {status: list(ends) for status, ends in table.gain.items()} for year, table in YEARS.items()},
        "niit_rate": NIIT_RATE,
        "niit_thresholds": dict(NIIT_THRESHOLDS),
    }
