"""HTTP of chosen plans: a second person's yes or no, taking a plan back, and how an account stands against its own."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Response

from libs.common.app import Problem, require_token
from libs.common.service import Service
from libs.common.settings import ServiceSettings
from services.optimizer import plan_store, plans
from services.optimizer.plan_store import PlanRow
from services.optimizer.plans import Denied

WHY = {
    Denied.NOT_WAITING: "the plan does not wait for a second person",
    Denied.NOT_FOLLOWED: "the account does not follow this plan",
    Denied.SAME_PERSON: "a second person approves, not the one who chose",
}


def plan_routes(service: Service, settings: ServiceSettings) -> APIRouter:
    """The routes."""
    router = APIRouter()
    Actor = Annotated[str, Depends(require_token(settings))]

    @router.get("/v1/plans/{plan_id}")
    async def get_plan(plan_id: str) -> Response:
        """A chosen plan: its years, who chose it, where it stands."""
        row = await plan_store.load_plan(service.pool, plan_id)
        return answer(row or Denied.UNKNOWN, plan_id)

    @router.post("/v1/plans/{plan_id}/approve")
    async def post_approve(plan_id: str, actor: Actor) -> Response:
        """A second person's yes: from now on the account follows the plan."""
        return answer(await plans.approve(service, plan_id, actor), plan_id)

    @router.post("/v1/plans/{plan_id}/refuse")
    async def post_refuse(plan_id: str, actor: Actor) -> Response:
        """A no to a plan that waits."""
        return answer(await plans.refuse(service, plan_id, actor), plan_id)

    @router.post("/v1/plans/{plan_id}/withdraw")
    async def post_withdraw(plan_id: str, actor: Actor) -> Response:
        """The account follows the plan no longer."""
        return answer(await plans.withdraw(service, plan_id, actor), plan_id)

    @router.get("/v1/accounts/{account_id}/plan")
    async def get_account_plan(account_id: str, limit: Annotated[int, Query(ge=1, le=1000)] = 30) -> Response:
        """The account's plans, the newest first, and how it stood against its plan in the newest runs."""
        chosen = await plan_store.plans_of(service.pool, account_id)
        if not chosen:
            raise Problem(404, "No plan", f"no plan was ever chosen for {account_id}")
        body = {"plans": chosen, "standings": await plan_store.standings(service.pool, account_id, limit)}
        return Response(msgspec.json.encode(body), media_type="application/json")

    return router


def answer(row: PlanRow | Denied, plan_id: str) -> Response:
    """The plan as it stands, or the problem."""
    if row is Denied.UNKNOWN:
        raise Problem(404, "Unknown plan", f"no plan {plan_id}")
    if isinstance(row, Denied):
        raise Problem(409, "Refused", WHY[row], code=row.value)
    return Response(msgspec.json.encode(row), media_type="application/json")
