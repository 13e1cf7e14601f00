"""The processes that solve.  Raw bytes go in and come out; a worker keeps the market it last indexed.

A worker gets the market as a file, once a market, not with every account.  BLAS runs on one thread in them (decision 15).
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import msgspec

from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.market import MarketPublished, RunOpened
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.schemas.screen import ScreenUpdated
from services.optimizer.core.decline import Decline
from services.optimizer.core.market import Snapshot, prepare
from services.optimizer.core.propose import propose_on
from services.optimizer.store import unpack

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Task(msgspec.Struct, frozen=True):
    """One account to decide: packed payloads, the market's file, and the household's earlier decisions as tagged JSON."""

    account: bytes
    screen: bytes
    ledger: bytes
    run: bytes
    market_file: str
    earlier: list[bytes]


class Outcome(msgspec.Struct, frozen=True):
    """The decision as tagged JSON, with the CPU seconds it took."""

    decision: bytes
    cpu_s: float


def encode_decision(decision: ProposalCreated | ProposalDeclined) -> bytes:
    """A decision with its kind in front: b'c' or b'd'."""
    return (b"c" if isinstance(decision, ProposalCreated) else b"d") + msgspec.json.encode(decision)


def decode_decision(raw: bytes) -> ProposalCreated | ProposalDeclined:
    """The inverse of `encode_decision`."""
    if raw[:1] == b"c":
        return msgspec.json.decode(raw[1:], type=ProposalCreated)
    return msgspec.json.decode(raw[1:], type=ProposalDeclined)


class SolverPool:
    """`processes` workers; a worker that dies takes only its own account's attempt with it."""

    def __init__(self, processes: int) -> None:
        for name in ONE_THREAD:
            os.environ.setdefault(name, "1")
        self.processes = processes
        self._executor: ProcessPoolExecutor | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    async def start(self) -> None:
        """Start the workers and have each import what it needs, so that the first account does not pay for it."""
        self._directory = tempfile.TemporaryDirectory(prefix="pma-solver-")
        self._executor = self._new_executor()
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(self._executor, _warm) for _ in range(self.processes)))

    def stop(self) -> None:
        """End the workers; solves under way are abandoned."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    def _new_executor(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.processes, mp_context=get_context("spawn"))

    def market_file(self, market_id: str) -> Path:
        """Where the workers find a market; the caller writes it if it is not there."""
        assert self._directory is not None
        return Path(self._directory.name) / f"{market_id}.zst"

    async def decide(self, task: Task) -> Outcome:
        """Decide one account in a worker.  Raises BrokenProcessPool when the worker died twice in a row."""
        for attempt in (1, 2):
            executor = self._executor
            assert executor is not None
            try:
                raw = await asyncio.get_running_loop().run_in_executor(executor, _decide, msgspec.msgpack.encode(task))
                return msgspec.msgpack.decode(raw, type=Outcome)
            except BrokenProcessPool:
                if self._executor is executor:
                    self._executor = self._new_executor()
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")


def _warm() -> int:
    return os.getpid()


@lru_cache(maxsize=2)
def _snapshot(market_file: str) -> Snapshot | Decline:
    return prepare(msgspec.json.decode(unpack(Path(market_file).read_bytes()), type=MarketPublished))


@lru_cache(maxsize=2)
def _run(packed: bytes) -> RunOpened:
    return msgspec.json.decode(unpack(packed), type=RunOpened)


def _decide(raw: bytes) -> bytes:
    """In the worker."""
    task = msgspec.msgpack.decode(raw, type=Task)
    started = time.process_time()
    decision = decide(task)
    return msgspec.msgpack.encode(Outcome(encode_decision(decision), time.process_time() - started))


def decide(task: Task) -> ProposalCreated | ProposalDeclined:
    """Decode and decide; the same bytes in give the same decision out."""
    earlier: Sequence[ProposalCreated | ProposalDeclined] = [decode_decision(each) for each in task.earlier]
    return propose_on(
        msgspec.json.decode(unpack(task.account), type=AccountChanged),
        msgspec.json.decode(unpack(task.screen), type=ScreenUpdated),
        msgspec.json.decode(unpack(task.ledger), type=LedgerUpdated),
        _snapshot(task.market_file),
        _run(task.run),
        earlier,
    )
