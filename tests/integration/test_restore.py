"""Yesterday's database under today's Kafka: five services notice, one command catches each up, business goes on as if nothing had been.

One course of three days is played twice: once undisturbed, once with the database of the first evening put back on the second.
"""

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec
import pytest
from msgspec import Struct

from demo.sample.days import DEMO_DAYS
from deploy.local.postgres import Postgres
from libs.common.catch_up import CaughtUp, catch_up
from libs.common.events import Event
from libs.common.packing import unpack
from libs.common.restored import BehindItsWord
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.decision import KillSwitchTurned, ProposalJudged, RunClosed
from libs.common.schemas.order import OrderEnded, OrderPlaced, TradeBooked
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.schemas.rule import RulesEdited
from libs.common.topics import SERVICES
from services.orders.answer_store import load_held_back
from services.orders.core.reservations import Reservation
from tests.databases import create
from tests.e2e.disturbed.outcome import Outcome
from tests.integration.restore_stage import DEADLINE_S, Days, composed, running
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("kernels")

STEPS = ["look at what was said", "adopt it", "take the inputs since the backup"]
Said = list[tuple[Event, Struct]]
REBUILT = {
    "restrictions": ("rule", "account", "screen", "run_waiting"),
    "wash_sale": ("household", "account_seen", "split", "run", "run_household", "run_account"),
    "optimizer": ("account", "screen", "ledger", "run", "run_account", "household_run", "proposal", "open_order"),
    "orders": ("account", "ledger", "run", "run_account", "decision", "block", "trade", "account_seq", "kill_switch"),
}
NOT_COMPARED = {"since", "arrival", "edit_id", "changed_at", "booked_at", "awaited", "facts_digest", "said_from"}
"""Columns that say when, or in which order, something came, or are a hash of bytes in which that order shows."""


async def caught_up(days: Days, dsn: str, *names: str) -> dict[str, CaughtUp]:
    """The command, for some services or all."""
    chosen = [service for service, _ in composed(dsn, days.bus, days.clock, days.market_dir) if service.name in (names or SERVICES)]
    return {service.name: await catch_up(service, lambda *_: None) for service in chosen}


class BrokenOffError(Exception):
    """The command was stopped."""


async def broken_off(days: Days, dsn: str) -> list[str]:
    """The command, broken off in each of its steps, one after the other; returns what it was about to do."""
    steps: list[str] = []

    def stop_at_a_new_step(step: str, done: int, total: int) -> None:
        if step not in steps:
            steps.append(step)
            raise BrokenOffError

    for _ in range(len(STEPS)):
        (orders,) = (one for one, _ in composed(dsn, days.bus, days.clock, days.market_dir) if one.name == "orders")
        with contextlib.suppress(BrokenOffError):
            await catch_up(orders, stop_at_a_new_step)
    return steps


async def table(dsn: str, service: str, name: str) -> list[dict[str, Any]]:
    """The rows, without what says when something came; packed bodies as what they say."""
    connection = await asyncpg.connect(dsn, server_settings={"search_path": service})
    try:
        rows = await connection.fetch(f"SELECT * FROM {name}")
        keys = await connection.fetch(
            "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) "
            "WHERE i.indrelid = $1::regclass AND i.indisprimary ORDER BY a.attnum",
            name,
        )
    finally:
        await connection.close()
    ordered = sorted(rows, key=lambda row: [str(row[key["attname"]]) for key in keys])
    return [{column: _said(value) for column, value in row.items() if column not in NOT_COMPARED} for row in ordered]


def _said(value: object) -> object:
    """A packed body as what it says; trades of different accounts have no common order."""
    if not isinstance(value, bytes):
        return value
    said = msgspec.json.decode(unpack(value))
    if isinstance(said, dict) and "trades" in said and "waiting" in said:
        of_account = {name: sorted(trades, key=lambda t: (t["account_id"], t["trade_seq"])) for name, trades in said["trades"].items()}
        said["trades"] = of_account
    return said


async def held_back(dsn: str) -> list[Reservation]:
    """What orders holds back in all households."""
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "orders"})
    try:
        households = await connection.fetch("SELECT DISTINCT household_id FROM account ORDER BY 1")
        return [item for row in households for item in (await load_held_back(connection, row["household_id"])).reservations]
    finally:
        await connection.close()


@dataclass
class Undisturbed:
    """The course without a restore, and each table as it was never lost and as one service made it anew from the topics alone."""

    final: Outcome
    rebuilt: dict[str, dict[str, tuple[Any, Any]]]
    said_by_the_rebuilt: int


@dataclass
class Course:
    """What the disturbed course met."""

    before: Said
    lost: Said
    refusals: dict[str, BaseException | None] = field(default_factory=dict)
    never_ready: bool = False
    broken_off: list[str] = field(default_factory=list)
    first: dict[str, CaughtUp] = field(default_factory=dict)
    again: dict[str, CaughtUp] = field(default_factory=dict)
    held_back: tuple[list[Reservation], list[Reservation]] = ([], [])
    since: Said = field(default_factory=list)
    rules: list[dict[str, Any]] = field(default_factory=list)
    rule_edits: list[dict[str, Any]] = field(default_factory=list)
    kill_switch: list[bool] = field(default_factory=list)
    final: Outcome | None = None


async def rebuilt(days: Days, dsn: str, server: Postgres) -> dict[str, dict[str, tuple[Any, Any]]]:
    """The tables of the services that the topics suffice for, and the same made anew on an empty database."""
    anew = await create(server, "rebuilt")
    await caught_up(days, anew, *REBUILT)
    (ledgers,) = (one for one, _ in composed(anew, days.bus, days.clock, days.market_dir) if one.name == "wash_sale")
    async with ledgers.running():
        await eventually(lambda: ledgers.ready, DEADLINE_S)
        compared = "SELECT NOT EXISTS (SELECT 1 FROM household WHERE unsaid) AND NOT EXISTS (SELECT 1 FROM outbox)"
        await eventually(lambda: ledgers.pool.fetchval(compared), DEADLINE_S, "each ledger compared with what was said")
    return {
        service: {name: (await table(dsn, service, name), await table(anew, service, name)) for name in names}
        for service, names in REBUILT.items()
    }


async def interrupted(days: Days, dsn: str, lost_at: str) -> None:
    """The second day, to its end or to where people are waited for."""
    async with running(days, dsn) as platform:
        await (platform.play if lost_at == "evening" else platform.morning)(DEMO_DAYS[1])


async def refused(days: Days, dsn: str, course: Course) -> None:
    """Start on the restored database."""
    said_before = days.said_by_services()
    async with running(days, dsn) as platform:
        await asyncio.gather(*(service.failed.wait() for service in platform.services))
        course.refusals = {service.name: service.failure for service in platform.services}
        course.never_ready = not any(service.ready for service in platform.services) and days.said_by_services() == said_before


async def restored_course(server: Postgres, days: Days, lost_at: str) -> Course:
    """Day 1, backup, day 2 or its morning, the backup put back; what happened then, and the rest of the days."""
    first_evening = await create(server, f"backup_{lost_at}")
    async with running(days, first_evening) as platform:
        await platform.play(DEMO_DAYS[0])
    known = {event.id for event, _ in days.said()}
    gone = await create(server, f"gone_{lost_at}", first_evening)
    await interrupted(days, gone, lost_at)
    before = days.said()
    course = Course(before, [(event, payload) for event, payload in before if event.id not in known])
    restored = await create(server, f"restored_{lost_at}", first_evening)
    await refused(days, restored, course)
    course.broken_off = await broken_off(days, restored)
    course.first = await caught_up(days, restored)
    course.again = await caught_up(days, restored)
    course.held_back = await held_back(gone), await held_back(restored)
    async with running(days, restored) as platform:
        await platform.send(days.sent[2])
        await platform.rest(before_the_close=True)
        course.since = days.said()
        course.rules = await platform.ask("restrictions", "GET", "/v1/households/H001/rules")
        course.rule_edits = await platform.ask("restrictions", "GET", "/v1/households/H001/rule-edits")
        course.kill_switch = [await service.pool.fetchval("SELECT is_on FROM kill_switch") for service in platform.services[-1:]]
        if lost_at == "noon":
            await platform.afternoon(DEMO_DAYS[1])
        await platform.play(DEMO_DAYS[2])
    course.final = days.outcome()
    return course


@pytest.fixture(scope="module")
def undisturbed(postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    async def played() -> Undisturbed:
        days, dsn = Days(tmp_path_factory.mktemp("undisturbed")), await create(postgres_server, "never_restored")
        async with running(days, dsn) as platform:
            for day in DEMO_DAYS:
                await platform.play(day)
        final, said = days.outcome(), days.said_by_services()
        return Undisturbed(final, await rebuilt(days, dsn, postgres_server), days.said_by_services() - said)

    return asyncio.run(played())


@pytest.fixture(scope="module", params=["evening", "noon"])
def course(request: pytest.FixtureRequest, postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The database is lost on the second day: after business, or while the run waits for people."""
    days = Days(tmp_path_factory.mktemp("restored"))
    return asyncio.run(restored_course(postgres_server, days, request.param))


def ids(said: Said, *kinds: type[Struct]) -> Counter[str]:
    return Counter(event.id for event, payload in said if not kinds or isinstance(payload, kinds))


def test_every_service_refuses_to_run_and_names_the_command_and_the_runbook(course: Course) -> None:
    assert course.refusals.keys() == set(SERVICES)
    for name, refusal in course.refusals.items():
        assert isinstance(refusal, BehindItsWord)
        assert f"python -m deploy.catch_up {name}" in str(refusal)
        assert "'PostgreSQL restored from a backup' in docs/runbook.md" in str(refusal)
    assert course.never_ready


def test_the_lost_day_was_a_day_of_business(course: Course) -> None:
    kinds = Counter(type(payload) for _, payload in course.lost)
    assert min(kinds[kind] for kind in (AccountChanged, RulesEdited, ProposalCreated, ProposalJudged)) > 0


def test_all_that_was_said_is_taken_back_and_a_second_time_there_is_nothing(course: Course) -> None:
    by_type = sum((done.adopted for done in course.first.values()), Counter[str]())
    assert by_type == Counter(event.type for event, _ in course.lost if event.source in SERVICES)
    assert all(done.nothing_to_do for done in course.again.values())


def test_it_was_broken_off_in_each_step_before(course: Course) -> None:
    assert course.broken_off == STEPS


def test_a_person_is_told_which_files_to_send_again(course: Course) -> None:
    told = " ".join(course.first["ingest"].for_a_person)
    assert f"files of {DEMO_DAYS[1].business_date}" in told
    assert all(not course.first[name].for_a_person for name in ("restrictions", "wash_sale", "optimizer", "orders"))


def test_nothing_that_was_said_is_said_again_or_differently(course: Course) -> None:
    assert max(Counter(event.id for event, _ in course.since if event.source in SERVICES).values()) == 1
    for kind in (AccountChanged, OrderPlaced, OrderEnded, TradeBooked, ProposalCreated, ProposalDeclined, ProposalJudged, RunClosed):
        assert ids(course.since, kind) == ids(course.before, kind), kind.__name__


def test_what_was_held_back_in_households_is_held_back(course: Course) -> None:
    gone, restored = course.held_back
    assert sorted(map(repr, restored)) == sorted(map(repr, gone))


def test_a_persons_rule_and_who_made_it_come_back_and_so_does_the_kill_switch(course: Course) -> None:
    assert {"day-1", "day-2"} <= {rule["rule_id"] for rule in course.rules}
    assert {(edit["rule_id"], edit["actor"]) for edit in course.rule_edits} >= {("day-1", "pat"), ("day-2", "pat")}
    turned = [payload.on for _, payload in course.before if isinstance(payload, KillSwitchTurned)]
    assert course.kill_switch == [bool(turned) and turned[-1]]


def test_the_third_day_ends_as_if_nothing_had_been(course: Course, undisturbed: Undisturbed) -> None:
    assert course.final is not None
    assert course.final.differences(undisturbed.final) == []
    assert course.final.doubled == undisturbed.final.doubled == []


def test_services_rebuilt_from_the_topics_have_nothing_new_to_say(undisturbed: Undisturbed) -> None:
    assert undisturbed.said_by_the_rebuilt == 0


@pytest.mark.parametrize(("service", "name"), [(service, name) for service, names in REBUILT.items() for name in names])
def test_a_service_rebuilt_from_the_topics_alone_has_the_same_tables(undisturbed: Undisturbed, service: str, name: str) -> None:
    never_lost, anew = undisturbed.rebuilt[service][name]
    assert len(anew) == len(never_lost)
    for made, kept in zip(anew, never_lost, strict=True):
        assert {column: (made[column], kept[column]) for column in kept if made[column] != kept[column]} == {}
