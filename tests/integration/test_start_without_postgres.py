"""A service that starts while PostgreSQL is down waits for it, instead of ending and being started again and again."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from structlog.testing import capture_logs

import services.restrictions
from deploy.local import postgres
from deploy.local.process import free_ports
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


def test_while_it_waits_it_can_be_asked_to_end() -> None:
    nobody, port = free_ports(2)
    dsn = f"postgresql://pma:none@127.0.0.1:{nobody}/pma"
    settings = {**os.environ, "PMA_POSTGRES_DSN": dsn, "PMA_KAFKA_BOOTSTRAP": f"127.0.0.1:{nobody}", "PMA_PORT": str(port)}
    argv = [sys.executable, "-m", "services.restrictions"]
    with subprocess.Popen(argv, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as program:
        try:
            assert program.stdout is not None
            assert any("dependency_down" in line for line in program.stdout)
            program.send_signal(signal.SIGTERM)
            assert program.wait(30) in (0, -signal.SIGTERM)
        finally:
            program.kill()
