"""What people decide: approve, reject, cut a run off, turn the kill switch.  The actor is kept with every decision."""

from msgspec import Struct
from msgspec.structs import replace

from libs.common.schemas.decision import KillSwitchTurned
from libs.common.schemas.order import OrderCancelled
from libs.common.service import Service
from libs.common.unit import Unit
from services.orders import answer_store, block_store, store
from services.orders.answer_store import Answer, DecisionRow
from services.orders.core.approval import ApprovalDenied, may_decide, progress_after_approval
from services.orders.core.decision import Decision, Refused
from services.orders.core.run_state import Progress
from services.orders.deciding import keep_decision
from services.orders.judging import Judging, lock_for, proposal_of

KILL_SWITCH_REASON = "kill switch"
KILL_SWITCH_SUBJECT = "kill-switch"


class Decided(Struct, frozen=True):
    """Where a person's decision left the account; `refused` when the checks no longer pass."""

    progress: Progress
    refused: Refused | None = None


class KillSwitch(Struct, frozen=True):
    """How the kill switch stands, and how many open orders the desk was asked to cancel."""

    on: bool
    changed: bool
    cancels_asked: int


async def decide_approval(
    service: Service, judging: Judging, proposal_id: str, actor: str, approve: bool, reason: str
) -> Decided | ApprovalDenied | None:
    """Approve or reject a proposal that waits for a person; None when there is no such proposal."""
    async with service.unit("http", actor) as unit:
        found = await answer_store.find_answer(unit.connection, proposal_id)
        if found is None or found.proposal is None:
            return None
        await lock_for(unit, found.household_id)
        answer = await answer_store.find_answer(unit.connection, proposal_id)
        run = await store.load_run(unit.connection, found.run_id)
        if answer is None or run is None:
            return ApprovalDenied.NOT_WAITING
        denied = may_decide(answer.progress, await store.is_closed(unit.connection, run.run_id), unit.now, run.cutoff_at)
        outcome = denied or await (confirm(unit, judging, answer) if approve else reject(unit, answer, reason))
    judging.wake.set()
    return outcome


async def confirm(unit: Unit, judging: Judging, answer: Answer) -> Decided | ApprovalDenied:
    """A person's yes, which counts if the checks pass again."""
    proposal = proposal_of(answer)
    decision: Decision = await judging.judge(unit.connection, proposal)
    progress = progress_after_approval(decision)
    if isinstance(progress, ApprovalDenied):
        return progress
    await judging.write(unit, proposal, decision, progress)
    return Decided(progress, decision if isinstance(decision, Refused) else None)


async def reject(unit: Unit, answer: Answer, reason: str) -> Decided:
    """A person's no: nothing of the proposal leaves, and nothing is held back for it."""
    proposal = proposal_of(answer)
    rejected = replace(answer, progress=Progress.REJECTED)
    await answer_store.save_answer(unit.connection, rejected, unit.now, None, None, reason)
    await answer_store.forget_reservations(unit.connection, proposal.proposal_id)
    row = DecisionRow(
        run_id=answer.run_id,
        account_id=answer.account_id,
        household_id=answer.household_id,
        proposal_id=proposal.proposal_id,
        progress=Progress.REJECTED,
        actor=unit.actor,
        decided_at=unit.now,
        message=reason,
    )
    await keep_decision(unit, row)
    return Decided(Progress.REJECTED)


async def turn_kill_switch(service: Service, on: bool, actor: str, reason: str) -> KillSwitch:
    """Turn the switch; turned on, the desk is asked to cancel all that is open.

    The requests leave on the lane of the orders themselves, so none overtakes its order.
    """
    async with service.unit("background", actor) as unit:
        await store.alone(unit.connection)
        number = await block_store.set_kill_switch(unit.connection, on, actor, reason, unit.now)
        if number is not None:
            turned = KillSwitchTurned(number, on, actor, reason, unit.now)
            unit.emit(turned, KILL_SWITCH_SUBJECT, number, KILL_SWITCH_SUBJECT)
        asked = await block_store.ask_to_cancel_open(unit.connection, unit.now) if on else []
        for cl_ord_id in asked:
            unit.emit(OrderCancelled(cl_ord_id, KILL_SWITCH_REASON, unit.now), cl_ord_id, KILL_SWITCH_REASON, cl_ord_id)
    return KillSwitch(on, number is not None, len(asked))
