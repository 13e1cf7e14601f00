"""The solve loop: households whose inputs have met, each account in turn, then one transaction that checks nothing has moved meanwhile.

Invariants
1. Accounts of a household are decided in the household's order, each seeing the earlier ones' decisions.
2. Decisions are written only if every version they rest on is still the newest; otherwise the household is solved again.
3. Every listed account of a decided household has exactly one decision in the run.
4. An account that the solver can't decide, for a bug or a dead worker, is declined with the reason; the others go on.
"""

import asyncio
from contextlib import suppress
from decimal import Decimal

import msgspec

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
from services.optimizer import store
from services.optimizer.core.decline import Decline, DeclineCode
from services.optimizer.core.propose import declined, pins_of
from services.optimizer.decision_store import save_decisions
from services.optimizer.metrics import OptimizerMetrics
from services.optimizer.pool import Decision, InlinePool, Task, decode_decision, encode_decision
from services.optimizer.store import AccountInputs, HouseholdInputs, ReadyHousehold

LOOK_AGAIN_S = 1.0
AHEAD = 2  # households in hand for each worker, so that none waits for its next account


class Solving:
    """The loop and its pool."""

    def __init__(self, service: Service, pool: InlinePool, metrics: OptimizerMetrics) -> None:
        self._service = service
        self._pool = pool
        self._metrics = metrics
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
        self._metrics.set_waiting(waiting.households, waiting.oldest)

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
        if not self._pool.market_file(inputs.market_id).exists():
            self._pool.put_market(inputs.market_id, await store.load_market(self._service.pool, inputs.market_id))

        decisions = await self._decide(inputs)

        async with self._service.unit("background", "optimizer", inputs.correlationid) as unit:
            now = await store.load_inputs(unit.connection, ready)
            if now is None or now.versions != inputs.versions:
                self._metrics.solved_again.inc()
                return False
            said = {account.account_id for account in inputs.accounts if account.said is not None}
            fresh = [decision for decision in decisions if decision.account_id not in said]
            await save_decisions(unit.connection, ready, fresh)
            for decision in fresh:
                unit.emit(decision, decision.account_id, decision.run_id, decision.household_id)
        for decision in fresh:
            self._metrics.observe_decision(decision)
        return True

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
            outcome = await self._pool.decide(Task(account.account, account.screen, inputs.ledger, inputs.run, inputs.market_id, sent))
        except Exception as error:
            log().error("solve_failed", run_id=inputs.run_id, correlationid=inputs.correlationid, reason=repr(error), exc_info=error)
            return _declined(inputs, account, earlier, Decline(DeclineCode.SOLVER_FAILED, f"the solver broke off: {type(error).__name__}"))
        self._metrics.solve_seconds.observe(outcome.cpu_s)
        return decode_decision(outcome.decision)


def _declined(inputs: HouseholdInputs, account: AccountInputs, earlier: list[Decision], why: Decline) -> ProposalDeclined:
    """A decline that no solve is needed for, with its pins."""
    pins = pins_of(
        msgspec.json.decode(unpack(account.account), type=AccountChanged),
        msgspec.json.decode(unpack(account.screen), type=ScreenUpdated),
        msgspec.json.decode(unpack(inputs.ledger), type=LedgerUpdated),
        msgspec.json.decode(unpack(inputs.run), type=RunOpened),
        earlier,
    )
    return declined(account.account_id, inputs.household_id, inputs.run_id, pins, why)
