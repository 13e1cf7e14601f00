"""A proposal whose inputs have moved is refused with the pin that moved, pinned value and present one: each pin, through the service.

What comes again or older than what is known moves nothing.
"""

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec import Struct
from msgspec.structs import replace

from deploy.local import postgres
from libs.common.schemas.order import OrderCancelled, OrderEnded, OrderPlaced, TradeBooked
from libs.common.schemas.proposal import ProposalCreated
from tests.databases import database
from tests.integration.orders_stage import (
    MARKET,
    WORLD,
    Stage,
    account,
    declined,
    empty,
    ledger,
    proposed,
    report,
    run_of,
    running,
    screen,
)
from tests.unit.orders.samples import AS_OF, buy, sell, verdict
from tests.waiting import eventually

D = Decimal
SALE = sell("AAA", "100", a2="5")
LOSS = sell("AAA", "100", a1="5")


@pytest.fixture(scope="module")
async def stale_database(postgres_server: postgres.Postgres) -> AsyncIterator[str]:
    """One migrated database for this file; each test begins with it empty."""
    async with database(postgres_server, f"test_stale_{os.getpid()}") as dsn:
        yield dsn


@pytest.fixture
async def stage(stale_database: str) -> AsyncIterator[Stage]:
    try:
        async with running(stale_database) as one:
            yield one
    finally:
        await empty(stale_database)


def pinned(proposal: ProposalCreated, **changes: object) -> ProposalCreated:
    return replace(proposal, pins=replace(proposal.pins, **changes))


B0 = proposed("B0", SALE)

# id, what is said before the proposal comes, the proposal, the pin, its value, what stands now
MOVED: list[tuple[str, list[Struct], ProposalCreated, str, object, object]] = [
    ("the account", [account("B0", 2)], B0, "account_version", 1, 2),
    ("the account's list in the run", [account("B0", 2)], pinned(B0, account_version=2), "account_version", 2, 1),
    ("the screen", [screen("B0", 2)], B0, "screen_version", 1, 2),
    ("the ledger", [ledger("H2", 2)], B0, "ledger_version", 1, 2),
    ("the market", [], pinned(B0, market_id="market-0"), "market_id", "market-0", "market-1"),
    ("the date", [], pinned(B0, as_of=AS_OF - timedelta(days=1)), "as_of", AS_OF - timedelta(days=1), AS_OF),
    ("an earlier account's answer", [proposed("A0", SALE)], pinned(proposed("A1", SALE), intents={"A0": "x"}), "intents", "x", "R1-A0"),
]


@pytest.mark.parametrize(("before", "asked", "pin", "was", "now"), [row[1:] for row in MOVED], ids=[row[0] for row in MOVED])
async def test_what_had_moved_before_it_came(
    stage: Stage, before: list[Struct], asked: ProposalCreated, pin: str, was: object, now: object
) -> None:
    await stage.say(*WORLD, run_of())
    await stage.say(*before)
    await stage.say(asked)
    await refused_for(stage, asked.account_id, pin, was, now)


@pytest.mark.parametrize(
    ("after", "pin", "was", "now"),
    [
        (account("B0", 2), "account_version", 1, 2),
        (screen("B0", 2, verdicts=[verdict("AAA", may_sell=False)]), "screen_version", 1, 2),
        (ledger("H2", 2), "ledger_version", 1, 2),
    ],
    ids=["account", "screen", "ledger"],
)
async def test_what_moved_between_acceptance_and_the_close(stage: Stage, after: Struct, pin: str, was: int, now: int) -> None:
    await stage.say(*WORLD, run_of(), B0)
    assert (await stage.progress())["B0"] == "accepted"
    await stage.say(after)
    await stage.say(declined("A0"), declined("A1"))
    await refused_for(stage, "B0", pin, was, now)
    assert await stage.orders(0) == {}
    assert await stage.reserved() == 0


async def test_a_solver_that_began_to_decide_later_makes_the_earlier_ones_decisions_stale(stage: Stage) -> None:
    """What was accepted from the old solver is refused at the close; what comes of it late is refused at once, also before the run."""
    await stage.say(*WORLD, run_of(), proposed("A0", SALE))
    stage.clock.set(stage.clock.now() + timedelta(minutes=1))
    await stage.say(pinned(B0, solver_version="solver-2"))
    stage.clock.set(stage.clock.now() + timedelta(minutes=1))
    await stage.say(proposed("A1", SALE))
    orders = await stage.orders(1)
    assert [a.alloc_account for a in orders["AAA", "sell"].allocations] == ["B0"]
    for account_id in ("A0", "A1"):
        await refused_for(stage, account_id, "solver_version", "solver-1", "solver-2")


async def test_another_runs_solver_makes_nothing_stale(stage: Stage) -> None:
    await stage.say(*WORLD, run_of(), run_of("R2"))
    await stage.say(proposed("A0", SALE), declined("A1"), declined("B0"))
    await stage.say(pinned(proposed("B0", SALE, run_id="R2"), solver_version="solver-2"), declined("A0", "R2"), declined("A1", "R2"))
    assert [order.run_id for order in await runs_orders(stage, 2)] == ["R1", "R2"]
    assert await stage.codes() == await stage.codes("R2") == {}


async def test_a_trade_booked_after_acceptance_stales_the_accounts_of_its_household_alone(stage: Stage) -> None:
    """A late fill of an earlier run: the book and the ledger of the new proposals do not hold it."""
    await stage.say(*WORLD, run_of(), proposed("A0", SALE), declined("A1"), declined("B0"))
    order = (await stage.orders(1))["AAA", "sell"]
    await stage.say(report(order, 1, "cancelled"))
    await stage.say(run_of("R2"), declined("A0", "R2"), proposed("A1", SALE, run_id="R2"))
    assert (await stage.progress("R2"))["A1"] == "accepted"
    await stage.say(report(order, 2, "partial_fill", 3, "100"))
    await stage.say(proposed("B0", SALE, run_id="R2"))
    placed = await runs_orders(stage, 2)
    assert [a.alloc_account for a in placed[-1].allocations] == ["B0"]
    await refused_for(stage, "A1", "ledger_version", 0, 1, run_id="R2")


async def test_an_accounts_own_fills_do_not_stale_what_remains_of_its_orders(stage: Stage) -> None:
    """Each partial fill raises the account's version, and its screen's and ledger's; the order goes on and nothing is cancelled."""
    await stage.say(*WORLD, run_of(), declined("A0"), declined("A1"), proposed("B0", SALE, buy("BBB", "8", "50")))
    orders = await stage.orders(2)
    sale, purchase = orders["AAA", "sell"], orders["BBB", "buy"]
    for n in range(1, 6):
        await stage.say(report(sale, n, "partial_fill", 1, "100"))
        await stage.say(account("B0", 1 + n, trade_seq=n), screen("B0", 1 + n), ledger("H2", 1 + n, {"B0": n}))
    await stage.say(report(purchase, 1, "fill", 8, "50"))
    ended = await eventually(lambda: len(said := stage.said(OrderEnded)) == 2 and said, what="both filled")
    assert {(one.state, one.cum_qty) for one in ended} == {("filled", D(5)), ("filled", D(8))}
    assert [t.trade_seq for t in stage.said(TradeBooked)] == [1, 2, 3, 4, 5, 6]
    assert await stage.codes() == {} and stage.said(OrderCancelled) == []


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (account("B0", 2), account("B0", 1, do_not_trade=True)),
        (screen("B0", 2), screen("B0", 1, verdicts=[verdict("AAA", may_sell=False)])),
        (ledger("H2", 2), ledger("H2", 1)),
    ],
    ids=["account", "screen", "ledger"],
)
async def test_an_older_version_that_comes_late_changes_nothing(stage: Stage, newer: Struct, older: Struct) -> None:
    await stage.say(*(account(a) for a in ("A0", "A1")), *(screen(a) for a in ("A0", "A1")), ledger("H1"), MARKET)
    await stage.say(account("B0", 2), screen("B0", 2), ledger("H2", 2))
    await stage.say(newer)
    await stage.say(older)
    second = replace(run_of(), accounts=[replace(m, account_version=2) if m.account_id == "B0" else m for m in run_of().accounts])
    await stage.say(second, proposed("B0", SALE, version=2))
    assert await stage.codes() == {}
    assert (await stage.progress())["B0"] == "accepted"


async def refused_for(stage: Stage, account_id: str, pin: str, was: object, now: object, run_id: str = "R1") -> None:
    """The refusal of an account names the pin with both values."""

    async def refusals() -> list[dict[str, object]]:
        rows = await stage.get(f"/v1/refusals?run_id={run_id}")
        assert isinstance(rows, list)
        return [row for row in rows if row["account_id"] == account_id]

    (row,) = await eventually(refusals, what=f"{account_id} refused")
    assert (row["code"], row["subject"]) == ("stale_pin", pin)
    assert str(row["message"]).startswith(f"{pin} moved: pinned {was}, now {now} (")
    if isinstance(was, int):
        assert (D(str(row["limit"])), D(str(row["actual"]))) == (was, now)


async def runs_orders(stage: Stage, count: int) -> list[OrderPlaced]:
    """Every order placed, once there are so many, in the order of their runs."""
    await eventually(lambda: len(stage.said(OrderPlaced)) >= count, 60.0, f"{count} orders")
    return sorted(stage.said(OrderPlaced), key=lambda order: order.run_id)
