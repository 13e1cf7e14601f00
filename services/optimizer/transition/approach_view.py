"""What is shown of one approach, as text: its numbers, years, trades folded by name, proof.  See view.py."""

from decimal import Decimal

from msgspec import Struct

from services.optimizer.core.transition.result import Approach, Certificate, YearOutcome
from services.optimizer.transition import figures
from services.optimizer.transition.figures import SMALLEST_BPS, money, percent
from services.optimizer.transition.folding import Side, folded

COLUMNS = (
    ("Tracking error at the end", "How far the account may move apart from the target in a typical year."),
    ("Tax now", "What this year's trades add to the year's tax, beside keeping everything; a minus is a saving."),
    ("Tax, all years", "The same over every year of the plan."),
    ("Of the account", "This year's tax as part of the account's value."),
    ("Saved against selling all", "Tax of selling today everything that may be sold, less the tax of this plan over all its years."),
    ("Gain left unrealised", "What could still be taxed later: at the end of the plan, in the prices of its last year."),
    ("Turnover", "Bought and sold, as part of the account."),
    ("Trades", "How many trades the plan makes over all its years."),
    ("Cost of trading", "Spreads and commissions."),
    ("Concentrated", "Weight left in the position to be wound down, or in the largest."),
    ("Names restricted", "How many names a restriction keeps from being traded."),
    ("To 0.50% or less", "Years until the tracking error expected ahead is at most 0.50%."),
    ("Break-even", "How long the lower risk has to be worth what the plan costs beyond keeping all."),
)
YEAR_COLUMNS = (
    "Year",
    "Tracking error",
    "Short-term gain",
    "Short-term loss",
    "Long-term gain",
    "Long-term loss",
    "Tax",
    "Trading cost",
    "Trades",
    "Turnover",
    "Loss carried on",
    "Unrealised",
    "Concentrated",
)
BOUND_TO_COME = "How far this plan can be from the best over all its years at once is not computed yet."
PROOFS = {"certified": "Proved", "exact": "Exact", "numerical": "Numerical bound", "none": "No bound"}


class Figure(Struct, frozen=True):
    """A number with its name, and what to know about it."""

    label: str
    value: str
    note: str = ""


class YearView(Struct, frozen=True):
    """A year of a plan; `cells` go with YEAR_COLUMNS."""

    number: int
    on: str
    cells: list[str]


class ApproachView(Struct, frozen=True):
    """One approach; `cells` go with COLUMNS."""

    approach_id: str
    number: int
    label: str
    cells: list[str]
    realised: list[Figure]
    proof: str
    proof_words: str
    years: list[YearView]
    leaves: Side
    comes: Side
    shadow_prices: list[str]
    notes: list[str]
    gift: list[Figure]


class Refused(Struct, frozen=True):
    """An approach that can't be had, and why."""

    label: str
    status: str
    reason: str


def approach_view(number: int, each: Approach, value: Decimal) -> ApproachView:
    return ApproachView(
        approach_id=each.approach_id,
        number=number,
        label=each.label,
        cells=_cells(each),
        realised=_gains(each),
        proof=PROOFS[each.certificate.proof],
        proof_words=_proof(each.certificate, value, len(each.years) > 1),
        years=[_year(year) for year in each.years],
        leaves=folded(each.plan, leaving=True),
        comes=folded(each.plan, leaving=False),
        shadow_prices=[price.words for price in each.shadow_prices],
        notes=list(each.notes),
        gift=_gift(each),
    )


def _cells(each: Approach) -> list[str]:
    within = each.years_to_half_percent
    return [
        percent(each.te_after_frac),
        money(each.tax_now_usd),
        money(each.tax_usd),
        percent(each.tax_frac),
        money(each.saved_usd),
        money(each.unrealised_usd),
        percent(each.turnover_frac),
        figures.count(each.trades),
        money(each.cost_usd),
        percent(each.concentrated_frac),
        figures.count(each.names_restricted),
        "not within the plan" if within is None else "at once" if within == 0 else f"{within} {'year' if within == 1 else 'years'}",
        figures.years(each.break_even_years),
    ]


def _gains(each: Approach) -> list[Figure]:
    realised = each.realised
    if realised is None:
        return []
    return [
        Figure("Short-term gain", money(realised.short_gain_usd)),
        Figure("Short-term loss", money(realised.short_loss_usd)),
        Figure("Long-term gain", money(realised.long_gain_usd)),
        Figure("Long-term loss", money(realised.long_loss_usd)),
        Figure("Tax on these", money(realised.tax_usd)),
    ]


def _gift(each: Approach) -> list[Figure]:
    if each.gifted_usd is None:
        return []
    return [Figure("Given to charity in kind", money(each.gifted_usd)), Figure("Gain that is never taxed", money(each.gain_avoided_usd))]


def _proof(certificate: Certificate, value: Decimal, over_years: bool) -> str:
    """What the certificate says; the gap in dollars is gap x account value."""
    if certificate.proof == "exact":
        return "Nothing to optimise: the plan is what it says."
    if certificate.gap_bps is None:
        return BOUND_TO_COME if over_years else "No bound is stated for this plan."
    if certificate.gap_bps < SMALLEST_BPS and certificate.proof == "certified":
        return f"Proved to be the best possible under the same rules, to within {SMALLEST_BPS} bp of the account."
    dollars = money(Decimal(repr(certificate.gap_bps)) * value / 10_000)
    most = f"{figures.basis_points(certificate.gap_bps)} of the account ({dollars})"
    if certificate.proof == "certified":
        return f"Proved: no plan under the same rules is better by more than {most}."
    return f"By a numerical bound, not an exact proof: no plan under the same rules is better by more than {most}."


def _year(year: YearOutcome) -> YearView:
    gains = year.realised
    cells = [
        f"{year.number} ({year.on.year})",
        percent(year.te_frac),
        money(gains.short_gain_usd),
        money(gains.short_loss_usd),
        money(gains.long_gain_usd),
        money(gains.long_loss_usd),
        money(gains.tax_usd),
        money(year.cost_usd),
        figures.count(year.trades),
        percent(year.turnover_frac),
        money(year.carried_short_usd + year.carried_long_usd),
        money(year.unrealised_usd),
        percent(year.concentrated_frac),
    ]
    return YearView(year.number, figures.day(year.on), cells)


def refused_view(each: Approach) -> Refused:
    status = "Not offered" if each.status == "not_offered" else "Out of reach"
    return Refused(each.label, status, each.reason or "No reason is given.")
