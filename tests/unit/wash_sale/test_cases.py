"""The verified tax cases (data/cases.json; schema in section 11 of the tax rules) that consist of purchases, sales and splits."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from libs.common.money import ZERO, plain
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.order import TradeBooked
from services.wash_sale.core.books import Books, books_of
from services.wash_sale.core.household import HouseholdLedger
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.securities import SecurityFacts
from tests.unit.wash_sale.samples import account, applied, buy, facts, sell, split

D = Decimal
CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "cases.json").read_text())
BY_ID = {case["id"]: case for case in CASES}

NOT_YET = {
    "LS-01": "a gift out",
    "LS-07": "average basis",
    "WR-11": "a gift in",
    "WR-12": "an inheritance",
    "WR-14": "a transfer between own accounts as an event",
    "GI-01": "a gift in",
    "GI-02": "a gift in",
    "GI-05": "a gift in",
    "GI-09": "an inheritance",
    "GI-10": "an inheritance",
    "GI-12": "a transfer from a spouse",
}
"""Cases with transactions of a kind that has no event in the platform yet."""

PURE_CALCULATIONS = ("corporate_action", "netting", "rates", "charitable", "gift_inheritance", "lot_selection")
"""Areas whose other cases give inputs instead of transactions: a calculation that no event of the platform asks for yet."""

SUPPORTED = [case_id for case_id, case in BY_ID.items() if case.get("transactions") and case_id not in NOT_YET]


def owner_taxpayer(case: Mapping[str, Any], account_id: str) -> str:
    return str(next(each["owner"] for each in case["accounts"] if each["id"] == account_id))


class Adapter:
    """Turns a case's transactions into the platform's events; a sale without lots takes the oldest (section 5.1: FIFO in an account)."""

    def __init__(self, case: Mapping[str, Any]) -> None:
        self.case = case
        self.sequences: Counter[str] = Counter()
        self.ledger = HouseholdLedger("H1")

    def securities(self) -> SecurityFacts:
        splits = []
        for tx in self.case["transactions"]:
            if tx["action"] in ("split", "stock_dividend"):
                ratio = tx["ratio"] if tx["action"] == "split" else plain(1 + D(tx["new_per_old"]))
                splits.append(split(tx["security"], date.fromisoformat(tx["date"]), ratio))
        return facts({}, *splits)

    def run(self) -> Books:
        securities = self.securities()
        for event in self.starts():
            self.ledger = applied([event], securities, self.ledger)
        for tx in sorted(self.case["transactions"], key=lambda each: each["seq"]):
            if tx["action"] not in ("split", "stock_dividend"):
                self.ledger = applied([self.trade(tx, securities)], securities, self.ledger)
        return books(self.ledger, securities)

    def starts(self) -> Iterator[AccountChanged]:
        bought = [tx for tx in self.case["transactions"] if "cost" in tx]
        for each in self.case["accounts"]:
            aliases = {f"P-{tx['lot_id']}": tx["lot_id"] for tx in bought if tx["account"] == each["id"]}
            yield account(each["id"], account_type=each["type"], taxpayer_id=each["owner"], aliases=aliases)

    def trade(self, tx: Mapping[str, Any], securities: SecurityFacts) -> TradeBooked:
        self.sequences[tx["account"]] += 1
        on, number = date.fromisoformat(tx["date"]), self.sequences[tx["account"]]
        where = {"account_id": tx["account"], "security_id": tx["security"]}
        if tx["action"] == "sell":
            lots = {each["lot_id"]: each["quantity"] for each in tx["lots"]} if tx["lots"] else self.oldest(tx, securities)
            return sell(tx["sale_id"], number, on, tx["proceeds"], lots, **where)
        assert tx["action"] in ("buy", "taxable_exchange_in"), tx["action"]
        return buy(tx["lot_id"], number, on, tx["quantity"], tx["cost"], **where)

    def oldest(self, tx: Mapping[str, Any], securities: SecurityFacts) -> dict[str, str]:
        layers = [layer for layer in books(self.ledger, securities).layers[tx["account"]] if layer.security_id == tx["security"]]
        wanted, lots = D(tx["quantity"]), {}
        for layer in sorted(layers, key=lambda each: each.acquired or date.min):
            taken = min(wanted, layer.quantity)
            if taken:
                lots[layer.lot_id] = plain(taken)
                wanted -= taken
        return lots


def books(ledger: HouseholdLedger, securities: SecurityFacts) -> Books:
    found = books_of(ledger, securities, ledger.accounts)
    assert not isinstance(found, Refusal), found.text()
    return found


def text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def said(row: Mapping[str, Any], numbers: tuple[str, ...], words: tuple[str, ...]) -> tuple[str | None, ...]:
    """The row's figures as plain decimals, and its other members as they are."""
    return (*(text(None if row[name] is None else D(row[name])) for name in numbers), *(row[name] for name in words))


SALE_NUMBERS = ("quantity", "proceeds", "basis", "raw_gain", "disallowed", "permanently_disallowed", "allowed_gain")
LOT_NUMBERS = ("quantity", "cost", "adjusted_basis", "wash_adjustment")


@pytest.mark.parametrize("case_id", SUPPORTED)
def test_sales_of_the_case(case_id: str) -> None:
    case = BY_ID[case_id]
    rows = [row for book in Adapter(case).run().groups.values() for row in book.rows]
    expected = case["expected"]["sales"]
    found = Counter(
        (*(text(getattr(row, name)) for name in SALE_NUMBERS), row.trade_id, row.lot_id, row.term, *held(row, expected)) for row in rows
    )
    words = ("sale_id", "lot_id", "term")
    assert found == Counter((*said(row, SALE_NUMBERS, words), *([row["hp_date"]] if "hp_date" in row else [])) for row in expected)


def held(row: Any, expected: list[dict[str, Any]]) -> list[str]:
    """The row's effective date of acquisition where the case states one."""
    stated = any(r["sale_id"] == row.trade_id and r["lot_id"] == row.lot_id and "hp_date" in r for r in expected)
    return [row.held_since.isoformat()] if stated else []


@pytest.mark.parametrize("case_id", [case_id for case_id in SUPPORTED if "lots" in BY_ID[case_id]["expected"]])
def test_open_lots_of_the_case(case_id: str) -> None:
    case = BY_ID[case_id]
    found = Adapter(case).run()
    layers = [layer for each in case["accounts"] for layer in found.layers[each["id"]]]
    assert Counter(
        (
            plain(layer.quantity),
            text(layer.cost),
            text(layer.basis),
            plain(layer.wash_adjustment),
            layer.lot_id,
            str(layer.acquired),
            str(layer.held_since),
        )
        for layer in layers
    ) == Counter(said(row, LOT_NUMBERS, ("lot_id", "acquired", "hp_date")) for row in case["expected"]["lots"])


@pytest.mark.parametrize("case_id", [case_id for case_id in SUPPORTED if "washes" in BY_ID[case_id]["expected"]])
def test_washes_of_the_case(case_id: str) -> None:
    case = BY_ID[case_id]
    washes = [wash for book in Adapter(case).run().groups.values() for wash in book.washes]
    assert Counter(
        (
            plain(wash.quantity),
            plain(wash.disallowed),
            wash.loss_id,
            wash.loss_lot_id,
            wash.replacement_lot_id,
            "permanent" if wash.permanent else "deferred",
        )
        for wash in washes
    ) == Counter(
        said(row, ("quantity", "disallowed"), ("loss_sale_id", "loss_lot_id", "replacement_lot_id", "kind"))
        for row in case["expected"]["washes"]
    )


@pytest.mark.parametrize("case_id", [case_id for case_id in SUPPORTED if "totals" in BY_ID[case_id]["expected"]])
def test_total_of_the_case(case_id: str) -> None:
    case = BY_ID[case_id]
    rows = [row for book in Adapter(case).run().groups.values() for row in book.rows]
    assert sum((row.allowed_gain or ZERO for row in rows), ZERO) == D(case["expected"]["totals"]["allowed_gain"])


def test_every_other_case_has_its_reason() -> None:
    others = [case for case in CASES if case["id"] not in SUPPORTED and case["id"] not in NOT_YET]
    assert {case["area"] for case in others} <= set(PURE_CALCULATIONS)
    assert all(not case.get("transactions") for case in others)
    assert len(SUPPORTED) == 55
