"""The in-process bus deals partitions to the end, whatever becomes of the member for which it does."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from libs.common.bus import TopicPartition
from libs.common.bus.memory import MemoryBus
from libs.common.clock import SystemClock
from libs.common.consumer import EventConsumer, Subscription
from libs.common.errors import DependencyDown
from libs.common.observe import Metrics
from libs.common.topics import SCREENS
from tests.waiting import eventually


class Member:
    """A consumer that knows what it was told; while `may_let_go` is not set it is in the middle of something."""

    def __init__(self, bus: MemoryBus) -> None:
        self.consumer = bus.consumer("group", [SCREENS])
        self.told: set[TopicPartition] = set()
        self.may_let_go = asyncio.Event()
        self.may_let_go.set()
        self.asked = asyncio.Event()
        self.failure: Exception | None = None

    async def start(self) -> None:
        await self.consumer.start(self.assigned, self.revoked)

    async def assigned(self, partitions: set[TopicPartition]) -> None:
        self.told |= partitions

    async def revoked(self, partitions: set[TopicPartition]) -> None:
        self.told -= partitions
        self.asked.set()
        await self.may_let_go.wait()
        if self.failure is not None:
            raise self.failure


@pytest.fixture
async def bus() -> AsyncIterator[MemoryBus]:
    yield MemoryBus()


@pytest.fixture
async def members(bus: MemoryBus) -> list[Member]:
    """Three, of which two have joined."""
    found = [Member(bus) for _ in range(3)]
    for member in found[:2]:
        await member.start()
    return found


async def all_told(bus: MemoryBus, members: list[Member]) -> None:
    """Until each partition was told to exactly one of the members."""
    every = bus.all_partitions([SCREENS])
    await eventually(lambda: sorted(place for member in members for place in member.told) == every, what="every partition has its owner")


async def one_is_asked(*members: Member) -> None:
    """Until one of these is asked to let go, and is in the middle of something, as they all are from now on."""
    for member in members:
        member.asked.clear()
        member.may_let_go.clear()
    await eventually(lambda: any(member.asked.is_set() for member in members))


@pytest.mark.parametrize("times", [1, 2])
async def test_one_that_gives_up_joining_takes_nothing_with_it(bus: MemoryBus, members: list[Member], times: int) -> None:
    first, second, third = members
    joining = asyncio.create_task(third.start())
    await one_is_asked(first, second)
    joining.cancel()
    leaving = asyncio.create_task(third.consumer.stop())
    if times == 2:
        await asyncio.sleep(0)
        leaving.cancel()
    for member in (first, second):
        member.may_let_go.set()
    await all_told(bus, [first, second])
    await asyncio.gather(joining, leaving, return_exceptions=True)
    assert not third.told


async def test_one_that_is_cancelled_as_it_leaves_has_left(bus: MemoryBus, members: list[Member]) -> None:
    first, second, third = members
    await third.start()
    leaving = asyncio.create_task(third.consumer.stop())
    await one_is_asked(first, second)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    for member in (first, second):
        member.may_let_go.set()
    await all_told(bus, [first, second])


async def test_one_that_is_cancelled_before_its_turn_to_leave_has_left(bus: MemoryBus, members: list[Member]) -> None:
    first, second, third = members
    await third.start()
    async with bus.rebalancing:
        leaving = asyncio.create_task(third.consumer.stop())
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    await all_told(bus, [first, second])


async def test_what_fails_as_a_member_lets_go_is_its_own_and_stops_nobody(bus: MemoryBus, members: list[Member]) -> None:
    first, second, third = members
    second.failure = DependencyDown("no answer")
    await third.start()
    await all_told(bus, members)
    assert await first.consumer.poll(1, 0.001) == {}
    with pytest.raises(DependencyDown):
        await second.consumer.poll(1, 0.001)
    assert await second.consumer.poll(1, 0.001) == {}


class SlowToEnd:
    """A bus and its one consumer, whose poll needs a while to end when it is cancelled."""

    def __init__(self) -> None:
        self.polled, self.may_end, self.stopped = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def cluster_id(self) -> str:
        return "one"

    def consumer(self, group: str, topics: object) -> "SlowToEnd":
        return self

    async def start(self, on_assigned: object, on_revoked: object) -> None:
        return None

    async def note_taken(self, following: object) -> None:
        return None

    async def poll(self, max_records: int, timeout_s: float) -> dict[TopicPartition, list[object]]:
        self.polled.set()
        try:
            await asyncio.Event().wait()
        finally:
            await self.may_end.wait()
        return {}

    async def stop(self) -> None:
        self.stopped.set()


async def test_a_consumer_that_is_cancelled_again_while_its_work_ends_still_leaves_its_group() -> None:
    bus: Any = SlowToEnd()
    nothing: Any = None
    consumer = EventConsumer("orders", nothing, bus, SystemClock(), Metrics("orders"), Subscription([SCREENS], {}))
    running = asyncio.create_task(consumer.run())
    await eventually(bus.polled.is_set)
    running.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    running.cancel()
    try:
        await eventually(bus.stopped.is_set, what="left")
    finally:
        bus.may_end.set()
        await asyncio.gather(running, return_exceptions=True)
