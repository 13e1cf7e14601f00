"""The pools that solve: in this process and in workers, the same decisions; workers that die, and workers whose service dies."""

import asyncio
import multiprocessing
import os
import sys
from collections.abc import AsyncIterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import msgspec
import pytest

from libs.common.packing import pack
from libs.common.schemas.account import AccountChanged
from services.optimizer.core.propose import propose_on
from services.optimizer.pool import Decision, InlinePool, Outcome, SolverPool, Task, decode_decision
from tests.unit.optimizer.samples import RECENT, Lot, Security, world
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("kernels")

ROOT = Path(__file__).parents[2]
SECURITIES = [Security(f"N{i}", "100", "0.2") for i in range(5)]
WORLD = world(SECURITIES, [Lot("L", "N0", "100", "150", RECENT), *(Lot(f"L{i}", f"N{i}", "100", "90") for i in range(1, 5))], "500")
TASK = Task(pack(WORLD.account), pack(WORLD.screen), pack(WORLD.ledger), pack(WORLD.run), WORLD.market.market_id, [])


@pytest.fixture(params=[InlinePool, lambda: SolverPool(2)], ids=["inline", "workers"])
async def pool(request: pytest.FixtureRequest) -> AsyncIterator[InlinePool]:
    made: InlinePool = request.param()
    await made.start()
    made.put_market(WORLD.market.market_id, pack(WORLD.market))
    yield made
    made.stop()


async def test_every_pool_decides_as_the_core_does(pool: InlinePool) -> None:
    outcomes = await asyncio.gather(*(pool.decide(TASK) for _ in range(3)))
    assert [decode_decision(each.decision) for each in outcomes] == [WORLD.propose()] * 3
    assert all(each.cpu_s > 0 for each in outcomes)


async def test_a_market_can_be_put_again(pool: InlinePool) -> None:
    pool.put_market(WORLD.market.market_id, pack(WORLD.market))
    assert decode_decision((await pool.decide(TASK)).decision) == WORLD.propose()


async def test_a_pool_starts_again_after_it_was_stopped(pool: InlinePool) -> None:
    pool.stop()
    with pytest.raises(RuntimeError, match="not started"):
        await pool.decide(TASK)
    await pool.start()
    pool.put_market(WORLD.market.market_id, pack(WORLD.market))
    assert decode_decision((await pool.decide(TASK)).decision) == WORLD.propose()


async def test_a_dead_worker_is_replaced() -> None:
    pool = SolverPool(1)
    await pool.start()
    try:
        pool.put_market(WORLD.market.market_id, pack(WORLD.market))
        (worker,) = multiprocessing.active_children()
        worker.kill()
        assert decode_decision((await pool.decide(TASK)).decision) == WORLD.propose()
    finally:
        pool.stop()


def decide_or_die(account: AccountChanged, *rest: Any) -> Decision:
    """As the core decides, but one account takes its worker down with it."""
    if account.account_id == "BAD":
        os._exit(1)
    return propose_on(account, *rest)


async def test_an_account_that_kills_its_worker_takes_no_other_with_it() -> None:
    pool = SolverPool(1, decide_or_die)
    await pool.start()
    try:
        pool.put_market(WORLD.market.market_id, pack(WORLD.market))
        bad = msgspec.structs.replace(TASK, account=pack(msgspec.structs.replace(WORLD.account, account_id="BAD")))
        killed, decided = await asyncio.gather(pool.decide(bad), pool.decide(TASK), return_exceptions=True)
        assert isinstance(killed, BrokenProcessPool)
        assert isinstance(decided, Outcome)
        assert decode_decision(decided.decision) == WORLD.propose()
    finally:
        pool.stop()


STARTS_AND_WAITS = """
import asyncio, multiprocessing
from services.optimizer.pool import SolverPool
async def main():
    pool = SolverPool(2)
    await pool.start()
    print(*(worker.pid for worker in multiprocessing.active_children()), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_workers_end_with_their_service_however_it_ends() -> None:
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STARTS_AND_WAITS, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert service.stdout is not None
    workers = [int(each) for each in (await service.stdout.readline()).split()]
    assert len(workers) == 2
    service.kill()
    await service.wait()
    await eventually(lambda: not any(_alive(each) for each in workers), 30, "the workers' end")


def _alive(process_id: int) -> bool:
    """Whether a process runs; one that ended and was not waited for yet does not."""
    try:
        status = Path(f"/proc/{process_id}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
