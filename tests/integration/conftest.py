"""What integration tests share: the optimizer's kernels, compiled; and of a Kafka of their own, the database that belongs to it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from deploy.local import kafka, postgres
from services.optimizer.warm_up import warm_up
from tests.databases import create
from tests.integration.stopped_member import EFFECTS


@pytest.fixture(scope="session")
def kernels() -> None:
    """The optimizer's kernels, as a service has them before it reports ready: no wait of a test is for their compilation."""
    warm_up()


@pytest.fixture(scope="module")
async def _database_of_own_kafka(own_kafka: kafka.Kafka, postgres_server: postgres.Postgres) -> str:
    return await create(postgres_server, f"of_kafka_{own_kafka.port}")


@pytest.fixture
async def effect_database(_database_of_own_kafka: str) -> AsyncIterator[tuple[str, asyncpg.Pool]]:
    """The DSN of the one database that belongs to `own_kafka`, and connections that see its table of effects."""
    pool = await asyncpg.create_pool(_database_of_own_kafka, min_size=1, max_size=2, server_settings={"search_path": "ingest"})
    await pool.execute("CREATE SCHEMA IF NOT EXISTS ingest")
    await pool.execute(EFFECTS)
    yield _database_of_own_kafka, pool
    await pool.close()
