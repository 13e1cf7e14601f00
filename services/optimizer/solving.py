"""The solve loop: households whose inputs have met, each account in turn, then one transaction that checks nothing has moved meanwhile.

Invariants
1. Accounts of a household are decided in the household's order, each seeing the earlier ones' decisions.
2. Decisions are written only if every version they rest on is still the newest; otherwise the household is solved again.
3. Every listed account of a decided household has exactly one decision in the run.
"""

import asyncio
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from libs.common.db import transaction
from libs.common.observe import log
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.market import RunOpened
from libs.common.schemas.proposal import Pins, ProposalCreated, ProposalDeclined
from libs.common.schemas.screen import ScreenUpdated
from libs.common.service import Service
from services.optimizer import store
from services.optimizer.core.decline import Decline, DeclineCode
from services.optimizer.core.pdlp import SOLVER_VERSION
from services.optimizer.core.propose import declined
from services.optimizer.metrics import OptimizerMetrics
from services.optimizer.pool import Outcome, SolverPool, Task, decode_decision, encode_decision
from services.optimizer.store import AccountInputs, HouseholdInputs, ReadyHousehold, unpack

LOOK_AGAIN_S = 1.0
AHEAD = 2  # households in hand for each worker, so that none waits for its next account


class Solving:
    """The loop and its pool."""

    def __init__(self, service: Service, pool: SolverPool, metrics: OptimizerMetrics) -> None:
        self._service = service
        self._pool = pool
        self._metrics = metrics
        self._market_lock = asyncio.Lock()
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Solve until cancelled."""
        await self._pool.start()
        try:
            while True:
                self.wake.clear()
                ready = await store.ready_households(self._service.pool)
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
        waiting = await store.count_waiting(self._service.pool)
        age_s = (self._service.clock.now() - waiting.oldest).total_seconds() if waiting.oldest else 0.0
        self._metrics.waiting.set(waiting.households)
        self._metrics.waiting_age.set(age_s)

    async def _solve_all(self, ready: list[ReadyHousehold]) -> None:
        queue = iter(ready)

        async def work() -> None:
            for household in queue:
                await self.solve(household)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._pool.processes * AHEAD):
                    group.create_task(work())
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from failed

    async def solve(self, ready: ReadyHousehold) -> bool:
        """Decide one household; False when its inputs moved meanwhile, and it is taken again."""
        async with transaction(self._service.pool) as connection:
            inputs = await store.load_inputs(connection, ready)
        if inputs is None:
            return False
        decisions = await self._decide(inputs)
        async with self._service.unit("background", "optimizer", ready.run_id) as unit:
            now = await store.load_inputs(unit.connection, ready)
            if now is None or now.versions != inputs.versions:
                return False
            await store.save_decisions(unit.connection, ready, decisions)
            for decision in decisions:
                unit.emit(decision, decision.account_id, decision.run_id, decision.household_id)
        for decision in decisions:
            self._metrics.observe_decision(decision)
        return True

    async def _decide(self, inputs: HouseholdInputs) -> list[ProposalCreated | ProposalDeclined]:
        async with self._market_lock:
            market_file = self._pool.market_file(inputs.market_id)
            if not market_file.exists():
                market_file.write_bytes(await store.load_market(self._service.pool, inputs.market_id))
        run = msgspec.json.decode(unpack(inputs.run), type=RunOpened)
        ledger = answering(run, msgspec.json.decode(unpack(inputs.ledger), type=LedgerUpdated))
        still_open = [msgspec.json.decode(unpack(body), type=ProposalCreated) for body in inputs.open_proposals]
        decisions: list[ProposalCreated | ProposalDeclined] = []
        for account in inputs.accounts:
            others = [p for p in still_open if p.account_id != account.account_id]
            earlier = [*others, *decisions]
            decisions.append(await self._decide_account(inputs, account, run, ledger, earlier, str(market_file)))
        return decisions

    async def _decide_account(
        self,
        inputs: HouseholdInputs,
        account: AccountInputs,
        run: RunOpened,
        ledger: LedgerUpdated,
        earlier: list[ProposalCreated | ProposalDeclined],
        market_file: str,
    ) -> ProposalCreated | ProposalDeclined:
        screen = answering(run, msgspec.json.decode(unpack(account.screen), type=ScreenUpdated))
        if account.open_orders:
            return self._declined(inputs, account, screen, ledger, Decline(DeclineCode.OPEN_ORDERS, "the account has open orders"), earlier)
        task = Task(
            account.account, store.pack(screen), store.pack(ledger), inputs.run, market_file, [encode_decision(each) for each in earlier]
        )
        try:
            outcome: Outcome = await self._pool.decide(task)
        except BrokenProcessPool:
            log().error("solver_died", run_id=inputs.run_id)
            return self._declined(inputs, account, screen, ledger, Decline(DeclineCode.SOLVER_FAILED, "the solver's process died"), earlier)
        self._metrics.solve_seconds.observe(outcome.cpu_s)
        return decode_decision(outcome.decision)

    def _declined(
        self,
        inputs: HouseholdInputs,
        account: AccountInputs,
        screen: ScreenUpdated,
        ledger: LedgerUpdated,
        why: Decline,
        earlier: list[ProposalCreated | ProposalDeclined],
    ) -> ProposalDeclined:
        held = msgspec.json.decode(unpack(account.account), type=AccountChanged)
        intents = {e.account_id: e.proposal_id for e in sorted(earlier, key=lambda e: e.account_id) if e.run_id == inputs.run_id}
        pins = Pins(held.version, screen.version, ledger.version, inputs.market_id, ledger.as_of, intents, SOLVER_VERSION)
        return declined(account.account_id, inputs.household_id, inputs.run_id, pins, why)


Answer = TypeVar("Answer", ScreenUpdated, LedgerUpdated)


def answering(run: RunOpened, answer: Answer) -> Answer:
    """The newest answer to a run: one that changed after it was given still answers it, while it speaks of the same day."""
    if answer.run_id is None and answer.as_of == run.as_of:
        return replace(answer, run_id=run.run_id)
    return answer
