"""HTTP of ingest: the account master, custodians' files, market snapshots, runs and breaks."""

from datetime import date
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from libs.common.app import Problem, require_token
from libs.common.packing import unpack
from libs.common.service import Service
from services.ingest import deliveries, master, store
from services.ingest.core.holdings_json import csv_lines
from services.ingest.daily import files_are_in, open_daily_run, publish_market
from services.ingest.metrics import IngestMetrics
from services.ingest.settings import IngestSettings


class AsOf(BaseModel):
    """A trade date; `files_of` is the business date of the custodians' files it stands on (the same date unless said)."""

    as_of: date
    files_of: date | None = None


class ReleaseAnswer(BaseModel):
    """A held delivery was let go: accounts taken, those that changed, and those that wait for their master record."""

    applied_accounts: int
    changed_accounts: int
    accounts_without_master: list[str]


class MarketAnswer(BaseModel):
    """A published snapshot; `fresh` is False when the same content was published before."""

    market_id: str
    securities: int
    models: int
    blocked: dict[str, str]
    fresh: bool


class RunAnswer(BaseModel):
    """An opened run: how many accounts it decides, and those it leaves out with the reason."""

    run_id: str
    market_id: str
    accounts: int
    left_out: dict[str, str]
    fresh: bool


def json_answer(value: object, status: int = 200) -> Response:
    """A msgspec value as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def routes(service: Service, settings: IngestSettings, metrics: IngestMetrics) -> APIRouter:
    """The routes of the service."""
    router = APIRouter()
    actor_of = require_token(settings)
    Actor = Annotated[str, Depends(actor_of)]

    @router.post("/v1/accounts")
    async def put_accounts(request: Request, actor: Actor) -> Response:
        """Take master records ({"accounts": [...]}); each is taken or refused by itself."""
        answer = await master.take_master(service, await request.body(), actor)
        return json_answer(answer, 200 if answer.accepted or not answer.refused else 422)

    @router.get("/v1/accounts/{account_id}")
    async def get_account(account_id: str) -> Response:
        """The book of an account as it stands."""
        body = await service.pool.fetchval("SELECT book FROM account WHERE account_id = $1", account_id)
        if body is None:
            raise Problem(404, "Unknown account", f"no master record of {account_id}")
        return Response(unpack(body), media_type="application/json")

    @router.post("/v1/files/holdings")
    async def post_holdings(request: Request, actor: Actor, name: Annotated[str, Query(max_length=200)] = "upload") -> Response:
        """Take a holdings file, CSV (text/csv) or JSON (application/json), as a stream."""
        is_json = request.headers.get("content-type", "").startswith("application/json")
        async with deliveries.spooled(request.stream()) as (spool, content_hash):
            lines = csv_lines(name, spool.read()) if is_json else deliveries.text_blocks(name, spool)
            said = await deliveries.take_file(service, metrics, name, content_hash, lines, actor, settings.fewest_accounts_frac)
        return json_answer(said)

    @router.get("/v1/deliveries")
    async def get_deliveries() -> list[dict[str, object]]:
        """Every delivery and where it stands."""
        rows = await service.pool.fetch(
            "SELECT delivery_id, custodian, business_date, sequence, parts, state, reason FROM delivery ORDER BY business_date, sequence"
        )
        return [dict(row) for row in rows]

    @router.post("/v1/deliveries/{delivery_id}/release")
    async def release(delivery_id: str, actor: Actor) -> ReleaseAnswer:
        """Let a held delivery go on."""
        applied = await deliveries.release(service, delivery_id, actor)
        if applied is None:
            raise Problem(409, "Not held", f"delivery {delivery_id} is not held")
        return ReleaseAnswer(
            applied_accounts=applied.accounts, changed_accounts=applied.changed, accounts_without_master=applied.without_master
        )

    @router.post("/v1/market-snapshots")
    async def post_market(wanted: AsOf, actor: Actor) -> MarketAnswer:
        """Build and publish the snapshot of a date from the configured market directory."""
        if settings.market_dir is None:
            raise Problem(409, "No market directory", "set PMA_MARKET_DIR to the folder of docs/file-formats.md")
        market, fresh = await publish_market(service, settings.market_dir, wanted.as_of, actor)
        columns = market.securities
        blocked = {i: reason for i, reason in zip(columns.security_id, columns.blocked, strict=True) if reason}
        return MarketAnswer(
            market_id=market.market_id, securities=len(columns.security_id), models=len(market.models), blocked=blocked, fresh=fresh
        )

    @router.post("/v1/runs")
    async def post_run(wanted: AsOf, actor: Actor, when_files_are_in: bool = False) -> RunAnswer:
        """Open the run of a date; with `when_files_are_in` refuse while a custodian's file is missing."""
        files_of = wanted.files_of or wanted.as_of
        if when_files_are_in and not await files_are_in(service, files_of):
            raise Problem(409, "Files missing", f"not every custodian has delivered {files_of}")
        opened = await open_daily_run(service, settings, metrics, wanted.as_of, files_of, actor)
        if opened is None:
            raise Problem(409, "No market", f"publish the market snapshot of {wanted.as_of} first")
        run, fresh = opened
        left_out = {member.account_id: member.excluded for member in run.accounts if member.excluded}
        return RunAnswer(
            run_id=run.run_id, market_id=run.market_id, accounts=len(run.accounts) - len(left_out), left_out=left_out, fresh=fresh
        )

    @router.get("/v1/breaks")
    async def get_breaks() -> Response:
        """What a person must look at, by account."""
        rows = await service.pool.fetch("SELECT book FROM account WHERE breaks > 0 ORDER BY account_id")
        books = [store.decode_book(row["book"]) for row in rows]
        return json_answer({book.intake.account_id: book.breaks for book in books})

    return router
