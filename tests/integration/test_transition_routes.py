"""The routes of transition analyses on a real PostgreSQL: JSON, faults as problems, what is never answered, odd input."""

import base64
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from libs.common.bus.memory import MemoryBus
from libs.common.clock import SystemClock
from services.optimizer.pool import InlinePool
from services.optimizer.settings import OptimizerSettings
from services.optimizer.transition import jobs
from services.optimizer.wiring import compose
from tests.waiting import eventually

FORM = json.loads((Path(__file__).parents[2] / "docs/examples/transition/seasoned.json").read_text())
FORM = {**FORM, "client_name": "Wilhelmina Routentest", "lots": FORM["lots"][:40], "timelines": [3]}


def settings_of(dsn: str, **more: str) -> OptimizerSettings:
    return OptimizerSettings(postgres_dsn=dsn, kafka_bootstrap="unused:1", solver_processes=1, _env_file=None, **more)  # type: ignore[arg-type]


@pytest.fixture
async def http(fresh_database: str) -> AsyncIterator[httpx.AsyncClient]:
    service, app = compose(settings_of(fresh_database), MemoryBus(), SystemClock(), InlinePool())
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://optimizer") as client:
        await eventually(lambda: service.ready, what="partitions assigned")
        yield client
        assert service.failure is None


async def done(http: httpx.AsyncClient, path: str) -> dict[str, object]:
    async def look() -> dict[str, object]:
        found = (await http.get(path)).json()
        return found if found["status"] in ("done", "failed") else {}

    return await eventually(look, 120.0, "the analysis done")


async def test_asked_by_json_and_answered(http: httpx.AsyncClient) -> None:
    begun = await http.post("/v1/transitions", json=FORM)
    assert begun.status_code == 202
    path = begun.headers["location"]
    found = await done(http, path)
    assert found["status"] == "done"
    text = (await http.get(path)).text
    assert "Routentest" not in text
    page = await http.get(path.replace("/v1/transitions", "/transition"))
    assert "Wilhelmina Routentest" in page.text
    assert page.headers["cache-control"] == "no-store"

    async def proved() -> bool:
        analyses = (await http.get(path)).json()["analyses"]
        return all(each["joint"] != "pending" for each in analyses)

    await eventually(proved, 120.0, "the proofs over several years")
    refused = await http.post(f"{path}/choose", json={**dict.fromkeys(CHOICE, "x"), "approach_id": "immediate"})
    assert refused.status_code == 409
    assert "simulated market" in refused.json()["detail"]
    await chosen_and_switched_on_the_page(http, path.replace("/v1/transitions", "/transition"))


async def chosen_and_switched_on_the_page(http: httpx.AsyncClient, path: str) -> None:
    """The page's forms: a choice needs its fields, and has the same refusals; switched off means analysed without."""
    missing = await http.post(f"{path}/choose", data={"approach_id": "immediate"})
    assert (missing.status_code, "account id" in missing.text) == (422, True)
    refused = await http.post(f"{path}/choose", data={**dict.fromkeys(CHOICE, "x"), "approach_id": "immediate", "who": "ann"})
    assert (refused.status_code, "simulated market" in refused.text) == (409, True)
    switched = await http.post(f"{path}/without", data={"all": ["never-sell-BRANO", "exclude-tobacco"], "on": ["exclude-tobacco"]})
    assert switched.status_code == 303
    found = await done(http, switched.headers["location"].replace("/transition", "/v1/transitions"))
    left = [each["restriction_id"] for each in found["analyses"][0]["restrictions"]]  # type: ignore[index]
    assert "never-sell-BRANO" not in left


CHOICE = ("approach_id", "account_id", "household_id", "taxpayer_id", "custodian")


async def test_faults_are_a_problem_with_every_place(http: httpx.AsyncClient) -> None:
    wrong = {**FORM, "strategy": "no-such", "tax_budget": "much", "lots": [{"ticker": "NOSUCH", "acquired": "2099-01-01"}]}
    answer = await http.post("/v1/transitions", json=wrong)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"tax_budget", "strategy"} <= {each["field"] for each in answer.json()["errors"]}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b'{"lots": 3}', b'{"client_name": "\\u0000\\ud800", "lots": [{}]}', b'{"cash": 1e999}',
        b'{"client_name": "\\u0000", "cash": "1000", "strategy": "direct-index-large-cap", "short_rate": "37%", "long_rate": "20%"}',
        b'{"household": "\\ud800", "cash": "1000", "strategy": "direct-index-large-cap", "short_rate": "37%", "long_rate": "20%"}',
        b'{"lots": ' + b"[" * 5000, b'{"lots": [{"ticker": "\\u0000", "acquired": "0000-00-00", "shares": "NaN", "cost_per_share": "-1"}]}',
    ],
)  # fmt: skip
async def test_no_body_is_a_bug(http: httpx.AsyncClient, body: bytes) -> None:
    answers = [await http.post(f"/v1/transitions{ask}", content=body) for ask in ("", "?despite_faults=true")]
    assert [each.status_code for each in answers if each.status_code not in (202, 422)] == []


@pytest.mark.parametrize(
    "path", ["%00", "x", "%ff", "x/report.pdf", "x/report.exe", "plans/x", "plans/%00", "static/../pages.py", "x/progress"]
)
async def test_what_is_not_there_is_not_found(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(f"/transition/{path}")).status_code == 404


async def test_the_form_of_the_page_takes_anything(http: httpx.AsyncClient) -> None:
    table = {"lots_file": ("x.csv", b"\x00\xff" * 99)}
    given: list[dict[str, Any]] = [{"data": {}}, {"data": {"lots": "\0"}}, {"data": {"lots": "a,b\n\n;;;"}}, {"files": table}]
    for sent in given:
        answer = await http.post("/transition", **sent)
        assert answer.status_code == 422, answer.text
        assert "aria-invalid" in answer.text
    foreign = await http.post("/transition", data={}, headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
    assert (await http.post("/transition", content=b"", headers={"content-length": "999999999"})).status_code == 413


async def test_the_token_opens_the_pages(fresh_database: str) -> None:
    service, app = compose(settings_of(fresh_database, bearer_token="s3cret"), MemoryBus(), SystemClock(), InlinePool())
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://optimizer") as client:
        await eventually(lambda: service.ready, what="partitions assigned")
        basic = {"authorization": "Basic " + base64.b64encode(b"ann:s3cret").decode()}
        wrong = {"authorization": "Basic " + base64.b64encode(b"ann:other").decode()}
        assert [(await client.get("/transition", headers=each)).status_code for each in ({}, wrong, basic)] == [401, 401, 200]
        assert (await client.get("/transition")).headers["www-authenticate"].startswith("Basic")


async def test_a_worker_that_dies_is_tried_again_and_then_said_to_have_failed(fresh_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "analyse_work", die)
    service, app = compose(settings_of(fresh_database), MemoryBus(), SystemClock(), InlinePool())
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://optimizer") as client:
        await eventually(lambda: service.ready, what="partitions assigned")
        path = (await client.post("/v1/transitions", json=FORM)).headers["location"]
        found = await done(client, path)
        assert found["status"] == "failed"
        assert await service.pool.fetchval("SELECT attempts FROM transition") == 2
        page = await client.get(path.replace("/v1/transitions", "/transition"))
        assert "could not be finished" in page.text
        assert service.failure is None


def die(_: bytes) -> bytes:
    os._exit(1)
