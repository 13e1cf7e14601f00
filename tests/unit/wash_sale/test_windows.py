"""What is blocked, for whom and until when; and the years."""

from datetime import date
from decimal import Decimal

import pytest

from libs.common.schemas.account import PastSale, TaxOpening
from libs.common.schemas.ledger import AccountYear, LedgerUpdated, TaxpayerYear, Window
from services.wash_sale.core.refusals import Refusal
from services.wash_sale.core.view import ledger_content
from tests.unit.wash_sale.samples import account, applied, buy, day, facts, lot, sell

D = Decimal
OLD = lot("L1", "XA", "100", "5000", day(-400))
GROUPS = facts({"XA": "X", "XB": "X", "Y": "Y"})
LOSS = sell("s", 1, day(1), "4000", {"L1": "100"}, security_id="XA")


def content(events: list[object], as_of: date) -> LedgerUpdated:
    found = ledger_content(applied(events, GROUPS), GROUPS, as_of)  # type: ignore[arg-type]
    assert not isinstance(found, Refusal), found.text()
    return found


def test_a_loss_blocks_buys_of_its_whole_group_for_thirty_days() -> None:
    window = Window("X", ["XA", "XB"], day(1), day(31), "A1", "s", ["L1"])
    assert content([account(lots=[OLD]), LOSS], day(1)).blocked_buys == [window]
    assert content([account(lots=[OLD]), LOSS], day(31)).blocked_buys == [window]
    assert content([account(lots=[OLD]), LOSS], day(32)).blocked_buys == []


@pytest.mark.parametrize(
    ("account_type", "proceeds", "cost", "blocks"),
    [
        pytest.param("taxable", "4000", "5000", True, id="1.1 a loss"),
        pytest.param("taxable", "5000", "5000", False, id="1.2 break-even"),
        pytest.param("taxable", "6000", "5000", False, id="1.2 a gain"),
        pytest.param("roth_ira", "4000", "5000", False, id="1.12 losses in a Roth are never claimed"),
        pytest.param("taxable", "4000", None, True, id="an unknown basis may turn out a loss"),
    ],
)
def test_which_sales_block_buys(account_type: str, proceeds: str, cost: str | None, blocks: bool) -> None:
    start = account(lots=[lot("L1", "XA", "100", cost, day(-400))], account_type=account_type)  # type: ignore[arg-type]
    found = content([start, sell("s", 1, day(1), proceeds, {"L1": "100"}, security_id="XA")], day(2))
    assert bool(found.blocked_buys) is blocks


@pytest.mark.parametrize(("bought", "blocks"), [("99", True), ("100", False), ("120", False)])
def test_a_loss_that_is_washed_in_full_blocks_no_more(bought: str, blocks: bool) -> None:
    found = content([account(lots=[OLD]), LOSS, buy("t", 2, day(3), bought, "4000", security_id="XB")], day(4))
    assert bool(found.blocked_buys) is blocks


def test_a_past_loss_blocks_and_a_later_purchase_washes_it() -> None:
    past = PastSale("A1", "XA", D(10), day(-3), D(-500))
    opening = TaxOpening(2025, D(0), D(300), D(0), D(900), D(0), D(0))
    start = account(lots=[OLD], past_sales=[past, PastSale("A1", "Y", D(10), day(-3), D(500))], tax_opening=opening)
    window = Window("X", ["XA", "XB"], day(-3), day(27), "A1", "past/A1/XA/2024-12-30", [])
    assert content([start], day(0)).blocked_buys == [window]

    partly = content([start, buy("t", 1, day(1), "4", "160", security_id="XB")], day(2))
    assert partly.blocked_buys == [window]
    assert [each.tax_basis for each in partly.accounts[0].lots.rows()] == [D(5000), D(360)]


def test_a_past_loss_of_the_openings_year_leaves_the_opening_when_washed() -> None:
    past = PastSale("A1", "XA", D(10), day(1), D(-500))
    opening = TaxOpening(2025, D(0), D(300), D(0), D(900), D(11), D(12))
    start = account(past_sales=[past], tax_opening=opening, business_date=day(3))
    found = content([start, buy("t", 1, day(4), "8", "160", security_id="XA")], day(5))
    assert found.taxpayers == [TaxpayerYear("T1", 2025, D(0), D(0), D(0), D(800), D(11), D(12))]


def test_the_files_lots_do_not_wash_what_was_sold_before_it() -> None:
    past = PastSale("A1", "XA", D(10), day(-3), D(-500))
    found = content([account(lots=[lot("L2", "XA", "10", "400", day(-2))], past_sales=[past])], day(0))
    assert [each.tax_basis for each in found.accounts[0].lots.rows()] == [D(400)]
    assert len(found.blocked_buys) == 1


@pytest.mark.parametrize("account_type", ["taxable", "traditional_ira"])
def test_a_purchase_anywhere_blocks_loss_sales_of_its_group(account_type: str) -> None:
    other = account("A2", [lot("L2", "XB", "10", "400", day(-30))], account_type=account_type)  # type: ignore[arg-type]
    window = Window("X", ["XA", "XB"], day(-30), day(0), "A2", "L2", ["L2"])
    assert content([account(lots=[OLD]), other], day(0)).blocked_loss_sales == [window]
    assert content([account(lots=[OLD]), other], day(1)).blocked_loss_sales == []


def test_the_fills_of_an_order_are_one_window_and_sold_shares_none() -> None:
    fills = [buy(f"t{n}", n, day(1), "10", "400", security_id="XA", order="O") for n in (1, 2)]
    one = content([account(), *fills], day(2)).blocked_loss_sales
    assert [window.lot_ids for window in one] == [["P-t1", "P-t2"]]
    sold = sell("s", 3, day(2), "900", {"P-t1": "10", "P-t2": "10"}, security_id="XA")
    assert content([account(), *fills, sold], day(2)).blocked_loss_sales == []


@pytest.mark.parametrize(("bought", "free"), [("100", []), ("120", ["P-t"])])
def test_shares_that_have_replaced_a_loss_block_no_other(bought: str, free: list[str]) -> None:
    found = content([account(lots=[OLD]), LOSS, buy("t", 2, day(3), bought, "4000", security_id="XA")], day(4))
    assert [lot_id for window in found.blocked_loss_sales for lot_id in window.lot_ids] == free


def test_years_by_taxpayer_and_by_account() -> None:
    winner, loser = lot("W", "XA", "10", "100", day(-20)), lot("V", "Y", "10", "900", day(-800))
    events = [
        account(lots=[winner, loser], tax_opening=TaxOpening(2025, D(5), D(6), D(7), D(8), D(9), D(10))),
        account("A2", [lot("U", "XA", "4", "900", day(-20))], taxpayer_id="T2"),
        account("R", [lot("Q", "XA", "10", "100", day(-800))], account_type="roth_ira", taxpayer_id="T2"),
        sell("a", 1, day(40), "150", {"W": "10"}, security_id="XA"),
        sell("b", 2, day(40), "400", {"V": "10"}, security_id="Y"),
        sell("c", 1, day(40), "500", {"U": "4"}, account_id="A2", security_id="XA"),
        sell("d", 1, day(40), "500", {"Q": "10"}, account_id="R", security_id="XA"),
    ]
    found = content(events, day(41))
    assert found.taxpayers == [
        TaxpayerYear("T1", 2025, D(55), D(6), D(7), D(508), D(9), D(10)),
        TaxpayerYear("T2", 2025, D(0), D(400), D(0), D(0), D(0), D(0)),
    ]
    assert found.account_years == [AccountYear("A1", 2025, D(50), D(-500)), AccountYear("A2", 2025, D(-400), D(0))]
    assert [(row.lot_id, row.raw_gain, row.term) for row in found.sales] == [
        ("W", D(50), "short"),
        ("V", D(-500), "long"),
        ("U", D(-400), "short"),
        ("Q", None, "none"),
    ]


def test_next_year_keeps_last_years_figures_beside_its_own() -> None:
    events = [account(lots=[OLD], tax_opening=TaxOpening(2025, D(5), D(0), D(0), D(0), D(9), D(0))), LOSS]
    found = content(events, date(2026, 1, 5))
    assert found.taxpayers == [
        TaxpayerYear("T1", 2025, D(5), D(0), D(0), D(1000), D(9), D(0)),
        TaxpayerYear("T1", 2026, D(0), D(0), D(0), D(0), D(0), D(0)),
    ]
    assert found.account_years == [AccountYear("A1", 2026, D(0), D(0))]
    assert [row.trade_id for row in found.sales] == ["s"]
