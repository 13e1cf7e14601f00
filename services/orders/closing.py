"""Closes runs: judges once more what would leave, places one order a block, lets the rest expire."""

import asyncio

from msgspec import Struct
from msgspec.structs import replace

from libs.common.schemas.decision import RunClosed
from libs.common.schemas.market import RunOpened
from libs.common.schemas.order import OrderPlaced
from libs.common.schemas.proposal import ProposalCreated
from libs.common.service import Service
from libs.common.unit import Unit
from services.orders import answer_store, block_store, store
from services.orders.answer_store import Answer, DecisionRow
from services.orders.core.blocks import Approved, Share, build_blocks, shares_of
from services.orders.core.evidence import BlockKey, Evidence, lots_in
from services.orders.core.judge import judge
from services.orders.core.run_state import LEAVING, UNENDED, may_close, progress_at_close
from services.orders.deciding import keep_decision
from services.orders.judging import Judging, proposal_of
from services.orders.recalling import ask_for_recalls

BY_ITSELF = "orders"


async def watch_runs(service: Service, judging: Judging, watch_s: float) -> None:
    """Close runs whose accounts have ended or whose cut-off has come by the service's clock, and call orders back, for ever."""
    while True:
        judging.wake.clear()
        for run_id in await answer_store.runs_to_close(service.pool, service.clock.now()):
            await close_run(service, judging, run_id, BY_ITSELF)
        await ask_for_recalls(service)
        try:
            await asyncio.wait_for(judging.wake.wait(), watch_s)
        except TimeoutError:
            continue


async def watch_waiting(service: Service, judging: Judging, retry_s: float) -> None:
    """Judge again what waits, for ever.

    What a proposal waits for wakes it by itself; only when another replica brings it in the same moment may both miss each other.
    """
    while True:
        for household_id in await answer_store.households_waiting(service.pool):
            async with service.unit("background", BY_ITSELF) as unit:
                await judging.judge_waiting(unit, household_id)
        judging.wake.set()
        await asyncio.sleep(retry_s)


async def close_run(service: Service, judging: Judging, run_id: str, actor: str, cut_off: bool = False) -> int | None:
    """Place the run's blocks; with `cut_off` even while accounts have not ended.

    Returns how many orders left; None when the run is unknown, closed, or (without `cut_off`) may not close yet.
    """
    async with service.unit("background", actor, run_id) as unit:
        await store.alone(unit.connection)
        run = await store.load_run(unit.connection, run_id)
        if run is None or await store.is_closed(unit.connection, run_id):
            return None
        progress = await answer_store.progress_of_run(unit.connection, run_id)
        if not may_close(progress, unit.now, unit.now if cut_off else run.cutoff_at):
            return None
        await expire_unended(unit, run_id)
        leaving = await judge_leaving(unit, judging, run_id)
        orders = await place(unit, run, leaving)
        await store.mark_closed(unit.connection, run_id, actor, unit.now)
    judging.metrics.run_to_orders.observe(max(0.0, (unit.now - run.opened_at).total_seconds()))
    if run.files_received_at is not None:
        judging.metrics.file_to_order.observe(max(0.0, (unit.now - run.files_received_at).total_seconds()))
    return len(orders)


async def expire_unended(unit: Unit, run_id: str) -> None:
    """What has no answer, waits for something newer or for a person gets no orders in this run."""
    async for answer in answer_store.answers_of_run(unit.connection, run_id, UNENDED):
        await end_without_orders(unit, answer, "the run's cut-off came first")


async def end_without_orders(unit: Unit, answer: Answer, message: str) -> None:
    """Expire an account and release what its proposal held back."""
    progress = progress_at_close(answer.progress, None)
    await answer_store.save_answer(unit.connection, replace(answer, progress=progress), unit.now, None, None, message)
    if answer.proposal_id is not None:
        await answer_store.forget_reservations(unit.connection, answer.proposal_id)
        row = DecisionRow(
            run_id=answer.run_id,
            account_id=answer.account_id,
            household_id=answer.household_id,
            proposal_id=answer.proposal_id,
            progress=progress,
            actor=unit.actor,
            decided_at=unit.now,
            message=message,
        )
        await keep_decision(unit, row)


class Leaving(Struct, frozen=True):
    """What leaves a run: the proposals, and their places in its blocks."""

    proposal_ids: list[str]
    shares: list[Share]


async def judge_leaving(unit: Unit, judging: Judging, run_id: str) -> Leaving:
    """Judge once more what was accepted or approved; what no longer stands is refused.  Of what leaves only its shares are kept in hand."""
    leaving = Leaving([], [])
    blocks: set[BlockKey] = set()
    async for answer in answer_store.answers_of_run(unit.connection, run_id, LEAVING):
        proposal = proposal_of(answer)
        evidence = await judging.gather(unit.connection, proposal, blocks=blocks)
        decision = judge(proposal, evidence, judging.policy)
        progress = progress_at_close(answer.progress, decision)
        if progress not in LEAVING:
            await judging.write(unit, proposal, decision, progress)
            continue
        leaving.proposal_ids.append(proposal.proposal_id)
        leaving.shares.extend(shares_of(run_id, approved_of(proposal, evidence)))
        blocks |= {(trade.security_id, trade.side) for trade in proposal.trades}
    return leaving


def approved_of(proposal: ProposalCreated, evidence: Evidence) -> Approved:
    """The proposal with the lots that it sells from, as they were just judged."""
    if evidence.account is None:
        raise AssertionError("nothing is accepted without its account")
    sold = {trade.security_id for trade in proposal.trades if trade.side == "sell"}
    return Approved(proposal, {lot.lot_id: lot for lot in lots_in(evidence.account, sold)})


async def place(unit: Unit, run: RunOpened, leaving: Leaving) -> list[OrderPlaced]:
    """Build the blocks, keep them and say them, after the close and how many there are.  Their trade date is the run's."""
    orders = build_blocks(run, leaving.shares, run.as_of, unit.now)
    await block_store.save_placed(unit.connection, orders, unit.now)
    await answer_store.mark_placed(unit.connection, leaving.proposal_ids)
    unit.emit(RunClosed(run.run_id, unit.now, unit.actor, len(orders)), run.run_id, 1, run.run_id)
    for order in orders:
        unit.emit(order, order.cl_ord_id, 1, order.cl_ord_id)
    return orders
