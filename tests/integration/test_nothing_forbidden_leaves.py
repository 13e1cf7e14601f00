"""A restricted or blocked security is never bought, a blocked loss never sold, no lot oversold: hundreds of short random histories.

Each history takes two households through three runs while accounts, screens, ledgers and prices move, proposals compete, the desk fills in
parts, late, twice and wrongly, people approve and cut off, the kill switch turns and replicas come and go.  Many histories run at once on
two replicas of the service and one PostgreSQL; afterwards an observer that shares no code with the service walks through each.
"""

import asyncio
import os
from random import Random

import pytest

from tests.integration.interleavings.history import History
from tests.integration.interleavings.market import snapshot
from tests.integration.interleavings.observer import Observer
from tests.integration.interleavings.stage import running

SEEDS = [int(seed) for seed in os.environ.get("PMA_SEEDS", "1 2 3").split()]
AT_ONCE = 10
HISTORIES = 70
CALLED_BACK = "SELECT cl_ord_id FROM block WHERE recall IS NOT NULL OR cancel_asked_at IS NOT NULL"


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_forbidden_leaves(fresh_database: str, seed: int) -> None:
    rng = Random(seed)
    async with running(fresh_database) as stage:
        stage.markets.append(snapshot("M", {}, None))
        await stage.say(stage.markets[0])
        waiting = [History(f"h{number}", Random(rng.random()), stage) for number in range(HISTORIES)]
        histories = list(waiting)

        async def play() -> None:
            while waiting:
                await waiting.pop().play()

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(play())
        log = await stage.log()
        called_back = {row["cl_ord_id"] for row in await stage.service.pool.fetch(CALLED_BACK)}
        refusals = await stage.service.pool.fetch("SELECT code, count(*) FROM decision WHERE code IS NOT NULL GROUP BY code")
        assert await stage.service.pool.fetchval("SELECT count(*) FROM parked") == 0
    placed = 0
    for history in histories:
        observer = Observer(history, called_back)
        try:
            observer.walk(log)
        except AssertionError as wrong:
            raise AssertionError(f"seed {seed}, history {history.name}: {wrong}") from wrong
        placed += len(observer.known)
    codes = {row["code"]: row["count"] for row in refusals}
    assert placed > HISTORIES, "most histories trade"
    expected = {"may_not_buy", "may_not_sell", "lot_oversold", "buy_in_window", "loss_sale_in_window", "reservation_conflict", "stale_pin"}
    assert expected <= codes.keys(), f"the histories try every forbidden thing: {codes}"
