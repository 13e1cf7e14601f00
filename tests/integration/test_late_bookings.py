"""What comes after an order has left: an edit does not call it back, a late booking calls back what a later run sent without it."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from msgspec import Struct
from msgspec.structs import replace

from libs.common.schemas.order import ExecType, OrderCancelled, OrderEnded, OrderPlaced, TradeBooked
from tests.integration.orders_stage import WORLD, Stage, account, declined, ledger, proposed, report, run_of, running, screen
from tests.unit.orders.samples import LOTS, OPENED, PINS, buy, columns, sell, verdict
from tests.waiting import eventually

D = Decimal
SALE = sell("AAA", "100", a2="15")


@pytest.fixture
async def stage(fresh_database: str) -> AsyncIterator[Stage]:
    async with running(fresh_database) as one:
        yield one


async def an_order_that_ended(stage: Stage) -> OrderPlaced:
    """A0 sold 15 of its lot a2 in run R1; the desk filled 5 and cancelled."""
    await stage.say(*WORLD, run_of(), proposed("A0", SALE), declined("A1"), declined("B0"))
    sale = (await stage.orders(1))["AAA", "sell"]
    await stage.say(report(sale, 1, "partial_fill", 5, "100"), report(sale, 2, "cancelled"))
    await eventually(lambda: stage.said(OrderEnded), what="the order's end")
    lots = columns([(*lot[:2], "15", *lot[3:]) if lot[0] == "a2" else lot for lot in LOTS])
    await stage.say(account("A0", 2, trade_seq=1, lots=lots), ledger("H1", 2, {"A0": 1}), account("A1", 2), account("B0", 2))
    stage.clock.set(OPENED.replace(hour=15))
    return sale


async def second_run(stage: Stage, *answers: Struct) -> list[OrderPlaced]:
    """The orders of run R2."""
    await stage.say(run_of("R2", 2, {"A0": 1}), *answers)

    def placed() -> list[OrderPlaced]:
        return [order for order in stage.said(OrderPlaced) if order.run_id == "R2"]

    return await eventually(placed, what="orders of R2")


IN_R2 = replace(PINS, account_version=2, screen_version=1, ledger_version=2)
SELLS_THE_REST = replace(proposed("A0", SALE, run_id="R2"), pins=replace(IN_R2, intents={}))
BUYS_THE_NAME = replace(proposed("A1", buy("AAA", "2", "100"), run_id="R2"), pins=replace(IN_R2, intents={"A0": "R2-A0"}))
B0_BUYS = replace(proposed("B0", buy("AAA", "2", "100"), run_id="R2"), pins=replace(IN_R2, ledger_version=1, intents={}))


@pytest.mark.parametrize(
    ("answers", "called_back"),
    [
        ((SELLS_THE_REST, declined("A1", "R2"), declined("B0", "R2")), True),
        ((declined("A0", "R2"), BUYS_THE_NAME, declined("B0", "R2")), True),
        ((declined("A0", "R2"), declined("A1", "R2"), B0_BUYS), False),
    ],
    ids=["a sale of the same lot", "a buy elsewhere in the household", "another household's order"],
)
async def test_a_late_fill_calls_back_what_a_later_run_sent_without_it(
    stage: Stage, answers: tuple[Struct, ...], called_back: bool
) -> None:
    sale = await an_order_that_ended(stage)
    (order,) = await second_run(stage, *answers)
    await stage.say(report(sale, 3, "partial_fill", 10, "100"))
    await eventually(lambda: len(stage.said(TradeBooked)) == 2, what="the late fill booked")
    if called_back:
        (cancel,) = await eventually(lambda: stage.said(OrderCancelled), what="the later order called back")
        assert (cancel.cl_ord_id, cancel.reason) == (order.cl_ord_id, "late booking")
        await stage.say(report(order, 1, "cancelled"))
    else:
        await stage.say(report(order, 1, "fill", 2, "100"))
    await eventually(lambda: len({one.cl_ord_id for one in stage.said(OrderEnded)}) == 2, what="the end of both")
    await stage.post("/v1/kill-switch", on=True, reason="asks for what is open, on the same lane as recalls")
    assert len(stage.said(OrderCancelled)) == called_back
    assert await stage.reserved() == 0


@pytest.mark.parametrize(("exec_type", "quantity", "price"), [("new", 0, None), ("partial_fill", 10, "100"), ("trade_correct", 5, "99")])
async def test_within_a_run_and_for_a_price_nothing_is_called_back(
    stage: Stage, exec_type: ExecType, quantity: int, price: str | None
) -> None:
    """The sale's late reports come while another order of its own run is open in the group, or change no shares."""
    await stage.say(*WORLD, run_of(), proposed("A0", SALE), proposed("A1", buy("AAA", "2", "100")), declined("B0"))
    orders = await stage.orders(2)
    sale = orders["AAA", "sell"]
    await stage.say(report(sale, 1, "partial_fill", 5, "100"), report(sale, 2, "cancelled"))
    await stage.say(report(sale, 3, exec_type, quantity, price, ref=1 if exec_type == "trade_correct" else None))
    await stage.say(report(orders["AAA", "buy"], 1, "fill", 2, "100"))
    await eventually(lambda: len({one.cl_ord_id for one in stage.said(OrderEnded)}) == 2, what="the end of both")
    assert await stage.service.pool.fetchval("SELECT count(*) FROM block WHERE recall IS NOT NULL") == 0


async def test_an_edit_after_the_order_left_does_not_call_it_back(stage: Stage) -> None:
    await stage.say(*WORLD, run_of(), proposed("B0", buy("AAA", "2", "100")), declined("A0"), declined("A1"))
    order = (await stage.orders(1))["AAA", "buy"]
    await stage.say(screen("B0", 2, verdicts=[verdict("AAA", may_buy=False)]))
    await stage.say(report(order, 1, "partial_fill", 1, "100"), report(order, 2, "fill", 1, "100"))
    await eventually(lambda: stage.said(OrderEnded), what="the end")
    assert [trade.quantity for trade in stage.said(TradeBooked)] == [1, 1]
    assert stage.said(OrderCancelled) == []
