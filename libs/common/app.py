"""The HTTP edge of every service: health, metrics, problems (RFC 9457), the bearer token, parked households.

`/healthz` never depends on Kafka or PostgreSQL; `/readyz` does.
"""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Annotated, Any

import asyncpg
import msgspec
import uvicorn
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as StarletteHTTPException

from libs.common.db import is_transient
from libs.common.errors import BadInput, DependencyDown
from libs.common.observe import configure_logs, log
from libs.common.service import Service
from libs.common.settings import ServiceSettings

PROBLEM_TYPE = "application/problem+json"
HTTP_SERVER_ERROR = 500


class Problem(Exception):
    """An answer that is a refusal: RFC 9457 problem details.  `members` are further members of the body."""

    def __init__(self, status: int, title: str, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.members = members


class Health(BaseModel):
    """The process is alive."""

    status: str


class ParkedHousehold(BaseModel):
    """A household whose messages wait: why, since when, how many."""

    key: str
    subject: str
    reason: str
    since: str
    messages: int


class Redriven(BaseModel):
    """How many messages were applied; the reason why the next could not be, if any."""

    applied: int
    still_parked_because: str | None


class Drop(BaseModel):
    """Why a parked message is given up; kept with the dead letter."""

    reason: str = Field(min_length=1, max_length=500)


class Dropped(BaseModel):
    """Which message was set aside, and how many of the household still wait."""

    topic: str
    partition: int
    offset: int
    messages_left: int


def problem_response(status: int, title: str, detail: str, instance: str, **members: Any) -> Response:
    """A problem+json answer."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": instance, **members}
    return Response(msgspec.json.encode(body), status, media_type=PROBLEM_TYPE)


def require_token(settings: ServiceSettings) -> Callable[..., Awaitable[str]]:
    """A dependency for writes: checks the bearer token where one is configured, and returns the actor to record."""

    async def actor(
        authorization: Annotated[str | None, Header()] = None, x_actor: Annotated[str | None, Header(max_length=80)] = None
    ) -> str:
        if settings.bearer_token is not None:
            expected = f"Bearer {settings.bearer_token.get_secret_value()}"
            if not hmac.compare_digest((authorization or "").encode(), expected.encode()):
                raise HTTPException(401, "send the configured token as 'Authorization: Bearer ...'", {"WWW-Authenticate": "Bearer"})
        return x_actor or "anonymous"

    return actor


def create_app(service: Service, settings: ServiceSettings, *routers: APIRouter) -> FastAPI:
    """The service's app; its lifespan runs the service."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = FastAPI(title=f"pma {service.name}", version="1", lifespan=lifespan, openapi_url="/openapi.json")
    _handle_problems(app)
    _measure(app, service)
    app.include_router(_common_routes(service, settings))
    for router in routers:
        app.include_router(router)
    return app


def _common_routes(service: Service, settings: ServiceSettings) -> APIRouter:
    router = APIRouter()
    actor = require_token(settings)

    @router.get("/healthz")
    async def healthz() -> Health:
        if service.failed.is_set():
            raise Problem(503, "Failed", f"{service.name} met a bug and is stopping")
        return Health(status="alive")

    @router.get("/readyz")
    async def readyz() -> Health:
        if not service.ready:
            raise Problem(503, "Not ready", f"{service.name} has no partitions yet, or a dependency is down")
        await service.pool.fetchval("SELECT 1")
        return Health(status="ready")

    @router.get("/metrics")
    async def metrics() -> Response:
        await _observe_tables(service)
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @router.get("/v1/parked")
    async def parked() -> list[ParkedHousehold]:
        rows = await service.pool.fetch(
            "SELECT p.*, (SELECT count(*) FROM parked_message m WHERE m.key = p.key) AS messages FROM parked p ORDER BY key"
        )
        return [
            ParkedHousehold(key=r["key"], subject=r["subject"], reason=r["reason"], since=r["since"].isoformat(), messages=r["messages"])
            for r in rows
        ]

    @router.post("/v1/parked/{key}/redrive", dependencies=[Depends(actor)])
    async def redrive(key: str) -> Redriven:
        if not await service.pool.fetchval("SELECT 1 FROM parked WHERE key = $1", key):
            raise Problem(404, "Not parked", f"household {key} is not parked in {service.name}")
        applied, reason = await service.redrive(key)
        return Redriven(applied=applied, still_parked_because=reason)

    @router.post("/v1/parked/{key}/drop")
    async def drop(key: str, why: Drop, who: Annotated[str, Depends(actor)]) -> Dropped:
        dropped = await service.consumer.drop_parked(key, who, why.reason)
        if dropped is None:
            raise Problem(404, "Not parked", f"no message of household {key} is parked in {service.name}")
        left = await service.pool.fetchval("SELECT count(*) FROM parked_message WHERE key = $1", key)
        return Dropped(topic=dropped.topic, partition=dropped.partition, offset=dropped.offset, messages_left=left)

    return router


async def _observe_tables(service: Service) -> None:
    """Read the gauges that live in PostgreSQL; while it is down the others are still served."""
    try:
        row = await service.pool.fetchrow(
            "SELECT (SELECT count(*) FROM outbox) AS rows, (SELECT count(*) FROM parked) AS parked, "
            "(SELECT extract(epoch FROM clock_timestamp() - min(written_at))::float FROM outbox) AS age, "
            "(SELECT min(since) FROM parked) AS parked_since"
        )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, RuntimeError):
        service.metrics.ready.set(0)
        return
    service.metrics.ready.set(service.ready)
    service.metrics.outbox_rows.set(row["rows"])
    service.metrics.outbox_age.set(row["age"] or 0)
    service.metrics.parked.set(row["parked"])
    parked_since = row["parked_since"] or service.clock.now()
    service.metrics.parked_age.set(max(0.0, (service.clock.now() - parked_since).total_seconds()))


def _handle_problems(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def on_problem(request: Request, error: Problem) -> Response:
        return problem_response(error.status, error.title, error.detail, request.url.path, **error.members)

    @app.exception_handler(BadInput)
    async def on_bad_input(request: Request, error: BadInput) -> Response:
        where = {"file": error.file, "line": error.line, "field": error.field, "remedy": error.remedy}
        return problem_response(422, "Bad input", str(error), request.url.path, errors=[where])

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        errors = [{"field": ".".join(map(str, e["loc"])), "problem": e["msg"]} for e in error.errors()]
        detail = "; ".join(f"{e['field']}: {e['problem']}" for e in errors)
        return problem_response(422, "Bad input", detail, request.url.path, errors=errors)

    @app.exception_handler(StarletteHTTPException)
    async def on_http(request: Request, error: StarletteHTTPException) -> Response:
        response = problem_response(error.status_code, "Refused", str(error.detail), request.url.path)
        response.headers.update(error.headers or {})
        return response

    async def on_down(request: Request, error: Exception) -> Response:
        if not isinstance(error, DependencyDown) and not is_transient(error):
            raise error
        return problem_response(503, "A dependency is down", f"{error}; try again", request.url.path)

    for kind in (DependencyDown, asyncpg.PostgresError, asyncpg.InternalClientError, OSError):
        app.add_exception_handler(kind, on_down)

    @app.exception_handler(Exception)
    async def on_bug(request: Request, error: Exception) -> Response:
        log().error("request_failed", method=request.method, path=request.url.path, reason=repr(error), exc_info=error)
        detail = f"a bug in {app.title}; its log has the reason under request_failed"
        return problem_response(HTTP_SERVER_ERROR, "Internal error", detail, request.url.path)


def _measure(app: FastAPI, service: Service) -> None:
    @app.middleware("http")
    async def measure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        started = time.perf_counter()
        status = HTTP_SERVER_ERROR
        try:
            response = await call_next(request)
            status = response.status_code
            return response
        finally:
            route = getattr(request.scope.get("route"), "path", "unknown")
            service.metrics.http.labels(request.method, route, str(status)).observe(time.perf_counter() - started)


class _Server(uvicorn.Server):
    """A server that can be asked to end before it serves: while its service waits for PostgreSQL, for one."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.asked_before_serving = asyncio.Event()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if not self.started:
            self.asked_before_serving.set()


def serve(app: FastAPI, service: Service, settings: ServiceSettings) -> int:
    """Serve until SIGTERM or until the service fails; returns the process's exit status."""
    configure_logs(settings.log_level)
    config = uvicorn.Config(app, host=settings.host, port=settings.port, log_level="warning", loop="uvloop", timeout_graceful_shutdown=10)
    server = _Server(config)

    async def run() -> int:
        ends = [asyncio.create_task(end.wait()) for end in (service.failed, server.asked_before_serving)]
        serving = asyncio.create_task(server.serve())
        await asyncio.wait({serving, *ends}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        if server.asked_before_serving.is_set():
            serving.cancel()
        await asyncio.gather(serving, return_exceptions=server.asked_before_serving.is_set())
        for end in ends:
            end.cancel()
        return 1 if service.failed.is_set() else 0

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:  # uvicorn sets no loop where it is served in one
        return runner.run(run())
