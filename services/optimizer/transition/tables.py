"""The tables of a report: the same heads and cells for the page and the PDF."""

from collections.abc import Sequence

from msgspec import Struct

from services.optimizer.transition.approach_view import ApproachView
from services.optimizer.transition.folding import Side, first_names
from services.optimizer.transition.view import View

TAX_COLUMNS = 5  # of view.columns, those about tax; the others say what remains and what it takes
HOLDING_COLUMNS = ("Ticker", "Lots", "Shares", "Value", "Cost basis", "Gain", "Weight", "Target")
FRONTIER_COLUMNS = ("Tax", "Tracking error", "Proved within", "Short-term gain", "Long-term gain", "Turnover", "")
RESTRICTION_COLUMNS = ("Tracking error with", "without", "Costs", "Tax with", "without", "Costs")


class Row(Struct, frozen=True):
    """A line: its head, its cells; `number` of an approach or 0."""

    head: str
    cells: list[str]
    number: int = 0


class Table(Struct, frozen=True):
    """A table with what it is called; `first` is the head of the column of heads; `more` tells what is left out."""

    caption: str
    first: str
    labels: list[str]
    rows: list[Row]
    more: str = ""


class Tables(Struct, frozen=True):
    """All tables of a report but those of one approach."""

    tax: Table
    rest: Table
    frontier: Table
    holdings: Table
    restrictions: Table


class PlanTables(Struct, frozen=True):
    """The tables of one approach."""

    years: Table
    leaves: Table
    comes: Table


def tables_of(view: View) -> Tables:
    """The tables that compare."""
    labels = [label for label, _ in view.columns]
    return Tables(
        tax=_compared("Tracking error and tax", labels[:TAX_COLUMNS], view, slice(0, TAX_COLUMNS)),
        rest=_compared("What remains, and what it takes", labels[TAX_COLUMNS:], view, slice(TAX_COLUMNS, None)),
        frontier=Table("The frontier, point by point", "Point", list(FRONTIER_COLUMNS), _frontier_rows(view)),
        holdings=Table("Holdings today", "Name", list(HOLDING_COLUMNS), [Row(head, cells) for head, *cells in view.holdings]),
        restrictions=Table("What each restriction costs", "Restriction", list(RESTRICTION_COLUMNS), _restriction_rows(view)),
    )


def plan_tables(each: ApproachView, year_columns: Sequence[str], most: int | None = None) -> PlanTables:
    """The tables of one approach; at most `most` names on each side."""
    rows = [Row(year.cells[0], year.cells[1:]) for year in each.years]
    return PlanTables(
        years=Table(f"{each.label}, year by year", year_columns[0], list(year_columns[1:]), rows),
        leaves=_side("What leaves", each.leaves, most, leaving=True),
        comes=_side("What comes", each.comes, most, leaving=False),
    )


def _compared(caption: str, labels: list[str], view: View, part: slice) -> Table:
    return Table(caption, "Way", labels, [Row(each.label, each.cells[part], each.number) for each in view.approaches])


def _frontier_rows(view: View) -> list[Row]:
    return [
        Row(str(n), [each.tax, each.te, each.gap, each.short_gain, each.long_gain, each.turnover, "knee" if each.knee else ""])
        for n, each in enumerate(view.frontier, 1)
    ]


def _restriction_rows(view: View) -> list[Row]:
    return [
        Row(each.words, [each.te_with, each.te_without, each.te_cost, each.tax_with, each.tax_without, each.tax_cost])
        for each in view.restrictions
    ]


def _side(caption: str, side: Side, most: int | None, leaving: bool) -> Table:
    names, more = first_names(side, len(side.names) if most is None else most)
    labels = ["Shares", "Amount", "Gain", "When"] if leaving else ["Shares", "Amount", "When"]
    rows = [
        Row(f"{each.label} ({each.security_id})", _side_cells(each.shares, each.amount, each.gain, each.when, leaving)) for each in names
    ]
    if side.names:
        rows.append(
            Row(f"All {len(side.names):,} names" if len(side.names) > 1 else "All", _side_cells("", side.amount, side.gain, "", leaving))
        )
    return Table(caption, "Name", labels, rows, more or "")


def _side_cells(shares: str, amount: str, gain: str, when: str, leaving: bool) -> list[str]:
    return [shares, amount, gain, when] if leaving else [shares, amount, when]
