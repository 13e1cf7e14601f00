"""Choosing a transition plan over HTTP, on a real PostgreSQL and the in-process bus: one person, two, another plan, taking it back.

And the account's side: ingest takes it on, lays the plan over its record, and takes it off again.
"""

from collections.abc import AsyncIterator
from decimal import Decimal

import httpx
import pytest
from msgspec.structs import replace

from libs.common.events import EVENT_TYPES, from_record, payload_of
from libs.common.schemas.account import PlanYear, TaxRates, TransitionPlan
from libs.common.schemas.plan import NewAccount, PlanChosen, PlanWithdrawn
from libs.common.schemas.proposal import ProposalCreated
from libs.common.topics import PLANS
from services.optimizer import plans
from services.optimizer.plan_store import PlanState
from services.optimizer.plans import Choice
from services.optimizer.pool import InlinePool
from tests.integration import test_ingest_service as ingest
from tests.integration.test_optimizer_service import WORLD, Stage, running
from tests.unit.ingest.book_samples import day, intake
from tests.unit.optimizer.samples import AS_OF
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("kernels")

D = Decimal
PLAN = TransitionPlan("p1", "model", "tax_budget", AS_OF, [PlanYear(2026, D(100), D("0.02"))])
CHOSEN = PlanChosen("A1", "H", PLAN, NewAccount("T1", "north", "taxable", TaxRates(D("0.4"), D("0.2"))), "ann")


@pytest.fixture
async def stage(fresh_database: str) -> AsyncIterator[Stage]:
    async with running(fresh_database, InlinePool()) as one:
        yield one


def named(plan_id: str) -> PlanChosen:
    return replace(CHOSEN, plan=replace(PLAN, plan_id=plan_id))


def said(stage: Stage) -> list[PlanChosen | PlanWithdrawn]:
    events = [from_record(record.key, record.value, record.headers) for record in stage.bus.log(PLANS)]
    assert {event.partitionkey for event in events} <= {"H"}
    return [payload_of(event, EVENT_TYPES[event.type].payload) for event in events]  # type: ignore[misc]


async def asked(stage: Stage, plan_id: str, what: str, actor: str) -> httpx.Response:
    return await stage.http.post(f"/v1/plans/{plan_id}/{what}", headers={"x-actor": actor})


async def test_one_person_chooses_and_it_is_said_once(stage: Stage) -> None:
    row = await plans.choose(stage.service, Choice(CHOSEN))
    assert (row.state, row.chosen_by) == (PlanState.FOLLOWED, "ann")
    assert await plans.choose(stage.service, Choice(CHOSEN)) == row
    await eventually(lambda: said(stage) == [CHOSEN], what="the plan said")
    answer = await stage.http.get("/v1/accounts/A1/plan")
    assert [(plan["plan_id"], plan["state"]) for plan in answer.json()["plans"]] == [("p1", "followed")]


async def test_a_second_person_approves_and_never_the_first(stage: Stage) -> None:
    waiting = await plans.choose(stage.service, Choice(CHOSEN, second_person=True))
    assert waiting.state is PlanState.WAITING
    refused = await asked(stage, "p1", "approve", "ann")
    assert (refused.status_code, refused.json()["code"]) == (409, "same_person")
    assert said(stage) == []
    approved = await asked(stage, "p1", "approve", "bob")
    assert (approved.status_code, approved.json()["state"], approved.json()["decided_by"]) == (200, "followed", "bob")
    await eventually(lambda: said(stage) == [replace(CHOSEN, approved_by="bob")], what="the plan said")
    again = await asked(stage, "p1", "approve", "carl")
    assert (again.status_code, again.json()["code"]) == (409, "not_waiting")


async def test_the_second_persons_no_says_nothing(stage: Stage) -> None:
    await plans.choose(stage.service, Choice(CHOSEN, second_person=True))
    refused = await asked(stage, "p1", "refuse", "bob")
    assert refused.json()["state"] == "refused"
    late = await asked(stage, "p1", "approve", "bob")
    assert late.status_code == 409
    assert said(stage) == []


async def test_an_account_that_asks_for_two_gets_two(stage: Stage) -> None:
    await stage.say(replace(WORLD.account, approval="manual"))
    row = await plans.choose(stage.service, Choice(replace(CHOSEN, account_id=WORLD.account.account_id)))
    assert row.state is PlanState.WAITING


async def test_a_newer_plan_takes_the_place_of_the_last_and_one_followed_can_be_taken_back(stage: Stage) -> None:
    await plans.choose(stage.service, Choice(named("p1")))
    await plans.choose(stage.service, Choice(named("p2")))
    states = {plan["plan_id"]: plan["state"] for plan in (await stage.http.get("/v1/accounts/A1/plan")).json()["plans"]}
    assert states == {"p1": "replaced", "p2": "followed"}
    assert (await asked(stage, "p1", "withdraw", "ann")).json()["code"] == "not_followed"
    assert (await asked(stage, "p2", "withdraw", "ann")).json()["state"] == "withdrawn"
    last = PlanWithdrawn("A1", "H", "p2", "ann")
    await eventually(lambda: said(stage) == [named("p1"), named("p2"), last], what="three words")


async def test_what_nobody_chose_is_unknown(stage: Stage) -> None:
    for path in ("/v1/plans/none", "/v1/accounts/none/plan"):
        assert (await stage.http.get(path)).status_code == 404
    assert (await asked(stage, "none", "withdraw", "ann")).status_code == 404


async def test_decisions_say_how_the_account_stands_against_its_plan(stage: Stage) -> None:
    plan = replace(PLAN, strategy_id=WORLD.account.strategy_id)
    account = replace(WORLD.account, transition=plan)
    await plans.choose(stage.service, Choice(replace(CHOSEN, account_id=account.account_id, plan=plan)))
    await stage.say(account, WORLD.screen, WORLD.ledger, WORLD.market, WORLD.run)
    (decision,) = await stage.answers(1)
    assert isinstance(decision, ProposalCreated)
    standings = (await stage.http.get(f"/v1/accounts/{account.account_id}/plan")).json()["standings"]
    assert [(each["run_id"], each["proposal_id"], each["progress"]["plan_id"]) for each in standings] == [
        (decision.run_id, decision.proposal_id, "p1")
    ]


@pytest.fixture
async def books(fresh_database: str) -> AsyncIterator[ingest.Stage]:
    async with ingest.running(fresh_database) as one:
        yield one


async def test_an_account_is_taken_on_by_its_plan_before_its_first_file(books: ingest.Stage) -> None:
    await books.say(CHOSEN, "A1", "p1", "H")
    await eventually(lambda: books.service.pool.fetchval("SELECT count(*) FROM account"), what="the account taken on")
    await books.take(ingest.holds("A1", day(0), ingest.X))
    first = await books.version("A1", 1)
    assert (first.strategy_id, first.transition, first.household_id, first.rates) == ("model", PLAN, "H", CHOSEN.account.rates)
    assert await books.service.pool.fetchval("SELECT actor FROM account_edit") == "ann"


async def test_holdings_that_came_before_the_plan_are_the_accounts_first(books: ingest.Stage) -> None:
    await books.take(ingest.holds("A1", day(0), ingest.X))
    await books.say(CHOSEN, "A1", "p1", "H")
    assert (await books.version("A1", 1)).transition == PLAN


async def test_a_known_account_follows_a_plan_and_leaves_it_again(books: ingest.Stage) -> None:
    await books.master(intake("A1", "H1"))
    await books.take(ingest.holds("A1", day(0), ingest.X))
    own = await books.version("A1", 1)
    await books.say(CHOSEN, "A1", "p1", "H")
    planned = await books.version("A1", 2)
    assert (planned.strategy_id, planned.household_id, planned.rates) == ("model", "H1", own.rates)
    await books.master(intake("A1", "H1"))  # the master's record comes again: the plan stays
    await books.say(PlanWithdrawn("A1", "H", "another", "ann"), "A1", "another", "H")
    await books.say(PlanWithdrawn("A1", "H", "p1", "ann"), "A1", "p1", "H")
    left = await books.version("A1", 3)
    assert replace(left, version=1) == own
