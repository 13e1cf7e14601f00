"""Every verified tax case, to the cent: the file that PMA_TAX_CASES names, or the project's copy (schema: section 11 of the tax rules).

Transactions go through the replay that `python -m services.wash_sale replay` uses; pure calculations through the product's functions.
A figure that a case does not state is not compared; a row that it does not list is an error.
"""

import json
import os
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pytest

from services.wash_sale.core.history_fields import BadHistory
from services.wash_sale.core.history_file import books_of_history, read_history, replay_history
from services.wash_sale.core.history_rows import history_rows
from tests.unit.wash_sale.pure_calculations import calculated

OWN_COPY = Path(__file__).parent / "data" / "cases.json"
CASES: list[dict[str, Any]] = json.loads(Path(os.environ.get("PMA_TAX_CASES") or OWN_COPY).read_text(), parse_float=Decimal)
assert CASES, "a file without cases checks nothing"
ROWS = ("sales", "lots", "washes", "gifts")


def same(stated: object, found: object, within: Decimal = Decimal(0)) -> bool:
    """Numbers as numbers, all else as it is written; what a mapping does not state is not compared.  `within`: a case's tolerance."""
    if isinstance(stated, Mapping) and isinstance(found, Mapping):
        return all(key in found and same(value, found[key], within) for key, value in stated.items())
    if isinstance(stated, Sequence) and isinstance(found, Sequence) and not isinstance(stated, str):
        return len(stated) == len(found) and all(same(one, other, within) for one, other in zip(stated, found, strict=True))
    if stated == found:
        return True
    try:
        return abs(Decimal(str(stated)) - Decimal(str(found))) <= within
    except InvalidOperation:
        return False


def tolerance(case: Mapping[str, Any]) -> Decimal:
    """How far a figure may be off: not at all, unless the case says so (the two sources that it cites round in different places)."""
    return Decimal(str(case.get("tolerance") or 0))


SUMS = ("quantity", "proceeds", "basis", "raw_gain", "disallowed", "permanently_disallowed", "allowed_gain", "form_8949_adjustment")
SUMS += ("cost", "adjusted_basis", "wash_adjustment")


def layers_together(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a lot that are alike but for the number of shares, as one: whether equal layers are written apart, no rule says."""
    found: list[dict[str, Any]] = []
    for row in rows:
        twin = next((each for each in found if {"lot_id", "quantity"} <= row.keys() and alike(each, row)), None)
        if twin is None:
            found.append(dict(row))
        else:
            twin |= {name: Decimal(twin[name]) + Decimal(row[name]) for name in SUMS if row.get(name) is not None}
    return found


def alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two rows say the same of each share, to the cent."""
    if one.keys() != other.keys() or any(one[name] != other[name] for name in one.keys() - {*SUMS, "basis_per_share"}):
        return False
    shares = Decimal(one["quantity"]), Decimal(other["quantity"])
    dollars = [(one[name], other[name]) for name in SUMS if name in one]
    return all(
        (a is None and b is None)
        if a is None or b is None
        else abs(Decimal(a) * shares[1] - Decimal(b) * shares[0]) <= Decimal("0.01") * sum(shares)
        for a, b in dollars
    )


def unmatched(stated: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]], within: Decimal = Decimal(0)) -> list[str]:
    """Rows without a partner on the other side; no order of rows is prescribed."""
    left = layers_together(found)
    missing = []
    for row in layers_together(stated):
        partner = next((other for other in left if same(row, other, within)), None)
        if partner is None:
            missing.append(f"stated and not found: {dict(row)}")
        else:
            left.remove(partner)
    return missing + [f"found and not stated: {dict(row)}" for row in left]


def also_stated(case: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """The figures that some cases state beside the rows."""
    sales, lots = answer["sales"], answer["lots"]
    found: dict[str, Any] = {"totals": sums(sales)}
    if sales:
        found["tax_year"] = sales[0]["date"][:4]
        years = sorted({row["date"][:4] for row in sales})
        by_year = {year: sums([row for row in sales if row["date"].startswith(year)]) for year in years}
        in_one_figure = any(not isinstance(stated, Mapping) for stated in dict(case["expected"].get("by_year", {})).values())
        found["by_year"] = {year: each["allowed_gain"] for year, each in by_year.items()} if in_one_figure else by_year
    quantity, basis = (sum((Decimal(row[name]) for row in lots), Decimal(0)) for name in ("quantity", "adjusted_basis"))
    if quantity:
        found["average_basis_per_share"] = basis / quantity
        found["remaining"] = {"quantity": quantity, "basis": basis}
    return found


def sums(sales: Sequence[Mapping[str, Any]]) -> dict[str, Decimal]:
    """Figures of sales together."""
    names = ("proceeds", "basis", "raw_gain", "disallowed", "permanently_disallowed", "allowed_gain")
    return {name: sum((Decimal(row[name]) for row in sales if row[name]), Decimal(0)) for name in names}


def broker_rows(case: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What brokers report: each account by itself (section 1.15)."""
    rows = []
    for account in (each for each in case["accounts"] if each.get("type", "taxable") == "taxable"):  # an IRA has no Form 1099-B
        own = [tx for tx in case["transactions"] if tx.get("account") == account["id"]]
        books = books_of_history({**case, "accounts": [account], "transactions": own})
        if not isinstance(books, BadHistory):
            for row in history_rows(books)["sales"]:
                boxes = {"box_1d": row["proceeds"], "box_1e": row["basis"], "box_1g": row["disallowed"]}
                rows.append({"sale_id": row["sale_id"], "account": account["id"], "lot_id": row["lot_id"], **boxes})
    return rows


CLAIMED = ("raw_gain", "allowed_gain", "term")


def comparable_sales(case: Mapping[str, Any], stated: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> tuple[Any, Any]:
    """A sale inside an IRA has no gain or loss that anybody claims (section 1.12): the ledger writes none.

    A case may leave such a row out, or say what it came to; that it denies nothing is compared in any case.
    """
    sheltered = {each["id"] for each in case["accounts"] if each.get("type", "taxable") != "taxable"}
    inside = {tx.get("sale_id") for tx in case["transactions"] if tx["action"] == "sell" and tx["account"] in sheltered}
    listed = any(row["sale_id"] in inside for row in stated)
    assert all(Decimal(row["disallowed"]) == 0 for row in found if row["sale_id"] in inside)

    def without_claims(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        return [{name: row[name] for name in row if name not in CLAIMED} if row["sale_id"] in inside else row for row in rows]

    return without_claims(stated), without_claims([row for row in found if listed or row["sale_id"] not in inside])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_case(case: dict[str, Any]) -> None:
    """One list for both kinds: a file that has only one of them skips nothing."""
    if case.get("transactions"):
        compare_books(case)
    else:
        found = calculated(case)
        assert found is not None, "no function of the product for these inputs"
        assert same(case["expected"], found, tolerance(case))


def compare_books(case: Mapping[str, Any]) -> None:
    """The rows that the product's replay gives, with those that the case states."""
    history = read_history(case)
    assert not isinstance(history, BadHistory), history.text()
    books = replay_history(history)
    assert not isinstance(books, BadHistory), books.text()
    answer = history_rows(books)
    expected = case["expected"]
    pairs = {name: (expected[name], answer.get(name, [])) for name in ROWS if name in expected}
    if "sales" in pairs:
        pairs["sales"] = comparable_sales(case, *pairs["sales"])
    wrong = [line for stated, found in pairs.values() for line in unmatched(stated, found, tolerance(case))]
    assert wrong == []
    others = {name: value for name, value in expected.items() if name not in (*ROWS, "broker_1099b")}
    assert same(others, also_stated(case, answer), tolerance(case))
    if "broker_1099b" in expected:
        assert unmatched(expected["broker_1099b"], broker_rows(case), tolerance(case)) == []


def test_a_sale_inside_an_ira_may_be_stated_or_left_out() -> None:
    sold = {"action": "sell", "account": "I", "sale_id": "S"}
    case = {"accounts": [{"id": "I", "type": "roth_ira"}], "transactions": [sold, {**sold, "account": "T", "sale_id": "T"}]}
    ours = {"sale_id": "S", "quantity": "5", "raw_gain": None, "disallowed": "0.00"}
    taxable = {"sale_id": "T", "quantity": "5", "raw_gain": "7", "disallowed": "0"}
    assert unmatched(*comparable_sales(case, [], [ours])) == []
    assert unmatched(*comparable_sales(case, [{**ours, "raw_gain": "-9"}], [ours])) == []
    assert len(unmatched(*comparable_sales(case, [{**ours, "quantity": "6"}], [ours]))) == 2
    assert len(unmatched(*comparable_sales(case, [{**taxable, "raw_gain": "-7"}], [taxable]))) == 2
    assert len(unmatched(*comparable_sales(case, [], [taxable]))) == 1


def test_equal_layers_are_compared_as_one_and_others_are_not() -> None:
    half = {"lot_id": "A", "quantity": "5", "cost": "50.01", "hp_date": "2025-01-02"}
    whole = {**half, "quantity": "10", "cost": "100.02"}
    assert unmatched([half, half], [whole]) == unmatched([whole], [half, half]) == []
    assert len(unmatched([half, {**half, "cost": "50.05"}], [{**whole, "cost": "100.06"}])) == 3
    assert len(unmatched([half, {**half, "hp_date": "2025-01-03"}], [whole])) == 3
    assert len(unmatched([half], [whole])) == 2
