"""docs/orders.md names every refusal, state, progress and field, and nothing else."""

import re
from pathlib import Path
from typing import get_args

import pytest
from msgspec import Struct

from libs.common.schemas.order import (
    Allocation,
    ExecType,
    ExecutionReported,
    OrderCancelled,
    OrderEnded,
    OrderLot,
    OrderPlaced,
    OrderState,
)
from services.orders.core.decision import RefusalCode
from services.orders.core.judge import CHECKS
from services.orders.core.order_state import ENDED_STATES
from services.orders.core.run_state import UNENDED, Progress

TEXT = (Path(__file__).parents[3] / "docs" / "orders.md").read_text()


def table(heading: str) -> list[list[str]]:
    """The cells of the table whose header row begins with `heading`."""
    lines = iter(TEXT.splitlines())
    for line in lines:
        if line.startswith(f"| {heading} |"):
            next(lines)
            rows = []
            for row in lines:
                if not row.startswith("|"):
                    break
                rows.append([cell.strip() for cell in row.strip("|").split("|")])
            return rows
    raise AssertionError(f"no table {heading!r}")


def first_cells(heading: str) -> list[str]:
    return [row[0].strip("`") for row in table(heading)]


def test_every_refusal_has_its_line() -> None:
    assert sorted(first_cells("code")) == sorted(RefusalCode)


def test_the_refusals_of_the_screen_come_in_the_order_of_the_checks() -> None:
    """The table says that the first that applies is the answer, so it must be in the order of the checks."""
    codes = first_cells("code")
    assert codes.index("kill_switch") == 0 and codes.index("stale_pin") < codes.index("account_not_open")
    marks = [
        ("check_account", "account_not_open"),
        ("check_form", "malformed"),
        ("check_prices", "unknown_security"),
        ("check_screen", "may_not_buy"),
        ("check_whole_shares", "not_whole_shares"),
        ("check_lots", "lot_not_open"),
        ("check_windows", "buy_in_window"),
        ("check_cash", "insufficient_cash"),
        ("check_order_count", "too_many_orders"),
    ]
    assert [check.__name__ for check in CHECKS] == [name for name, _ in marks]
    places = [codes.index(code) for _, code in marks]
    assert places == sorted(places) and codes[-1] == "reservation_conflict"


def test_every_state_has_its_line() -> None:
    rows = {row[0].strip("`"): row[2] for row in table("state")}
    assert set(rows) == set(get_args(OrderState))
    assert {state for state, ended in rows.items() if ended == "yes"} == ENDED_STATES


def test_every_progress_has_its_line() -> None:
    rows = {row[0].strip("`"): row[2] for row in table("progress of an account in a run")}
    assert set(rows) == set(Progress)
    assert {progress for progress, ended in rows.items() if ended == "no"} == UNENDED


FIX_TABLES: list[tuple[str, type[Struct]]] = [
    ("field", OrderPlaced),
    ("field of an allocation", Allocation),
    ("field of a lot", OrderLot),
    ("field of order.cancelled", OrderCancelled),
    ("field of order.ended", OrderEnded),
    ("field of execution.reported", ExecutionReported),
]


@pytest.mark.parametrize(("heading", "payload"), FIX_TABLES, ids=[payload.__name__ for _, payload in FIX_TABLES])
def test_every_field_has_its_fix_name_and_tag(heading: str, payload: type[Struct]) -> None:
    rows = table(heading)
    assert [row[0].strip("`") for row in rows] == list(payload.__struct_fields__)
    for name, fix_name, tag, _ in rows:
        if fix_name == "none":
            assert tag == "", name
        else:
            assert re.fullmatch(r"[A-Z][A-Za-z]+", fix_name) and re.fullmatch(r"[0-9]+", tag), name


def test_lot_instructions_have_the_tags_of_extension_pack_127() -> None:
    tags = {row[0].strip("`"): (row[1], row[2]) for row in table("field of a lot")}
    assert tags["custodial_lot_id"] == ("CustodialLotID", "1752")
    assert tags["versus_purchase_date"] == ("VersusPurchaseDate", "1753")
    assert tags["versus_purchase_price"] == ("VersusPurchasePrice", "1754")


def test_every_execution_type_has_its_fix_value() -> None:
    note = next(row[3] for row in table("field of execution.reported") if row[0] == "`exec_type`")
    named = set(re.findall(r"[a-z]+(?:_[a-z]+)?(?= and| =)", note))
    assert named == set(get_args(ExecType))
