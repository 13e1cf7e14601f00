"""HTTP of optimizer: decisions and how far a run is.  It has no writes."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response

from libs.common.app import Problem
from libs.common.service import Service
from services.optimizer import decision_store as store


def routes(service: Service) -> APIRouter:
    """The routes of the service."""
    router = APIRouter()

    @router.get("/v1/proposals")
    async def list_proposals(
        run_id: str | None = None,
        account_id: str | None = None,
        after: str = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        """Decisions in the order of their ids; `after` the last one seen gives the next page."""
        rows = await store.list_proposals(service.pool, run_id, account_id, after, limit)
        return Response(msgspec.json.encode(rows), media_type="application/json")

    @router.get("/v1/proposals/{proposal_id}")
    async def get_proposal(proposal_id: str) -> Response:
        """A decision as it was said: trades with reasons, or why not."""
        body = await store.proposal_json(service.pool, proposal_id)
        if body is None:
            raise Problem(404, "Unknown proposal", f"no proposal {proposal_id}")
        return Response(body, media_type="application/json")

    @router.get("/v1/runs/{run_id}")
    async def get_run(run_id: str) -> Response:
        """How many households of a run wait, are ready, and are decided."""
        progress = await store.run_progress(service.pool, run_id)
        if progress is None:
            raise Problem(404, "Unknown run", f"no run {run_id}")
        return Response(msgspec.json.encode(progress), media_type="application/json")

    return router
