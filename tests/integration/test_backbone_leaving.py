"""A replica that goes leaves all of its partitions to the others, however busy those are and however often it is told to go."""

import asyncio

import pytest

from libs.common import service
from libs.common.bus.memory import MemoryBus
from libs.common.events import Event
from libs.common.schemas.account import AccountMoved
from libs.common.topics import ACCOUNTS
from libs.common.unit import Unit
from tests.integration.test_backbone import Recorder, moved, running
from tests.waiting import eventually

HOUSEHOLDS = 40


class Busy(Recorder):
    """Is in the middle of a batch for as long as `may_go_on` is not set."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.may_go_on = asyncio.Event(), asyncio.Event()
        self.may_go_on.set()

    async def __call__(self, unit: Unit, event: Event, payload: AccountMoved) -> None:
        self.inside.set()
        await self.may_go_on.wait()
        await super().__call__(unit, event, payload)


async def test_a_replica_that_goes_while_others_are_in_a_long_batch_leaves_them_all(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "CANCEL_AGAIN_S", 0.1)
    bus, first, second, third = MemoryBus(), Busy(), Busy(), Busy()
    every = set(bus.all_partitions([ACCOUNTS]))
    async with running(fresh_database, bus, first) as one, running(fresh_database, bus, second) as two:
        async with running(fresh_database, bus, third) as three:
            await eventually(lambda: all(each.consumer.owned for each in (one, two, three)))
            await eventually(lambda: one.consumer.owned | two.consumer.owned | three.consumer.owned == every)
            for busy in (first, second):
                busy.may_go_on.clear()
            await bus.publish([moved(f"h{n}", f"a{n}", 1) for n in range(HOUSEHOLDS)])
            await eventually(lambda: first.inside.is_set() and second.inside.is_set())
            for busy in (first, second):
                asyncio.get_running_loop().call_later(0.5, busy.may_go_on.set)
        await bus.publish([moved(f"h{n}", f"b{n}", 1) for n in range(HOUSEHOLDS)])
        wanted = {f"{letter}{n}:1" for letter in "ab" for n in range(HOUSEHOLDS)}
        await eventually(lambda: {*first.applied, *second.applied, *third.applied} >= wanted, what="all applied")
