"""The pages: intake, progress, comparison, choice, second person.  Server-rendered; the script only adds comfort."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData, UploadFile

from libs.common.schemas.market import MarketPublished
from libs.common.service import Service
from libs.common.settings import ServiceSettings
from services.optimizer.transition import intake_store, page_form, plan_pages
from services.optimizer.transition.access import MOST_BYTES, allowed
from services.optimizer.transition.asking import Asked, ask, put, without
from services.optimizer.transition.catalogue import Catalogue
from services.optimizer.transition.choose import analysis_of
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.intake_store import State, Transition
from services.optimizer.transition.jobs import Jobs
from services.optimizer.transition.lots_csv import decoded
from services.optimizer.transition.rendering import STRICT, page
from services.optimizer.transition.report import TEMPLATES, report_html, report_pdf, shown
from services.optimizer.transition.short_form import read_short_form
from services.optimizer.transition.transition_api import as_json, found
from services.optimizer.transition.work import market_and_catalogue

STATIC = {"page.css": "text/css", "page.js": "text/javascript"}


def page_routes(service: Service, settings: ServiceSettings, jobs: Jobs) -> APIRouter:
    """The routes under /transition."""
    router = APIRouter(prefix="/transition", dependencies=[Depends(allowed(settings))], include_in_schema=False)
    router.include_router(plan_pages.routes(service))

    @router.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in STATIC:
            return Response(status_code=404)
        return Response(await asyncio.to_thread((TEMPLATES / name).read_bytes), media_type=STATIC[name])

    @router.get("")
    async def get_intake() -> Response:
        return await intake_page(service, {}, "", Asked(None, [], 0))

    @router.post("")
    async def post_intake(request: Request) -> Response:
        async with request.form(max_part_size=MOST_BYTES) as sent:
            fields, lots = texts_of(sent), await lots_of(sent)
        asked = await ask(service, jobs, lambda: read_short_form(fields, lots), bool(sent.get("despite_faults")))
        if asked.transition_id is None:
            return await intake_page(service, fields, lots, asked)
        return RedirectResponse(f"/transition/{asked.transition_id}", 303)

    @router.get("/{transition_id}")
    async def get_analysis(transition_id: str, strategy: str = "") -> Response:
        one = await found(service, transition_id)
        if one.state is not State.DONE:
            return page(
                "progress.html", 200, one=one, failed=one.state is State.FAILED, faults=[] if one.answer is None else one.answer.faults
            )
        return page("analysis.html", 200, **await asyncio.to_thread(shown_analysis, one, strategy))

    @router.get("/{transition_id}/progress")
    async def get_progress(transition_id: str) -> Response:
        one = await found(service, transition_id)
        said = {"state": one.state, "step": one.step, "done_frac": one.done_frac, "joint_pending": one.joint_pending}
        return Response(msgspec.json.encode(said), media_type="application/json", headers=STRICT)

    @router.post("/{transition_id}/without")
    async def post_without(transition_id: str, request: Request) -> Response:
        """Analyse again with the restrictions that are still switched on."""
        one = await found(service, transition_id)
        async with request.form() as sent:
            on, all_of = ({str(each) for each in sent.getlist(name)} for name in ("on", "all"))
        form = without(msgspec.structs.replace(one.form, client_name=one.client_name), frozenset(all_of - on))
        return RedirectResponse(f"/transition/{await put(service, jobs, form, one.market_id)}", 303)

    @router.get("/{transition_id}/report.{kind}")
    async def get_report(transition_id: str, kind: str, strategy: str = "", approach: str = "") -> Response:
        one = await found(service, transition_id)
        analysis = analysis_of(one, strategy)
        if analysis is None or kind not in ("pdf", "html", "json"):
            return page("missing.html", 404)
        if kind == "json":
            return file(msgspec.json.encode(as_json(one)), "application/json", "analysis.json")
        if kind == "pdf":
            made = await asyncio.to_thread(report_pdf, analysis, one.client_name, approach or None)
            return file(made, "application/pdf", "transition.pdf")
        text = await asyncio.to_thread(report_html, analysis, one.client_name, approach or None)
        return file(text.encode(), "text/html; charset=utf-8", "transition.html")

    return router


async def intake_page(service: Service, fields: Mapping[str, str], lots: str | bytes, asked: Asked) -> Response:
    """The form with everything that was given, and every fault at its field; 422 where there is one."""
    market_id = await intake_store.newest_market(service.pool)
    market = None if market_id is None else await intake_store.load_market(service.pool, market_id)
    groups = await asyncio.to_thread(_groups, market)
    labels = {each.name: each.label for group in groups for each in group.fields}
    found_faults = page_form.marked(asked.faults or ([] if not fields and not lots else [NOTHING]), labels)
    return page(
        "intake.html",
        422 if found_faults else 200,
        groups=groups,
        values=fields,
        lots=decoded(lots) if isinstance(lots, bytes) else lots,
        faults=found_faults,
        at_field=page_form.at_field(found_faults),
        may_go_on=bool(asked.judged),
    )


NOTHING = FieldFault(0, "lots", "Nothing can be analysed", "Give lots, or cash")


def _groups(published: MarketPublished | None) -> list[page_form.Group]:
    read = market_and_catalogue(published)
    if isinstance(read, list):
        return page_form.groups([], [])
    market, catalogue = read
    categories = sorted({category for each in market.securities for category in each.categories})
    return page_form.groups(_strategies(catalogue), categories)


def _strategies(catalogue: Catalogue) -> list[tuple[str, str]]:
    return [(each.strategy_id, each.label) for each in catalogue.for_clients()]


def texts_of(sent: FormData) -> dict[str, str]:
    """The texts of a form; several values of one field are a list with commas."""
    texts = {}
    for name in dict.fromkeys(sent.keys()):
        values = [each for each in sent.getlist(name) if isinstance(each, str) and each.strip()]
        if name not in ("lots", "despite_faults") and values:
            texts[name] = ", ".join(values)
    return texts


async def lots_of(sent: FormData) -> str | bytes:
    """The uploaded file where there is one, else what was typed or pasted."""
    upload = sent.get("lots_file")
    if isinstance(upload, UploadFile) and upload.size:
        return await upload.read()
    typed = sent.get("lots")
    return typed.replace("\r\n", "\n") if isinstance(typed, str) else ""


def shown_analysis(one: Transition, strategy: str) -> dict[str, Any]:
    """What the page of an analysis shows."""
    analysis = analysis_of(one, strategy)
    analysis = analysis or analysis_of(one, "")
    if analysis is None or one.answer is None:
        raise ValueError(f"{one.transition_id} is done without an analysis")
    data = shown(analysis, one.client_name)
    planned = [each for each in analysis.approaches if each.status == "planned"]
    return {
        **data,
        "one": one,
        "strategy_id": analysis.strategy_id,
        "others": [(each.strategy_id, each.strategy_label) for each in one.answer.analyses],
        "knee": analysis.knee or 0,
        "to_choose": [(each.approach_id, each.label) for each in planned],
        "faults": one.answer.faults,
        "on_shipped_market": one.market_id is None,
        "pending": one.joint_pending,
    }


def file(content: bytes, kind: str, name: str) -> Response:
    """A download."""
    return Response(content, media_type=kind, headers={**STRICT, "Content-Disposition": f'inline; filename="{name}"'})
