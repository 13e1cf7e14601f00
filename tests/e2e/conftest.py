"""What the disturbed runs are compared with: one run of the same book in which nobody is killed and nothing stops."""

from collections.abc import AsyncIterator

import pytest

from deploy.local import kafka
from tests.e2e.disturbed.runs import Played, platform_on
from tests.e2e.disturbed.servers import Servers, running_servers
from tests.no_skips import skip_or_fail


@pytest.fixture(scope="module")
async def new_servers() -> AsyncIterator[Servers]:
    """A Kafka and a durable PostgreSQL for one disturbed run."""
    if missing := kafka.missing_programs():
        skip_or_fail(f"the real Kafka needs {' and '.join(missing)}, not installed here")
    async with running_servers() as servers:
        yield servers


@pytest.fixture(scope="session")
async def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The run that the others must equal."""
    if missing := kafka.missing_programs():
        skip_or_fail(f"the real Kafka needs {' and '.join(missing)}, not installed here")
    async with running_servers() as servers, platform_on(servers, tmp_path_factory.mktemp("undisturbed")) as platform:
        return await platform.play()
