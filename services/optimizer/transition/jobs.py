"""Computes the analyses that were asked for, one after the other, in a worker process; the event loop is never blocked.  The proofs of
plans over several years at once follow in a process of their own, so that no analysis waits for another's.

Invariants
1. An analysis whose worker dies, or whose service stops, is tried once more and then failed, in words; the others go on.
2. What is computed is stored before it is shown.
"""

import asyncio
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from os import _exit
from pathlib import Path
from threading import Thread

import msgspec
from msgspec.structs import replace

from libs.common.observe import log
from libs.common.service import Service
from services.optimizer.transition import intake_store
from services.optimizer.transition.intake_store import MOST_ATTEMPTS, Claimed, State, Transition
from services.optimizer.transition.work import Answer, Step, Work, analyse_work, joint_work, read_step

LOOK_AGAIN_S = 1.0
TELL_EVERY_S = 0.2
FAILED_WORDS = "The analysis could not be finished; the service's log has the reason."


class Worker:
    """One process, begun when it is first needed."""

    def __init__(self) -> None:
        self._executor: ProcessPoolExecutor | None = None

    async def call(self, work: Callable[..., bytes], *given: bytes) -> bytes:
        """What `work`, a module's function, answers.  Raises BrokenProcessPool when the process died; the next call begins another."""
        if self._executor is None:
            self._executor = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_end_with_parent)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work, *given)
        except BrokenProcessPool:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process; work under way is abandoned."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None


class Jobs:
    """The two loops and their workers."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._now, self._joint = Worker(), Worker()
        self.wake = asyncio.Event()
        self._wake_joint = asyncio.Event()

    async def run(self) -> None:
        """Analyse until cancelled."""
        with tempfile.TemporaryDirectory(prefix="pma-transition-") as directory:
            try:
                while True:
                    self.wake.clear()
                    claimed = await intake_store.claim(self._service.pool, self._service.clock.now())
                    if claimed is not None:
                        await self._one(claimed, Path(directory) / f"{claimed.transition_id}-{claimed.attempts}")
                        continue
                    await _woken(self.wake)
            finally:
                self._now.stop()

    async def run_joint(self) -> None:
        """Prove plans over years until cancelled."""
        try:
            while True:
                self._wake_joint.clear()
                transition_id = await intake_store.next_joint(self._service.pool)
                one = None if transition_id is None else await intake_store.load(self._service.pool, transition_id)
                if one is not None and one.answer is not None:
                    await self._prove(one, one.answer)
                    continue
                await _woken(self._wake_joint)
        finally:
            self._joint.stop()

    async def _prove(self, one: Transition, answer: Answer) -> None:
        market = None if one.market_id is None else await intake_store.load_market(self._service.pool, one.market_id)
        try:
            made = await self._joint.call(joint_work, msgspec.json.encode(Work(one.form, market, "")), msgspec.json.encode(answer))
            better = msgspec.json.decode(made, type=Answer)
        except Exception as error:
            log().error("transition_not_proved", transition_id=one.transition_id, reason=repr(error), exc_info=error)
            better = Answer([replace(each, joint="not_wanted") for each in answer.analyses], answer.faults)
        await intake_store.improve(self._service.pool, one.transition_id, better)

    async def _one(self, claimed: Claimed, progress: Path) -> None:
        pool, one = self._service.pool, claimed.transition_id
        try:
            answer = await self._computed(claimed, progress)
        except asyncio.CancelledError:
            await asyncio.shield(intake_store.give_back(pool, one))
            raise
        except BrokenProcessPool as error:
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
            await intake_store.finish(pool, transition_id, State.DONE, "done", answer)
            return self._wake_joint.set()
        return await intake_store.finish(pool, transition_id, State.FAILED, "Nothing of the form can be analysed.", answer)

    async def _computed(self, claimed: Claimed, progress: Path) -> Answer:
        market = None if claimed.market_id is None else await intake_store.load_market(self._service.pool, claimed.market_id)
        work = msgspec.json.encode(Work(claimed.form, market, str(progress)))
        telling = asyncio.create_task(self._tell(claimed.transition_id, progress))
        try:
            return msgspec.json.decode(await self._now.call(analyse_work, work), type=Answer)
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


async def _woken(wake: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(LOOK_AGAIN_S):
            await wake.wait()


def _end_with_parent() -> None:
    """In a new worker: end with the service, however that ends."""
    parent = parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    _exit(1)
