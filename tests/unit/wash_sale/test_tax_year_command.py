"""`tax-year FILE --year Y --out DIR` as a tax professional runs it: files written, errors by event and field, other households going on."""

import csv
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.wash_sale import tax_year_command
from services.wash_sale.__main__ import main

D = Decimal
ACCOUNTS = [
    {"id": "T1", "owner": "A", "type": "taxable"},
    {"id": "I1", "owner": "A", "type": "roth_ira"},
    {"id": "S1", "owner": "B", "type": "taxable", "relation": "spouse_of_A"},
]


def buy(seq: int, day: str, lot: str, cost: str, account: str = "T1", quantity: str = "100") -> dict[str, Any]:
    return {
        "seq": seq,
        "date": day,
        "action": "buy",
        "account": account,
        "security": "XYZ",
        "quantity": quantity,
        "cost": cost,
        "lot_id": lot,
    }


def sell(seq: int, day: str, sale: str, lot: str, proceeds: str, account: str = "T1", quantity: str = "100") -> dict[str, Any]:
    lots = [{"lot_id": lot, "quantity": quantity}]
    return {
        "seq": seq,
        "date": day,
        "action": "sell",
        "account": account,
        "security": "XYZ",
        "quantity": quantity,
        "proceeds": proceeds,
        "sale_id": sale,
        "lots": lots,
    }


def history(*transactions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "H1", "lot_method": "specific_id", "accounts": ACCOUNTS, "transactions": list(transactions), **more}


DECEMBER = [buy(1, "2025-02-03", "L1", "5000"), sell(2, "2025-12-15", "D1", "L1", "4000")]
JANUARY = buy(3, "2026-01-10", "L2", "4100", quantity="40")


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


class Tables:
    """What a run wrote and said."""

    def __init__(self, out: Path, code: int) -> None:
        self.code = code
        self.form = read(out / "form_8949.csv")
        self.schedule = {(r["household"], r["return"], r["line"]): r["h_gain"] for r in read(out / "schedule_d.csv")}
        self.gifts = read(out / "gift_candidates.csv")
        self.broker = read(out / "broker_1099b.csv")
        self.years = json.loads((out / "tax_year.json").read_text())
        assert json.loads((out / "form_8949.json").read_text()) == self.form


def run(tmp_path: Path, value: object, year: int = 2025, as_of: str | None = None) -> Tables:
    (tmp_path / "in.json").write_text(json.dumps(value))
    asked = ["tax-year", str(tmp_path / "in.json"), "--year", str(year), "--out", str(tmp_path / "out" / "deep")]
    code = main([*asked, *(["--as-of", as_of] if as_of else [])])
    return Tables(tmp_path / "out" / "deep", code)


@pytest.mark.parametrize(
    ("as_of", "adjustment", "gain", "certainty", "until"),
    [
        pytest.param("2025-12-31", "", "-1000.00", "provisional", "2026-01-14", id="the window is open"),
        pytest.param("2026-01-10", "400.00", "-600.00", "provisional", "2026-01-14", id="a January purchase denies a part"),
        pytest.param("2026-02-01", "400.00", "-600.00", "confirmed", "", id="the window has closed"),
        pytest.param(None, "400.00", "-600.00", "provisional", "2026-01-14", id="as of the last event where no day is given"),
    ],
)
def test_a_december_loss_and_a_january_purchase(
    tmp_path: Path, as_of: str | None, adjustment: str, gain: str, certainty: str, until: str
) -> None:
    found = run(tmp_path, history(*DECEMBER, JANUARY), as_of=as_of)
    assert found.code == 0
    row = found.form[0]
    assert (row["part"], row["box"], row["a_description"], row["c_sold"]) == ("I", "A", "100 sh. XYZ", "2025-12-15")
    assert (row["f_code"], row["g_adjustment"], row["h_gain"]) == ("W" if adjustment else "", adjustment, gain)
    assert (row["certainty"], row["provisional_until"]) == (certainty, until)
    assert found.schedule["H1", "A", "1b"] == found.schedule["H1", "A", "7"] == found.schedule["H1", "A", "16"] == gain
    assert found.schedule["H1", "A", "21"] == gain


def test_an_outside_account_leaves_a_loss_unknowable(tmp_path: Path) -> None:
    outside = {"id": "X1", "owner": "A", "type": "taxable", "covered": False}
    found = run(tmp_path, {**history(*DECEMBER), "accounts": [*ACCOUNTS, outside]}, as_of="2026-06-01")
    assert found.form[0]["certainty"] == "unknowable"
    assert found.years[0]["returns"][0]["certainty"] == "unknowable"


def test_an_iras_sales_are_no_ones(tmp_path: Path) -> None:
    found = run(tmp_path, history(buy(1, "2025-02-03", "L1", "5000", "I1"), sell(2, "2025-06-02", "S1", "L1", "4000", "I1")))
    assert found.form == []
    assert found.schedule["H1", "A", "16"] == "0.00"


def test_spouses_file_apart_unless_the_file_says_so(tmp_path: Path) -> None:
    both = [*DECEMBER, buy(3, "2024-02-05", "B1", "1000", "S1"), sell(4, "2025-12-16", "D2", "B1", "3500", "S1")]
    apart = run(tmp_path, history(*both))
    assert (apart.schedule["H1", "A", "16"], apart.schedule["H1", "B", "16"]) == ("-1000.00", "2500.00")
    joint = run(tmp_path, history(*both, tax={"returns": [{"taxpayers": ["A", "B"], "filing_status": "mfj"}]}))
    assert joint.schedule["H1", "A+B", "16"] == "1500.00"
    assert {row["return"] for row in joint.form} == {"A+B"}


def test_the_day_may_stand_in_the_file(tmp_path: Path) -> None:
    found = run(tmp_path, history(*DECEMBER, JANUARY, as_of="2025-12-31"))
    assert found.years[0]["as_of"] == "2025-12-31"
    assert (found.form[0]["h_gain"], found.form[0]["provisional_until"]) == ("-1000.00", "2026-01-14")
    later = run(tmp_path, history(*DECEMBER, JANUARY, as_of="2025-12-31"), as_of="2026-02-01")
    assert (later.form[0]["h_gain"], later.form[0]["certainty"]) == ("-600.00", "confirmed")


JOINT = {"id": "J1", "owner": "A+B", "type": "taxable"}
OF_JOINT = [buy(1, "2025-02-03", "L1", "5000", "J1"), sell(2, "2025-06-02", "S1", "L1", "6000", "J1")]


def test_a_joint_account_is_on_the_return_of_both(tmp_path: Path) -> None:
    value = {**history(*OF_JOINT, tax={"returns": [{"taxpayers": ["A", "B"], "filing_status": "mfj"}]}), "accounts": [*ACCOUNTS, JOINT]}
    found = run(tmp_path, value)
    assert {name for _, name, _ in found.schedule} == {"A+B"}
    assert found.schedule["H1", "A+B", "16"] == "1000.00"


def test_a_joint_account_without_a_return_of_both_stands_apart(tmp_path: Path) -> None:
    found = run(tmp_path, {**history(*OF_JOINT), "accounts": [*ACCOUNTS, JOINT]})
    assert {name: found.schedule["H1", name, "16"] for name in ("A", "B", "A+B")} == {"A": "0.00", "B": "0.00", "A+B": "1000.00"}
    report = next(each for each in found.years[0]["returns"] if each["return_id"] == "A+B")
    assert "a joint account, and no return of both owners stated: its sales stand apart" in report["assumptions"]


TAX = {
    "returns": [
        {
            "taxpayers": ["A"],
            "filing_status": "single",
            "years": {
                "2025": {
                    "income": {
                        "ordinary_taxable_income": "150000",
                        "magi": "190000",
                        "investment_income": "2000",
                        "state": {"name": "XX", "short_frac": "0.05", "long_frac": "0.05"},
                    },
                    "short_carryover_in": "500",
                    "long_carryover_in": "0",
                }
            },
        }
    ],
    "prices": {"XYZ": "80"},
}


def test_the_estimate_and_gift_candidates(tmp_path: Path) -> None:
    """A 4,000 long gain less 500: 15 of a hundred, 5 to the state; the 50 shares left would add 1,500 at the same rates."""
    held = history(buy(1, "2020-02-03", "L1", "5000"), sell(2, "2025-06-02", "S1", "L1", "6500", quantity="50"), tax=TAX)
    found = run(tmp_path, held, as_of="2025-12-31")
    report = found.years[0]["returns"][0]
    assert D(report["estimate"]["tax_on_gains"]) == (4000 - 500) * (D("0.15") + D("0.05"))
    assert D(report["estimate"]["more_if_all_sold"]) == 1500 * (D("0.15") + D("0.05"))
    assert [(row["lot_id"], row["gain_avoided"], row["value"]) for row in found.gifts] == [("L1", "1500.00", "4000.00")]
    assert found.schedule["H1", "A", "6"] == "-500.00"


def give(seq: int, day: str, lot: str, quantity: str, **more: str) -> dict[str, Any]:
    lots = [{"lot_id": lot, "quantity": quantity}]
    return {"seq": seq, "date": day, "action": "gift_out", "account": "T1", "security": "XYZ", "quantity": quantity, "lots": lots, **more}


def charity(year: int, **more: Any) -> dict[str, Any]:
    return {"returns": [{"taxpayers": ["A"], "filing_status": "single", "years": {str(year): {"charity": {"agi": "200000", **more}}}}]}


WASHED_INTO = [
    buy(1, "2023-01-17", "L1", "6000"),
    sell(2, "2025-06-02", "D1", "L1", "5000"),
    buy(3, "2025-06-09", "L2", "4100"),
]
"""1,000 of loss denied: L2 has a basis of 5,100, and a period of over two years."""


def test_a_donated_lot_counts_at_its_value_where_a_wash_sale_made_it_long(tmp_path: Path) -> None:
    given = give(4, "2025-09-02", "L2", "100", fmv="6000", donee="public_charity")
    found = run(tmp_path, history(*WASHED_INTO, given, tax=charity(2025, marginal_rate_frac="0.32")))
    report = found.years[0]["returns"][0]["charity"]
    assert [(lot["term"], lot["basis"], lot["value"]) for lot in report["lots"]] == [("long", "5100.00", "6000.00")]
    assert (report["deducted"]["deduction"], report["saves"]) == ("6000.00", "1920.00")


@pytest.mark.parametrize(
    ("given", "stated", "because"),
    [
        pytest.param({"donee": "public_charity", "fmv": "6000"}, None, "adjusted gross income not stated", id="no income"),
        pytest.param({"donee": "public_charity"}, charity(2025), "value of 4 L2 not known", id="no value"),
        pytest.param(
            {"donee": "private_foundation", "fmv": "6000"},
            charity(2025),
            "donee_not_covered: donee is private_foundation, possible: public_charity",
            id="another donee",
        ),
    ],
)
def test_a_deduction_that_can_not_be_said_has_its_reason(tmp_path: Path, given: dict[str, str], stated: Any, because: str) -> None:
    found = run(tmp_path, history(*WASHED_INTO, give(4, "2025-09-02", "L2", "100", **given), **({"tax": stated} if stated else {})))
    report = found.years[0]["returns"][0]["charity"]
    assert (report["deducted"], report["not_deducted_because"]) == (None, because)


def test_a_gift_to_a_person_is_no_donation(tmp_path: Path) -> None:
    found = run(tmp_path, history(*WASHED_INTO, give(4, "2025-09-02", "L2", "100")))
    assert found.years[0]["returns"][0]["charity"] is None


def test_a_carryover_of_gifts_is_used_in_a_year_without_gifts(tmp_path: Path) -> None:
    carried = [{"year": 2024, "amount": "70000"}]
    found = run(tmp_path, history(*DECEMBER, tax=charity(2025, carried=carried)))
    deducted = found.years[0]["returns"][0]["charity"]["deducted"]
    assert deducted["deduction"] == "60000.00"
    assert deducted["carryovers"] == [{"year": 2024, "amount": "10000.00", "appreciated": True}]


def test_a_carryover_from_the_year_itself_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run(tmp_path, history(*DECEMBER, tax=charity(2025, carried=[{"year": 2025, "amount": "1"}])))
    assert found.code == 1
    assert "H1: tax.returns[0].years.2025.charity.carried: only gifts of years before 2025" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("transactions", "expected"),
    [
        pytest.param([*DECEMBER, JANUARY], [("5000.00", "400.00", "400.00", "")], id="the broker sees its own account"),
        pytest.param(
            [*DECEMBER, buy(3, "2025-12-20", "L2", "4000", "S1")],
            [("5000.00", "0.00", "1000.00", "wash_in_another_account_or_security")],
            id="the spouse's purchase",
        ),
        pytest.param(
            [buy(1, "2010-02-03", "L1", "5000"), sell(2, "2025-12-15", "D1", "L1", "4000")],
            [("", "", "0.00", "basis_not_reported")],
            id="not covered before 2011",
        ),
        pytest.param(
            [
                buy(1, "2025-02-03", "L1", "5000", "S1"),
                sell(2, "2025-06-02", "D1", "L1", "4000", "S1"),
                buy(3, "2025-06-09", "L2", "4100"),
                sell(4, "2025-12-15", "D2", "L2", "6000"),
            ],
            [
                ("5000.00", "0.00", "1000.00", "wash_in_another_account_or_security"),
                ("4100.00", "0.00", "0.00", "basis_holds_a_loss_denied_elsewhere"),
            ],
            id="the basis took over a loss of the spouse's",
        ),
        pytest.param(
            [
                buy(1, "2025-02-03", "L1", "5000"),
                buy(2, "2025-02-03", "B1", "6000", "S1"),
                sell(3, "2025-06-02", "D1", "B1", "4000", "S1"),
                sell(4, "2025-06-02", "D2", "L1", "4000"),
                buy(5, "2025-06-09", "L2", "4100"),
            ],
            [
                ("6000.00", "0.00", "2000.00", "wash_in_another_account_or_security"),
                ("5000.00", "1000.00", "0.00", "replacement_used_for_another_loss"),
            ],
            id="1.6 the purchase has denied the spouse's loss already",
        ),
    ],
)
def test_the_brokers_form_beside_the_ledger(tmp_path: Path, transactions: list[Any], expected: list[tuple[str, ...]]) -> None:
    found = run(tmp_path, history(*transactions))
    rows = sorted(found.broker, key=lambda row: row["sale_id"])
    assert [(row["box_1e"], row["box_1g"], row["ledger_disallowed"], row["why"]) for row in rows] == expected


def test_an_account_that_shares_moved_into_has_no_brokers_form(tmp_path: Path) -> None:
    move = {
        "seq": 2,
        "date": "2025-03-03",
        "action": "transfer",
        "security": "XYZ",
        "quantity": "100",
        "from_account": "T1",
        "to_account": "S1",
    }
    moved = [buy(1, "2025-02-03", "L1", "5000"), move, sell(3, "2025-12-15", "D1", "L1", "4000", "S1")]
    found = run(tmp_path, history(*moved))
    assert found.code == 0
    assert (len(found.form), found.broker) == (1, [])


def test_a_bad_history_is_named_and_the_others_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = [
        {**history(buy(1, "2025-02-30", "L1", "5000")), "id": "no such day"},
        {**history(buy(1, "2025-02-03", "L1", "5000", quantity="0")), "id": "no shares"},
        {**history(*DECEMBER, tax={"returns": [{"taxpayers": ["Z"]}]}), "id": "stranger"},
        {**history(*DECEMBER, tax={"prices": {"XYZ": "much"}}), "id": "no price"},
        "no history",
    ]
    found = run(tmp_path, [bad[0], history(*DECEMBER), *bad[1:]])
    assert found.code == 1
    assert [year["household_id"] for year in found.years] == ["H1"]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 5
    assert "no such day: " in said[0] and "date" in said[0] and "2025-02-30" in said[0]
    assert "no shares: " in said[1] and "quantity" in said[1]
    assert said[2] == "stranger: tax.returns[0].taxpayers: Z owns no taxable account here"
    assert "no price: tax.prices" in said[3]


def test_a_corporations_sales_are_refused_by_name_and_still_wash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corporation = {"id": "C1", "owner": "C", "type": "taxable", "relation": "corporation_controlled_by_A"}
    value = {**history(*DECEMBER, buy(3, "2025-12-20", "L2", "4000", "C1")), "accounts": [*ACCOUNTS, corporation]}
    found = run(tmp_path, value)
    assert found.code == 1
    assert "corporate_return: owner is C" in capsys.readouterr().err
    assert found.form[0]["g_adjustment"] == "1000.00"
    assert {name for _, name, _ in found.schedule} == {"A", "B"}


def test_a_year_without_figures_leaves_the_estimate_out_by_name(tmp_path: Path) -> None:
    years = {"2024": TAX["returns"][0]["years"]["2025"]}  # type: ignore[index]
    tax = {"returns": [{"taxpayers": ["A"], "filing_status": "single", "years": years}]}
    found = run(tmp_path, history(*DECEMBER, tax=tax), year=2024)
    assert found.years[0]["returns"][0]["estimate"] is None
    assert found.years[0]["returns"][0]["no_estimate_because"] == "year_without_figures: year is 2024, possible: 2025, 2026"


def test_a_file_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.json").write_text("{")
    assert tax_year_command.run(tmp_path / "in.json", 2025, tmp_path, None) == 2
    assert tax_year_command.run(tmp_path / "none.json", 2025, tmp_path, date(2025, 1, 1)) == 2
    said = capsys.readouterr().err
    assert "in.json" in said and "none.json" in said


@pytest.mark.parametrize("year", ["25", "2025.0", "next"])
def test_a_year_that_is_none(tmp_path: Path, year: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["tax-year", "x.json", "--year", year, "--out", str(tmp_path)])
    assert "is not a year such as 2025" in capsys.readouterr().err


def test_replay_prints_the_cases_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.json").write_text(json.dumps(history(*DECEMBER)))
    assert main(["replay", str(tmp_path / "in.json")]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [each["id"] for each in answer] == ["H1"]
    assert set(answer[0]) >= {"sales", "lots", "washes"}


EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "tax-year"


@pytest.mark.parametrize("table", ["form_8949.csv", "schedule_d.csv", "gift_candidates.csv", "broker_1099b.csv"])
def test_the_documented_example_is_what_the_command_writes(tmp_path: Path, table: str) -> None:
    assert tax_year_command.run(EXAMPLE / "history.json", 2025, tmp_path, date(2025, 12, 31)) == 0
    assert (tmp_path / table).read_text() == (EXAMPLE / table).read_text()


def test_the_documented_figures_are_the_examples(tmp_path: Path) -> None:
    text = (EXAMPLE.parents[1] / "tax-year.md").read_text()
    tax_year_command.run(EXAMPLE / "history.json", 2025, tmp_path, date(2025, 12, 31))
    report = json.loads((tmp_path / "tax_year.json").read_text())[0]["returns"][0]
    for name in ("tax_without_gains", "tax_now", "tax_if_all_sold", "more_if_all_sold"):
        assert f"{D(report['estimate'][name]):,}" in text, name
    assert f"{D(report['charity']['deducted']['deduction']):,}" in text
    for row in read(EXAMPLE / "form_8949.csv"):
        shown = [
            row[name] for name in ("a_description", "b_acquired", "c_sold", "d_proceeds", "e_basis", "f_code", "g_adjustment", "h_gain")
        ]
        cells = " | ".join([f"{row['part']} {row['box']}", *shown, row["certainty"]])
        assert "| " + cells.replace("|  |", "| |").replace("|  |", "| |") + " |" in text


CASES = json.loads((Path(__file__).parent / "data" / "cases.json").read_text())


def by_part(rows: Any) -> dict[str, tuple[Decimal, Decimal]]:
    """(g) and (h) summed by term."""
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for term, adjustment, gain in rows:
        before = sums.get(term, (D(0), D(0)))
        sums[term] = (before[0] + D(adjustment), before[1] + D(gain))
    return sums


@pytest.mark.parametrize("case", [each for each in CASES if each.get("transactions")], ids=lambda case: case["id"])
def test_the_form_of_every_verified_case_sums_to_its_sales(case: dict[str, Any]) -> None:
    """Every year of the case: the rows' adjustments and gains by part are those of the case's sales by term."""
    days = {tx["sale_id"]: tx["date"] for tx in case["transactions"] if tx["action"] == "sell"}
    taxable = {account["id"] for account in case["accounts"] if account["type"] == "taxable"}
    of_account = {tx["sale_id"]: tx["account"] for tx in case["transactions"] if tx["action"] == "sell"}
    for year in {int(day[:4]) for day in days.values()} - set(range(2011)):
        found = tax_year_command.year_of_history(case, 0, year, None)
        assert not isinstance(found, str), found
        rows = [row for each in found.returns for row in each.form_8949]
        sales = [
            sale
            for sale in case["expected"]["sales"]
            if days[sale["sale_id"]].startswith(str(year)) and of_account[sale["sale_id"]] in taxable and sale["term"] != "none"
        ]
        stated = by_part((sale["term"], sale["disallowed"], sale["allowed_gain"]) for sale in sales)
        shown = by_part(("short" if row.box in "ABC" else "long", row.adjustment, row.gain) for row in rows if row.basis != row.proceeds)
        assert {term: sums for term, sums in shown.items() if sums != (0, 0)} == {
            term: sums for term, sums in stated.items() if sums != (0, 0)
        }
        broker = {each.sale_id: (each.box_1d, each.box_1e, each.box_1g) for each in found.broker_sales}
        for stated_row in case["expected"].get("broker_1099b", []):
            assert broker[stated_row["sale_id"]] == tuple(D(stated_row[box]) for box in ("box_1d", "box_1e", "box_1g"))
        assert {row.acquired for row in rows} >= {sale["form_8949_column_b"] for sale in sales if sale.get("form_8949_column_b")}
