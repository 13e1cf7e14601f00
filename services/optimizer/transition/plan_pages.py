"""The pages of a choice: the plan that was chosen, and a second person's yes or no."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from libs.common.app import Problem
from libs.common.service import Service
from services.optimizer import plan_store, plans
from services.optimizer.plan_api import WHY
from services.optimizer.plan_store import PlanRow, PlanState
from services.optimizer.plans import Denied
from services.optimizer.transition import figures
from services.optimizer.transition.choose import Wanted, choose
from services.optimizer.transition.rendering import page
from services.optimizer.transition.transition_api import found

NEEDED = ("approach_id", "account_id", "household_id", "taxpayer_id", "custodian", "who")
LONGEST = 80


def routes(service: Service) -> APIRouter:
    """The routes of choosing."""
    router = APIRouter()

    @router.post("/{transition_id}/choose")
    async def post_choose(transition_id: str, request: Request) -> Response:
        async with request.form() as sent:
            given = {name: str(value).strip() for name, value in sent.items()}
        missing = [name.replace("_", " ") for name in NEEDED if not 0 < len(given.get(name, "")) <= LONGEST or "\0" in given[name]]
        if missing:
            return _said("Nothing was chosen", f"Missing or too long: {', '.join(missing)}.", f"/transition/{transition_id}#h-choose", 422)
        wanted = Wanted(
            approach_id=given["approach_id"],
            account_id=given["account_id"],
            household_id=given["household_id"],
            taxpayer_id=given["taxpayer_id"],
            custodian=given["custodian"],
            strategy_id=given.get("strategy_id", ""),
            second_person=bool(given.get("second_person")),
        )
        row = await choose(service, await found(service, transition_id), wanted, given["who"])
        if isinstance(row, str):
            return _said("Nothing was chosen", row, f"/transition/{transition_id}", 409)
        return RedirectResponse(f"/transition/plans/{row.plan_id}", 303)

    @router.get("/plans/{plan_id}")
    async def get_plan(plan_id: str) -> Response:
        row = await plan_store.load_plan(service.pool, plan_id) if plan_id.isalnum() else None
        if row is None:
            raise Problem(404, "Unknown plan", "there is no such plan")
        return page("plan.html", 200, **_shown(row))

    @router.post("/plans/{plan_id}")
    async def post_plan(plan_id: str, request: Request) -> Response:
        async with request.form() as sent:
            who, verdict = str(sent.get("who", "")).strip()[:LONGEST], sent.get("verdict")
        if not who:
            return _said("Nothing was decided", "Say who you are.", f"/transition/plans/{plan_id}", 422)
        row = await (plans.approve if verdict == "approve" else plans.refuse)(service, plan_id, who)
        if row is Denied.UNKNOWN:
            raise Problem(404, "Unknown plan", "there is no such plan")
        if isinstance(row, Denied):
            return _said("Nothing was decided", f"{WHY[row].capitalize()}.", f"/transition/plans/{plan_id}", 409)
        return RedirectResponse(f"/transition/plans/{plan_id}", 303)

    return router


def _shown(row: PlanRow) -> dict[str, object]:
    chosen = row.chosen
    words = {
        PlanState.WAITING: "It waits for a second person.",
        PlanState.FOLLOWED: "The account follows it.",
        PlanState.REFUSED: "It was refused.",
        PlanState.WITHDRAWN: "It was taken back.",
    }
    years = [
        (str(each.year), figures.money(each.budgets.tax), figures.money(each.budgets.short_gain), figures.money(each.budgets.long_gain))
        for each in chosen.plan.years
    ]
    return {
        "row": row,
        "chosen": chosen,
        "words": words.get(row.state, row.state),
        "waits": row.state is PlanState.WAITING,
        "chosen_at": figures.day(row.chosen_at.date()),
        "decided_at": "" if row.decided_at is None else figures.day(row.decided_at.date()),
        "years": years,
    }


def _said(title: str, words: str, back: str, status: int) -> Response:
    return page("said.html", status, title=title, words=words, back=back)
