"""Who waits for whom: what a lock keeps apart shows as one of the two waiting, and as nothing lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from libs.common.db import Connection, Pool, transaction
from libs.common.events import make_event, to_record
from libs.common.schemas.order import TradeBooked
from libs.common.topics import MARKET as MARKETS
from libs.common.topics import PROPOSALS
from services.ingest import delivery_store
from services.ingest import store as ingest_store
from services.ingest.core.book import AccountBook, quarantine
from services.orders import store
from tests.integration import test_ingest_service as ingest
from tests.integration.orders_stage import WORLD, Stage, declined, place_of, proposed, report, run_of, running
from tests.unit.ingest.book_samples import buy, day, intake
from tests.unit.orders.samples import sell
from tests.waiting import eventually

SALE = sell("AAA", "100", a2="5")


@pytest.fixture
async def stage(fresh_database: str) -> AsyncIterator[Stage]:
    async with running(fresh_database) as one:
        yield one


async def one_waits(connection: Connection) -> None:
    """Until a transaction waits for the one of this connection."""
    mine = await connection.fetchval("SELECT pg_backend_pid()")
    query = "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))"
    await eventually(lambda: connection.fetchval(query, mine), 5.0, "somebody waits")


async def locked_and_left(pool: Pool, household_id: str) -> None:
    async with transaction(pool) as connection:
        await store.lock_households(connection, [household_id])


async def publish(stage: Stage, *payloads: object) -> None:
    """Say without waiting until it is taken."""
    for one in payloads:
        await stage.bus.publish([to_record(make_event("test", one, *place_of(one), stage.clock.now(), "c1"))])  # type: ignore[arg-type]


async def progress_of(pool: Pool, account_id: str) -> str:
    return str(await pool.fetchval("SELECT progress FROM run_account WHERE run_id = 'R1' AND account_id = $1", account_id))


async def test_nobody_judges_while_something_stands_alone(stage: Stage) -> None:
    """A close or a kill switch that has begun: nothing is accepted behind its back."""
    await stage.say(*WORLD, run_of())
    async with transaction(stage.service.pool) as connection:
        await store.alone(connection)
        await publish(stage, proposed("B0", SALE))
        await one_waits(connection)
        assert await progress_of(stage.service.pool, "B0") == "awaited"
    await eventually(lambda: is_now(stage, "B0", "accepted"), what="B0 accepted")


async def test_nobody_judges_in_a_household_beside_another(stage: Stage) -> None:
    """Two proposals of a household, judged by two replicas: the second sees what the first holds back."""
    await stage.say(*WORLD, run_of())
    async with transaction(stage.service.pool) as connection:
        await store.lock_households(connection, ["H2"])
        await publish(stage, proposed("B0", SALE))
        await one_waits(connection)
        assert await progress_of(stage.service.pool, "B0") == "awaited"
    await eventually(lambda: is_now(stage, "B0", "accepted"), what="B0 accepted")


async def test_a_batch_takes_its_households_in_one_order_so_that_two_batches_never_wait_in_a_ring(stage: Stage) -> None:
    await stage.say(*WORLD, run_of())
    later_household_first = [replace(declined("A1"), account_id="C0", household_id="H3"), declined("A0")]
    async with transaction(stage.service.pool) as connection:
        await store.lock_households(connection, ["H1"])
        await stage.bus.publish(
            [to_record(make_event("test", one, *place_of(one), stage.clock.now(), "c1")) for one in later_household_first]
        )
        await one_waits(connection)
        other = asyncio.create_task(locked_and_left(stage.service.pool, "H3"))
        await eventually(other.done, 5.0, "the batch waits before it has anything that others need")
        await other
    await stage.taken(PROPOSALS)


async def test_a_run_opens_while_nobody_judges(stage: Stage) -> None:
    """Else it holds rows that a judgement needs, and needs households that the judgement holds."""
    await stage.say(*WORLD)
    async with transaction(stage.service.pool) as connection:
        await store.share(connection)
        await publish(stage, run_of())
        await one_waits(connection)
        assert await stage.service.pool.fetchval("SELECT count(*) FROM run_account") == 0
    await stage.taken(MARKETS)


async def test_no_fill_is_booked_while_somebody_judges(stage: Stage) -> None:
    """Else the fill's trade and the end of its reservation could fall on both sides of a judgement."""
    await stage.say(*WORLD, run_of(), declined("A0"), declined("A1"), proposed("B0", SALE))
    order = (await stage.orders(1))["AAA", "sell"]
    async with transaction(stage.service.pool) as connection:
        await store.share(connection)
        await publish(stage, report(order, 1, "fill", 5, "100"))
        await one_waits(connection)
        assert await stage.service.pool.fetchval("SELECT count(*) FROM trade") == 0
    await eventually(lambda: stage.said(TradeBooked), what="the trade")


async def test_a_trade_waits_for_the_file_that_has_its_account_in_hand_and_loses_nothing_of_it(fresh_database: str) -> None:
    async with ingest.running(fresh_database) as stage:
        await stage.master(intake("A1", "H1"))
        await stage.take(ingest.holds("A1", day(0), ingest.X))
        await stage.version("A1", 1)
        async with transaction(stage.service.pool) as connection:
            book = await ingest_store.load_book(connection, "A1")
            assert book is not None
            await stage.book(buy(1, "5", day(0), security_id="ACME"))
            await one_waits(connection)
            await ingest_store.save_book(connection, quarantine(book, "a bad line"))
        both = await stage.version("A1", 2)
        assert (both.state, both.trade_seq) == ("quarantined", 1)


async def test_a_record_and_its_first_file_find_each_other_whichever_ends_first(fresh_database: str) -> None:
    """The file looked for the record before it was there; the record looks for files that are applied."""
    async with ingest.running(fresh_database) as stage:
        async with transaction(stage.service.pool) as connection:
            await delivery_store.share_records(connection)
            filing = asyncio.create_task(stage.take(ingest.holds("A1", day(0), ingest.X)))
            await one_waits(connection)
            await ingest_store.save_book(connection, AccountBook(intake("A1", "H1")))
        said = await filing
        assert (said["applied_accounts"], said["changed_accounts"], said["accounts_without_master"]) == (1, 1, [])
        await stage.version("A1", 1)


async def is_now(stage: Stage, account_id: str, progress: str) -> bool:
    return await progress_of(stage.service.pool, account_id) == progress
