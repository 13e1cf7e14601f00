"""What the page and the PDF show of an analysis, as text: one set of data for both templates, so that they can't differ.

Every number is one of the analysis, written by figures.py, or a sum or difference of such (named where it is made).

Invariants
1. Approaches keep the analysis' order; those that were planned are numbered from 1, and the pictures use the same numbers.
2. Nothing that the analysis holds for people is left out: what is not offered, out of reach or not judged is listed with its reason.
"""

from msgspec import Struct

from services.optimizer.core.transition.result import Account, Analysis, FrontierPoint, RestrictionCost
from services.optimizer.transition import figures
from services.optimizer.transition.approach_view import COLUMNS, YEAR_COLUMNS, ApproachView, Figure, Refused, approach_view, refused_view
from services.optimizer.transition.drawn_tax import bend_of
from services.optimizer.transition.figures import money, percent
from services.optimizer.transition.headline import headline

PICTURE_WORDS = (
    "Lower and further left is better. Squares are done at once, diamonds over years. The curve is the least tracking error for each "
    "tax bill of this year alone, in fractions of shares; a mark stands at the tax of all its years, in whole shares. So a small "
    "account may not reach the curve, and a gift may lie below it, since what is given leaves the account."
)


class PointView(Struct, frozen=True):
    """A point of the frontier; `said` is read aloud when the slider stands there."""

    tax: str
    te: str
    gap: str
    short_gain: str
    long_gain: str
    turnover: str
    knee: bool
    said: str


class RestrictionView(Struct, frozen=True):
    """A restriction with and without; `te_cost` and `tax_cost` are the differences."""

    restriction_id: str
    words: str
    te_with: str
    te_without: str
    te_cost: str
    tax_with: str
    tax_without: str
    tax_cost: str
    free: bool


class Note(Struct, frozen=True):
    """What to know about some of the ways, by their numbers."""

    numbers: list[int]
    words: str


class View(Struct, frozen=True):
    """All of a report but its pictures."""

    client: str
    strategy: str
    prepared: str
    simulated: bool
    headline: list[str]
    today: list[Figure]
    columns: list[list[str]]
    year_columns: list[str]
    approaches: list[ApproachView]
    refused: list[Refused]
    frontier: list[PointView]
    frontier_proof: str
    picture_words: str
    footnotes: list[str]
    notes: list[Note]
    restrictions: list[RestrictionView]
    holdings: list[list[str]]
    assumptions: list[Figure]
    assumption_words: list[str]
    not_judged: list[Figure]
    joint: str


def view_of(analysis: Analysis, client: str) -> View:
    """The texts of a report about `client` (a name for the paper's head, "" for none)."""
    planned = [each for each in analysis.approaches if each.status == "planned"]
    account = analysis.account
    shown = [approach_view(number, each, account.value_usd) for number, each in enumerate(planned, 1)]
    return View(
        client=client,
        strategy=analysis.strategy_label,
        prepared=figures.day(analysis.assumptions.prices_as_of),
        simulated=analysis.assumptions.simulated,
        headline=headline(analysis),
        today=_today(account),
        columns=[list(each) for each in COLUMNS],
        year_columns=list(YEAR_COLUMNS),
        approaches=shown,
        refused=[refused_view(each) for each in analysis.approaches if each.status != "planned"],
        frontier=[_point(point, place == bend_of(analysis)) for place, point in enumerate(analysis.frontier)],
        frontier_proof=_frontier_proof(analysis.frontier),
        picture_words=PICTURE_WORDS,
        footnotes=_footnotes(analysis),
        notes=_notes(shown),
        restrictions=[_restriction(each) for each in analysis.restrictions],
        holdings=_holdings(account),
        assumptions=_assumptions(analysis),
        assumption_words=list(analysis.assumptions.words),
        not_judged=[Figure(each.what, each.why) for each in analysis.not_judged],
        joint="The proof over several years at once is still being computed." if analysis.joint == "pending" else "",
    )


def _footnotes(analysis: Analysis) -> list[str]:
    """What has to be known to read the tables that compare."""
    growth = percent(analysis.assumptions.growth_frac)
    return [
        "Every tax is what a way adds to the year's tax beside keeping everything: what losses carried in save anyway is not "
        "counted for it.",
        "Saved against selling all: compared with selling today everything that may be sold; lots that restrictions or the wash-sale rule "
        "keep are not in that tax.",
        f"Gain left unrealised is at the end of each plan, in the prices of its last year, which are taken to grow by {growth} a year.",
        "1 bp (basis point) is a hundredth of one per cent of the account.",
    ]


def _notes(approaches: list[ApproachView]) -> list[Note]:
    """Each note once, with the numbers of the ways that it is about, in the order of the ways."""
    found: dict[str, list[int]] = {}
    for each in approaches:
        for words in each.notes:
            found.setdefault(words, []).append(each.number)
    return [Note(numbers, words) for words, numbers in found.items()]


def _today(account: Account) -> list[Figure]:
    unrealised = account.short_gain_usd - account.short_loss_usd + account.long_gain_usd - account.long_loss_usd
    losses = account.short_loss_usd + account.long_loss_usd
    return [
        Figure("Value", figures.money(account.value_usd), f"of which cash {figures.money(account.cash_usd)}"),
        Figure("Holdings", f"{figures.count(account.names)} names", f"in {figures.count(account.lots)} lots"),
        Figure("Unrealised gain", figures.money(unrealised), f"after losses of {figures.money(losses)}"),
        Figure("Tracking error", percent(account.te_frac), "against the target, a year"),
        Figure("Largest position", percent(account.concentrated_frac), "of the account"),
    ]


def _point(point: FrontierPoint, knee: bool) -> PointView:
    said = f"Tax {money(point.tax_usd)}, tracking error {percent(point.te_frac)}" + (", the knee of the frontier" if knee else "")
    return PointView(
        tax=money(point.tax_usd),
        te=percent(point.te_frac),
        gap=figures.basis_points(point.gap_bps),
        short_gain=money(point.short_gain_usd),
        long_gain=money(point.long_gain_usd),
        turnover=percent(point.turnover_frac),
        knee=knee,
        said=said,
    )


def _frontier_proof(frontier: list[FrontierPoint]) -> str:
    if not frontier:
        return ""
    widest = max(point.gap_bps for point in frontier)
    return f"Each of the {len(frontier)} points is proved to lie within {figures.basis_points(widest)} of the account of the best possible."


def _restriction(each: RestrictionCost) -> RestrictionView:
    te, tax = each.te_with_frac - each.te_without_frac, each.tax_with_usd - each.tax_without_usd
    return RestrictionView(
        each.restriction_id,
        each.words,
        percent(each.te_with_frac),
        percent(each.te_without_frac),
        figures.points(te),
        money(each.tax_with_usd),
        money(each.tax_without_usd),
        money(tax),
        free=not tax and figures.points(te) == figures.points(0.0),
    )


def _holdings(account: Account) -> list[list[str]]:
    largest = sorted(account.holdings, key=lambda each: (-each.value_usd, each.security_id))
    return [
        [
            each.label,
            each.security_id,
            figures.count(each.lots),
            figures.quantity(each.shares),
            money(each.value_usd),
            money(each.basis_usd),
            money(each.gain_usd),
            percent(each.weight_frac),
            percent(each.target_frac),
        ]
        for each in largest
    ]


def _assumptions(analysis: Analysis) -> list[Figure]:
    held = analysis.assumptions
    return [
        Figure("Prices as of", figures.day(held.prices_as_of)),
        Figure("Rate on short-term gains", percent(held.short_rate_frac)),
        Figure("Rate on long-term gains", percent(held.long_rate_frac)),
        Figure("Rate on ordinary income", percent(held.ordinary_rate_frac)),
        Figure("Growth of prices, a year", percent(held.growth_frac)),
        Figure("Discount rate, a year", percent(held.discount_frac)),
        Figure("Remaining risk is counted for", f"{held.horizon_years} years"),
        Figure("One per cent of tracking error for a year costs", f"{held.risk_aversion:g} bp"),
        Figure("Risk model", held.risk_model),
    ]
