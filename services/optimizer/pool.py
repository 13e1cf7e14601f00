"""The processes that solve.  Raw bytes go in and come out; a worker keeps the market and the run that it read last.

A market is prepared once, and its arrays are shared: workers map the file it is in (shared_market.py).  BLAS runs on one thread in them
(decision 15).  An account whose worker dies is tried once more in a process of its own, so that an account that kills its worker takes
no other with it twice.
"""

import asyncio
import gc
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from threading import Thread

import msgspec

from libs.common.packing import unpack
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.market import MarketPublished, RunOpened
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.schemas.screen import ScreenUpdated
from services.optimizer.core.decline import Decline
from services.optimizer.core.market import Snapshot, prepare
from services.optimizer.core.propose import propose_on
from services.optimizer.core.warm import LastDecision
from services.optimizer.reading import read_account, read_ledger
from services.optimizer.shared_market import read_market, write_market
from services.optimizer.warm_up import warm_up

SELDOM = 200_000  # objects made and not freed, before cycles are looked for: an account makes some tens of thousands

Decision = ProposalCreated | ProposalDeclined
Decider = Callable[
    [AccountChanged, ScreenUpdated, LedgerUpdated, Snapshot | Decline, RunOpened, Sequence[Decision], LastDecision | None], Decision
]
"""A module's function, so that it can be named to a worker."""


class Task(msgspec.Struct, frozen=True):
    """One account to decide: packed payloads, the id of a market that the pool has, the earlier decisions as tagged JSON, and the account's
    own in the run before, packed."""

    account: bytes
    screen: bytes
    ledger: bytes
    run: bytes
    market_id: str
    earlier: list[bytes]
    last: bytes | None = None


class Outcome(msgspec.Struct, frozen=True):
    """The decision as tagged JSON, with the CPU seconds it took."""

    decision: bytes
    cpu_s: float


def encode_decision(decision: Decision) -> bytes:
    """A decision with its kind in front: b'c' or b'd'."""
    return (b"c" if isinstance(decision, ProposalCreated) else b"d") + msgspec.json.encode(decision)


def decode_decision(raw: bytes) -> Decision:
    """The inverse of `encode_decision`."""
    if raw[:1] == b"c":
        return msgspec.json.decode(raw[1:], type=ProposalCreated)
    return msgspec.json.decode(raw[1:], type=ProposalDeclined)


class InlinePool:
    """Solves in this process, one account at a time: for tests.  What `SolverPool` does, it does too."""

    processes = 1

    def __init__(self, decider: Decider = propose_on) -> None:
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._decider = decider

    async def start(self) -> None:
        """Make ready to solve."""
        self._directory = tempfile.TemporaryDirectory(prefix="pma-solver-")

    def stop(self) -> None:
        """Give up what is held; `start` may follow."""
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    def market_file(self, market_id: str) -> Path:
        """Where a market is, once it was put."""
        if self._directory is None:
            raise RuntimeError("the pool was not started")
        return Path(self._directory.name) / market_id

    def put_market(self, market_id: str, packed: bytes) -> None:
        """Let tasks name this market; a worker that reads it at the same time sees all of it or none."""
        market = prepare(msgspec.json.decode(unpack(packed), type=MarketPublished))
        write_market(market, self.market_file(market_id))

    async def decide(self, task: Task) -> Outcome:
        """Decide one account.  Raises whatever the core raises: a bug, met in this account."""
        return decide_timed(task, self.market_file(task.market_id), self._decider)


class SolverPool(InlinePool):
    """`processes` workers; when one dies, what was in work is tried once more, each account in a process of its own.

    `begin` is what a worker does first, before it takes accounts: a module's function, as the decider is.
    """

    def __init__(self, processes: int, decider: Decider = propose_on, begin: Callable[[], None] = warm_up) -> None:
        super().__init__(decider)
        self.processes = processes
        self._begin = begin
        self._executor: ProcessPoolExecutor | None = None

    async def start(self) -> None:
        """Start the workers and have each make its kernels ready, so that the first account does not pay for it; the first worker
        compiles what is not in the cache, and the others read it there."""
        await super().start()
        self._executor = self._new_executor(self.processes)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, os.getpid)
        await asyncio.gather(*(loop.run_in_executor(self._executor, os.getpid) for _ in range(self.processes)))

    def stop(self) -> None:
        """End the workers; solves under way are abandoned."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None
        super().stop()

    def _new_executor(self, processes: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_begin_worker, initargs=(self._begin,))

    async def decide(self, task: Task) -> Outcome:
        """Decide one account in a worker.  Raises BrokenProcessPool when the account's worker died twice."""
        executor = self._executor
        if executor is None:
            raise RuntimeError("the pool was not started")
        try:
            return await self._decide_in(executor, task)
        except BrokenProcessPool:
            if self._executor is executor:
                self._executor = self._new_executor(self.processes)
        alone = self._new_executor(1)
        try:
            return await self._decide_in(alone, task)
        finally:
            await asyncio.to_thread(alone.shutdown)

    async def _decide_in(self, executor: ProcessPoolExecutor, task: Task) -> Outcome:
        sent = msgspec.msgpack.encode(task), str(self.market_file(task.market_id)), self._decider
        raw = await asyncio.get_running_loop().run_in_executor(executor, _decide_raw, *sent)
        return msgspec.msgpack.decode(raw, type=Outcome)


def _begin_worker(begin: Callable[[], None]) -> None:
    """In a new worker, which has imported the core by loading this module: end with the service, however that ends; make ready."""
    parent = parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()
    begin()
    gc.freeze()  # what is loaded stays, and a decision leaves no cycles: looking for them would take a sixth of its time
    gc.set_threshold(SELDOM)


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


@lru_cache(maxsize=2)
def _snapshot(market_file: Path) -> Snapshot | Decline:
    return read_market(market_file)


@lru_cache(maxsize=2)
def _run(packed: bytes) -> RunOpened:
    return msgspec.json.decode(unpack(packed), type=RunOpened)


@lru_cache(maxsize=2)
def _ledger(packed: bytes) -> LedgerUpdated:
    return read_ledger(packed)


def _decide_raw(raw: bytes, market_file: str, decider: Decider) -> bytes:
    """In the worker."""
    return msgspec.msgpack.encode(decide_timed(msgspec.msgpack.decode(raw, type=Task), Path(market_file), decider))


def decide_timed(task: Task, market_file: Path, decider: Decider = propose_on) -> Outcome:
    """Decode and decide; the same bytes in give the same decision out."""
    started = time.process_time()
    decision = decider(
        read_account(task.account),
        msgspec.json.decode(unpack(task.screen), type=ScreenUpdated),
        _ledger(task.ledger),
        _snapshot(market_file),
        _run(task.run),
        [decode_decision(each) for each in task.earlier],
        None if task.last is None else msgspec.json.decode(unpack(task.last), type=LastDecision),
    )
    return Outcome(encode_decision(decision), time.process_time() - started)
