"""The pictures of an analysis as SVG: tax against tracking error with every approach, and the tax of each year of each plan.

Shape and number tell approaches apart, never colour alone; each picture carries a title and a description that say what it shows.
"""

import re
from dataclasses import dataclass
from html import escape
from typing import Any

import vl_convert

from services.optimizer.core.transition.result import Analysis, Approach
from services.optimizer.transition.drawn_tax import bend_of, drawn_tax
from services.optimizer.transition.figures import money, percent
from services.optimizer.transition.placing import Place, badge_places, word_place

INK, MUTED, RULE, LINE, ACCENT, PAPER = "#1c2430", "#566070", "#dfe3e8", "#1f3a5f", "#8a5a12", "#ffffff"
Spec = dict[str, Any]
MOST_LABELLED_YEARS = 6


@dataclass(frozen=True, slots=True)
class Format:
    """A size of the pictures, in pixels; `columns`: plans side by side."""

    name: str
    width: int
    height: int
    letter: int
    columns: int
    font: str = "Helvetica Neue, Arial, Liberation Sans, sans-serif"


WIDE = Format("wide", 620, 360, 13, 2)
NARROW = Format("narrow", 300, 330, 12, 1)
PRINT_YEARS = Format("print", 800, 330, 14, 3, "Libertinus Serif")
PRINT = Format("print", 560, 330, 13, 2, "Libertinus Serif")


def frontier_svg(analysis: Analysis, size: Format) -> str:
    """The frontier, its knee, and every planned approach at its tax over all years and its tracking error at the end."""
    planned = numbered(analysis)
    tax = drawn_tax(analysis)
    marks = [(number, float(tax.of_approach(each)), 100 * (each.te_after_frac or 0.0), each) for number, each in planned]
    line = [(float(tax.of_point(point)), 100 * point.te_frac) for point in analysis.frontier]
    scale = _Scale([x for _, x, _, _ in marks] + [x for x, _ in line], [y for _, _, y, _ in marks] + [y for _, y in line], size)
    drawn, curve = [scale.pixel(x, y) for _, x, y, _ in marks], [scale.pixel(x, y) for x, y in line]
    bend = bend_of(analysis)
    word = None if bend is None else word_place(curve[bend], [*drawn, *curve], size.width, size.height)
    spots = badge_places(drawn, [*curve, *(word.covered() if word else [])], size.width, size.height)
    badges = [
        {"x": x, "y": y, "bx": scale.x_of(spot), "by": scale.y_of(spot), "n": str(number)}
        for (number, x, y, _), spot in zip(marks, spots, strict=True)
    ]
    shapes = [{"x": x, "y": y, "kind": "over years" if len(each.years) > 1 else "now"} for _, x, y, each in marks]
    layers = [*_line_layers(line), *_approach_layers(shapes, badges, size)]
    if bend is not None and word is not None:
        layers += _knee_layers(line[bend], scale.x_of(word.middle), scale.y_of(word.middle))
    for layer in layers:
        axes = {"x": scale.axis_x(size, tax.title), "y": scale.axis_y()}
        layer["encoding"] = {**axes, **layer.get("encoding", {})}
    spec = _document(size, {"width": size.width, "height": size.height, "layer": layers})
    title = "Tax against tracking error"
    return _accessible(vl_convert.vegalite_to_svg(spec), f"frontier-{size.name}", title, describe_frontier(analysis))


def describe_frontier(analysis: Analysis) -> str:
    """The first picture in words."""
    parts = []
    if analysis.frontier:
        first, last = analysis.frontier[0], analysis.frontier[-1]
        parts.append(
            f"A falling curve of {len(analysis.frontier)} points from {money(first.tax_usd)} of tax with a tracking error of "
            f"{percent(first.te_frac)} to {money(last.tax_usd)} with {percent(last.te_frac)}."
        )
    bend = bend_of(analysis)
    if bend is not None:
        knee = analysis.frontier[bend]
        parts.append(f"The knee is at {money(knee.tax_usd)} and {percent(knee.te_frac)}.")
    parts += [f"{number}: {each.label}, {money(each.tax_usd)}, {percent(each.te_after_frac)}." for number, each in numbered(analysis)]
    return " ".join(parts)


def schedule_svg(analysis: Analysis, size: Format) -> str | None:
    """Each plan of several years: its tax by year as bars, its tracking error under them; None where no plan has several years."""
    plans = [(number, each) for number, each in numbered(analysis) if len(each.years) > 1]
    if not plans:
        return None
    columns = min(size.columns, len(plans))
    taxes = [float(year.realised.tax_usd) for _, each in plans for year in each.years]
    low, high = min(0.0, *taxes), max(1.0, *taxes)
    reach = [low - 0.15 * (high - low) * (low < 0), high + 0.15 * (high - low)]
    width = (size.width + 40) / columns - 62
    spec = _document(size, {"columns": columns, "concat": [_plan_bars(number, each, reach, width, size) for number, each in plans]})
    title = "Tax and tracking error year by year"
    return _accessible(vl_convert.vegalite_to_svg(spec), f"schedule-{size.name}", title, describe_schedule(plans))


def describe_schedule(plans: list[tuple[int, Approach]]) -> str:
    """The second picture in words."""
    said = [f"{number}: {plan.label}: " + ", ".join(_year_words(plan)) for number, plan in plans]
    return ". ".join(said) + "."


def _year_words(plan: Approach) -> list[str]:
    return [f"year {year.number} tax {money(year.realised.tax_usd)}, tracking error {percent(year.te_frac)}" for year in plan.years]


def numbered(analysis: Analysis) -> list[tuple[int, Approach]]:
    """The planned approaches with the numbers that the tables give them."""
    return list(enumerate((each for each in analysis.approaches if each.status == "planned"), 1))


class _Scale:
    """From dollars and per cent to pixels and back."""

    def __init__(self, taxes: list[float], errors: list[float], size: Format) -> None:
        low, high = min([0.0, *taxes]), max([1.0, *taxes])
        self._low, self._high = low - 0.04 * (high - low), high + 0.06 * (high - low)
        self._top = 1.12 * max([0.5, *errors])
        self._width, self._height = size.width, size.height

    def pixel(self, tax: float, error: float) -> Place:
        return Place(self._width * (tax - self._low) / (self._high - self._low), self._height * (1 - error / self._top))

    def x_of(self, place: Place) -> float:
        return self._low + place.x / self._width * (self._high - self._low)

    def y_of(self, place: Place) -> float:
        return self._top * (1 - place.y / self._height)

    def axis_x(self, size: Format, title: str) -> Spec:
        axis = {
            "title": title,
            "labelExpr": dollars_label("datum.value"),
            "tickCount": 4 if size is NARROW else 7,
        }
        return {"field": "x", "type": "quantitative", "scale": {"domain": [self._low, self._high], "nice": False}, "axis": axis}

    def axis_y(self) -> Spec:
        axis = {"title": "Tracking error at the end, a year", "labelExpr": "datum.label + '%'", "tickCount": 6}
        return {"field": "y", "type": "quantitative", "scale": {"domain": [0, self._top], "nice": False}, "axis": axis}


def dollars_label(value: str) -> str:
    """A Vega expression: dollars in short, with the minus in front."""
    size = f"abs({value})"
    large = f"{size} >= 1e6 ? format({size} / 1e6, ',.1f') + 'm' : {size} >= 1e3 ? format({size} / 1e3, ',.0f') + 'k'"
    short = f"({large} : format({size}, ',.0f'))"
    return f"({value} < 0 ? '−$' : '$') + {short}"


def _line_layers(line: list[tuple[float, float]]) -> list[Spec]:
    points = [{"x": x, "y": y} for x, y in line]
    return [
        {"name": "frontier_line", "data": {"values": points}, "mark": {"type": "line", "color": LINE, "strokeWidth": 2, "order": None}},
        {
            "name": "frontier_points",
            "data": {"values": points},
            "mark": {"type": "point", "filled": True, "color": LINE, "size": 26, "opacity": 1},
        },
    ]


def _knee_layers(knee: tuple[float, float], x: float, y: float) -> list[Spec]:
    """A ring around the knee, and its name in the middle of `x`, `y`, over everything."""
    ring = {"type": "point", "shape": "circle", "size": 240, "color": ACCENT, "strokeWidth": 2, "filled": False, "opacity": 1}
    text = {"type": "text", "text": "knee", "color": ACCENT, "fontStyle": "italic", "align": "center", "baseline": "middle"}
    return [
        {"name": "knee", "data": {"values": [{"x": knee[0], "y": knee[1]}]}, "mark": ring},
        {"name": "knee_word", "data": {"values": [{"x": x, "y": y}]}, "mark": text},
    ]


def _approach_layers(shapes: list[Spec], badges: list[Spec], size: Format) -> list[Spec]:
    far = {"field": "bx", "type": "quantitative"}, {"field": "by", "type": "quantitative"}
    both = {"shape": {"field": "kind", "scale": {"domain": ["now", "over years"], "range": ["square", "diamond"]}, "legend": None}}
    badge = {"x": {**far[0]}, "y": {**far[1]}}
    data = {"values": badges}
    return [
        {
            "data": data,
            "mark": {"type": "rule", "color": MUTED, "strokeWidth": 1},
            "encoding": {"x2": {"field": "bx"}, "y2": {"field": "by"}},
        },
        {
            "name": "approaches",
            "data": {"values": shapes},
            "mark": {"type": "point", "filled": True, "color": ACCENT, "stroke": PAPER, "strokeWidth": 1, "size": 90, "opacity": 1},
            "encoding": both,
        },
        {
            "data": data,
            "mark": {"type": "point", "size": 300, "fill": PAPER, "stroke": INK, "strokeWidth": 1, "opacity": 1},
            "encoding": badge,
        },
        {
            "name": "badges",
            "data": data,
            "mark": {"type": "text", "fontSize": size.letter, "fontWeight": "bold", "color": INK, "dy": 1},
            "encoding": {**badge, "text": {"field": "n"}},
        },
    ]


def _plan_bars(number: int, plan: Approach, reach: list[float], width: float, size: Format) -> Spec:
    several = len(plan.years) > MOST_LABELLED_YEARS
    rows = [
        {
            "year": f"{year.number}" if several else f"year {year.number}|{100 * year.te_frac:.2f}%",
            "tax": float(year.realised.tax_usd),
        }
        for year in plan.years
    ]
    labels = {"labelExpr": "split(datum.label, '|')", "labelAngle": 0, "title": None, "domain": False, "ticks": False, "labelPadding": 6}
    x = {"field": "year", "type": "ordinal", "sort": None, "axis": labels}
    axis = {"labelExpr": dollars_label("datum.value"), "title": None, "tickCount": 4}
    y = {"field": "tax", "type": "quantitative", "scale": {"domain": reach, "nice": False}, "axis": axis}
    over = {"type": "text", "dy": -8, "color": INK, "fontSize": size.letter - 1}
    text = {"transform": [{"calculate": dollars_label("datum.tax"), "as": "said"}], "mark": over, "encoding": {"text": {"field": "said"}}}
    return {
        "title": {
            "text": _wrapped(f"{number}  {plan.label}", width, size),
            "anchor": "start",
            "fontSize": size.letter,
            "color": INK,
            "offset": 10,
        },
        "width": width,
        "height": 120,
        "data": {"values": rows},
        "encoding": {"x": x, "y": y},
        "layer": [{"mark": {"type": "bar", "color": LINE, "width": {"band": 0.62}}}, *([] if several else [text])],
    }


def _wrapped(text: str, width: float, size: Format) -> list[str]:
    """Lines that fit; a letter is about half as wide as it is high."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and (len(lines[-1]) + len(word) + 1) * 0.55 * size.letter <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _document(size: Format, body: Spec) -> Spec:
    letter = size.letter
    axis = {
        "labelFontSize": letter - 1, "titleFontSize": letter, "titleFontWeight": "normal", "labelColor": MUTED, "titleColor": INK,
        "gridColor": RULE, "domainColor": MUTED, "tickColor": MUTED, "titlePadding": 10,
    }  # fmt: skip
    config = {"font": size.font, "view": {"stroke": None}, "axis": axis, "text": {"fontSize": letter}, "background": "transparent"}
    return {"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "padding": 6, "config": config, **body}


def _accessible(svg: str, name: str, title: str, description: str) -> str:
    """One image with a name and a description, that scales to its place."""
    svg = re.sub(r' (aria-[a-z]+|role)="[^"]*"', "", svg)
    named = f'role="img" aria-labelledby="{name}-title {name}-desc" id="{name}"'
    texts = f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    return re.sub(r"<svg ([^>]*)>", lambda found: f"<svg {named} {found[1]}>{texts}", svg, count=1)
