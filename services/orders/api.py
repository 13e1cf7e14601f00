"""HTTP of orders: runs, answers and refusals, approvals, orders, the cut-off and the kill switch."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from libs.common.app import Problem, require_token
from libs.common.schemas.order import OrderState
from libs.common.service import Service
from services.orders import people, reading, store
from services.orders.closing import close_run
from services.orders.core.approval import ApprovalDenied
from services.orders.judging import Judging
from services.orders.settings import OrdersSettings

WHY_DENIED = {
    ApprovalDenied.NOT_WAITING: "the proposal does not wait for a person",
    ApprovalDenied.RUN_CLOSED: "the run's blocks are placed",
    ApprovalDenied.PAST_CUTOFF: "the run's cut-off has come",
    ApprovalDenied.INPUTS_BEHIND: "newer inputs are on their way; try again",
}


class Reason(BaseModel):
    """Why a person decided so; kept with the decision."""

    reason: str = Field(min_length=1, max_length=500)


class Switch(Reason):
    """How the kill switch shall stand."""

    on: bool


def json_answer(value: object) -> Response:
    """A msgspec value as JSON."""
    return Response(msgspec.json.encode(value), media_type="application/json")


def stored_json(body: bytes | None, what: str) -> Response:
    """A stored body as it is, or 404."""
    if body is None:
        raise Problem(404, "Unknown", f"there is no {what}")
    return Response(body, media_type="application/json")


def routes(service: Service, settings: OrdersSettings, judging: Judging) -> APIRouter:
    """The routes of the service."""
    router = APIRouter()
    _add_reads(router, service)
    _add_decisions(router, service, settings, judging)
    return router


def _add_reads(router: APIRouter, service: Service) -> None:
    @router.get("/v1/runs")
    async def get_runs() -> Response:
        """Every run: its state, accounts by progress, orders placed and ended."""
        return json_answer(await reading.runs(service.pool))

    @router.get("/v1/runs/{run_id}")
    async def get_run(run_id: str) -> Response:
        """One run."""
        found = await reading.runs(service.pool, run_id)
        if not found:
            raise Problem(404, "Unknown", f"there is no run {run_id}")
        return json_answer(found[0])

    @router.get("/v1/runs/{run_id}/accounts")
    async def get_run_accounts(run_id: str) -> Response:
        """How far each account of a run is, and why."""
        return json_answer(await reading.run_accounts(service.pool, run_id))

    @router.get("/v1/refusals")
    async def get_refusals(run_id: str | None = None) -> Response:
        """Proposals that orders did not let leave, with the code and its numbers."""
        return json_answer(await reading.refusals(service.pool, run_id))

    @router.get("/v1/approvals")
    async def get_approvals() -> Response:
        """Proposals that wait for a person."""
        return json_answer(await reading.approvals(service.pool))

    @router.get("/v1/proposals/{proposal_id}")
    async def get_proposal(proposal_id: str) -> Response:
        """A proposal as it came."""
        return stored_json(await reading.proposal_body(service.pool, proposal_id), f"proposal {proposal_id}")

    @router.get("/v1/orders")
    async def get_orders(
        run_id: str | None = None,
        state: OrderState | None = None,
        after: str = "",
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> Response:
        """Block orders by id; for the next page give the last id as `after`."""
        return json_answer(await reading.orders(service.pool, run_id, state, after, limit))

    @router.get("/v1/orders/{cl_ord_id}")
    async def get_order(cl_ord_id: str) -> Response:
        """One block: the order, its fills with what each booked, and what is held."""
        return stored_json(await reading.order_body(service.pool, cl_ord_id), f"order {cl_ord_id}")

    @router.get("/v1/executions/unbooked")
    async def get_unbooked() -> Response:
        """Executions that can't be read as ones of our orders."""
        return json_answer(await reading.unbooked(service.pool))

    @router.get("/v1/kill-switch")
    async def get_kill_switch() -> dict[str, bool]:
        """How the kill switch stands."""
        return {"on": await store.kill_switch_is_on(service.pool)}


def _add_decisions(router: APIRouter, service: Service, settings: OrdersSettings, judging: Judging) -> None:
    actor_of = require_token(settings)
    Actor = Annotated[str, Depends(actor_of)]

    async def decide(proposal_id: str, actor: str, approve: bool, reason: str) -> Response:
        outcome = await people.decide_approval(service, judging, proposal_id, actor, approve, reason)
        if outcome is None:
            raise Problem(404, "Unknown", f"there is no proposal {proposal_id}")
        if isinstance(outcome, ApprovalDenied):
            raise Problem(409, "Not decided", WHY_DENIED[outcome], code=outcome.value)
        return json_answer(outcome)

    @router.post("/v1/proposals/{proposal_id}/approve")
    async def approve(proposal_id: str, actor: Actor) -> Response:
        """Let a proposal leave; it is checked again, and `progress` says refused when it no longer passes."""
        return await decide(proposal_id, actor, True, "")

    @router.post("/v1/proposals/{proposal_id}/reject")
    async def reject(proposal_id: str, why: Reason, actor: Actor) -> Response:
        """Keep a proposal from leaving."""
        return await decide(proposal_id, actor, False, why.reason)

    @router.post("/v1/runs/{run_id}/cutoff")
    async def cut_off(run_id: str, actor: Actor) -> dict[str, int]:
        """Close the run's blocks now; what has not ended expires."""
        placed = await close_run(service, judging, run_id, actor, cut_off=True)
        if placed is None:
            raise Problem(409, "Not open", f"there is no open run {run_id}")
        return {"orders": placed}

    @router.post("/v1/kill-switch")
    async def kill_switch(wanted: Switch, actor: Actor) -> Response:
        """On: nothing new is accepted and the desk is asked to cancel what is open.  Off: new proposals are judged again."""
        return json_answer(await people.turn_kill_switch(service, wanted.on, actor, wanted.reason))
