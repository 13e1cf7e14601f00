"""Nothing outlives a transaction on its connection: the pool gives connections on as they are."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LASTING = re.compile(
    r"pg_(try_)?advisory_lock(_shared)?\b|\bLISTEN \w|add_(log_)?listener|set_config\(|CREATE TEMP|WITH HOLD|\bPREPARE \w"
    r"|\bSET (SESSION|ROLE|TIME ZONE|work_mem|synchronous_commit|\w+_timeout)\b"
)


@pytest.mark.parametrize(
    "lasting", ["SELECT pg_advisory_lock(1)", "LISTEN news", "SET lock_timeout = 1", "SELECT set_config('a', 'b', false)"]
)
def test_what_lasts_is_seen(lasting: str) -> None:
    assert LASTING.search(lasting)


@pytest.mark.parametrize("passing", ["SELECT pg_advisory_xact_lock(1)", "SET LOCAL lock_timeout = 1", "UPDATE t SET a = $1"])
def test_what_ends_with_the_transaction_is_allowed(passing: str) -> None:
    assert not LASTING.search(passing)


def test_no_statement_of_a_service_changes_its_session() -> None:
    sources = [path for folder in ("libs", "services") for path in (ROOT / folder).rglob("*.py")]
    found = {str(path.relative_to(ROOT)): each[0] for path in sources for each in LASTING.finditer(path.read_text())}
    assert found == {}
