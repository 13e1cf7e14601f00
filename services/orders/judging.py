"""Judges proposals: gathers what is known under the locks, asks the core, writes the answer.  Used on arrival, again when something
that was waited for comes, by approvals and by the close."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

from msgspec.structs import replace

from libs.common.db import Connection
from libs.common.schemas.decision import RunClosed
from libs.common.schemas.proposal import ProposalCreated
from libs.common.unit import Unit
from services.orders import answer_store, store
from services.orders.answer_store import Answer, DecisionRow
from services.orders.core.decision import Accepted, Decision, Refused, Wait
from services.orders.core.evidence import BlockKey, Evidence, HouseholdFacts, Policy, Quotes, RunFacts, run_facts
from services.orders.core.judge import judge
from services.orders.core.run_state import Progress, progress_after
from services.orders.deciding import keep_decision
from services.orders.metrics import OrdersMetrics

KEPT = 8


@dataclass
class SaidBefore:
    """The runs that were closed, and the trades that were booked, beyond what a restored database knew."""

    closed: dict[str, RunClosed] = field(default_factory=dict)
    trade_ids: set[str] = field(default_factory=set)


class Judging:
    """The house's policy and metrics, and the runs and markets at hand, which never change once opened and published.

    `wake` is set when a run may have come nearer to its close.  `said` is what was said before a restore, while that is caught up with.
    """

    def __init__(self, policy: Policy, metrics: OrdersMetrics) -> None:
        self.policy = policy
        self.metrics = metrics
        self.said = SaidBefore()
        self.wake = asyncio.Event()
        self._runs: dict[str, RunFacts] = {}
        self._quotes: dict[str, Quotes] = {}

    async def _run(self, connection: Connection, run_id: str, closed: bool) -> RunFacts | None:
        if run_id not in self._runs:
            opened = await store.load_run(connection, run_id)
            if opened is None:
                return None
            self._runs[run_id] = run_facts(opened, closed=False)
            while len(self._runs) > KEPT:
                del self._runs[next(iter(self._runs))]
        return replace(self._runs[run_id], closed=closed)

    async def _market(self, connection: Connection, market_id: str | None) -> Quotes | None:
        if market_id is None:
            return None
        if market_id not in self._quotes:
            self._quotes[market_id] = await store.load_quotes(connection, market_id)
            while len(self._quotes) > KEPT:
                del self._quotes[next(iter(self._quotes))]
        return self._quotes[market_id]

    async def gather(
        self, connection: Connection, proposal: ProposalCreated, prior_proposal_id: str | None = None, blocks: Collection[BlockKey] = ()
    ) -> Evidence:
        """All that is known around a proposal; the caller holds the locks."""
        around = await store.load_surroundings(connection, proposal)
        held = await answer_store.load_held_back(connection, proposal.household_id)
        household = HouseholdFacts(
            reservations=held.reservations,
            account_types={member.account_id: member.account_type for member in around.members},
            answers=around.answers,
            booked_seq={member.account_id: member.trade_seq for member in around.members},
        )
        return Evidence(
            kill_switch=around.kill_switch,
            run=await self._run(connection, proposal.run_id, around.run_closed),
            account=around.account,
            screen=around.screen,
            ledger=around.ledger,
            quotes=await self._market(connection, around.newest_market_id),
            run_market_seen=around.run_market_seen,
            household=household,
            open_orders=held.open_orders.get(proposal.account_id, 0),
            blocks=blocks,
            prior_proposal_id=prior_proposal_id,
            solver_version=around.solver_version,
        )

    async def newest_quotes(self, connection: Connection) -> Quotes:
        """The newest snapshot, which has come when anything was ever placed."""
        quotes = await self._market(connection, await store.newest_market_id(connection))
        if quotes is None:
            raise AssertionError("nothing is placed before a market has come")
        return quotes

    async def judge(self, connection: Connection, proposal: ProposalCreated, prior_proposal_id: str | None = None) -> Decision:
        """The core's answer on what is known now."""
        return judge(proposal, await self.gather(connection, proposal, prior_proposal_id), self.policy)

    async def take(self, unit: Unit, proposal: ProposalCreated) -> None:
        """Judge a proposal that has just come; a repeated one changes nothing, a second one of its account is refused."""
        await lock_for(unit, proposal.household_id)
        known = await answer_store.load_answer(unit.connection, proposal.run_id, proposal.account_id)
        if known is not None and known.proposal_id == proposal.proposal_id:
            if known.proposal is None:  # its decision was taken back after a restore, before it came again
                await answer_store.save_proposal(unit.connection, proposal)
                await self._noting_solver(unit, proposal, await self.gather(unit.connection, proposal))
            return

        evidence = await self._noting_solver(unit, proposal, await self.gather(unit.connection, proposal, prior_id_of(known)))

        decision = judge(proposal, evidence, self.policy)

        if known is None or known.progress is Progress.AWAITED:
            await self.write(unit, proposal, decision, progress_after(decision))
        else:
            await self.log(unit, proposal, decision, progress_after(decision), is_answer=False)
        await self.judge_waiting(unit, proposal.household_id)

    async def _noting_solver(self, unit: Unit, proposal: ProposalCreated, evidence: Evidence) -> Evidence:
        """The evidence with this proposal's solver known to decide in its run, since the moment of its decision."""
        version = proposal.pins.solver_version
        if unit.cause is None or evidence.solver_version == version:
            return evidence
        newest = await store.note_solver(unit.connection, proposal.run_id, version, unit.cause.time)
        return replace(evidence, solver_version=newest)

    async def judge_waiting(self, unit: Unit, household_id: str) -> None:
        """Judge again what waits in a household, until nothing more gets its answer.  Takes its locks only if something waits."""
        answered = bool(await answer_store.waiting_in(unit.connection, household_id))
        if answered:
            await lock_for(unit, household_id)
        while answered:
            answered = False
            for waiting in await answer_store.waiting_in(unit.connection, household_id):
                proposal = proposal_of(waiting)
                decision = await self.judge(unit.connection, proposal)
                if isinstance(decision, Wait):
                    await answer_store.save_awaited_input(unit.connection, waiting, decision)
                    continue
                await self.write(unit, proposal, decision, progress_after(decision))
                answered = True

    async def write(self, unit: Unit, proposal: ProposalCreated, decision: Decision, progress: Progress) -> None:
        """Write the answer, hold or release what it reserves, and keep the decision for good."""
        answer = Answer(proposal.run_id, proposal.account_id, proposal.household_id, progress, proposal.proposal_id, proposal)
        code, message = code_of(decision), None if isinstance(decision, Accepted) else decision.message
        awaited = decision.awaited if isinstance(decision, Wait) else None
        await answer_store.save_answer(unit.connection, answer, unit.now, awaited, code, message)
        if isinstance(decision, Accepted):
            await answer_store.save_reservations(unit.connection, proposal, decision.reservations)
        else:
            await answer_store.forget_reservations(unit.connection, proposal.proposal_id)
        await self.log(unit, proposal, decision, progress, is_answer=True)

    async def log(self, unit: Unit, proposal: ProposalCreated, decision: Decision, progress: Progress, is_answer: bool) -> None:
        """Keep the decision for good, say it and count it."""
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
        await keep_decision(unit, row, is_answer, decision.reservations if isinstance(decision, Accepted) else ())
        if isinstance(decision, Refused):
            self.metrics.refusals.labels(decision.code).inc()


def prior_id_of(known: Answer | None) -> str | None:
    """The id of the answer that an account has in a run."""
    return None if known is None else known.proposal_id


def code_of(decision: Decision) -> str | None:
    """The refusal's code."""
    return decision.code if isinstance(decision, Refused) else None


async def lock_for(unit: Unit, *household_ids: str) -> None:
    """What judging in these households needs held, until the transaction ends; asked for once a batch."""
    missing = [household_id for household_id in household_ids if unit.held(_lock_of(household_id)) is None]
    if missing:
        await store.share(unit.connection)
        await store.lock_households(unit.connection, missing)
    for household_id in missing:
        unit.hold(_lock_of(household_id), True, _nothing_to_save)


def _lock_of(household_id: str) -> str:
    return f"lock {household_id}"


async def _nothing_to_save(unit: Unit, held: bool) -> None:
    """A lock ends by itself."""


def proposal_of(answer: Answer) -> ProposalCreated:
    """The proposal of an answer that can only be one."""
    if answer.proposal is None:
        raise AssertionError(f"the answer of {answer.account_id} in {answer.run_id} is no proposal")
    return answer.proposal
