"""`python -m deploy.migrate`: schemas to their newest revision before the processes start, and a newer release's schema left alone."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
from alembic.config import Config
from alembic.script import ScriptDirectory

from deploy.migrate import SERVICES_DIRECTORY, migrate_services
from libs.common.db import migrate
from libs.common.topics import SERVICES

ROOT = Path(__file__).parents[2]


def run_command(dsn: str, *services: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PMA_POSTGRES_DSN": dsn}
    argv = [sys.executable, "-m", "deploy.migrate", *services]
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)


def newest_revision(service: str) -> str | None:
    config = Config()
    config.set_main_option("script_location", str(SERVICES_DIRECTORY / service / "migrations"))
    return ScriptDirectory.from_config(config).get_current_head()


async def test_the_command_makes_every_schema_and_finds_nothing_to_do_the_second_time(fresh_database: str) -> None:
    first = run_command(fresh_database, *SERVICES)
    assert (first.returncode, first.stdout) == (0, "ingest, restrictions, wash_sale, optimizer, orders: at the newest revision\n"), (
        first.stderr
    )
    connection = await asyncpg.connect(fresh_database)
    try:
        there = {name: await connection.fetchval(f"SELECT version_num FROM {name}.alembic_version") for name in SERVICES}
        assert there == {name: newest_revision(name) for name in SERVICES}

        tables = (
            "SELECT array_agg(c.oid ORDER BY c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = ANY($1)"
        )
        before = await connection.fetchval(tables, SERVICES)
        await migrate_services(fresh_database, list(SERVICES))
        assert await connection.fetchval(tables, SERVICES) == before
    finally:
        await connection.close()


async def test_the_schema_of_a_newer_release_is_left_as_it_is(fresh_database: str) -> None:
    await migrate_services(fresh_database, ["restrictions"])
    connection = await asyncpg.connect(fresh_database)
    try:
        await connection.execute("UPDATE restrictions.alembic_version SET version_num = '9999'")
        await migrate_services(fresh_database, ["restrictions"])
        assert await connection.fetchval("SELECT version_num FROM restrictions.alembic_version") == "9999"
    finally:
        await connection.close()


def test_a_database_that_does_not_answer_is_an_error_and_no_stack_trace() -> None:
    done = run_command("postgresql://nobody@127.0.0.1:1/none", "ingest")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("migrate: PostgreSQL: ")
    assert "Traceback" not in done.stderr


async def test_several_services_of_one_process_migrate_at_once(fresh_database: str) -> None:
    """As replicas in a test and services in the demo do; Alembic itself knows one migration a process at a time."""
    migrations = SERVICES_DIRECTORY / "orders" / "migrations"
    await asyncio.gather(*(migrate(fresh_database, f"orders_{n % 2}", migrations) for n in range(6)))
