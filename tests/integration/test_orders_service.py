"""orders as a service: proposals to orders, fills to booked trades, people's decisions, the cut-off and the kill switch."""

import asyncio
import itertools
import os
import random
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from msgspec import Struct
from msgspec.structs import replace

from deploy.local import postgres
from libs.common.schemas.order import OrderCancelled, OrderEnded, TradeBooked
from services.desk_simulator.core import Proportions
from services.desk_simulator.wiring import build as build_desk
from tests.databases import database
from tests.integration.orders_stage import (
    MARKET,
    WORLD,
    Stage,
    account,
    declined,
    empty,
    ledger,
    proposed,
    report,
    run_of,
    running,
    screen,
)
from tests.unit.orders.samples import CUTOFF, buy, sell, verdict
from tests.waiting import eventually

D = Decimal
SALE = sell("AAA", "100", a2="5")
LOSS = sell("AAA", "100", a1="5")


@pytest.fixture(scope="module")
async def orders_database(postgres_server: postgres.Postgres) -> AsyncIterator[str]:
    """One migrated database for this file; each test begins with it empty."""
    async with database(postgres_server, f"test_orders_service_{os.getpid()}") as dsn:
        yield dsn


@pytest.fixture
async def stage(orders_database: str) -> AsyncIterator[Stage]:
    try:
        async with running(orders_database) as one:
            yield one
    finally:
        await empty(orders_database)


async def test_from_proposals_to_orders_and_fills_to_trades(stage: Stage) -> None:
    await stage.say(*WORLD, run_of())
    await stage.say(proposed("A0", SALE), declined("A1"), proposed("B0", sell("AAA", "100", a2="10"), buy("BBB", "8", "50")))
    orders = await stage.orders(2)
    sale, purchase = orders["AAA", "sell"], orders["BBB", "buy"]
    assert (sale.order_qty, sale.trade_date, {a.alloc_account: a.alloc_qty for a in sale.allocations}) == (
        15,
        MARKET.as_of,
        {"A0": 5, "B0": 10},
    )
    assert await stage.reserved() == 3
    for name in ("run_opened_to_orders", "file_to_order"):
        assert stage.service.metrics.registry.get_sample_value(f"pma_orders_{name}_seconds_count") == 1

    await stage.say(report(sale, 0, "new"), report(sale, 1, "partial_fill", 6, "100.5"))
    await eventually(lambda: len(stage.said(TradeBooked)) == 2, what="two trades")
    await stage.say(account("A0", 2, trade_seq=1), screen("A0", 2), report(sale, 1, "partial_fill", 6, "100.5"))
    await stage.say(report(sale, 2, "fill", 9, "101"), report(purchase, 1, "rejected"))
    await eventually(lambda: len(stage.said(OrderEnded)) == 2, what="both orders ended")
    ended = {one.cl_ord_id: one for one in stage.said(OrderEnded)}
    assert (ended[sale.cl_ord_id].state, ended[sale.cl_ord_id].cum_qty, ended[sale.cl_ord_id].avg_px) == ("filled", 15, D("100.8"))
    assert (ended[purchase.cl_ord_id].state, ended[purchase.cl_ord_id].accounts) == ("rejected", ["B0"])
    assert await stage.reserved() == 0

    booked = stage.said(TradeBooked)
    assert {(t.account_id, t.trade_seq): (t.quantity, t.price, t.amount) for t in booked} == {
        ("A0", 1): (2, D("100.5"), D("201.00")),
        ("B0", 1): (4, D("100.5"), D("402.00")),
        ("A0", 2): (3, D("101"), D("303.00")),
        ("B0", 2): (6, D("101"), D("606.00")),
    }
    assert {(lot.lot_id, t.household_id) for t in booked for lot in t.lots} == {("a2", "H1"), ("a2", "H2")}
    run = await stage.get("/v1/runs/R1")
    assert isinstance(run, dict)
    assert (run["state"], run["orders"], run["orders_ended"], run["closed_by"]) == ("closed", 2, 2, "orders")
    assert run["accounts"] == {"accepted": 2, "declined": 1}


PIECES: dict[str, tuple[Struct, ...]] = {
    "accounts": WORLD[:3],
    "screens": WORLD[3:6],
    "ledgers": WORLD[6:8],
    "market": (WORLD[8],),
    "run": (run_of(),),
    "first": (proposed("A0", SALE),),
    "second": (proposed("A1", SALE), proposed("B0", SALE)),
}
ALL_ORDERS = sorted(itertools.permutations(PIECES))
SOME_ORDERS = random.Random(20260302).sample(ALL_ORDERS, 6)


@pytest.mark.parametrize("arrival", SOME_ORDERS, ids=["-".join(name[:3] for name in arrival) for arrival in SOME_ORDERS])
async def test_whatever_comes_first_the_same_orders_leave(stage: Stage, arrival: tuple[str, ...]) -> None:
    for name in arrival:
        await stage.say(*PIECES[name])
    orders = await stage.orders(1)
    assert orders["AAA", "sell"].order_qty == 15
    assert await stage.codes() == {}


async def test_an_account_never_buys_what_another_of_its_household_may_sell_at_a_loss(stage: Stage) -> None:
    await stage.say(*WORLD, run_of())
    await stage.say(proposed("A0", LOSS), proposed("A1", buy("AAA", "1", "100")), proposed("B0", buy("AAA", "2", "100")))
    orders = await stage.orders(2)
    assert [a.alloc_account for a in orders["AAA", "buy"].allocations] == ["B0"]
    assert await stage.codes() == {"A1": "reservation_conflict"}


async def test_what_moved_after_acceptance_is_refused_at_the_close(stage: Stage) -> None:
    await stage.say(*WORLD, run_of(), proposed("A0", SALE), proposed("B0", SALE))
    assert await stage.progress() == {"A0": "accepted", "A1": "awaited", "B0": "accepted"}
    await stage.say(screen("B0", 2, verdicts=[verdict("AAA", may_sell=False)]))
    await stage.say(declined("A1"))
    orders = await stage.orders(1)
    assert [a.alloc_account for a in orders["AAA", "sell"].allocations] == ["A0"]
    assert await stage.codes() == {"B0": "stale_pin"}
    assert await stage.reserved() == 1


async def test_a_repeated_proposal_changes_nothing_and_a_second_one_is_refused(stage: Stage) -> None:
    await stage.say(*WORLD, run_of(), proposed("B0", SALE), proposed("B0", SALE))
    assert await stage.codes() == {}
    second = proposed("B0", buy("BBB", "1", "50"))
    await stage.say(replace(second, proposal_id="another"))
    assert await stage.codes() == {"B0": "duplicate"}
    assert (await stage.progress())["B0"] == "accepted"
    assert await stage.reserved() == 1


async def test_people_approve_reject_or_let_expire(stage: Stage) -> None:
    await stage.say(*WORLD, run_of(), *(proposed(a, SALE, approval="manual") for a in ("A0", "A1", "B0")))
    waiting = await stage.get("/v1/approvals")
    assert isinstance(waiting, list)
    assert [(row["proposal_id"], row["sells"]) for row in waiting] == [("R1-A0", "500"), ("R1-A1", "500"), ("R1-B0", "500")]
    assert await stage.reserved() == 3
    assert (await stage.post("/v1/proposals/R1-A0/approve"))["progress"] == "approved"
    assert (await stage.post("/v1/proposals/R1-A1/reject", reason="not this one"))["progress"] == "rejected"
    assert (await stage.post("/v1/proposals/R1-A1/approve", status=409))["code"] == "not_waiting"
    assert (await stage.post("/v1/proposals/nobody/approve", status=404))["title"] == "Unknown"
    assert (await stage.http.post("/v1/proposals/R1-B0/approve")).status_code == 401

    stage.clock.set(CUTOFF)
    orders = await stage.orders(1)
    assert [a.alloc_account for a in orders["AAA", "sell"].allocations] == ["A0"]
    assert await stage.progress() == {"A0": "approved", "A1": "rejected", "B0": "expired"}
    assert await stage.reserved() == 1
    decisions = await stage.service.pool.fetch("SELECT account_id, progress, actor FROM decision ORDER BY decision_id")
    assert [tuple(row) for row in decisions[-3:]] == [("A0", "approved", "pat"), ("A1", "rejected", "pat"), ("B0", "expired", "orders")]
    assert (await stage.post("/v1/proposals/R1-B0/approve", status=409))["code"] == "run_closed"


async def test_an_approval_is_refused_when_the_proposal_no_longer_stands(stage: Stage) -> None:
    await stage.say(*WORLD, run_of(), proposed("B0", SALE, approval="manual"))
    await stage.say(account("B0", 2))
    answer = await stage.post("/v1/proposals/R1-B0/approve")
    assert answer["progress"] == "refused"
    assert isinstance(answer["refused"], dict) and answer["refused"]["code"] == "stale_pin"
    assert await stage.reserved() == 0


async def test_a_person_cuts_a_run_off_once(stage: Stage) -> None:
    await stage.say(*WORLD, run_of(), proposed("B0", SALE))
    answers = await asyncio.gather(
        *(stage.http.post("/v1/runs/R1/cutoff", headers={"authorization": "Bearer a-token-for-tests"}) for _ in range(3))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    await stage.orders(1)
    assert await stage.progress() == {"A0": "expired", "A1": "expired", "B0": "accepted"}
    await stage.say(proposed("A0", SALE))
    assert await stage.codes() == {"A0": "run_closed"}
    assert (await stage.progress())["A0"] == "expired"


async def test_the_kill_switch_stops_what_is_new_and_cancels_what_is_open(stage: Stage) -> None:
    await stage.say(*WORLD, run_of(), proposed("A0", SALE), declined("A1"), proposed("B0", buy("BBB", "8", "50")))
    orders = await stage.orders(2)
    sale, purchase = orders["AAA", "sell"], orders["BBB", "buy"]
    await stage.say(report(purchase, 1, "fill", 8, "50"))
    assert await stage.post("/v1/kill-switch", on=True, reason="drill") == {"on": True, "changed": True, "cancels_asked": 1}
    assert await stage.post("/v1/kill-switch", on=True, reason="again") == {"on": True, "changed": False, "cancels_asked": 0}
    (cancel,) = await eventually(lambda: stage.said(OrderCancelled), what="a cancel")
    assert cancel.cl_ord_id == sale.cl_ord_id
    await stage.say(run_of("R2"), proposed("A0", SALE, run_id="R2"))
    assert await stage.codes("R2") == {"A0": "kill_switch"}

    await stage.say(report(sale, 1, "cancelled"))
    await stage.say(report(sale, 2, "partial_fill", 2, "100"))
    last = await eventually(lambda: next((e for e in stage.said(OrderEnded) if e.cum_qty == 2), None), what="the late fill said")
    assert last is not None and (last.state, last.avg_px) == ("cancelled", D(100))
    assert await stage.reserved() == 0
    assert await stage.post("/v1/kill-switch", on=False, reason="over") == {"on": False, "changed": True, "cancels_asked": 0}
    assert await stage.get("/v1/kill-switch") == {"on": False}


async def test_open_orders_and_unseen_trades_keep_an_account_out_of_the_next_run(stage: Stage) -> None:
    await stage.say(*WORLD, run_of(), declined("A0"), declined("A1"), proposed("B0", SALE))
    order = (await stage.orders(1))["AAA", "sell"]
    await stage.say(run_of("R2"), proposed("B0", SALE, run_id="R2"))
    await stage.say(report(order, 1, "fill", 5, "100"))
    await stage.say(run_of("R3"), proposed("B0", SALE, run_id="R3"))
    assert await stage.codes("R2") == {"B0": "open_orders"}
    assert await stage.codes("R3") == {"B0": "stale_pin"}
    await stage.say(account("B0", 2, trade_seq=1), screen("B0", 2), ledger("H2", 2, {"B0": 1}))
    await stage.say(run_of("R4", 2, {"B0": 1}), proposed("B0", SALE, run_id="R4", version=2))
    assert await stage.codes("R4") == {}
    assert (await stage.progress("R4"))["B0"] == "accepted"


async def test_a_run_does_not_place_more_orders_than_the_house_allows(stage: Stage) -> None:
    many = [buy("BBB", "1", "50"), sell("AAA", "100", a2="1"), sell("CCC", "20", c1="1")]
    await stage.say(*WORLD, run_of(), proposed("A0", *many), declined("A1"))
    await stage.say(proposed("B0", sell("BBB", "50", b1="1"), buy("AAA", "1", "100")))
    await stage.orders(3)
    assert await stage.codes() == {"B0": "too_many_orders"}


async def test_busts_and_corrections_are_booked_and_what_is_not_ours_waits_for_a_person(stage: Stage) -> None:
    await stage.say(*WORLD, run_of(), declined("A0"), declined("A1"), proposed("B0", SALE))
    order = (await stage.orders(1))["AAA", "sell"]
    await stage.say(report(order, 2, "trade_correct", 2, "99", ref=1), report(order, 1, "partial_fill", 2, "100"))
    await stage.say(report(order, 3, "trade_cancel", ref=1), report(order, 4, "fill", 5, "101"))
    await eventually(lambda: stage.said(OrderEnded), what="the end")
    trades = stage.said(TradeBooked)
    assert [(t.trade_seq, t.kind, t.quantity, t.amount) for t in trades] == [
        (1, "fill", 2, D("200.00")),
        (2, "bust", 2, D("-200.00")),
        (3, "fill", 2, D("198.00")),
        (4, "bust", 2, D("-198.00")),
        (5, "fill", 5, D("505.00")),
    ]
    stranger = report(order, 9, "fill", 1, "100")
    await stage.say(replace(stranger, cl_ord_id="nobody's"))
    await stage.say(report(order, 10, "fill", 0, "100"))
    unbooked = await stage.get("/v1/executions/unbooked")
    assert isinstance(unbooked, list)
    assert sorted(row["fault"] for row in unbooked) == ["not_whole_shares", "unknown_order"]
    shown = await stage.get(f"/v1/orders/{order.cl_ord_id}")
    assert isinstance(shown, dict) and len(shown["fills"]) == 2
    listed = await stage.get("/v1/orders?run_id=R1&state=filled")
    assert isinstance(listed, list) and [row["cum_qty"] for row in listed] == ["5"]


async def test_an_execution_that_nobody_can_book_waits_once_however_often_it_comes(stage: Stage) -> None:
    await stage.say(*WORLD, run_of(), declined("A0"), declined("A1"), proposed("B0", SALE))
    order = (await stage.orders(1))["AAA", "sell"]
    stranger = replace(report(order, 9, "fill", 1, "100"), cl_ord_id="nobody's")
    await stage.say(stranger, stranger)
    await stage.say(stranger, report(order, 1, "fill", 5, "100"))
    assert await stage.service.pool.fetchval("SELECT count(*) FROM unbooked_execution") == 1
    assert [trade.quantity for trade in stage.said(TradeBooked)] == [5]
    assert await stage.service.pool.fetchval("SELECT count(*) FROM parked") == 0


async def test_what_is_reserved_follows_the_account_to_another_household(stage: Stage) -> None:
    await stage.say(*WORLD, run_of(), proposed("A0", LOSS))
    await stage.say(account("A0", 2, household_id="H2"))
    assert await stage.service.pool.fetchval("SELECT household_id FROM reservation") == "H2"
    await stage.say(proposed("B0", buy("AAA", "1", "100")))
    assert await stage.codes() == {"B0": "reservation_conflict"}


async def test_with_the_simulated_desk_everything_ends_and_adds_up(stage: Stage) -> None:
    kinds = Proportions(1_000, 2_000, 1_000, 1_000, 1_000, 1_000, 0)
    desk = asyncio.create_task(build_desk(stage.bus, kinds).run())
    try:
        await stage.say(*WORLD, run_of(), proposed("A0", sell("AAA", "100", a2="20"), buy("BBB", "8", "50")), declined("A1"))
        await stage.say(proposed("B0", sell("BBB", "50", b1="30.5"), sell("AAA", "100", a2="7")))
        orders = await stage.orders(3)
        await eventually(lambda: {e.cl_ord_id for e in stage.said(OrderEnded)} == {o.cl_ord_id for o in orders.values()}, what="all ended")
    finally:
        desk.cancel()
        await asyncio.gather(desk, return_exceptions=True)
    last = {e.cl_ord_id: e for e in stage.said(OrderEnded)}
    for order in orders.values():
        trades = {t.trade_id: t for t in stage.said(TradeBooked) if t.cl_ord_id == order.cl_ord_id}
        taken_back = {t.ref_trade_id for t in trades.values()}
        standing = [t for t in trades.values() if t.kind != "bust" and t.trade_id not in taken_back]
        assert sum(t.quantity for t in standing if t.kind == "fill") == last[order.cl_ord_id].cum_qty
    assert await stage.reserved() == 0


async def test_metrics_name_no_account_order_or_ticker(stage: Stage) -> None:
    await stage.say(*WORLD, run_of(), proposed("A0", SALE), proposed("A1", buy("JMP", "1", "10")))
    await eventually(
        lambda: stage.service.metrics.registry.get_sample_value("pma_orders_refusals_total", {"code": "security_blocked"}) == 1,
        what="the refusal counted",
    )
    await eventually(
        lambda: stage.service.metrics.registry.get_sample_value("pma_orders_open_runs") == 1,
        what="the open run observed",
    )
    to_cutoff = stage.service.metrics.registry.get_sample_value("pma_orders_run_seconds_to_cutoff")
    assert to_cutoff == (run_of().cutoff_at - stage.clock.now()).total_seconds() != 0
    text = (await stage.http.get("/metrics")).text
    assert 'pma_orders_run_accounts{progress="awaited"}' in text and 'pma_orders_blocks{state="new"}' in text
    assert not any(name in text for name in ("A0", "AAA", "R1-", "H1"))
