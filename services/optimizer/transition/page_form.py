"""The intake form of the page as data: which fields it has, and where a fault is shown.  The names are those of form.py."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from libs.common.federal_tax import FILING_STATUSES
from services.optimizer.transition.faults import FieldFault

LOTS = "lots"
STATUS_WORDS = {"single": "Single", "mfj": "Married, filing jointly", "mfs": "Married, filing separately", "hoh": "Head of household"}


class PageField(Struct, frozen=True):
    """One field; `options` (value, words) makes it a choice of one, or of several where `several`."""

    name: str
    label: str
    hint: str = ""
    options: list[tuple[str, str]] = []
    several: bool = False


class Group(Struct, frozen=True):
    """Fields that belong together."""

    title: str
    fields: list[PageField]


class Marked(Struct, frozen=True):
    """A fault where it is shown."""

    field: str
    text: str
    line: int


def groups(strategies: Sequence[tuple[str, str]], categories: Sequence[str]) -> list[Group]:
    """All groups but the lots, which have a field of their own."""
    status = [("", "Not given"), *((each, STATUS_WORDS.get(each, each)) for each in FILING_STATUSES)]
    return [
        Group("The client", [
            PageField("client_name", "Client", "Stays in the intake; is in no event."),
            PageField("household", "Household"),
            PageField("cash", "Cash", "Dollars, beside the lots."),
        ]),
        Group("The target", [
            PageField("strategy", "Strategy", "Left open: the nearest ones are compared.", [("", "Compare the nearest"), *strategies]),
        ]),
        Group("Taxes", [
            PageField("income", "Taxable income", "With the filing status it gives the federal rates."),
            PageField("filing_status", "Filing status", "", status),
            PageField("short_rate", "Short-term rate", "Instead of income; such as 40.8%."),
            PageField("long_rate", "Long-term rate", "Such as 23.8%."),
            PageField("state", "State", "Two letters."),
            PageField("state_rates", "Rates of the state", "Such as CA: 9.3%: 9.3%. Without them the state's tax is not judged."),
            PageField("short_gain", "Short-term gains so far this year"),
            PageField("long_gain", "Long-term gains so far this year"),
            PageField("carried_short_loss", "Short-term losses carried in"),
            PageField("carried_long_loss", "Long-term losses carried in"),
        ]),
        Group("Budgets", [
            PageField("tax_budget", "Tax budget a year", "Dollars."),
            PageField("short_gain_budget", "Short-term gains a year", "At most, in dollars."),
            PageField("long_gain_budget", "Long-term gains a year", "At most, in dollars."),
            PageField("te_target", "Tracking error to reach", "Such as 1%."),
            PageField("timelines", "Timelines", "Years, such as 3, 5."),
        ]),
        Group("Wishes", [
            PageField("exclude", "Exclude", "", [(each, each.replace("_", " ").capitalize()) for each in categories], several=True),
            PageField("never_own", "Never own", "Tickers, separated by commas."),
            PageField("never_sell", "Never sell", "Tickers, separated by commas."),
            PageField("owned_elsewhere", "Owned elsewhere", "Ticker and the last purchase there, such as ACORN: 2026-05-01."),
            PageField("wind_down", "Wind down", "Ticker, to which part, in how many years: ACORN: 5%: 3."),
            PageField("charity", "To give to charity", "Dollars, in kind."),
            PageField("outside", "Kept outside", "What and how much, such as House: 900000."),
        ]),
    ]  # fmt: skip


def marked(faults: Sequence[FieldFault], labels: Mapping[str, str]) -> list[Marked]:
    """Every fault at its field (`labels` by name); what is of a line of the lots, or of no field of the page, at the lots."""
    return [_marked(each, labels) for each in faults]


def _marked(fault: FieldFault, labels: Mapping[str, str]) -> Marked:
    root, _, leaf = fault.field.replace("]", "").replace("[", ".").partition(".")
    at_lots = fault.line or root not in labels
    place = f"Line {fault.line}" if fault.line else labels.get(root, "Lots")
    column = leaf.rpartition(".")[2].replace("_", " ") if at_lots else ""
    where = f"{place}, {column}" if column and not column.isdigit() else place
    return Marked(LOTS if at_lots else root, f"{where}: {fault.message}. {fault.remedy}.", fault.line)


def at_field(found: Sequence[Marked]) -> Mapping[str, list[Marked]]:
    """The faults by field."""
    by_field: dict[str, list[Marked]] = {}
    for each in found:
        by_field.setdefault(each.field, []).append(each)
    return by_field
