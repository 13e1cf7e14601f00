"""Form 8949, Schedule D and the year's report: section 1.15 and 10 as tables, invariants 6 and 7 of the tax year as properties."""

import random
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.money import ZERO
from services.wash_sale.core.holding_period import term_of
from services.wash_sale.core.lots import Layer
from services.wash_sale.core.sale_rows import SaleRow
from services.wash_sale.core.tax_year.estimate import Income
from services.wash_sale.core.tax_year.form_8949 import BOXES, Form8949Row, box_totals, form_rows
from services.wash_sale.core.tax_year.netting import Carryover, YearItems
from services.wash_sale.core.tax_year.report import Assumption, ReturnBooks, ReturnFacts, YearFacts, YearReport, year_report
from services.wash_sale.core.tax_year.sales import BrokerReport, Held, SoldLayer, held_on, sold_layers
from services.wash_sale.core.tax_year.stated import BadStatement, StatedTax, read_stated, returns_of
from services.wash_sale.core.tax_year.tables import TaxRefusal

D = Decimal
LATER = date(2026, 6, 1)


def sold(proceeds: str, basis: str | None, **more: Any) -> SoldLayer:
    """100 shares, bought 2025-01-10 and sold 2025-06-02, unless said otherwise."""
    of_layer = {name: more.pop(name) for name in ("reported", "reported_basis", "term") if name in more}
    gain = None if basis is None else D(proceeds) - D(basis)
    basics = {"proceeds": D(proceeds), "basis": None if basis is None else D(basis), "raw_gain": gain, "quantity": D(100)}
    found = row(**{**basics, **more})
    term = of_layer.pop("term", term_of(found.acquired, found.trade_date))
    return SoldLayer(msgspec.structs.replace(found, term=term), "A", term, **of_layer)


def row(**more: Any) -> SaleRow:
    """A row of the ledger: 60 shares sold at a loss of 100, unless said otherwise."""
    figures: dict[str, Any] = {
        "trade_id": "S1",
        "account_id": "T1",
        "security_id": "XYZ",
        "lot_id": "L1",
        "quantity": D(60),
        "trade_date": date(2025, 6, 2),
        "proceeds": D(600),
        "basis": D(700),
        "raw_gain": D(-100),
        "term": "short",
        "acquired": date(2025, 1, 10),
        "held_since": date(2025, 1, 10),
    }
    return SaleRow(**{**figures, **more})


def rows_of(*sales: SoldLayer, as_of: date = LATER, outside: bool = False) -> list[Form8949Row]:
    return form_rows(sales, as_of, outside)


def only(rows: Sequence[Form8949Row]) -> Form8949Row:
    assert len(rows) == 1
    return rows[0]


OLD = date(2010, 12, 31)


@pytest.mark.parametrize(
    ("sale", "box"),
    [
        pytest.param(sold("10", "5"), "A", id="short, basis reported"),
        pytest.param(sold("10", "5", reported="proceeds"), "B", id="short, proceeds alone"),
        pytest.param(sold("10", "5", reported="nothing"), "C", id="short, no 1099-B"),
        pytest.param(sold("10", "5", acquired=date(2024, 1, 10)), "D", id="long, basis reported"),
        pytest.param(sold("10", "5", acquired=OLD, reported="proceeds"), "E", id="long, proceeds alone"),
        pytest.param(sold("10", "5", acquired=OLD, reported="nothing"), "F", id="long, no 1099-B"),
    ],
)
def test_boxes(sale: SoldLayer, box: str) -> None:
    assert only(rows_of(sale)).box == box


@pytest.mark.parametrize(
    ("sale", "columns"),
    [
        pytest.param(sold("1200", "1000"), ("1000", "", "0", "200"), id="a gain"),
        pytest.param(sold("800", "1000"), ("1000", "", "0", "-200"), id="a loss"),
        pytest.param(sold("800", "1000", disallowed=D(200)), ("1000", "W", "200", "0"), id="1.15 a denied loss"),
        pytest.param(sold("800", "1000", disallowed=D(50)), ("1000", "W", "50", "-150"), id="1.15 denied in part"),
        pytest.param(sold("800", "1000", reported_basis=D(900)), ("900", "B", "-100", "-200"), id="the broker's basis is too low"),
        pytest.param(sold("800", "1000", reported_basis=D(1000)), ("1000", "", "0", "-200"), id="the broker's basis is right"),
        pytest.param(
            sold("800", "1000", disallowed=D(200), reported_basis=D(900)), ("900", "BW", "100", "0"), id="both codes, one net adjustment"
        ),
        pytest.param(
            sold("800", "1000", reported="proceeds", reported_basis=D(900)),
            ("1000", "", "0", "-200"),
            id="not reported to the IRS: no code B",
        ),
        pytest.param(sold("9500", None, raw_gain=ZERO), ("9500", "", "0", "0"), id="4.2 a gift between its two bases"),
    ],
)
def test_columns_e_to_h(sale: SoldLayer, columns: tuple[str, str, str, str]) -> None:
    row = only(rows_of(sale))
    assert (row.basis, row.code, row.adjustment, row.gain) == (D(columns[0]), columns[1], D(columns[2]), D(columns[3]))
    assert row.gain == row.proceeds - row.basis + row.adjustment


def test_columns_a_to_d() -> None:
    row = only(rows_of(sold("1200.50", "1000", quantity=D("12.500"))))
    assert (row.description, row.acquired, row.sold, row.proceeds) == ("12.5 sh. XYZ", "2025-01-10", date(2025, 6, 2), D("1200.50"))
    assert only(rows_of(sold("5", "3", how="inheritance"))).acquired == "INHERITED"
    assert only(rows_of(sold("5", "3", kind="boot"))).description == "100 sh. XYZ, cash in a reorganization"
    assert only(rows_of(sold("5", "0", kind="distribution"))).description == "100 sh. XYZ, return of capital"


def test_layers_of_a_sold_lot_are_one_row_a_term() -> None:
    """A lot of which 40 shares took over a denied loss: one row; a layer whose period was lengthened over a year: another."""
    free, washed = sold("600", "700", quantity=D(60)), sold("400", "500", quantity=D(40), disallowed=D(100))
    tacked = sold("100", "90", quantity=D(10), term="long")
    rows = rows_of(washed, tacked, free)
    assert [(row.box, row.description, row.basis, row.code, row.adjustment, row.gain) for row in rows] == [
        ("A", "100 sh. XYZ", 1200, "W", 100, -100),
        ("D", "10 sh. XYZ", 90, "", 0, 10),
    ]


def test_an_unknown_basis_has_no_row_and_is_listed() -> None:
    unknown = sold("800", None)
    assert rows_of(unknown) == []
    report = reported([unknown])
    assert [(each.sale_id, each.lot_id, each.proceeds) for each in report.unknown_basis] == [("S1", "L1", 800)]


@pytest.mark.parametrize(
    ("sale", "as_of", "outside", "certainty", "until"),
    [
        pytest.param(sold("1", "9", trade_date=date(2025, 12, 31)), "2025-12-31", False, "provisional", "2026-01-30", id="10 until 30 Jan"),
        pytest.param(sold("1", "9", trade_date=date(2025, 12, 31)), "2026-01-30", False, "provisional", "2026-01-30", id="10 that day too"),
        pytest.param(sold("1", "9", trade_date=date(2025, 12, 31)), "2026-01-31", False, "confirmed", None, id="10 the day after"),
        pytest.param(sold("1", "9", trade_date=date(2025, 12, 1)), "2025-12-31", False, "provisional", "2025-12-31", id="1.1 the 30th day"),
        pytest.param(sold("1", "9", trade_date=date(2025, 12, 1)), "2026-01-01", False, "confirmed", None, id="1.1 the 31st"),
        pytest.param(sold("9", "1", trade_date=date(2025, 12, 31)), "2025-12-31", False, "confirmed", None, id="1.2 a gain"),
        pytest.param(sold("1", "9", trade_date=date(2025, 12, 31), disallowed=D(8)), "2025-12-31", False, "confirmed", None, id="whole"),
        pytest.param(sold("1", "9", disallowed=D(7)), "2025-07-02", False, "provisional", "2025-07-02", id="denied in part"),
        pytest.param(sold("1", "9"), "2026-06-01", True, "unknowable", None, id="1.11 an account that no feed covers"),
        pytest.param(sold("9", "1"), "2026-06-01", True, "confirmed", None, id="a gain is certain whatever others do"),
    ],
)
def test_certainty_of_a_row(sale: SoldLayer, as_of: str, outside: bool, certainty: str, until: str | None) -> None:
    row = only(rows_of(sale, as_of=date.fromisoformat(as_of), outside=outside))
    assert (row.certainty, row.provisional_until) == (certainty, None if until is None else date.fromisoformat(until))


def reported(
    sales: Sequence[SoldLayer], facts: ReturnFacts | None = None, year: int = 2025, as_of: date = LATER, outside: bool = False
) -> YearReport:
    found = year_report(facts or ReturnFacts("A", ("A",)), year, as_of, ReturnBooks(sales, outside_accounts=outside))
    assert isinstance(found, YearReport)
    return found


@pytest.mark.parametrize(
    ("sales", "as_of", "certainty", "until"),
    [
        pytest.param([], "2025-08-01", "provisional", "2026-01-30", id="the year is not over"),
        pytest.param([sold("1", "9", trade_date=date(2025, 12, 20))], "2026-01-10", "provisional", "2026-01-19", id="a December loss"),
        pytest.param([sold("9", "1", trade_date=date(2025, 12, 20))], "2026-01-10", "confirmed", None, id="a December gain"),
        pytest.param([], "2026-01-01", "confirmed", None, id="nothing sold"),
        pytest.param([sold("9", None)], "2026-06-01", "unknowable", None, id="a basis that nobody knows"),
    ],
)
def test_certainty_of_a_year(sales: list[SoldLayer], as_of: str, certainty: str, until: str | None) -> None:
    found = reported(sales, as_of=date.fromisoformat(as_of))
    assert (found.certainty, found.provisional_until) == (certainty, None if until is None else date.fromisoformat(until))


def test_schedule_d_line_by_line() -> None:
    sales = [
        sold("800", "1000", trade_id="S1", disallowed=D(50)),
        sold("700", "500", trade_id="S2", reported="nothing"),
        sold("5000", "1000", trade_id="S3", acquired=date(2020, 1, 2)),
        sold("100", "400", trade_id="S4", acquired=OLD, reported="proceeds"),
        sold("1", "0", trade_id="S5", trade_date=date(2024, 3, 1)),
    ]
    year = YearFacts(carried=Carryover(D(300), D(9000)), distributions=D(250), opening=YearItems(long_gain=D(20)))
    found = reported(sales, ReturnFacts("A", ("A",), {2025: year}, "single"))
    lines = {line.line: line for line in found.schedule_d}
    assert {name: line.gain for name, line in lines.items() if line.gain} == {
        "1b": -150,
        "3": 200,
        "6": -300,
        "7": -250,
        "8b": 4000,
        "9": -300,
        "long, other papers": 20,
        "13": 250,
        "14": -9000,
        "15": -5030,
        "16": -5280,
        "21": -3000,
    }
    assert (lines["1b"].proceeds, lines["1b"].basis, lines["1b"].adjustment) == (800, 1000, 50)
    assert found.netting.carryover == Carryover(ZERO, D(2280))


def test_a_carryover_is_followed_through_the_years_that_are_known() -> None:
    """10,000 long loss in 2022: 3,000 in 2022, 2023 and 2024, and 1,000 into 2025."""
    loss = sold("0", "10000", acquired=date(2020, 1, 2), trade_date=date(2022, 5, 2))
    found = reported([loss], ReturnFacts("A", ("A",), status="mfj"))
    assert found.carryover_in == Carryover(ZERO, D(1000))
    assert Assumption.CARRYOVER_FROM_EARLIER_SALES in found.assumptions
    assert Assumption.DEDUCTION_USED_IN_FULL in found.assumptions


def test_a_stated_carryover_wins() -> None:
    loss = sold("0", "10000", acquired=date(2020, 1, 2), trade_date=date(2022, 5, 2))
    found = reported([loss], ReturnFacts("A", ("A",), {2025: YearFacts(carried=Carryover(D(5), ZERO))}, "single"))
    assert found.carryover_in == Carryover(D(5), ZERO)
    assert Assumption.CARRYOVER_FROM_EARLIER_SALES not in found.assumptions


def test_low_income_of_an_earlier_year_keeps_more() -> None:
    loss = sold("0", "10000", acquired=date(2020, 1, 2), trade_date=date(2024, 5, 2))
    poor = YearFacts(income=Income(D(1000), D(20_000), ZERO))
    found = reported([loss], ReturnFacts("A", ("A",), {2024: poor}, "single"))
    assert found.carryover_in == Carryover(ZERO, D(9000))


def test_a_final_return_ends_the_carryover() -> None:
    found = reported([sold("0", "10000")], ReturnFacts("A", ("A",), {2025: YearFacts(final_return=True)}, "single"))
    assert found.carryover_expired == 7000
    assert reported([sold("0", "10000")], ReturnFacts("A", ("A",), status="single")).carryover_expired == 0


def test_an_estimate_needs_figures_income_and_status() -> None:
    income = YearFacts(income=Income(D(100_000), D(120_000), ZERO))
    gain = sold("3000", "1000", trade_date=date(2024, 3, 1), acquired=date(2024, 1, 2))
    assert reported([gain], ReturnFacts("A", ("A",), {2024: income}, "single"), 2024).no_estimate_because == (
        "year_without_figures: year is 2024, possible: 2025, 2026"
    )
    assert reported([]).no_estimate_because == "income not stated"
    assert reported([], ReturnFacts("A", ("A",), {2025: income})).no_estimate_because == "filing status not stated"
    whole = reported([sold("3000", "1000")], ReturnFacts("A", ("A",), {2025: income}, "single"))
    assert whole.no_estimate_because is None
    assert whole.estimate is not None
    assert whole.estimate.tax_on_gains == 2000 * D("0.22")


def test_a_year_before_the_form_is_refused_by_name() -> None:
    refusal = year_report(ReturnFacts("A", ("A",)), 2010, LATER, ReturnBooks())
    assert isinstance(refusal, TaxRefusal)
    assert refusal.text() == "year_without_figures: year is 2010, possible: 2011 and later"


LAYERS = st.builds(
    lambda proceeds, basis, disallowed_frac, lot, sale, bought, box: sold(
        str(proceeds),
        str(basis),
        lot_id=lot,
        trade_id=sale,
        acquired=bought,
        reported=box,
        disallowed=max(ZERO, D(basis) - D(proceeds)) * disallowed_frac / 4,
    ),
    st.integers(0, 5000),
    st.integers(0, 5000),
    st.integers(0, 4),
    st.sampled_from(("L1", "L2")),
    st.sampled_from(("S1", "S2", "S3")),
    st.sampled_from((date(2009, 5, 1), date(2024, 1, 2), date(2025, 3, 3))),
    st.sampled_from(("basis", "proceeds", "nothing")),
)
CARRIED = st.builds(Carryover, st.integers(0, 9000).map(D), st.integers(0, 9000).map(D))


@given(st.lists(LAYERS, max_size=12), CARRIED, st.randoms(use_true_random=False))
def test_6_and_7_the_form_sums_to_the_schedule_in_any_order(layers: list[SoldLayer], carried: Carryover, order: random.Random) -> None:
    facts = ReturnFacts("A", ("A",), {2025: YearFacts(carried=carried)}, "single")
    report = reported(layers, facts)
    assert all(row.gain == row.proceeds - row.basis + row.adjustment and row.adjustment >= 0 for row in report.form_8949)
    lines = {line.line: line.gain for line in report.schedule_d}
    totals = box_totals(report.form_8949)
    by_line = dict(zip(("1b", "2", "3", "8b", "9", "10"), (totals[box].gain for box in sorted(BOXES.values())), strict=True))
    assert {line: lines[line] for line in by_line} == by_line
    assert lines["7"] == lines["1b"] + lines["2"] + lines["3"] + lines["6"]
    assert lines["15"] == lines["8b"] + lines["9"] + lines["10"] + lines["14"]
    allowed = sum((layer.row.allowed_gain or ZERO for layer in layers), ZERO)
    assert lines["16"] == allowed - carried.short - carried.long
    shuffled = list(layers)
    order.shuffle(shuffled)
    assert reported(shuffled, facts) == report


def test_the_ledgers_rows_become_sold_layers() -> None:
    rows = [
        row(disallowed=D(30)),
        row(quantity=D(40), held_since=date(2023, 1, 1), term="long"),
        row(trade_id="S2", account_id="I1", term="none", raw_gain=None),
        row(trade_id="S3", basis=None, raw_gain=ZERO, term="none", held_since=date(2020, 1, 2)),
        row(trade_id="S4", how="inheritance", acquired=OLD),
    ]
    found = sold_layers(rows, {"T1": "A"}, [BrokerReport("S1", "L1", "basis", D("1000.01"))])
    assert [(each.row.trade_id, each.term, each.row.disallowed, each.reported, each.reported_basis) for each in found] == [
        ("S1", "short", 30, "basis", D("600.01")),
        ("S1", "long", 0, "basis", D("400.00")),
        ("S3", "long", 0, "basis", None),
        ("S4", "short", 0, "proceeds", None),
    ]
    assert {each.taxpayer_id for each in found} == {"A"}


def layer(basis: str | None, **more: Any) -> Layer:
    figures: dict[str, Any] = {"acquired": date(2025, 2, 3), "held_since": date(2023, 3, 1), **more}
    return Layer("T1", "L1", "p", "XYZ", D(100), None if basis is None else D(basis), **figures)


@pytest.mark.parametrize(
    ("held", "price", "basis", "term"),
    [
        pytest.param(layer("1000"), "12", "1000", "long", id="a period that was lengthened"),
        pytest.param(layer(None), "12", None, "long", id="unknown stays unknown"),
        pytest.param(layer("1000", how="inheritance", held_since=date(2025, 5, 1)), "12", "1000", "long", id="3.4 inherited: long"),
        pytest.param(layer("1000", loss_cost=D(900), loss_since=date(2025, 2, 3)), "12", "1000", "long", id="4.2 a gift at a gain"),
        pytest.param(layer("1000", loss_cost=D(900), loss_since=date(2025, 2, 3)), "9.5", "950", "long", id="4.2 between: no gain"),
        pytest.param(layer("1000", loss_cost=D(900), loss_since=date(2025, 2, 3)), "8", "900", "short", id="4.2 at a loss"),
    ],
)
def test_open_lots(held: Layer, price: str, basis: str | None, term: str) -> None:
    found = held_on([held], ["T1"], {"XYZ": D(price)}, date(2025, 9, 1)).lots
    assert [(each.basis, each.term, each.value) for each in found] == [(None if basis is None else D(basis), term, 100 * D(price))]
    assert held_on([held], ["T2"], {"XYZ": D(price)}, LATER) == Held([], [])
    others = [msgspec.structs.replace(held, security_id=name) for name in ("ZZZ", "BBB", "AAA", "MMM")]
    assert held_on([*others, held], ["T1"], {}, LATER) == Held([], ["AAA", "BBB", "MMM", "XYZ", "ZZZ"])


@pytest.mark.parametrize(
    ("held", "as_of", "because"),
    [
        pytest.param(Held(), date(2025, 12, 31), None, id="nothing stands in the way"),
        pytest.param(Held(), date(2026, 1, 1), "a sale on 2026-01-01 would not be one of 2025", id="the year is over"),
        pytest.param(Held([], ["AAA", "XYZ"]), date(2025, 6, 1), "no price of AAA, XYZ", id="no price"),
        pytest.param(
            held_on([layer(None)], ["T1"], {"XYZ": D(1)}, LATER), date(2025, 6, 1), "unknown basis of T1/L1", id="an unknown basis"
        ),
    ],
)
def test_if_all_were_sold_is_said_only_where_it_can_be(held: Held, as_of: date, because: str | None) -> None:
    income = YearFacts(income=Income(D(100_000), D(120_000), ZERO))
    found = year_report(ReturnFacts("A", ("A",), {2025: income}, "single"), 2025, as_of, ReturnBooks(held=held))
    assert isinstance(found, YearReport)
    assert found.not_if_all_sold_because == because
    assert found.estimate is not None
    assert (found.estimate.if_all_sold is None) == (found.estimate.more_if_all_sold is None) == (because is not None)
    assert (Assumption.NO_PURCHASE_AROUND_SALE in found.assumptions) == (because is None)


INCOME = {"ordinary_taxable_income": "90000", "magi": "120000", "investment_income": "500"}


def stated(value: Any) -> StatedTax:
    found = read_stated(value)
    assert isinstance(found, StatedTax), found
    return found


def test_returns_of_a_household() -> None:
    said = stated(
        {
            "returns": [
                {
                    "taxpayers": ["A", "B"],
                    "filing_status": "mfj",
                    "years": {"2025": {"income": INCOME, "short_carryover_in": "10"}},
                }
            ]
        }
    )
    opening = {2025: YearFacts(carried=Carryover(D(7), D(7)), opening=YearItems(short_gain=D(3)))}
    joint, other = returns_of(said, ["C"], {"A": opening, "B": opening, "C": opening})
    assert (joint.return_id, joint.status_in(2025), joint.of(2025).carried) == ("A+B", "mfj", Carryover(D(10), ZERO))
    assert joint.of(2025).opening.short_gain == 6
    assert (other.return_id, other.status_in(2025), other.of(2025).carried) == ("C", None, Carryover(D(7), D(7)))


@pytest.mark.parametrize(
    ("value", "field", "problem"),
    [
        pytest.param({"returns": [{"taxpayers": ["A"], "filing_status": "x"}]}, "tax.returns[0].filing_status", "'x'", id="status"),
        pytest.param({"returns": [{"taxpayers": []}]}, "tax.returns[0].taxpayers", "length", id="nobody's return"),
        pytest.param({"returns": [{"taxpayers": ["A"], "oops": 1}]}, "tax.returns[0]", "oops", id="an unknown member"),
        pytest.param({"returns": [{"taxpayers": ["A"]}, {"taxpayers": ["A"]}]}, "tax.returns[1].taxpayers", "A stands in two", id="twice"),
        pytest.param(
            {"returns": [{"taxpayers": ["A", "B"], "filing_status": "mfs"}]}, "tax.returns[0].filing_status", "jointly", id="two apart"
        ),
        pytest.param({"returns": [{"taxpayers": ["A"], "years": {"25": {}}}]}, "tax.returns[0].years", "'25'", id="no year"),
        pytest.param(
            {"returns": [{"taxpayers": ["A"], "years": {"2025": {"long_carryover_in": "-5"}}}]},
            "tax.returns[0].years.2025.long_carryover_in",
            "negative",
            id="a negative carryover",
        ),
        pytest.param(
            {"returns": [{"taxpayers": ["A"], "years": {"2025": {"income": {**INCOME, "magi": "NaN"}}}}]},
            "tax.returns[0].years.2025.income.magi",
            "not a number",
            id="no number",
        ),
        pytest.param({"prices": {"XYZ": "1e30"}}, "tax.prices.XYZ", "too large", id="too large"),
        pytest.param({"prices": {"XYZ": "-1"}}, "tax.prices.XYZ", "negative", id="a negative price"),
        pytest.param([], "tax", "array", id="no object"),
    ],
)
def test_a_bad_statement_names_its_field(value: Any, field: str, problem: str) -> None:
    found = read_stated(value)
    assert isinstance(found, BadStatement)
    assert found.field == field
    assert problem in found.problem
