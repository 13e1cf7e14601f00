"""The paper that a client takes home: HTML for a screen, PDF of at most four pages; both from one view and its tables.

Invariants
1. The same analysis and client give the same bytes.
2. The PDF has at most four pages: what is folded further for that is said on it, and is whole in the HTML and the JSON.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import jinja2
import msgspec
import typst
from markupsafe import Markup, escape
from msgspec import Struct

from services.optimizer.core.transition.result import Analysis
from services.optimizer.transition.picture import NARROW, PRINT, PRINT_YEARS, WIDE, frontier_svg, schedule_svg
from services.optimizer.transition.tables import PlanTables, Tables, plan_tables, tables_of
from services.optimizer.transition.view import View, view_of

TEMPLATES = Path(__file__).parent / "templates"
MOST_PAGES = 4
NAMES_TRIED = (16, 12, 9, 6, 4, 2)  # names on each side, and half as many years' tables, until it all fits
FIRST_CHOICES = ("immediate", "timeline_3", "sell_all", "keep")  # which way is shown in detail where none was chosen
CENTS = re.compile(r"(\$[\d,]+)(\.\d\d)")


class Pictures(Struct, frozen=True):
    """The pictures for a screen, as SVG."""

    frontier_wide: str
    frontier_narrow: str
    schedule_wide: str | None
    schedule_narrow: str | None


class Paper(Struct, frozen=True):
    """What the template of the PDF reads: `plan` is of the way shown in detail, at `shown` of `view.approaches`."""

    view: View
    tables: Tables
    schedules: list[PlanTables]
    schedules_left_out: int
    plan: PlanTables | None
    shown: int | None
    frontier: str
    schedule: str | None


def report_html(analysis: Analysis, client: str, chosen: str | None = None) -> str:
    """A page that stands by itself: no script, nothing fetched."""
    css = (TEMPLATES / "page.css").read_text("utf-8")
    return environment().get_template("report.html").render(**shown(analysis, client, chosen), css=css)


def shown(analysis: Analysis, client: str, chosen: str | None = None) -> dict[str, object]:
    """What the HTML templates read."""
    view = view_of(analysis, client)
    return {
        "view": view,
        "tables": tables_of(view),
        "plans": [plan_tables(each, view.year_columns) for each in view.approaches],
        "pictures": Pictures(
            frontier_svg(analysis, WIDE), frontier_svg(analysis, NARROW), schedule_svg(analysis, WIDE), schedule_svg(analysis, NARROW)
        ),
        "chosen": _shown_in_detail(view, chosen),
    }


def report_pdf(analysis: Analysis, client: str, chosen: str | None = None) -> bytes:
    """The paper as PDF, on letter paper."""
    view = view_of(analysis, client)
    pictures = frontier_svg(analysis, PRINT), schedule_svg(analysis, PRINT_YEARS)
    for most in NAMES_TRIED:
        papers = msgspec.json.encode(_paper(view, most, pictures, _shown_in_detail(view, chosen))).decode()
        if most == NAMES_TRIED[-1] or _pages(papers) <= MOST_PAGES:
            break
    pdf: bytes = typst.compile(_source(), format="pdf", sys_inputs={"paper": papers}, ignore_system_fonts=True, timestamp=0)
    return pdf


def _paper(view: View, most: int, pictures: tuple[str, str | None], chosen: str | None) -> Paper:
    over_years = [each for each in view.approaches if len(each.years) > 1]
    kept = over_years[: max(1, most // 3)]
    place = next((place for place, each in enumerate(view.approaches) if each.approach_id == chosen), None)
    return Paper(
        view=view,
        tables=tables_of(view),
        schedules=[plan_tables(each, view.year_columns, 0) for each in kept],
        schedules_left_out=len(over_years) - len(kept),
        plan=None if place is None else plan_tables(view.approaches[place], view.year_columns, most),
        shown=place,
        frontier=pictures[0],
        schedule=pictures[1],
    )


def _pages(paper: str) -> int:
    found = typst.query(_source(), "<pages>", field="value", one=True, sys_inputs={"paper": paper}, ignore_system_fonts=True)
    return int(msgspec.json.decode(found))


@lru_cache(maxsize=1)
def _source() -> bytes:
    return (TEMPLATES / "report.typ").read_bytes()


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """The templates, escaping everything."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    made.filters["cents"] = muted_cents
    made.filters["json"] = in_script
    return made


def muted_cents(text: str) -> Markup:
    """Dollars in full, cents smaller: the eye finds the dollars, the sum is still to the cent."""
    return Markup(CENTS.sub(r'\1<span class="c">\2</span>', str(escape(text))))


def in_script(value: object) -> Markup:
    """JSON that may stand inside a script element: nothing in it ends that."""
    return Markup(msgspec.json.encode(value).decode().replace("<", "\\u003c"))


def _shown_in_detail(view: View, chosen: str | None) -> str | None:
    there = [each.approach_id for each in view.approaches]
    wanted: Sequence[str] = ([chosen] if chosen else []) + [*FIRST_CHOICES, *there]
    return next((each for each in wanted if each in there), None)
