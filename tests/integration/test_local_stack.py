"""How `make up` and `make down` treat one program: started once, waited for, stopped by its id, and its end told."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import process, stack
from deploy.local.process import LocalServerError


@pytest.fixture
def program(tmp_path: Path) -> Iterator[stack.Program]:
    port = process.free_ports(1)[0]
    yield stack.Program("sample", "tests.integration.ready_server", port, {"PMA_PORT": str(port)})
    stack.stop_program(tmp_path, "sample")


def test_a_program_is_started_once_and_waited_for(tmp_path: Path, program: stack.Program) -> None:
    stack.run_programs(tmp_path, [program])
    assert program.is_ready()
    pid = stack.running_pid(tmp_path, "sample")
    stack.run_programs(tmp_path, [program])
    assert stack.running_pid(tmp_path, "sample") == pid
    assert stack.stop_program(tmp_path, "sample") is True
    assert (stack.running_pid(tmp_path, "sample"), stack.stop_program(tmp_path, "sample"), program.is_ready()) == (None, False, False)


def test_a_program_that_ends_is_told_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(LocalServerError, match=r"sample ended(.|\n)*No module named tests.integration.nowhere"):
        stack.run_programs(tmp_path, [stack.Program("sample", "tests.integration.nowhere", 1, {})])


def test_a_process_id_used_again_by_another_program_is_left_alone(tmp_path: Path) -> None:
    other = process.spawn(["sleep", "30"], tmp_path / "other.log")
    (tmp_path / "sample.pid").write_text(f"{other} services.sample")
    assert stack.stop_program(tmp_path, "sample") is False
    assert process.is_running(other)
    process.stop(other, "sleep 30")


def test_a_taken_port_is_replaced_and_kept_for_the_next_start(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        wanted = {"ingest": process.free_ports(1)[0], "orders": other.getsockname()[1]}
        first = {program.name: program.port for program in stack.platform_programs(tmp_path, {}, wanted)}
        again = {program.name: program.port for program in stack.platform_programs(tmp_path, {}, wanted)}
    assert first == again
    assert (first["ingest"], first["orders"] != wanted["orders"], first["desk_simulator"]) == (wanted["ingest"], True, None)
