"""What tests share: a real PostgreSQL and a real Kafka, each started when a test first asks for it and used for the whole session."""

import itertools
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import hypothesis
import pytest

from deploy.local import kafka, postgres
from tests import no_skips, sharding
from tests.databases import database
from tests.no_skips import skip_or_fail

ROOT = Path(__file__).parents[1]
_database_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(no_skips)
    config.pluginmanager.register(sharding)
    # No test fails for being slow; in CI the same examples every time, so that a red run means the change, not the draw.
    hypothesis.settings.register_profile("ours", deadline=None, derandomize=no_skips.skips_fail(), print_blob=True)
    hypothesis.settings.load_profile("ours")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Postgres]:
    """A PostgreSQL without durability (it outlives no test run), or the one that PMA_TEST_POSTGRES_DSN names, which several runs share.

    Tests of crashes start their own.
    """
    shared = urlsplit(os.environ.get("PMA_TEST_POSTGRES_DSN", ""))
    if shared.port is not None:
        yield postgres.Postgres(Path(os.devnull), 0, shared.port, shared.password or "")
        return
    with postgres.temporary(fast=True) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_dsn(postgres_server: postgres.Postgres) -> str:
    """The server's own database, shared by all tests: most want `fresh_database`."""
    return postgres_server.dsn


@pytest.fixture
async def fresh_database(postgres_server: postgres.Postgres) -> AsyncIterator[str]:
    """The DSN (postgresql://...) of a new empty database of this test alone."""
    async with database(postgres_server, f"test_{os.getpid()}_{next(_database_numbers)}") as dsn:
        yield dsn


@contextmanager
def _temporary_kafka() -> Iterator[kafka.Kafka]:
    if missing := kafka.missing_programs():
        skip_or_fail(f"the real Kafka needs {' and '.join(missing)}, not installed here")
    with kafka.temporary() as node:
        yield node


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[kafka.Kafka]:
    """A Kafka with the topics of libs/common/topics.py; tests that share it use group ids and keys of their own."""
    with _temporary_kafka() as node:
        yield node


@pytest.fixture(scope="module")
def own_kafka() -> Iterator[kafka.Kafka]:
    """A Kafka of one file's tests alone: on the shared one a service would find its own words of another database."""
    with _temporary_kafka() as node:
        yield node


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_server: kafka.Kafka) -> str:
    return kafka_server.bootstrap


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The directory with real prices, reference cases and sample feeds beside the clone (or where PMA_SHARED says)."""
    directory = Path(os.environ.get("PMA_SHARED", ROOT.parent / "shared"))
    if not (directory / "data").is_dir():
        skip_or_fail(f"{directory}/data is not there: set PMA_SHARED to the directory with the shared data")
    return directory
