"""`make up` and `make down` without Docker: every program on the real Kafka and PostgreSQL, ready, and gone again."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import kafka, postgres, scratch, stack
from tests.no_skips import skip_or_fail


@pytest.fixture
def home() -> Iterator[Path]:
    if missing := kafka.missing_programs():
        skip_or_fail(f"the real Kafka needs {' and '.join(missing)}, not installed here")
    with scratch.scratch_directory("up") as directory:
        yield directory
        stack.down(directory)


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.kafka
def test_all_programs_come_up_ready_and_go_down_by_id(home: Path) -> None:
    programs = stack.up(home)
    assert [program.name for program in programs] == [*stack.PORTS, *stack.WITHOUT_HTTP]
    for program in programs:
        if program.port is not None:
            assert get(program.port, "/healthz")[0] == 200
            assert get(program.port, "/openapi.json")[0] == 200
            assert f"pma_{program.name}_parked_households".encode() in get(program.port, "/metrics")[1]
    pids = {program.name: stack.running_pid(home, program.name) for program in programs}
    assert None not in pids.values()
    assert stack.up(home) == programs, "a second `make up` starts nothing again"
    assert {program.name: stack.running_pid(home, program.name) for program in programs} == pids

    assert set(stack.down(home)) == {*pids, "kafka", "postgres"}
    assert [name for name in pids if stack.running_pid(home, name)] == []
    assert (kafka.stop(home / "kafka"), postgres.stop(home / "postgres")) == (False, False)
