"""optimizer as a service, on a real PostgreSQL and the in-process bus: accounts, screens, ledgers, markets and runs in, proposals out."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import msgspec
import pytest
from msgspec import Struct, structs

from libs.common.bus.memory import MemoryBus
from libs.common.clock import ManualClock
from libs.common.events import from_record, make_event, payload_of, to_record
from libs.common.packing import unpack
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.market import MarketPublished, RunAccount, RunOpened
from libs.common.schemas.order import Allocation, OrderEnded, OrderPlaced
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.schemas.screen import ScreenUpdated
from libs.common.service import Service
from libs.common.topics import PROPOSALS
from services.optimizer.core.propose import propose
from services.optimizer.core.warm import LastDecision
from services.optimizer.pool import InlinePool, Outcome, Task
from services.optimizer.settings import OptimizerSettings
from services.optimizer.wiring import build, compose
from tests.unit.optimizer.samples import AS_OF, RECENT, Lot, Security, ledger_of, verdict, world
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("kernels")

NOW = datetime(2026, 1, 15, 21, tzinfo=UTC)
NAMES = [f"N{i}" for i in range(10)]
SECURITIES = [Security(name, "100", "0.1") for name in NAMES]
LOTS = [Lot("N0-0", "N0", "990", "150", RECENT), *(Lot(f"{name}-0", name, "990", "100") for name in NAMES[1:])]
WORLD = world(SECURITIES, LOTS, "2000")

Decision = ProposalCreated | ProposalDeclined


@dataclass
class Stage:
    """The running service, its bus and its HTTP client."""

    service: Service
    bus: MemoryBus
    http: httpx.AsyncClient
    said: int = field(default=0)

    async def say(self, *payloads: Struct) -> None:
        """Publish as the other services do, and wait until each is taken: the topics have no order among each other."""
        for payload in payloads:
            source, subject, version, key = place_of(payload)
            self.said += 1
            event = make_event(source, payload, subject, f"{version}", key, NOW, "c1")
            await self.bus.publish([to_record(event)])
            await eventually(self._taken, what=f"{type(payload).__name__} taken")

    async def _taken(self) -> bool:
        return int(await self.service.pool.fetchval("SELECT coalesce(sum(next_offset), 0) FROM consumed")) == self.said

    def decisions(self) -> list[Decision]:
        published = [from_record(record.key, record.value, record.headers) for record in self.bus.log(PROPOSALS)]
        events = list({event.id: event for event in published}.values())  # a relay may repeat what it had not marked at a restart
        kinds: dict[str, type[ProposalCreated] | type[ProposalDeclined]] = {
            "pma.proposal.created": ProposalCreated,
            "pma.proposal.declined": ProposalDeclined,
        }
        decisions: list[Decision] = [payload_of(event, kinds[event.type]) for event in events]
        assert [event.partitionkey for event in events] == [decision.household_id for decision in decisions]
        assert {event.correlationid for event in events} <= {"c1"}
        return decisions

    async def answers(self, count: int, run_id: str = "run-1") -> list[Decision]:
        """The decisions of a run, once there are `count` of them."""

        def find() -> list[Decision]:
            found = [each for each in self.decisions() if each.run_id == run_id]
            return found if len(found) >= count else []

        found = await eventually(find, 60.0, f"{count} decisions of {run_id}")  # workers start, and read their kernels
        assert len(found) == count
        return found

    async def get(self, path: str) -> object:
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def metric(self, name: str) -> float:
        text = (await self.http.get("/metrics")).text
        return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"pma_optimizer_{name} "))


def place_of(payload: Struct) -> tuple[str, str, int | str, str]:
    """Source, subject, version and key of a payload's event."""
    match payload:
        case AccountChanged():
            return "ingest", payload.account_id, payload.version, payload.household_id
        case ScreenUpdated():
            return "restrictions", payload.account_id, f"{payload.version}:{payload.run_id}", payload.household_id
        case LedgerUpdated():
            return "wash_sale", payload.household_id, f"{payload.version}:{payload.run_id}", payload.household_id
        case MarketPublished():
            return "ingest", payload.market_id, 1, payload.market_id
        case RunOpened():
            return "ingest", payload.run_id, 1, payload.run_id
        case OrderPlaced() | OrderEnded():
            return "orders", payload.cl_ord_id, 1, payload.cl_ord_id
    raise TypeError(payload)


def settings_of(dsn: str) -> OptimizerSettings:
    return OptimizerSettings(postgres_dsn=dsn, kafka_bootstrap="unused:1", solver_processes=1, _env_file=None)


@asynccontextmanager
async def running(dsn: str, pool: InlinePool | None = None, bus: MemoryBus | None = None) -> AsyncIterator[Stage]:
    bus = bus or MemoryBus()
    settings, clock = settings_of(dsn), ManualClock(NOW)
    service, app = build(settings, bus, clock) if pool is None else compose(settings, bus, clock, pool)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://optimizer") as client,
    ):
        await eventually(lambda: service.ready, what="partitions assigned")
        stage = Stage(service, bus, client)
        yield stage
        assert service.failure is None


@pytest.fixture
async def stage(fresh_database: str) -> AsyncIterator[Stage]:
    async with running(fresh_database, InlinePool()) as one:
        yield one


def second_account(account_type: str = "roth_ira") -> AccountChanged:
    """A second account of the household, in cash."""
    other = world(SECURITIES, [], "100000").account
    return structs.replace(other, account_id="A2", account_type=account_type)


def screen_of(account_id: str) -> ScreenUpdated:
    return structs.replace(WORLD.screen, account_id=account_id)


def household_ledger(*accounts: AccountChanged) -> LedgerUpdated:
    held = [ledger_of(account, LOTS if account.account_id == "A1" else []).accounts[0] for account in accounts]
    return structs.replace(WORLD.ledger, accounts=held)


def run_of(*accounts: AccountChanged, run_id: str = "run-1") -> RunOpened:
    listed = [RunAccount(account.account_id, "H", account.version, account.trade_seq) for account in accounts]
    return structs.replace(WORLD.run, run_id=run_id, accounts=listed)


def order(cl_ord_id: str, account_id: str, proposal_id: str, run_id: str = "run-1") -> OrderPlaced:
    allocation = Allocation("i", account_id, "H", proposal_id, Decimal(5), Decimal(0), [])
    price, when = Decimal(100), NOW
    return OrderPlaced(cl_ord_id, run_id, "N1", "buy", Decimal(5), "market", "day", "USD", price, 300, AS_OF, when, [allocation])


def ended(cl_ord_id: str) -> OrderEnded:
    return OrderEnded(cl_ord_id, "run-1", "filled", Decimal(5), Decimal(100), None, ["A1"])


INPUTS: tuple[Struct, ...] = (WORLD.run, WORLD.market, WORLD.account, WORLD.screen, WORLD.ledger)


@pytest.mark.parametrize("last", range(len(INPUTS)), ids=[type(each).__name__ for each in INPUTS])
async def test_whatever_comes_last_the_answer_is_that_of_the_core(stage: Stage, last: int) -> None:
    await stage.say(*INPUTS[:last], *INPUTS[last + 1 :])
    assert stage.decisions() == []
    await stage.say(INPUTS[last])
    assert await stage.answers(1) == [WORLD.propose()]


async def test_in_a_worker_process_the_bytes_are_the_same(fresh_database: str) -> None:
    async with running(fresh_database) as stage:
        await stage.say(*INPUTS)
        answers = await stage.answers(1)
        assert msgspec.json.encode(answers[0]) == msgspec.json.encode(WORLD.propose())
        assert await stage.metric("solve_cpu_seconds_count") == 1


async def test_accounts_of_a_household_are_decided_in_order_each_seeing_the_earlier_ones(stage: Stage) -> None:
    roth = second_account()
    ledger = household_ledger(WORLD.account, roth)
    await stage.say(WORLD.market, roth, WORLD.account, screen_of("A2"), WORLD.screen, ledger, run_of(roth, WORLD.account))
    first, second = await stage.answers(2)
    assert [first.account_id, second.account_id] == ["A1", "A2"]
    assert isinstance(first, ProposalCreated)
    assert isinstance(second, ProposalCreated)
    assert second.pins.intents == {"A1": first.proposal_id}
    sold_at_a_loss = {trade.security_id for trade in first.trades if trade.reason == "harvest" and trade.side == "sell"}
    assert sold_at_a_loss == {"N0"}
    assert not sold_at_a_loss & {trade.security_id for trade in second.trades}


async def test_an_account_with_open_orders_gets_no_new_proposal_and_binds_its_household(stage: Stage) -> None:
    await stage.say(*INPUTS)
    (first,) = await stage.answers(1)
    assert isinstance(first, ProposalCreated)
    roth = second_account()
    ledger = structs.replace(household_ledger(WORLD.account, roth), version=6, run_id="run-2")
    screens = [structs.replace(screen_of(name), run_id="run-2") for name in ("A1", "A2")]
    await stage.say(order("o1", "A1", first.proposal_id), roth, *screens, ledger, run_of(WORLD.account, roth, run_id="run-2"))
    held, other = await stage.answers(2, "run-2")
    assert isinstance(held, ProposalDeclined)
    assert (held.account_id, held.outcome, held.code) == ("A1", "refused", "open_orders")
    assert isinstance(other, ProposalCreated)
    assert "N0" not in {trade.security_id for trade in other.trades}
    assert other.pins.intents == {"A1": held.proposal_id}


@pytest.mark.parametrize(
    "events", [[order("o1", "A1", "p"), ended("o1")], [ended("o1"), order("o1", "A1", "p")]], ids=["in order", "ended first"]
)
async def test_an_ended_order_holds_nothing_up(stage: Stage, events: list[Struct]) -> None:
    await stage.say(*events, *INPUTS)
    assert await stage.answers(1) == [WORLD.propose()]


async def test_a_newer_account_than_the_run_lists_is_declined(stage: Stage) -> None:
    newer = structs.replace(WORLD.account, version=4, cash_settled=Decimal(50_000))
    await stage.say(newer, WORLD.account, WORLD.market, WORLD.screen, WORLD.ledger, WORLD.run)
    (answer,) = await stage.answers(1)
    assert isinstance(answer, ProposalDeclined)
    assert (answer.code, answer.limit, answer.actual) == ("stale_inputs", Decimal(3), Decimal(4))


async def test_a_screen_edited_after_its_answer_counts_even_if_it_overtakes_the_answer(stage: Stage) -> None:
    edited = structs.replace(WORLD.screen, version=5, run_id=None, verdicts=[verdict("N0", "never_sell", may_sell=False)])
    await stage.say(edited, WORLD.screen, WORLD.market, WORLD.account, WORLD.ledger, WORLD.run)
    (answer,) = await stage.answers(1)
    assert isinstance(answer, ProposalDeclined)
    assert answer.pins is not None
    assert answer.pins.screen_version == 5


async def test_answers_to_another_run_are_not_taken_for_this_one(stage: Stage) -> None:
    await stage.say(*INPUTS[1:], run_of(WORLD.account, run_id="run-2"))
    await stage.say(structs.replace(WORLD.ledger, run_id="run-2"))
    assert (await stage.get("/v1/runs/run-2")) == {"run_id": "run-2", "as_of": "2026-01-15", "households": {"waiting": 1}}
    await stage.say(structs.replace(WORLD.screen, run_id="run-2"))
    assert len(await stage.answers(1, "run-2")) == 1


async def test_a_new_run_gives_up_what_the_last_one_still_waits_for(stage: Stage) -> None:
    later = structs.replace(run_of(WORLD.account, run_id="run-2"), opened_at=WORLD.run.opened_at + timedelta(hours=1))
    await stage.say(WORLD.run, later)
    await stage.say(WORLD.market, WORLD.account, WORLD.screen, WORLD.ledger)
    answers = [structs.replace(WORLD.screen, run_id="run-2"), structs.replace(WORLD.ledger, run_id="run-2")]
    await stage.say(*answers)
    assert len(await stage.answers(1, "run-2")) == 1
    assert [each.run_id for each in stage.decisions()] == ["run-2"]
    assert (await stage.get("/v1/runs/run-1")) == {"run_id": "run-1", "as_of": "2026-01-15", "households": {"superseded": 1}}


async def test_the_next_run_starts_where_the_account_ended_in_the_last(stage: Stage) -> None:
    await stage.say(*INPUTS)
    (last,) = await stage.answers(1)
    assert last.pins is not None and last.pins.start is None and last.multipliers
    for number in (2, 3):
        run = structs.replace(run_of(WORLD.account, run_id=f"run-{number}"), opened_at=WORLD.run.opened_at + timedelta(hours=number))
        screen, ledger = structs.replace(WORLD.screen, run_id=run.run_id), structs.replace(WORLD.ledger, run_id=run.run_id)
        await stage.say(run, screen, ledger)
        (decision,) = await stage.answers(1, run.run_id)
        assert decision.pins is not None and decision.pins.start == last.proposal_id
        start = LastDecision(last.proposal_id, last.multipliers)
        assert decision == propose(WORLD.account, screen, ledger, WORLD.market, run, [], start)
        last = decision


class InterruptedPool(InlinePool):
    """Lets something happen while the first solve is under way."""

    def __init__(self) -> None:
        super().__init__()
        self.solves = 0
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def decide(self, task: Task) -> Outcome:
        outcome = await super().decide(task)
        self.solves += 1
        if self.solves == 1 and self.meanwhile is not None:
            await self.meanwhile()
        return outcome


async def test_inputs_that_move_during_the_solve_are_solved_again(fresh_database: str) -> None:
    pool = InterruptedPool()
    edited = structs.replace(WORLD.screen, version=5, run_id=None, verdicts=[verdict("N0", "never_sell", may_sell=False)])
    async with running(fresh_database, pool) as stage:
        pool.meanwhile = lambda: stage.say(edited)
        await stage.say(*INPUTS)
        (answer,) = await stage.answers(1)
        assert pool.solves == 2
        assert answer.pins is not None
        assert answer.pins.screen_version == 5
        assert await stage.metric("solved_again_total") == 1


class BrokenPool(InlinePool):
    """Meets a bug in one account."""

    async def decide(self, task: Task) -> Outcome:
        if b'"account_id":"A1"' in unpack(task.account):
            raise ZeroDivisionError("planted")
        return await super().decide(task)


async def test_an_account_that_cannot_be_solved_does_not_stop_the_others(fresh_database: str) -> None:
    async with running(fresh_database, BrokenPool()) as stage:
        roth = second_account()
        ledger = household_ledger(WORLD.account, roth)
        await stage.say(WORLD.market, roth, WORLD.account, screen_of("A2"), WORLD.screen, ledger, run_of(roth, WORLD.account))
        first, second = await stage.answers(2)
        assert isinstance(first, ProposalDeclined)
        assert (first.code, first.outcome) == ("solver_failed", "refused")
        assert isinstance(second, ProposalCreated)


async def test_a_restart_answers_what_was_left_and_repeats_nothing(fresh_database: str) -> None:
    bus = MemoryBus()
    async with running(fresh_database, InlinePool(), bus) as stage:
        await stage.say(*INPUTS[:-1])
        said = stage.said
    async with running(fresh_database, InlinePool(), bus) as stage:
        stage.said = said
        await stage.say(INPUTS[-1])
        await stage.answers(1)
    async with running(fresh_database, InlinePool(), bus) as stage:
        stage.said = said + 1
        await stage.say(run_of(WORLD.account, run_id="run-2"))
        assert [each.run_id for each in stage.decisions()] == ["run-1"]


async def test_http_and_figures(stage: Stage) -> None:
    await stage.say(*INPUTS)
    (answer,) = await stage.answers(1)
    assert isinstance(answer, ProposalCreated)
    listed = await stage.get("/v1/proposals?run_id=run-1")
    assert listed == [
        {"proposal_id": answer.proposal_id, "run_id": "run-1", "account_id": "A1", "kind": "created", "code": None},
    ]
    shown = await stage.get(f"/v1/proposals/{answer.proposal_id}")
    assert shown == msgspec.json.decode(msgspec.json.encode(answer))
    assert (await stage.http.get("/v1/proposals/none")).status_code == 404
    assert (await stage.http.get("/v1/runs/none")).status_code == 404
    assert await stage.get("/v1/runs/run-1") == {"run_id": "run-1", "as_of": "2026-01-15", "households": {"decided": 1}}
    await eventually(lambda: stage.metric("planned_loss_usd_total"), what="losses counted")
    assert await stage.metric("waiting_joins") == 0
