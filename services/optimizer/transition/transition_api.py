"""JSON of transition analyses: ask, look, choose.  No client's name is ever answered."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from libs.common.app import Problem, require_token
from libs.common.service import Service
from libs.common.settings import ServiceSettings
from services.optimizer.transition import intake_store
from services.optimizer.transition.access import allowed
from services.optimizer.transition.asking import ask
from services.optimizer.transition.choose import Wanted, choose
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.form import read_form
from services.optimizer.transition.intake_store import Transition
from services.optimizer.transition.jobs import Jobs


def transition_routes(service: Service, settings: ServiceSettings, jobs: Jobs) -> APIRouter:
    """The routes under /v1/transitions."""
    router = APIRouter(dependencies=[Depends(allowed(settings))])
    Actor = Annotated[str, Depends(require_token(settings))]

    @router.post("/v1/transitions", status_code=202)
    async def post_transition(request: Request, despite_faults: bool = False) -> Response:
        """Ask for the analysis of a form; what is marked refuses it, unless `despite_faults`."""
        body = await request.body()
        asked = await ask(service, jobs, lambda: read_form(body), despite_faults)
        if asked.transition_id is None:
            detail = "; ".join(each.text() for each in asked.faults) or "nothing of the form can be analysed"
            raise Problem(422, "Bad input", detail, errors=[_fault(each) for each in asked.faults])
        path = f"/v1/transitions/{asked.transition_id}"
        answer = {"transition_id": asked.transition_id, "status": "queued", "href": path, "faults": [_fault(each) for each in asked.faults]}
        return Response(msgspec.json.encode(answer), 202, {"Location": path}, media_type="application/json")

    @router.get("/v1/transitions/{transition_id}")
    async def get_transition(transition_id: str) -> Response:
        """How far it is; the analyses once it is done."""
        one = await found(service, transition_id)
        return Response(msgspec.json.encode(as_json(one)), media_type="application/json")

    @router.post("/v1/transitions/{transition_id}/choose")
    async def post_choose(transition_id: str, request: Request, actor: Actor) -> Response:
        """Make an approach the plan of an account."""
        try:
            wanted = msgspec.json.decode(await request.body(), type=Wanted)
        except msgspec.DecodeError as error:
            raise Problem(422, "Bad input", str(error)) from error
        row = await choose(service, await found(service, transition_id), wanted, actor)
        if isinstance(row, str):
            raise Problem(409, "Refused", row)
        return Response(msgspec.json.encode(row), media_type="application/json")

    return router


async def found(service: Service, transition_id: str) -> Transition:
    """The analysis.  Raises Problem 404 where there is none."""
    one = await intake_store.load(service.pool, transition_id)
    if one is None:
        raise Problem(404, "Unknown analysis", "there is no such analysis")
    return one


def as_json(one: Transition) -> dict[str, object]:
    """What a program sees of it."""
    answer = one.answer
    return {
        "transition_id": one.transition_id,
        "status": one.state,
        "step": one.step,
        "done_frac": one.done_frac,
        "market_id": one.market_id,
        "plan_id": one.plan_id,
        "analyses": [] if answer is None else answer.analyses,
        "faults": [] if answer is None else [_fault(each) for each in answer.faults],
    }


def _fault(fault: FieldFault) -> dict[str, object]:
    return {"line": fault.line, "field": fault.field, "problem": fault.message, "remedy": fault.remedy}
