"""What wash sales block, as tables: windows with their last day, earlier accounts' intents, the collar, the way out."""

from decimal import Decimal

import pytest

from libs.common.schemas.ledger import Window
from libs.common.schemas.proposal import ProposedTrade
from services.optimizer.core.decline import Decline
from services.optimizer.core.market import Snapshot, prepare
from services.optimizer.core.windows import HOUSEHOLD, WINDOW, Blocks, blocks_of, could_be_loss
from tests.unit.optimizer.samples import (
    AS_OF,
    COLLAR_BPS,
    Security,
    account_of,
    earlier_buy,
    earlier_proposal,
    earlier_sale,
    ledger_of,
    market_of,
    window,
)


def snapshot() -> Snapshot:
    prepared = prepare(market_of([Security("AA", "100", "0.5", "G"), Security("AB", "50", "0.5", "G"), Security("ZZ", "10")]))
    assert not isinstance(prepared, Decline)
    return prepared


def blocks(buys: list[Window] | None = None, loss_sales: list[Window] | None = None, trades: list[ProposedTrade] | None = None) -> Blocks:
    ledger = ledger_of(account_of([]), [], blocked_buys=buys or [], blocked_loss_sales=loss_sales or [])
    return blocks_of("A1", ledger, snapshot(), AS_OF, COLLAR_BPS, [earlier_proposal(trades or [])])


@pytest.mark.parametrize(("days_left", "blocked"), [(5, True), (0, True), (-1, False)], ids=["inside", "last day", "the day after"])
def test_a_window_holds_through_its_last_day(days_left: int, blocked: bool) -> None:
    assert ("G" in blocks(buys=[window("G", ["AA", "AB"], days_left)]).buys) == blocked
    assert ("G" in blocks(loss_sales=[window("G", ["AA", "AB"], days_left)]).loss_sales) == blocked


def test_a_window_covers_the_group_of_its_securities_even_under_another_name() -> None:
    assert blocks(buys=[window("old-name", ["AB"])]).buys == {"old-name": WINDOW, "G": WINDOW}


INTENTS = [
    ("a buy blocks loss sales", earlier_buy("AB", "50"), {}, {"G": HOUSEHOLD}),
    ("a loss blocks buys", earlier_sale("AB", "50", "-100"), {"G": HOUSEHOLD}, {}),
    ("a gain blocks nothing", earlier_sale("AB", "50", "100"), {}, {}),
    ("a gain within the collar blocks buys", earlier_sale("AB", "50", "5"), {"G": HOUSEHOLD}, {}),
    ("an unknown basis blocks buys", earlier_sale("AB", "50", None, "none"), {"G": HOUSEHOLD}, {}),
    ("a loss in an IRA blocks nothing", earlier_sale("AB", "50", "-100", "none"), {}, {}),
]


@pytest.mark.parametrize(("trade", "buys", "loss_sales"), [case[1:] for case in INTENTS], ids=[case[0] for case in INTENTS])
def test_earlier_accounts_intents(trade: ProposedTrade, buys: dict[str, str], loss_sales: dict[str, str]) -> None:
    found = blocks(trades=[trade])
    assert (found.buys, found.loss_sales) == (buys, loss_sales)


WAYS_OUT = [
    ("own single lot", [window("G", ["AA"], account_id="A1", lot_ids=["L1"])], [], {"G": "L1"}),
    ("another account's lot", [window("G", ["AA"], account_id="A2", lot_ids=["L1"])], [], {}),
    ("two lots", [window("G", ["AA"], account_id="A1", lot_ids=["L1", "L2"])], [], {}),
    ("two windows", [window("G", ["AA"], 5, "A1", ["L1"]), window("G", ["AA"], 9, "A1", ["L2"])], [], {}),
    (
        "a window that has closed does not count",
        [window("G", ["AA"], 5, "A1", ["L1"]), window("G", ["AA"], -1, "A1", ["L2"])],
        [],
        {"G": "L1"},
    ),
    ("an earlier account buys", [window("G", ["AA"], account_id="A1", lot_ids=["L1"])], [earlier_buy("AB", "50")], {}),
]


@pytest.mark.parametrize(("windows", "trades", "way_out"), [case[1:] for case in WAYS_OUT], ids=[case[0] for case in WAYS_OUT])
def test_the_way_out_of_a_window(windows: list[Window], trades: list[ProposedTrade], way_out: dict[str, str]) -> None:
    assert blocks(loss_sales=windows, trades=trades).way_out == way_out


COLLAR = [
    ("above price", "101", True),
    ("at price", "100", True),
    ("just inside the collar", "97.01", True),
    ("at the collar", "97", False),
]


@pytest.mark.parametrize(("basis", "lossy"), [case[1:] for case in COLLAR], ids=[case[0] for case in COLLAR])
def test_a_sale_that_could_fill_at_a_loss_within_the_collar_counts_as_one(basis: str, lossy: bool) -> None:
    assert could_be_loss(Decimal(basis), Decimal(100), COLLAR_BPS) == lossy


def test_an_unknown_basis_counts_as_a_loss() -> None:
    assert could_be_loss(None, Decimal(100), COLLAR_BPS)
