"""The paper: every number of the HTML and of the PDF is one of the analysis, to the cent; at most four pages; the same bytes again."""

import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

import msgspec
import pypdf
import pytest
from msgspec.structs import replace

from services.optimizer.core.transition.result import Analysis, Approach
from services.optimizer.transition.figures import MINUS, basis_points, money, percent, points
from services.optimizer.transition.headline import headline
from services.optimizer.transition.report import report_html, report_pdf
from services.optimizer.transition.view import view_of
from tests.unit.optimizer.transition.sample_analysis import sample_analysis

CLIENT = "Ann & <Bob> Client"
MONEY = re.compile(rf"{MINUS}?\$[\d,]+\.\d\d(?!\d)")
PERCENT = re.compile(rf"{MINUS}?\d+\.\d\d%")
FREE_TEXT = "label reason words notes why what"


class Text(HTMLParser):
    """The text of a page without its styles and pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, _: Any) -> None:
        self._hidden += tag in ("style", "script", "svg")
        if tag in ("td", "th", "p", "li", "dd", "dt", "h1", "h2", "h3", "summary"):
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script", "svg")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def text_of_html(html: str) -> str:
    parser = Text()
    parser.feed(html)
    return "".join(parser.parts)


def text_of_pdf(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(BytesIO(pdf)).pages)


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every number and text of the JSON, by its member's name."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each, name)
    elif value is not None:
        yield name, value


def sums_of(approach: Approach) -> Iterator[Decimal]:
    """What the paper adds up itself: a name's trades over the years, and each side of a plan."""
    for leaving in (True, False):
        trades = [each for each in approach.plan if (each.shares < 0) == leaving]
        totals: dict[str, list[Decimal]] = {}
        for each in trades:
            held = totals.setdefault(each.security_id, [Decimal(0), Decimal(0)])
            held[0] += each.amount_usd
            held[1] += each.gain_usd
        ranked = sorted((abs(amount) for amount, _ in totals.values()), reverse=True)
        yield from ranked
        yield from (gain for _, gain in totals.values())
        yield sum(ranked, Decimal(0))
        yield sum((gain for _, gain in totals.values()), Decimal(0))
        yield from (sum(ranked[most:], Decimal(0)) for most in range(len(ranked)))


def allowed_money(analysis: Analysis) -> set[str]:
    """The amounts of the JSON, and the sums and differences that the paper says it makes."""
    raw = msgspec.json.decode(msgspec.json.encode(analysis))
    amounts = {money(Decimal(value)) for name, value in leaves(raw) if name.endswith("_usd")}
    account = analysis.account
    unrealised = account.short_gain_usd - account.short_loss_usd + account.long_gain_usd - account.long_loss_usd
    amounts |= {money(unrealised), money(account.short_loss_usd + account.long_loss_usd)}
    for each in analysis.restrictions:
        amounts.add(money(each.tax_with_usd - each.tax_without_usd))
    for approach in analysis.approaches:
        amounts |= {money(each) for each in sums_of(approach)}
        amounts |= {money(year.carried_short_usd + year.carried_long_usd) for year in approach.years}
        if approach.certificate.gap_bps is not None:
            amounts.add(money(Decimal(repr(approach.certificate.gap_bps)) * account.value_usd / 10_000))
    for name, value in leaves(raw):
        if name in FREE_TEXT.split():
            amounts |= set(MONEY.findall(str(value)))
    return amounts


def allowed_percent(analysis: Analysis) -> set[str]:
    raw = msgspec.json.decode(msgspec.json.encode(analysis))
    found = {percent(float(value)) for name, value in leaves(raw) if name.endswith("_frac")}
    texts = [str(value) for name, value in leaves(raw) if name in FREE_TEXT.split()]
    return found | {hit for text in texts for hit in PERCENT.findall(text)} | {"0.50%"}


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return sample_analysis()


@pytest.fixture(scope="module")
def papers(analysis: Analysis) -> dict[str, str]:
    pdf = text_of_pdf(report_pdf(analysis, CLIENT))
    return {"html": text_of_html(report_html(analysis, CLIENT)), "pdf": re.sub(r"-?\n", " ", pdf)}


@pytest.mark.parametrize("kind", ["html", "pdf"])
def test_every_number_of_the_paper_is_one_of_the_analysis(kind: str, papers: dict[str, str], analysis: Analysis) -> None:
    shown, rates = MONEY.findall(papers[kind]), PERCENT.findall(papers[kind])
    assert len(shown) > 100
    assert len(rates) > 50
    assert set(shown) - allowed_money(analysis) == set()
    assert set(rates) - allowed_percent(analysis) == set()


@pytest.mark.parametrize("kind", ["html", "pdf"])
def test_every_number_that_an_approach_is_compared_by_is_on_the_paper(kind: str, papers: dict[str, str], analysis: Analysis) -> None:
    there = Counter(MONEY.findall(papers[kind])) + Counter(PERCENT.findall(papers[kind]))
    for each in analysis.approaches:
        if each.status != "planned":
            assert each.reason is not None
            assert each.reason in papers[kind]
            continue
        amounts = each.tax_now_usd, each.tax_usd, each.saved_usd, each.unrealised_usd, each.cost_usd
        rates = each.te_after_frac, each.tax_frac, each.turnover_frac, each.concentrated_frac
        missing = [text for text in (*map(money, amounts), *map(percent, rates)) if not there[text]]
        assert missing == [], each.approach_id
        if each.certificate.gap_bps is not None:
            assert basis_points(each.certificate.gap_bps) in papers[kind]
    for restriction in analysis.restrictions:
        assert points(restriction.te_with_frac - restriction.te_without_frac) in papers[kind]
    for missed in analysis.not_judged:
        assert missed.what in papers[kind]
        assert missed.why in papers[kind]


def test_the_years_and_the_frontier_are_on_the_page(papers: dict[str, str], analysis: Analysis) -> None:
    years = [year for each in analysis.approaches for year in each.years]
    amounts = [money(each) for year in years for each in (year.realised.tax_usd, year.cost_usd, year.unrealised_usd)]
    amounts += [money(point.tax_usd) for point in analysis.frontier] + [money(each.value_usd) for each in analysis.account.holdings]
    there = set(MONEY.findall(papers["html"]))
    assert [each for each in amounts if each not in there] == []


@pytest.mark.parametrize(("names", "years"), [(20, 5), (1, 5), (700, 10), (60, 10)])
def test_at_most_four_pages_whatever_the_account(names: int, years: int) -> None:
    pdf = report_pdf(sample_analysis(names, years), CLIENT)
    assert len(pypdf.PdfReader(BytesIO(pdf)).pages) <= 4


def test_a_bare_analysis_has_a_paper_too(analysis: Analysis) -> None:
    keep = replace(analysis.approaches[0], certificate=analysis.approaches[0].certificate)
    bare = replace(analysis, approaches=[keep], frontier=[], knee=None, restrictions=[], not_judged=[])
    bare = replace(bare, account=replace(bare.account, holdings=[], names=0, lots=0))
    assert "Nothing was left out." in text_of_html(report_html(bare, ""))
    assert "Keep everything" in text_of_pdf(report_pdf(bare, ""))


def test_the_same_analysis_gives_the_same_bytes(analysis: Analysis) -> None:
    assert report_pdf(analysis, CLIENT) == report_pdf(analysis, CLIENT)
    assert report_html(analysis, CLIENT) == report_html(analysis, CLIENT)


def test_texts_of_people_are_never_markup(analysis: Analysis) -> None:
    html = report_html(analysis, '<script>alert("x")</script>')
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html
    pdf = text_of_pdf(report_pdf(analysis, "#set page(fill: red) *x* [y]"))
    assert "#set page(fill: red) *x* [y]" in pdf


def test_the_chosen_way_is_the_one_in_detail(analysis: Analysis) -> None:
    text = text_of_pdf(report_pdf(analysis, CLIENT, "timeline_5"))
    assert "In detail: Timeline of five years" in text
    assert 'id="way-timeline_5" open' in report_html(analysis, CLIENT, "timeline_5")


def test_the_notes_of_every_way_are_on_the_paper_not_only_of_the_one_in_detail(papers: dict[str, str], analysis: Analysis) -> None:
    notes = [note for each in analysis.approaches for note in each.notes]
    assert len(notes) >= 2
    assert [note for note in notes for paper in papers.values() if note not in paper] == []
    unfolded = re.sub(r"(?s)<details.*?</details>", "", report_html(analysis, CLIENT))
    assert [note for note in notes if note not in text_of_html(unfolded)] == []


def test_a_note_that_ways_share_stands_once_with_their_numbers(analysis: Analysis) -> None:
    shared = [replace(each, notes=["The same."]) if each.kind == "timeline" else each for each in analysis.approaches]
    found = next(note for note in view_of(replace(analysis, approaches=shared), "").notes if note.words == "The same.")
    assert found.numbers == [4, 5]


def test_no_bend_is_announced_where_the_curve_is_straight_or_the_tax_the_same(analysis: Analysis) -> None:
    count = len(analysis.frontier)
    straight = [replace(each, tax_usd=Decimal(1000 * i), te_frac=0.05 - 0.04 * i / (count - 1)) for i, each in enumerate(analysis.frontier)]
    same = [replace(each, tax_usd=Decimal(0), tax_after_carry_usd=Decimal(0)) for each in analysis.frontier]
    assert any("bend" in said for said in headline(analysis))
    for frontier in (straight, same):
        without = replace(analysis, frontier=frontier)
        assert not any("bend" in said for said in headline(without))
        assert not any(point.knee for point in view_of(without, "").frontier)


def test_the_bend_is_said_at_the_tax_that_is_drawn(analysis: Analysis) -> None:
    carried = [replace(each, tax_usd=Decimal(0), tax_after_carry_usd=each.tax_usd) for each in analysis.frontier]
    said = next(said for said in headline(replace(analysis, frontier=carried)) if "bend" in said)
    assert analysis.knee is not None
    assert money(analysis.frontier[analysis.knee].tax_usd) in said
    assert "after what losses carried on are worth" in said


@pytest.mark.parametrize(
    ("gap", "said"), [(0.0, "0.01 bp"), (0.00003, "0.01 bp"), (0.0319, "0.0319 bp"), (5.68, "5.68 bp"), (24.48, "24.5 bp")]
)
def test_a_gap_is_never_said_smaller_than_a_hundredth_of_a_basis_point(gap: float, said: str) -> None:
    assert basis_points(gap) == said
