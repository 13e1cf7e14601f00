"""What a history file may not say: the answer names the event and the field, and nothing of the history is booked."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.wash_sale import replay_command
from services.wash_sale.core.history_fields import BadHistory
from services.wash_sale.core.history_file import books_of_history
from services.wash_sale.core.refusals import RefusalCode
from tests.unit.wash_sale.own_cases import IRA, L1, S1, T1, Row, account, after, buy, case, sell, tx

Code = RefusalCode


THREE = (T1, IRA, account("F", owner="F"))

HALF = sell("S1", after(0), 2000, {"L1": 50})
GIVEN = tx("gift_in", after(0), lot_id="G", quantity="1", donor_basis="1", donor_acquired="2020-01-02", fmv="1")


def transfer(source: str, target: str) -> Row:
    fields = {"quantity": "100", "lot_id": "L1", "from_account": source, "to_account": target}
    return {"action": "transfer", "date": after(0), "security": "XYZ", **fields}


def history(*transactions: Row, accounts: Any = THREE, **more: Any) -> Row:
    return case("H", list(transactions), [], [], [], accounts, **more)


def without(row: Row, field: str) -> Row:
    return {name: value for name, value in row.items() if name != field}


@pytest.mark.parametrize(
    ("transactions", "code", "event", "field"),
    [
        ([L1, sell("S1", after(0), 1, {"L1": 101})], Code.OVERSOLD_LOT, "seq 2 sell S1", "lots.quantity"),
        ([L1, sell("S1", after(0), 1, quantity=101)], Code.OVERSOLD_POSITION, "seq 2 sell S1", "quantity"),
        ([L1, sell("S1", after(0), 1, {"L9": 1})], Code.UNKNOWN_LOT, "seq 2 sell S1", "lots.lot_id"),
        ([L1, {**S1, "account": "IRA"}], Code.UNKNOWN_LOT, "seq 2 sell S1", "lots.lot_id"),
        ([sell("S1", "2024-12-31", 1, {"L1": 1}), L1], Code.SALE_BEFORE_PURCHASE, "seq 1 sell S1", "lots.lot_id"),
        ([sell("S1", "2024-12-31", 1, quantity=1), L1], Code.SALE_BEFORE_PURCHASE, "seq 1 sell S1", "quantity"),
        ([{**S1, "date": "2025-01-02", "seq": 0}, L1], Code.SALE_BEFORE_PURCHASE, "seq 0 sell S1", "lots.lot_id"),
        ([{**L1, "quantity": "-1"}], Code.NOT_POSITIVE, "seq 1 buy L1", "quantity"),
        ([{**L1, "quantity": "0"}], Code.NOT_POSITIVE, "seq 1 buy L1", "quantity"),
        ([{**L1, "cost": "-5"}], Code.NOT_POSITIVE, "seq 1 buy L1", "cost"),
        ([L1, {**S1, "quantity": "0"}], Code.NOT_POSITIVE, "seq 2 sell S1", "quantity"),
        ([L1, {**S1, "lots": [{"lot_id": "L1", "quantity": "-100"}]}], Code.NOT_POSITIVE, "seq 2 sell S1", "lots[0].quantity"),
        ([L1, {**S1, "quantity": "90"}], Code.LOTS_DO_NOT_ADD_UP, "seq 2 sell S1", "lots"),
        ([{**L1, "quantity": "1e3"}], Code.NOT_A_NUMBER, "seq 1 buy L1", "quantity"),
        ([{**L1, "quantity": "NaN"}], Code.NOT_A_NUMBER, "seq 1 buy L1", "quantity"),
        ([{**L1, "cost": True}], Code.NOT_A_NUMBER, "seq 1 buy L1", "cost"),
        ([without(L1, "cost")], Code.MISSING, "seq 1 buy L1", "cost"),
        ([without(L1, "lot_id")], Code.MISSING, "seq 1 buy", "lot_id"),
        ([{**L1, "date": "2025-02-29"}], Code.NOT_A_DATE, "seq 1 buy L1", "date"),
        ([{**L1, "date": "2 January 2025"}], Code.NOT_A_DATE, "seq 1 buy L1", "date"),
        ([{**L1, "date": "1025-01-02"}], Code.NOT_A_DATE, "seq 1 buy L1", "date"),
        ([L1, {**S1, "date": "9999-12-31"}], Code.NOT_A_DATE, "seq 2 sell S1", "date"),
        ([L1, {**S1, "settle_date": after(-1)}], Code.NOT_A_DATE, "seq 2 sell S1", "settle_date"),
        ([L1, {**S1, "lots": None, "lot_id": "L9"}], Code.UNKNOWN_LOT, "seq 2 sell S1", "lots.lot_id"),
        ([{**L1, "seq": "first"}], Code.NOT_READABLE, "seq first buy L1", "seq"),
        ([{**GIVEN, "donor_acquired": after(1)}], Code.NOT_A_DATE, "seq 1 gift_in G", "donor_acquired"),
        (
            [{**GIVEN, "action": "spouse_transfer_in", "donor_acquired": after(1)}],
            Code.NOT_A_DATE,
            "seq 1 spouse_transfer_in G",
            "donor_acquired",
        ),
        ([{**L1, "action": "frobnicate"}], Code.UNKNOWN_ACTION, "seq 1 frobnicate L1", "action"),
        ([{**L1, "action": "option_buy"}], Code.OUTSIDE_THE_PLATFORM, "seq 1 option_buy L1", "action"),
        ([{**S1, "action": "short_sale"}], Code.OUTSIDE_THE_PLATFORM, "seq 1 short_sale S1", "action"),
        ([{**L1, "action": "exempt_interest_dividend"}], Code.OUTSIDE_THE_PLATFORM, "seq 1 exempt_interest_dividend L1", "action"),
        ([tx("split", after(0), ratio="2", security="\ud800")], Code.NOT_READABLE, "seq 1 split", "security"),
        ([{**L1, "account": "NONE"}], Code.UNKNOWN_ACCOUNT, "seq 1 buy L1", "account"),
        ([L1, L1], Code.DUPLICATE_LOT, "seq 2 buy L1", "lot_id"),
        ([L1, HALF, HALF], Code.DUPLICATE_SALE, "seq 3 sell S1", "sale_id"),
        ([L1, HALF, tx("cash_merger", after(9), cash_per_share="1", sale_id="S1")], Code.DUPLICATE_SALE, "seq 3 cash_merger S1", "sale_id"),
        ([L1, {**S1, "lots": ["L1"]}], Code.NOT_READABLE, "seq 2 sell S1", "lots[0]"),
        ([L1, {**S1, "lots": []}], Code.NOT_READABLE, "seq 2 sell S1", "lots"),
        ([{**S1, "action": "sell_to_open"}], Code.OUTSIDE_THE_PLATFORM, "seq 1 sell_to_open S1", "action"),
        ([L1, tx("split", after(0), ratio="0")], Code.NOT_POSITIVE, "seq 2 split", "ratio"),
        ([L1, tx("split", after(0), ratio="-2")], Code.NOT_POSITIVE, "seq 2 split", "ratio"),
        ([L1, tx("split", after(0), ratio="1/0")], Code.NOT_POSITIVE, "seq 2 split", "ratio"),
        ([L1, tx("merger", after(0), new_security="N", ratio="1", cash_per_share="1")], Code.MISSING, "seq 2 merger", "new_price"),
        ([L1, transfer("T1", "F")], Code.CHANGES_OWNER, "seq 2 transfer L1", "to_account"),
        ([L1, transfer("T1", "IRA")], Code.CHANGES_TAX_STATUS, "seq 2 transfer L1", "to_account"),
        ([L1, "nonsense"], Code.NOT_READABLE, "transactions[1]", ""),
    ],
    ids=lambda value: value.value if isinstance(value, Code) else "",
)
def test_what_is_refused(transactions: list[Any], code: RefusalCode, event: str, field: str) -> None:
    raw = history() | {"transactions": [{"seq": n, **tx} if isinstance(tx, dict) else tx for n, tx in enumerate(transactions, 1)]}
    bad = books_of_history(raw)
    assert isinstance(bad, BadHistory)
    assert (bad.code, bad.event, bad.field) == (code, event, field), bad.text()


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"accounts": []}, Code.MISSING, "accounts"),
        ({"accounts": [{**T1, "type": "brokerage"}]}, Code.NOT_READABLE, "type"),
        ({"accounts": [{**T1, "relation": "cousin's dog"}]}, Code.NOT_READABLE, "relation"),
        ({"accounts": [T1, T1]}, Code.NOT_READABLE, "id"),
        ({"policy": {"tacking": "guess"}}, Code.NOT_READABLE, "policy"),
        ({"policy": {"takking": "add_days"}}, Code.NOT_READABLE, "policy"),
        ({"policy": {"tacking": "\ud800"}}, Code.NOT_READABLE, "policy"),
        ({"securities": ["XYZ"]}, Code.NOT_READABLE, "securities"),
        ({"identity_groups": 1.5}, Code.NOT_READABLE, "identity_groups"),
        ({"securities": {"XYZ": {"type": "call_option"}}}, Code.OUTSIDE_THE_PLATFORM, "security"),
        ({"transactions": None}, Code.MISSING, "transactions"),
        ({"lot_method": "best"}, Code.NOT_READABLE, "lot_method"),
        ({"lot_method": "average", "securities": {"XYZ": {"type": "common_stock"}}}, Code.AVERAGE_NOT_ALLOWED, "lot_method"),
    ],
)
def test_what_is_refused_of_the_household(changed: Row, code: RefusalCode, field: str) -> None:
    bad = books_of_history(history(L1, S1, accounts=(T1,)) | changed)
    assert isinstance(bad, BadHistory) and (bad.code, bad.field) == (code, field), bad


def test_the_other_households_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "histories.json"
    good, bad = history(L1, S1) | {"id": "good"}, history(L1, {**S1, "quantity": "-3"}) | {"id": "bad"}
    file.write_text(json.dumps([bad, good]))
    assert replay_command.run(file) == 1
    printed = capsys.readouterr()
    first, second = json.loads(printed.out)
    assert first["error"]["event"] == "seq 2 sell S1" and first["error"]["field"] == "quantity" and first["sales"] == []
    assert [row["raw_gain"] for row in second["sales"]] == ["-1000.00"]
    assert "bad: seq 2 sell S1, field quantity" in printed.err


def test_one_history_is_an_array_of_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "history.json"
    file.write_text(json.dumps(history(L1, buy("L2", after(3), 1, 40))))
    assert replay_command.run(file) == 0
    (only,) = json.loads(capsys.readouterr().out)
    assert set(only) == {"id", "sales", "lots", "washes"} and len(only["lots"]) == 2


def test_a_number_in_text_and_the_lot_of_a_sale_as_a_member() -> None:
    younger = buy("L2", "2025-01-03", 100, 6000)
    books = books_of_history(history({**L1, "seq": "1"}, {**younger, "seq": "2"}, {**S1, "seq": "3", "lots": None, "lot_id": "L2"}))
    assert not isinstance(books, BadHistory)
    assert [row.lot_id for row in books.rows] == ["L2"]


def test_whole_numbers_as_names_and_numbers_with_exponents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "history.json"
    bought, sold = {**L1, "lot_id": 7, "quantity": "MANY"}, {**S1, "sale_id": 8, "lots": [{"lot_id": 7, "quantity": 100}]}
    file.write_text("\ufeff" + json.dumps(history(bought, sold)).replace('"MANY"', "1e2"), encoding="utf-8")
    assert replay_command.run(file) == 0
    (only,) = json.loads(capsys.readouterr().out)
    assert [(row["sale_id"], row["lot_id"], row["quantity"]) for row in only["sales"]] == [("8", "7", "100")]


def test_sales_without_a_name_are_told_apart_where_each_day_counts_its_own_seq() -> None:
    def unnamed(day: str) -> Row:
        return {**without(HALF, "sale_id"), "date": day, "seq": 1}

    raw = history(L1) | {"transactions": [{"seq": 1, **L1}, unnamed(after(0)), unnamed(after(1)), {**unnamed(after(50)), "quantity": "0"}]}
    books = books_of_history({**raw, "transactions": raw["transactions"][:3]})
    assert not isinstance(books, BadHistory)
    assert len({row.trade_id for row in books.rows}) == 2
    assert isinstance(books_of_history(raw), BadHistory)


def test_the_order_of_events_that_share_a_seq_is_not_known() -> None:
    """A purchase and two sales of one day: all bought first, the losses by original purchase, however the sales are called."""
    day = [{**buy("L2", after(0), 100, 4000), "seq": 5}, *({**sell(name, after(0), 2000, quantity=50), "seq": 5} for name in "BA")]
    found = [books_of_history(history() | {"transactions": [{**L1, "seq": 1}, *order]}) for order in (day, day[::-1])]
    first, second = (each for each in found if not isinstance(each, BadHistory))
    assert sorted(first.rows, key=str) == sorted(second.rows, key=str) and list(first.layers) == list(second.layers)
    assert [row.raw_gain for row in first.rows] == [-500, -500] and sum(row.disallowed for row in first.rows) == 1000


def test_a_number_without_end_costs_its_own_history_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "history.json"
    file.write_text(json.dumps([history({**L1, "quantity": "MANY"}), history(L1)]).replace('"MANY"', "9" * 5000))
    assert replay_command.run(file) == 1
    bad, good = json.loads(capsys.readouterr().out)
    assert (bad["error"]["code"], bad["error"]["field"]) == ("not_a_number", "quantity")
    assert len(good["lots"]) == 1


@pytest.mark.parametrize("content", [None, "not json", "[1, 2]"])
def test_a_file_that_is_none(content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "missing.json"
    if content is not None:
        file.write_text(content)
    assert replay_command.run(file) > 0
    assert capsys.readouterr().err
