"""Judges proposals: gathers what is known under the locks, asks the core, writes the answer.  Used on arrival, again when something
that was waited for comes, by approvals and by the close."""

import asyncio
from collections.abc import Collection

from msgspec.structs import replace

from libs.common.db import Connection
from libs.common.schemas.proposal import ProposalCreated
from libs.common.unit import Unit
from services.orders import answer_store, block_store, store
from services.orders.answer_store import Answer, DecisionRow
from services.orders.core.decision import Accepted, Decision, Refused, Wait
from services.orders.core.evidence import BlockKey, Evidence, HouseholdFacts, Policy, Quotes, RunFacts, run_facts
from services.orders.core.judge import judge
from services.orders.core.run_state import Progress, progress_after
from services.orders.metrics import OrdersMetrics

KEPT = 8


class Judging:
    """The house's policy and metrics, and the runs and markets at hand, which never change once opened and published.

    `wake` is set when a run may have come nearer to its close.
    """

    def __init__(self, policy: Policy, metrics: OrdersMetrics) -> None:
        self.policy = policy
        self.metrics = metrics
        self.wake = asyncio.Event()
        self._runs: dict[str, RunFacts] = {}
        self._quotes: dict[str, Quotes] = {}

    async def run(self, connection: Connection, run_id: str) -> RunFacts | None:
        """A run with its accounts, and whether it has closed by now."""
        if run_id not in self._runs:
            opened = await store.load_run(connection, run_id)
            if opened is None:
                return None
            self._runs[run_id] = run_facts(opened, closed=False)
            while len(self._runs) > KEPT:
                del self._runs[next(iter(self._runs))]
        return replace(self._runs[run_id], closed=await store.is_closed(connection, run_id))

    async def newest_quotes(self, connection: Connection) -> Quotes | None:
        """The newest market snapshot."""
        market_id = await store.newest_market(connection)
        if market_id is None:
            return None
        if market_id not in self._quotes:
            self._quotes[market_id] = await store.load_quotes(connection, market_id)
            while len(self._quotes) > KEPT:
                del self._quotes[next(iter(self._quotes))]
        return self._quotes[market_id]

    async def gather(
        self, connection: Connection, proposal: ProposalCreated, prior_proposal_id: str | None, blocks: Collection[BlockKey] = ()
    ) -> Evidence:
        """All that is known around a proposal; the caller holds the locks."""
        members = await store.load_members(connection, proposal.household_id)
        household = HouseholdFacts(
            reservations=await answer_store.load_reservations(connection, proposal.household_id),
            account_types={member.account_id: member.account_type for member in members},
            answers=await answer_store.answers_in(connection, proposal.run_id, proposal.household_id),
            booked_seq={member.account_id: member.trade_seq for member in members},
        )
        return Evidence(
            kill_switch=await store.kill_switch_shared(connection),
            run=await self.run(connection, proposal.run_id),
            account=await store.load_account(connection, proposal.account_id),
            screen=await store.load_screen(connection, proposal.account_id),
            ledger=await store.load_ledger(connection, proposal.household_id),
            quotes=await self.newest_quotes(connection),
            run_market_seen=await store.has_market(connection, proposal.pins.market_id),
            household=household,
            open_orders=await block_store.open_orders(connection, proposal.account_id),
            blocks=blocks,
            prior_proposal_id=prior_proposal_id,
        )

    async def judge(
        self, connection: Connection, proposal: ProposalCreated, prior_proposal_id: str | None = None, blocks: Collection[BlockKey] = ()
    ) -> Decision:
        """The core's answer on what is known now."""
        return judge(proposal, await self.gather(connection, proposal, prior_proposal_id, blocks), self.policy)

    async def take(self, unit: Unit, proposal: ProposalCreated) -> None:
        """Judge a proposal that has just come; a repeated one changes nothing, a second one of its account is refused."""
        await lock_for(unit.connection, proposal)
        known = await answer_store.load_answer(unit.connection, proposal.run_id, proposal.account_id)
        if known is not None and known.proposal_id == proposal.proposal_id:
            return

        decision = await self.judge(unit.connection, proposal, None if known is None else known.proposal_id)

        if known is None or known.progress is Progress.AWAITED:
            await self.write(unit, proposal, decision, progress_after(decision))
        else:
            await self.log(unit, proposal, decision, progress_after(decision))
        await self.judge_waiting(unit, proposal.household_id)

    async def judge_waiting(self, unit: Unit, household_id: str) -> None:
        """Judge again what waits in a household whose row is locked, until nothing more gets its answer."""
        answered = True
        while answered:
            answered = False
            for waiting in await answer_store.waiting_in(unit.connection, household_id):
                proposal = proposal_of(waiting)
                await store.lock_shared(unit.connection, *shared_names(proposal))
                decision = await self.judge(unit.connection, proposal)
                if not isinstance(decision, Wait):
                    await self.write(unit, proposal, decision, progress_after(decision))
                    answered = True

    async def write(self, unit: Unit, proposal: ProposalCreated, decision: Decision, progress: Progress) -> None:
        """Write the answer, hold or release what it reserves, and keep the decision for good."""
        answer = Answer(proposal.run_id, proposal.account_id, proposal.household_id, progress, proposal.proposal_id, proposal)
        code, message = code_of(decision), None if isinstance(decision, Accepted) else decision.message
        awaited = decision.awaited if isinstance(decision, Wait) else None
        await answer_store.save_answer(unit.connection, answer, unit.now, awaited, code, message)
        reservations = decision.reservations if isinstance(decision, Accepted) else []
        await answer_store.replace_reservations(unit.connection, proposal.proposal_id, reservations)
        await self.log(unit, proposal, decision, progress)

    async def log(self, unit: Unit, proposal: ProposalCreated, decision: Decision, progress: Progress) -> None:
        """Keep the decision for good and count it."""
        row = DecisionRow(
            run_id=proposal.run_id,
            account_id=proposal.account_id,
            household_id=proposal.household_id,
            proposal_id=proposal.proposal_id,
            progress=progress,
            actor=unit.actor,
            decided_at=unit.now,
            code=code_of(decision),
            message=None if isinstance(decision, Accepted) else decision.message,
            subject=decision.subject if isinstance(decision, Refused) else None,
            limit_value=decision.limit if isinstance(decision, Refused) else None,
            actual_value=decision.actual if isinstance(decision, Refused) else None,
        )
        await answer_store.log_decision(unit.connection, row)
        if isinstance(decision, Refused):
            self.metrics.refusals.labels(decision.code).inc()


def code_of(decision: Decision) -> str | None:
    """The refusal's code."""
    return decision.code if isinstance(decision, Refused) else None


def run_lock(run_id: str) -> str:
    """The name that whoever opens or closes the run holds alone."""
    return f"orders run {run_id}"


def market_lock(market_id: str) -> str:
    """The name that whoever brings the market holds alone."""
    return f"orders market {market_id}"


def shared_names(proposal: ProposalCreated) -> tuple[str, str]:
    """What must not come or close while this proposal is judged."""
    return run_lock(proposal.run_id), market_lock(proposal.pins.market_id)


async def lock_for(connection: Connection, proposal: ProposalCreated) -> None:
    """Every lock that judging a proposal needs, in the one order."""
    await store.kill_switch_shared(connection)
    await store.lock_shared(connection, *shared_names(proposal))
    await store.lock_households(connection, [proposal.household_id])


async def lock_around(connection: Connection, *household_ids: str) -> None:
    """Every lock that judging what waits in these households needs, in the one order."""
    await store.kill_switch_shared(connection)
    names: set[str] = set()
    for household_id in household_ids:
        for waiting in await answer_store.waiting_in(connection, household_id):
            names |= set(shared_names(proposal_of(waiting)))
    await store.lock_shared(connection, *sorted(names))
    await store.lock_households(connection, household_ids)


def proposal_of(answer: Answer) -> ProposalCreated:
    """The proposal of an answer that can only be one."""
    if answer.proposal is None:
        raise AssertionError(f"the answer of {answer.account_id} in {answer.run_id} is no proposal")
    return answer.proposal
