"""docker-compose.yml and the Dockerfile, read without an engine: they agree with the code and keep their promises."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local import stack
from libs.common.topics import SERVICES

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROGRAMS = [*SERVICES, *stack.WITHOUT_HTTP]


def test_every_program_of_the_platform_is_there_on_the_port_that_make_up_uses() -> None:
    assert set(COMPOSE["services"]) == {*PROGRAMS, "kafka", "postgres", "topics"}
    for name, port in stack.PORTS.items():
        program = COMPOSE["services"][name]
        assert (program["environment"]["PMA_PORT"], program["ports"]) == (port, [f"127.0.0.1:{port}:{port}"])


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs_read_only_without_rights_after_its_topics_exist(name: str) -> None:
    program = COMPOSE["services"][name]
    assert (program["read_only"], program["cap_drop"], program["security_opt"]) == (True, ["ALL"], ["no-new-privileges:true"])
    assert program["depends_on"]["topics"] == {"condition": "service_completed_successfully"}
    assert program["build"]["args"]["SERVICE"] == name
    group = program["build"]["args"].get("GROUP", name)
    assert group in tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]


def test_nothing_is_published_beyond_loopback() -> None:
    published = [port for program in COMPOSE["services"].values() for port in program.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_kafka_is_the_version_that_make_up_fetches() -> None:
    pom = (ROOT / "deploy/local/pom.xml").read_text()
    version = re.search(r"<artifactId>kafka_2.13</artifactId><version>([0-9.]+)</version>", pom)
    assert version
    assert COMPOSE["services"]["kafka"]["image"] == f"apache/kafka:{version[1]}"


def test_the_image_runs_as_an_account_without_rights_from_what_the_build_context_holds() -> None:
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [path for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE) for path in line.split()[:-1]]
    assert copied
    for path in copied:
        assert any(f"!{path}" == line or (line.endswith("/") and path.startswith(line[1:-1])) for line in ignored), path
