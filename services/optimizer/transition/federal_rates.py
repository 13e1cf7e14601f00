"""The rates on a client's next dollar of gain: as given, or derived from income and filing status by the year's federal figures.

Federal: the ordinary bracket for short-term gains, 0/15/20 of a hundred for long-term ones, and 3.8 of net investment income tax above its
threshold (libs/common/federal_tax.py, docs/tax-year.md).  A state's rates are added from what the user supplies, else they are not judged.
"""

from dataclasses import dataclass
from decimal import Decimal

from libs.common.federal_tax import GAIN_RATES, LOSS_LIMITS, NIIT_RATE, NIIT_THRESHOLDS, ORDINARY_RATES, YEARS, FilingStatus
from libs.common.money import ZERO, plain
from services.optimizer.core.dual.tax_law import TaxLaw
from services.optimizer.core.transition.result import NotJudged
from services.optimizer.transition.client_form import Form
from services.optimizer.transition.faults import FieldFault

LOSS_LIMIT = Decimal(3000)
CARRIED_WORTH = Decimal("0.8")  # of the long rate: a carried loss offsets a gain later, most likely a long-term one


@dataclass(frozen=True, slots=True)
class ClientRates:
    """The law of the analysis, what it leaves out, and what it assumes in words."""

    law: TaxLaw
    not_judged: list[NotJudged]
    words: list[str]


@dataclass(frozen=True, slots=True)
class _Federal:
    short: Decimal
    long: Decimal
    ordinary: Decimal
    not_judged: list[NotJudged]
    words: list[str]


def client_rates(form: Form, year: int) -> ClientRates | FieldFault:
    """The rates of this client's year, or what is missing."""
    federal = _given(form) or _derived(form, year)
    if isinstance(federal, FieldFault):
        return federal
    short, long, ordinary = federal.short, federal.long, federal.ordinary
    not_judged, words = list(federal.not_judged), list(federal.words)
    state = next((each for each in form.state_rates if each.state == form.state), None) if form.state else None
    if state is not None:
        short, long, ordinary = short + state.short_frac, long + state.long_frac, ordinary + state.short_frac
        words.append(f"{state.state} adds {_percent(state.short_frac)} on short-term and {_percent(state.long_frac)} on long-term gains.")
    elif form.state:
        not_judged.append(NotJudged(f"Tax of {form.state}", "No rates of the state were supplied; every tax here is without it"))
    if not (ZERO <= long <= short < 1):
        said = f"The long rate is {_percent(long)}, the short rate {_percent(short)}"
        return FieldFault(0, "long_rate", said, "A year is netted only where long-term gains are not taxed more and rates are below 100%")
    short, long, ordinary = (Decimal(plain(each)) for each in (short, long, ordinary))
    limit = LOSS_LIMITS[form.filing_status] if form.filing_status else LOSS_LIMIT
    carried = (CARRIED_WORTH * long).quantize(Decimal("0.0001"))
    return ClientRates(TaxLaw(short, long, ordinary, limit, carried, carried), not_judged, words)


def _given(form: Form) -> _Federal | None:
    if form.short_rate is None or form.long_rate is None:
        return None
    ordinary = form.short_rate if form.ordinary_rate is None else form.ordinary_rate
    return _Federal(form.short_rate, form.long_rate, ordinary, [], ["Tax rates are as given."])


def _derived(form: Form, year: int) -> _Federal | FieldFault:
    if form.income is None or form.filing_status is None:
        begun = ("short_rate", "long_rate") if form.short_rate is not None or form.long_rate is not None else ("income", "filing_status")
        missing = next((name for name in begun if getattr(form, name) is None), begun[0])
        return FieldFault(0, missing, "The tax rates are not known", "Give short_rate and long_rate, or income and filing_status")
    if year not in YEARS:
        known = ", ".join(str(each) for each in sorted(YEARS))
        return FieldFault(0, "income", f"There are no federal figures for {year}", f"Give short_rate and long_rate, or a day in {known}")
    ordinary, gain, net_investment = marginal_rates(year, form.filing_status, form.income)
    words = [
        f"Federal rates of {year} follow from an income of ${form.income:,.0f} ({form.filing_status}): {_percent(ordinary)} ordinary, "
        f"{_percent(gain)} on long-term gains" + (f", and {_percent(net_investment)} net investment income tax." if net_investment else ".")
    ]
    beyond = NotJudged("Gains that reach the next bracket", "One rate is used for every dollar; large gains may be taxed more in part")
    return _Federal(ordinary + net_investment, gain + net_investment, ordinary, [beyond], words)


def marginal_rates(year: int, status: FilingStatus, income: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """Ordinary rate, long-term gain rate and net investment income tax on the next dollar above a taxable income."""
    table = YEARS[year]
    ordinary = ORDINARY_RATES[sum(income >= end for end in table.ordinary[status])]
    gain = GAIN_RATES[sum(income >= end for end in table.gain[status])]
    return ordinary, gain, NIIT_RATE if income >= NIIT_THRESHOLDS[status] else ZERO


def _percent(frac: Decimal) -> str:
    return f"{(frac * 100).normalize():f} %"
