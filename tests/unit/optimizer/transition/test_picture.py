"""The pictures: every approach and every point on them, told apart without colour, named for who can't see them."""

import itertools
import math
import re
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.optimizer.transition.picture import NARROW, PRINT, WIDE, Format, frontier_svg, numbered, schedule_svg
from services.optimizer.transition.placing import Place, badge_places, word_place
from services.optimizer.transition.view import view_of
from tests.unit.optimizer.transition.sample_analysis import sample_analysis

SVG = "{http://www.w3.org/2000/svg}"
PHONE_PX = 390 - 2 * 14 - 2 * 15 - 2  # what page.css leaves for a picture on a phone


def marks(svg: str, layer: str) -> list[Xml.Element]:
    root = Xml.fromstring(svg)
    return [mark for group in root.iter(f"{SVG}g") if f"{layer}_marks" in (group.get("class") or "").split() for mark in group]


@pytest.mark.parametrize("size", [WIDE, NARROW, PRINT], ids=lambda each: each.name)
def test_every_point_and_every_approach_is_drawn(size: Format) -> None:
    analysis = sample_analysis()
    svg = frontier_svg(analysis, size)
    assert len(marks(svg, "frontier_points")) == len(analysis.frontier)
    assert len(marks(svg, "approaches")) == len(numbered(analysis))
    assert [mark.text for mark in marks(svg, "badges")] == [str(number) for number, _ in numbered(analysis)]
    assert len(marks(svg, "knee")) == 1


def test_ways_at_once_and_over_years_have_different_shapes() -> None:
    analysis = sample_analysis()
    shapes = [mark.get("d") for mark in marks(frontier_svg(analysis, WIDE), "approaches")]
    over_years = [len(each.years) > 1 for _, each in numbered(analysis)]
    assert len(set(zip(shapes, over_years, strict=True))) == len(set(shapes)) == 2


def test_a_picture_has_a_title_and_says_what_it_shows() -> None:
    analysis = sample_analysis()
    for svg in (frontier_svg(analysis, WIDE), schedule_svg(analysis, WIDE)):
        assert svg is not None
        root = Xml.fromstring(svg)
        named = (root.get("aria-labelledby") or "").split()
        texts = {each.get("id"): each.text or "" for each in root if each.tag in (f"{SVG}title", f"{SVG}desc")}
        assert root.get("role") == "img"
        assert all(texts[each] for each in named)
    assert "The knee is at" in frontier_svg(analysis, WIDE)


def test_letters_are_legible_on_a_phone() -> None:
    for svg in (frontier_svg(sample_analysis(), NARROW), schedule_svg(sample_analysis(), NARROW)):
        assert svg is not None
        width = float(Xml.fromstring(svg).get("width") or 0)
        sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)px"', svg)]
        assert min(sizes) * min(1, PHONE_PX / width) >= 9


def test_a_point_of_the_frontier_says_its_numbers() -> None:
    point = view_of(sample_analysis(), "").frontier[9]
    assert point.knee
    assert point.tax in point.said
    assert point.te in point.said
    assert point.said.endswith("the knee of the frontier")


def test_what_carried_losses_are_worth_is_drawn_where_the_bill_is_the_same_everywhere() -> None:
    analysis = sample_analysis()
    first = analysis.frontier[0].tax_usd
    flat = [replace(each, tax_usd=first, tax_after_carry_usd=each.tax_usd) for each in analysis.frontier]
    svg = frontier_svg(replace(analysis, frontier=flat), WIDE)
    assert "losses carried on" in svg
    assert len({mark.get("transform") for mark in marks(svg, "frontier_points")}) == len(flat)


def test_no_plan_over_years_no_picture_of_years() -> None:
    analysis = sample_analysis()
    assert schedule_svg(replace(analysis, approaches=analysis.approaches[:3]), WIDE) is None


@given(st.lists(st.tuples(st.floats(0, 600), st.floats(0, 360)), min_size=1, max_size=12))
def test_badges_stay_inside_and_apart(at: list[tuple[float, float]]) -> None:
    places = badge_places([Place(x, y) for x, y in at], [], 620, 380)
    assert all(0 <= each.x <= 620 and 0 <= each.y <= 380 for each in places)
    nearest = min((math.dist((a.x, a.y), (b.x, b.y)) for a, b in itertools.combinations(places, 2)), default=99)
    assert nearest >= 10


def test_the_name_of_the_knee_stands_clear_of_marks() -> None:
    knee = Place(200, 200)
    marks = [knee, Place(180, 208), Place(200, 222), Place(215, 215)]
    word = word_place(knee, marks, 620, 380)
    assert min(math.dist((spot.x, spot.y), (mark.x, mark.y)) for spot in word.covered() for mark in marks) >= 15
