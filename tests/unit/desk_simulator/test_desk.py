"""The desk on the in-process bus: answers orders and cancels, and says the same again after a restart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from msgspec import Struct
from pydantic import ValidationError

from libs.common import topics
from libs.common.bus.memory import MemoryBus
from libs.common.events import Record, from_record, make_event, payload_of, to_record
from libs.common.schemas.order import ExecutionReported, OrderCancelled
from services.desk_simulator.core import Proportions
from services.desk_simulator.settings import DeskSettings
from services.desk_simulator.wiring import build
from tests.unit.desk_simulator.test_decide import placed
from tests.waiting import eventually

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
ALL_REST = Proportions(0, 0, 0, 0, resting=10_000)


@asynccontextmanager
async def desk(bus: MemoryBus, proportions: Proportions) -> AsyncIterator[None]:
    task = asyncio.create_task(build(bus, proportions).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def say(bus: MemoryBus, payload: Struct, cl_ord_id: str) -> None:
    await bus.publish([to_record(make_event("orders", payload, cl_ord_id, type(payload).__name__, cl_ord_id, NOW, "run-1"))])


def executions(bus: MemoryBus) -> list[ExecutionReported]:
    return [payload_of(from_record(r.key, r.value, r.headers), ExecutionReported) for r in bus.log(topics.EXECUTIONS)]


async def test_an_order_is_answered_and_a_restart_says_the_same_again() -> None:
    bus, order = MemoryBus(), placed(1)
    await say(bus, order, order.cl_ord_id)
    async with desk(bus, Proportions()):
        await eventually(lambda: executions(bus), what="an answer")
    first = executions(bus)
    async with desk(bus, Proportions()):
        await eventually(lambda: len(executions(bus)) == 2 * len(first), what="the same answer again")
    assert executions(bus) == first * 2
    ids = [from_record(r.key, r.value, r.headers).id for r in bus.log(topics.EXECUTIONS)]
    assert ids == ids[: len(first)] * 2
    events = [from_record(r.key, r.value, r.headers) for r in bus.log(topics.EXECUTIONS)]
    assert {(event.partitionkey, event.correlationid) for event in events} == {(order.cl_ord_id, "run-1")}


async def test_a_resting_order_is_cancelled_on_request_once() -> None:
    bus, order = MemoryBus(), placed(1)
    await say(bus, order, order.cl_ord_id)
    for _ in range(2):
        await say(bus, OrderCancelled(order.cl_ord_id, "kill switch", NOW), order.cl_ord_id)
    last = placed(2)
    async with desk(bus, ALL_REST):
        await say(bus, last, last.cl_ord_id)
        await eventually(lambda: any(e.cl_ord_id == last.cl_ord_id for e in executions(bus)), what="the last order's answer")
        await eventually(lambda: len(executions(bus)) >= 3, what="the cancel's answer")
    assert [e.exec_type for e in executions(bus) if e.cl_ord_id == order.cl_ord_id] == ["new", "cancelled"]


async def test_a_desk_stopped_while_it_joins_leaves_every_order_to_the_next() -> None:
    bus, orders = MemoryBus(), [placed(number) for number in range(20)]
    async with bus.rebalancing:  # somebody else joins: the desk has to wait
        stopped = asyncio.create_task(build(bus, Proportions()).run())
        await eventually(lambda: bus._rebalances, what="the desk on its way in")
        stopped.cancel()
    await asyncio.gather(stopped, return_exceptions=True)
    for order in orders:
        await say(bus, order, order.cl_ord_id)
    async with desk(bus, Proportions()):
        await eventually(lambda: {e.cl_ord_id for e in executions(bus)} == {o.cl_ord_id for o in orders}, what="every order's answer")


async def test_what_cannot_be_read_is_passed_over() -> None:
    bus, order = MemoryBus(), placed(1)
    event = make_event("orders", order, order.cl_ord_id, 1, order.cl_ord_id, NOW, "run-1")
    broken = to_record(event)
    await bus.publish([Record(broken.topic, broken.key, b"{", broken.headers), Record(topics.ORDERS, b"x", b"{}", [])])
    await bus.publish([to_record(event)])
    async with desk(bus, Proportions()):
        await eventually(lambda: executions(bus), what="the good order's answer")


def test_proportions_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValidationError, match="more than 10000"):
        DeskSettings(kafka_bootstrap="x", desk_rejected_bps=6_000, desk_parts_bps=6_000)
    assert DeskSettings(kafka_bootstrap="x").proportions() == Proportions()
