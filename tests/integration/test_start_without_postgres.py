"""A service that starts while PostgreSQL is down waits for it, instead of ending and being started again and again."""

import asyncio
from pathlib import Path

from structlog.testing import capture_logs

import services.restrictions
from deploy.local import postgres
from deploy.local.scratch import scratch_directory
from libs.common.bus.memory import MemoryBus
from libs.common.clock import SystemClock
from libs.common.service import Service
from tests.waiting import eventually

MIGRATIONS = Path(services.restrictions.__file__).parent / "migrations"


async def test_it_connects_once_postgres_is_there() -> None:
    with scratch_directory("postgres") as home, capture_logs() as lines:
        try:
            server = await asyncio.to_thread(postgres.start, home, fast=True)
            await asyncio.to_thread(postgres.stop, home)
            service = Service("restrictions", server.dsn, MemoryBus(), SystemClock(), MIGRATIONS)

            async def count_marks() -> int:
                async with service.connected() as pool:
                    return int(await pool.fetchval("SELECT count(*) FROM consumed"))

            counting = asyncio.create_task(count_marks())
            await eventually(lambda: any(line["event"] == "dependency_down" for line in lines), 30)
            assert not counting.done()
            assert (await asyncio.to_thread(postgres.start, home, fast=True)).dsn == server.dsn
            async with asyncio.timeout(60):
                assert await counting == 0
        finally:
            await asyncio.to_thread(postgres.stop, home)
