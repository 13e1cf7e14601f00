"""An approach of an analysis becomes the plan of an account (plans.py), on the market that it was analysed on."""

import asyncio
from datetime import date

from msgspec import Struct

from libs.common.clock import trade_date_of
from libs.common.ids import content_id
from libs.common.schemas.market import MarketPublished
from libs.common.schemas.plan import PlanChosen
from libs.common.service import Service
from services.optimizer import plans
from services.optimizer.core.transition.chosen import account_of, plan_of
from services.optimizer.core.transition.result import Analysis
from services.optimizer.plan_store import PlanRow
from services.optimizer.transition import intake_store
from services.optimizer.transition.intake_store import Transition
from services.optimizer.transition.work import judge

NO_MARKET = "The analysis rests on the simulated market that ships with the project; no account can follow a plan on it."
GONE = "The market snapshot of the analysis is no longer kept: analyse again, on today's prices."


class Wanted(Struct, frozen=True):
    """What the one who chooses says; `strategy_id` where several strategies were compared."""

    approach_id: str
    account_id: str
    household_id: str
    taxpayer_id: str
    custodian: str
    strategy_id: str = ""
    second_person: bool = False


async def choose(service: Service, one: Transition, wanted: Wanted, actor: str) -> PlanRow | str:
    """The plan as it stands, or in words why there is none."""
    analysis = analysis_of(one, wanted.strategy_id)
    if analysis is None:
        return "The analysis has no such strategy, or is not done."
    if one.market_id is None:
        return NO_MARKET
    market = await intake_store.load_market(service.pool, one.market_id)
    if market is None:
        return GONE
    today = trade_date_of(service.clock.now())
    chosen = await asyncio.to_thread(_chosen, one, market, analysis, wanted, actor, today)
    if isinstance(chosen, str):
        return chosen
    row = await plans.choose(service, plans.Choice(chosen, wanted.second_person))
    await intake_store.note_plan(service.pool, one.transition_id, chosen.plan.plan_id)
    return row


def analysis_of(one: Transition, strategy_id: str) -> Analysis | None:
    """The analysis of a strategy; of the first where none is named."""
    found = [] if one.answer is None else one.answer.analyses
    return next((each for each in found if strategy_id in ("", each.strategy_id)), None)


def _chosen(one: Transition, market: MarketPublished, analysis: Analysis, wanted: Wanted, actor: str, today: date) -> PlanChosen | str:
    approach = next((each for each in analysis.approaches if each.approach_id == wanted.approach_id), None)
    judged, _ = judge(one.form, market)
    case = next((each.case for each in judged if each.case.strategy_id == analysis.strategy_id), None)
    if approach is None or case is None:
        return "The analysis has no such approach."
    plan_id = content_id("plan", one.transition_id, analysis.strategy_id, approach.approach_id, wanted.account_id)
    plan = plan_of(case, approach, plan_id, today)
    if isinstance(plan, str):
        return plan[:1].upper() + plan[1:]
    account = account_of(case, wanted.taxpayer_id, wanted.custodian)
    return PlanChosen(wanted.account_id, wanted.household_id, plan, account, actor)
