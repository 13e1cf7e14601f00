"""Computes the analyses that were asked for, one after the other, in a worker process; the event loop is never blocked.

Invariants
1. An analysis whose worker dies, or whose service stops, is tried once more and then failed, in words; the others go on.
2. What is computed is stored before it is shown.
"""

import asyncio
import tempfile
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from os import _exit
from pathlib import Path
from threading import Thread

import msgspec

from libs.common.observe import log
from libs.common.service import Service
from services.optimizer.transition import intake_store
from services.optimizer.transition.intake_store import MOST_ATTEMPTS, Claimed, State
from services.optimizer.transition.work import Answer, Step, Work, analyse_work, read_step

LOOK_AGAIN_S = 1.0
TELL_EVERY_S = 0.2
FAILED_WORDS = "The analysis could not be finished; the service's log has the reason."


class Jobs:
    """The loop and its worker; `executor` None is a process of its own, begun when it is first needed."""

    def __init__(self, service: Service, executor: Executor | None = None) -> None:
        self._service = service
        self._given = executor
        self._executor = executor
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Work until cancelled."""
        with tempfile.TemporaryDirectory(prefix="pma-transition-") as directory:
            try:
                while True:
                    self.wake.clear()
                    claimed = await intake_store.claim(self._service.pool, self._service.clock.now())
                    if claimed is not None:
                        await self._one(claimed, Path(directory) / f"{claimed.transition_id}-{claimed.attempts}")
                        continue
                    with suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_AGAIN_S):
                            await self.wake.wait()
            finally:
                self._stop()

    async def _one(self, claimed: Claimed, progress: Path) -> None:
        pool, one = self._service.pool, claimed.transition_id
        try:
            answer = await self._computed(claimed, progress)
        except asyncio.CancelledError:
            await asyncio.shield(intake_store.give_back(pool, one))
            raise
        except BrokenProcessPool as error:
            self._stop()
            log().warning("transition_worker_died", transition_id=one, attempts=claimed.attempts, reason=repr(error))
            if claimed.attempts < MOST_ATTEMPTS:
                return await intake_store.give_back(pool, one)
            return await intake_store.finish(pool, one, State.FAILED, FAILED_WORDS, None)
        except Exception as error:
            log().error("transition_failed", transition_id=one, reason=repr(error), exc_info=error)
            return await intake_store.finish(pool, one, State.FAILED, FAILED_WORDS, None)
        return await self._store(one, answer)

    async def _store(self, transition_id: str, answer: Answer) -> None:
        pool = self._service.pool
        if answer.analyses:
            return await intake_store.finish(pool, transition_id, State.DONE, "done", answer)
        return await intake_store.finish(pool, transition_id, State.FAILED, "Nothing of the form can be analysed.", answer)

    async def _computed(self, claimed: Claimed, progress: Path) -> Answer:
        market = None if claimed.market_id is None else await intake_store.load_market(self._service.pool, claimed.market_id)
        work = msgspec.json.encode(Work(claimed.form, market, str(progress)))
        working = asyncio.get_running_loop().run_in_executor(self._started(), analyse_work, work)
        telling = asyncio.create_task(self._tell(claimed.transition_id, progress))
        try:
            return msgspec.json.decode(await working, type=Answer)
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling

    async def _tell(self, transition_id: str, progress: Path) -> None:
        """Write the worker's progress where every replica sees it, and keep the claim."""
        told: Step | None = None
        while True:
            step = read_step(progress) or Step("getting ready", 0.0)
            if step != told:
                await intake_store.say_progress(self._service.pool, transition_id, step.words, step.done_frac, self._service.clock.now())
                told = step
            await asyncio.sleep(TELL_EVERY_S)

    def _started(self) -> Executor:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_end_with_parent)
        return self._executor

    def _stop(self) -> None:
        if self._executor is not None and self._given is None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None


def _end_with_parent() -> None:
    """In a new worker: end with the service, however that ends."""
    parent = parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    _exit(1)
