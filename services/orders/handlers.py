"""What orders does with accounts, screens, ledgers, markets, runs, proposals and executions.  Gather, decide, apply."""

from collections.abc import Sequence

from msgspec import Struct

from libs.common import topics
from libs.common.consumer import Subscription
from libs.common.events import Event
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.market import MarketPublished, RunOpened
from libs.common.schemas.order import ExecutionReported
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.schemas.screen import ScreenUpdated
from libs.common.unit import Unit
from services.orders import answer_store, store
from services.orders.answer_store import Answer
from services.orders.booking import book_execution
from services.orders.core.run_state import Progress
from services.orders.heard import Hearing
from services.orders.judging import Judging, lock_for


class Handlers:
    """The handlers, with the judging that they share."""

    def __init__(self, judging: Judging) -> None:
        self.judging = judging
        self.hearing = Hearing(judging)

    def subscription(self) -> Subscription:
        """What the service takes from the bus."""
        return Subscription(
            topics=(topics.ACCOUNTS, topics.SCREENS, topics.LEDGERS, topics.MARKET, topics.PROPOSALS, topics.EXECUTIONS),
            handlers={
                AccountChanged: self.on_account_changed,
                ScreenUpdated: self.on_screen_updated,
                LedgerUpdated: self.on_ledger_updated,
                MarketPublished: self.on_market_published,
                RunOpened: self.on_run_opened,
                ProposalCreated: self.on_proposal_created,
                ProposalDeclined: self.on_proposal_declined,
                ExecutionReported: self.on_execution_reported,
            },
            prepare=self.prepare,
        )

    async def prepare(self, unit: Unit, payloads: Sequence[Struct]) -> None:
        """Take a batch's locks before its first event, in one order for all batches, so that no two wait for each other."""
        if any(isinstance(payload, RunOpened | MarketPublished) for payload in payloads):
            await store.alone(unit.connection)
        await lock_for(unit, *{p.household_id for p in payloads if isinstance(p, ProposalCreated | ProposalDeclined)})

    async def on_account_changed(self, unit: Unit, event: Event, account: AccountChanged) -> None:
        """Keep the newest version; what waited for it is judged."""
        self.hearing.take(unit, event, account)

    async def on_screen_updated(self, unit: Unit, event: Event, screen: ScreenUpdated) -> None:
        """Keep the newest version; what waited for it is judged."""
        self.hearing.take(unit, event, screen)

    async def on_ledger_updated(self, unit: Unit, event: Event, ledger: LedgerUpdated) -> None:
        """Keep the newest version; what waited for it is judged."""
        self.hearing.take(unit, event, ledger)

    async def on_market_published(self, unit: Unit, event: Event, market: MarketPublished) -> None:
        """Keep the snapshot; what waited for it is judged."""
        if await store.save_market(unit.connection, market):
            for household_id in await answer_store.households_waiting(unit.connection):
                await self.judging.judge_waiting(unit, household_id)

    async def on_run_opened(self, unit: Unit, event: Event, run: RunOpened) -> None:
        """Await an answer for each account; what came before the run is judged."""
        if await store.save_run(unit.connection, run):
            closed = self.judging.said.closed.get(run.run_id)
            if closed is not None:
                await store.mark_closed(unit.connection, run.run_id, closed.closed_by, closed.closed_at)
            await answer_store.save_awaited(unit.connection, run)
            for household_id in await answer_store.households_waiting(unit.connection):
                await self.judging.judge_waiting(unit, household_id)

    async def on_proposal_created(self, unit: Unit, event: Event, proposal: ProposalCreated) -> None:
        """Judge it; it is accepted, refused, or waits."""
        await self.judging.take(unit, proposal)

    async def on_proposal_declined(self, unit: Unit, event: Event, declined: ProposalDeclined) -> None:
        """The account's answer is that it does not trade."""
        await lock_for(unit, declined.household_id)
        known = await answer_store.load_answer(unit.connection, declined.run_id, declined.account_id)
        if known is None or known.progress is Progress.AWAITED:
            answer = Answer(declined.run_id, declined.account_id, declined.household_id, Progress.DECLINED, declined.proposal_id)
            await answer_store.save_answer(unit.connection, answer, unit.now, None, declined.code, declined.message)
            await self.judging.judge_waiting(unit, declined.household_id)

    async def on_execution_reported(self, unit: Unit, event: Event, execution: ExecutionReported) -> None:
        """Book what the desk did."""
        await book_execution(unit, self.judging, execution)
