"""The solve loop: households whose inputs have met, each account in turn, then one transaction that checks nothing has moved meanwhile.

Invariants
1. Accounts of a household are decided in the household's order, each seeing the earlier ones' decisions.
2. Decisions are written only if every version they rest on is still the newest; otherwise the household is solved again.
3. Every listed account of a decided household has exactly one decision in the run.
4. An account that the solver can't decide, for a bug or a dead worker, is declined with the reason; the others go on.
"""

import asyncio
from collections import deque
from contextlib import suppress
from decimal import Decimal
from itertools import islice

import msgspec
from msgspec import structs

from libs.common.db import transaction
from libs.common.money import ZERO
from libs.common.observe import log
from libs.common.packing import unpack
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.market import RunOpened
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.schemas.screen import ScreenUpdated
from libs.common.service import Service
from services.optimizer import inputs_store
from services.optimizer.core.decline import Decline, DeclineCode
from services.optimizer.core.propose import declined, pins_of
from services.optimizer.decision_store import save_decisions
from services.optimizer.inputs_store import AccountInputs, HouseholdInputs, ReadyHousehold
from services.optimizer.metrics import OptimizerMetrics
from services.optimizer.pool import Decision, InlinePool, Task, decode_decision, encode_decision

LOOK_AGAIN_S = 1.0
AHEAD = 2  # households in hand for each worker, so that none waits for its next account
READ_TOGETHER = 8
RUNS_KEPT = 2


class Solving:
    """The loop and its pool."""

    def __init__(self, service: Service, pool: InlinePool, metrics: OptimizerMetrics) -> None:
        self._service = service
        self._pool = pool
        self._metrics = metrics
        self.wake = asyncio.Event()
        self._runs: dict[str, bytes] = {}
        self._decided: list[tuple[HouseholdInputs, list[Decision]]] = []
        self._writing = asyncio.Lock()

    async def run(self) -> None:
        """Solve until cancelled."""
        await self._pool.start()
        self._decided.clear()  # what an earlier call did not come to write is ready still
        try:
            while True:
                self.wake.clear()
                ready = await inputs_store.ready_households(self._service.pool)
                await self._observe()
                if ready:
                    await self._solve_all(ready)
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN_S):
                        await self.wake.wait()
        finally:
            self._pool.stop()

    async def _observe(self) -> None:
        waiting = await inputs_store.count_waiting(self._service.pool)
        self._metrics.set_waiting(waiting.households, waiting.oldest)

    async def _solve_all(self, ready: list[ReadyHousehold]) -> None:
        """Solve each; inputs are read for some households at a time, and whatever is decided by then is written together."""
        queue, read, reading = iter(ready), deque[HouseholdInputs](), asyncio.Lock()

        async def next_inputs() -> HouseholdInputs | None:
            async with reading:
                while not read:
                    group = list(islice(queue, READ_TOGETHER))
                    if not group:
                        return None
                    read.extend(await self._inputs(group))
                return read.popleft()

        async def work() -> None:
            while (inputs := await next_inputs()) is not None:
                await self._written(inputs, await self._decide(inputs))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._pool.processes * AHEAD):
                    group.create_task(work())
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from failed

    async def _inputs(self, wanted: list[ReadyHousehold]) -> list[HouseholdInputs]:
        async with transaction(self._service.pool) as connection:
            found = await inputs_store.load_inputs(connection, wanted)
        given = []
        for inputs in found:
            if not self._pool.market_file(inputs.market_id).exists():
                self._pool.put_market(inputs.market_id, await inputs_store.load_market(self._service.pool, inputs.market_id))
            if inputs.of.run_id not in self._runs:
                if len(self._runs) == RUNS_KEPT:
                    self._runs.clear()
                self._runs[inputs.of.run_id] = await inputs_store.load_run(self._service.pool, inputs.of.run_id)
            given.append(structs.replace(inputs, run=self._runs[inputs.of.run_id]))
        return given

    async def _written(self, inputs: HouseholdInputs, decisions: list[Decision]) -> None:
        """Return when the decisions are written, or dropped since their inputs moved; one write takes all that wait for it."""
        self._decided.append((inputs, decisions))
        async with self._writing:
            if self._decided:
                decided, self._decided = self._decided, []
                await self._write(decided)

    async def _write(self, decided: list[tuple[HouseholdInputs, list[Decision]]]) -> None:
        """Households whose inputs moved meanwhile stay ready, and are taken again."""
        async with self._service.unit("background", "optimizer") as unit:
            now = await inputs_store.versions_now(unit.connection, [inputs.of for inputs, _ in decided])
            standing = [(inputs, decisions) for inputs, decisions in decided if now.get(inputs.of) == inputs.versions]
            self._metrics.solved_again.inc(len(decided) - len(standing))
            fresh = [(inputs, decision) for inputs, decisions in standing for decision in not_said(inputs, decisions)]
            await save_decisions(unit.connection, [inputs.of for inputs, _ in standing], [decision for _, decision in fresh])
            for inputs, decision in fresh:
                unit.correlationid = inputs.correlationid
                unit.emit(decision, decision.account_id, decision.run_id, decision.household_id)
        for _, decision in fresh:
            self._metrics.observe_decision(decision)

    async def _decide(self, inputs: HouseholdInputs) -> list[Decision]:
        """One account after the other; orders still at the desk bind the household as an earlier account's intents do."""
        working: list[Decision] = [msgspec.json.decode(unpack(body), type=ProposalCreated) for body in inputs.working]
        decisions: list[Decision] = []
        for account in inputs.accounts:
            earlier = [*(each for each in working if each.account_id != account.account_id), *decisions]
            decisions.append(await self._decide_account(inputs, account, earlier))
        return decisions

    async def _decide_account(self, inputs: HouseholdInputs, account: AccountInputs, earlier: list[Decision]) -> Decision:
        if account.said is not None:
            return decode_decision(account.said)
        if account.open_orders:
            why = Decline(DeclineCode.OPEN_ORDERS, "orders of the account at the desk", ZERO, Decimal(account.open_orders))
            return _declined(inputs, account, earlier, why)
        sent = [encode_decision(each) for each in earlier]
        try:
            task = Task(account.account, account.screen, inputs.ledger, inputs.run, inputs.market_id, sent, account.last)
            outcome = await self._pool.decide(task)
        except Exception as error:
            log().error("solve_failed", run_id=inputs.of.run_id, correlationid=inputs.correlationid, reason=repr(error), exc_info=error)
            return _declined(inputs, account, earlier, Decline(DeclineCode.SOLVER_FAILED, f"the solver broke off: {type(error).__name__}"))
        self._metrics.solve_seconds.observe(outcome.cpu_s)
        return decode_decision(outcome.decision)


def not_said(inputs: HouseholdInputs, decisions: list[Decision]) -> list[Decision]:
    """The decisions that were not said before a restore."""
    said = {account.account_id for account in inputs.accounts if account.said is not None}
    return [decision for decision in decisions if decision.account_id not in said]


def _declined(inputs: HouseholdInputs, account: AccountInputs, earlier: list[Decision], why: Decline) -> ProposalDeclined:
    """A decline that no solve is needed for, with its pins."""
    pins = pins_of(
        msgspec.json.decode(unpack(account.account), type=AccountChanged),
        msgspec.json.decode(unpack(account.screen), type=ScreenUpdated),
        msgspec.json.decode(unpack(inputs.ledger), type=LedgerUpdated),
        msgspec.json.decode(unpack(inputs.run), type=RunOpened),
        earlier,
    )
    return declined(account.account_id, inputs.of.household_id, inputs.of.run_id, pins, why)
