"""docker-compose.yml and the Dockerfile, read without an engine: they agree with the code and keep their promises."""

import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.local import stack
from libs.common.topics import SERVICES

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROGRAMS = [*SERVICES, *stack.WITHOUT_HTTP]
SERVERS = {"kafka", "postgres", "prometheus", "grafana"}

# The part of the Compose specification that the file uses, closed: a misspelt member is a failure.
TEXT = {"type": "string", "minLength": 1}
TEXTS = {"type": "array", "items": TEXT, "minItems": 1}
SCALARS = {"type": "object", "additionalProperties": {"type": ["string", "integer"]}}
CONDITIONS = {"enum": ["service_healthy", "service_completed_successfully", "service_started"]}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "services", "volumes"],
    "patternProperties": {"^x-": {}},
    "properties": {
        "name": TEXT,
        "volumes": {"type": "object", "additionalProperties": {"type": "null"}},
        "services": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "oneOf": [{"required": ["image"]}, {"required": ["build"]}],
                "properties": {
                    "image": {"type": "string", "pattern": "^[a-z0-9./-]+:[a-z0-9.]+$"},
                    "build": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {"context": {"const": "."}, "args": SCALARS},
                    },
                    "command": TEXTS,
                    "entrypoint": TEXTS,
                    "environment": SCALARS,
                    "restart": {"enum": ["no", "on-failure"]},
                    "read_only": {"const": True},
                    "tmpfs": TEXTS,
                    "cap_drop": {"const": ["ALL"]},
                    "security_opt": {"const": ["no-new-privileges:true"]},
                    "volumes": TEXTS,
                    "ports": TEXTS,
                    "depends_on": {
                        "type": "object",
                        "additionalProperties": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["condition"],
                            "properties": {"condition": CONDITIONS},
                        },
                    },
                    "healthcheck": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["test", "interval", "timeout", "retries"],
                        "properties": {
                            "test": {"type": "array", "prefixItems": [{"const": "CMD"}], "items": TEXT, "minItems": 2},
                            "interval": {"type": "string", "pattern": "^[0-9]+s$"},
                            "timeout": {"type": "string", "pattern": "^[0-9]+s$"},
                            "retries": {"type": "integer", "minimum": 1},
                        },
                    },
                },
            },
        },
    },
}


def test_the_file_has_the_shape_that_compose_reads() -> None:
    jsonschema.validate(COMPOSE, SCHEMA)


def test_what_the_file_refers_to_exists() -> None:
    services = COMPOSE["services"]
    for name, service in services.items():
        for other, wanted in service.get("depends_on", {}).items():
            assert wanted["condition"] != "service_healthy" or "healthcheck" in services[other], (name, other)
        for volume in service.get("volumes", ()):
            source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).partition(":")[0]
            assert source in COMPOSE["volumes"] or source.startswith("./out/") or (ROOT / source).exists(), (name, volume)
    mounted = {volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", ())}
    assert set(COMPOSE["volumes"]) <= mounted


def test_every_server_and_every_service_says_whether_it_is_healthy() -> None:
    assert [name for name in (*SERVERS, *SERVICES) if "healthcheck" not in COMPOSE["services"][name]] == []


def test_no_two_programs_publish_one_port() -> None:
    published = [port.rsplit(":", 1)[0] for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert len(set(published)) == len(published)


def test_prometheus_asks_every_service_on_its_port() -> None:
    scrapes = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in scrapes}
    assert targets == {**{name: [f"{name}:{port}"] for name, port in stack.PORTS.items()}, "prometheus": ["localhost:9090"]}


def test_topics_are_made_by_a_module_that_its_image_holds() -> None:
    python, flag, module, bootstrap = COMPOSE["services"]["topics"]["entrypoint"]
    assert (python, flag, bootstrap) == ("python", "-m", "kafka:9092")
    assert f"{module.replace('.', '/')}.py" in DOCKERFILE


def test_every_program_of_the_platform_is_there_on_the_port_that_make_up_uses() -> None:
    assert set(COMPOSE["services"]) == {*PROGRAMS, *SERVERS, "topics"}
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
