"""Each image holds what its program needs and no more: built as the Dockerfile says, started as an account without rights, tree untouched.

No Kafka answers here: that a service starts, lives and says that it is not ready is part of what is looked at.
"""

import asyncio
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from deploy.local.process import free_ports
from deploy.local.scratch import scratch_directory
from libs.common.topics import SERVICES
from tests.integration.image import DOCKERFILE, ROOT, WITHOUT_RIGHTS, Image, build, contents, instructions, without_rights
from tests.waiting import eventually

NO_KAFKA = {"PMA_KAFKA_BOOTSTRAP": "127.0.0.1:1"}
COMPILED_WHOLE = "restrictions"
START_DEADLINE_S = 60.0
STOPPED = (0, -signal.SIGTERM)  # the server ends itself by the signal that it has handled; process 1 of a container ends with 0


@contextmanager
def built(program: str) -> Iterator[Image]:
    """The image of a program with the build arguments of docker-compose.yml, in a directory that others may read."""
    arguments = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"][program]["build"]["args"]
    with scratch_directory("image") as directory:
        directory.chmod(0o755)
        yield build(directory / "root", arguments, compiles_packages=program == COMPILED_WHOLE)


@contextmanager
def running(image: Image, environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The entry point, running; its own temporary directory is all it may write to."""
    temporary = image.directory.parent / "tmp"
    temporary.mkdir(exist_ok=True)
    temporary.chmod(0o777)
    program = subprocess.Popen(
        without_rights([*image.entrypoint, *arguments]),
        cwd=image.directory / "app",
        env={**image.program_environment, "TMPDIR": str(temporary), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield program
    finally:
        program.kill()
        program.wait()
        assert program.stdout is not None
        program.stdout.close()


def answer(port: int, path: str) -> tuple[int, str]:
    """Status and body; (0, reason) where nothing listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def identity(program: subprocess.Popen[str]) -> tuple[int, str]:
    """Whom a process runs as, and its program."""
    proc = Path("/proc", str(program.pid))
    return proc.stat().st_uid, (proc / "cmdline").read_text()


def kernels(directory: Path) -> set[str]:
    """The compiled kernels under a directory: the service adds none to those of its image."""
    return {path.name for path in (directory / "kernels").rglob("*.nb*")}


async def until_served(program: subprocess.Popen[str], port: int) -> None:
    def served() -> bool:
        if program.poll() is not None:
            raise AssertionError(program.stdout.read() if program.stdout else "")
        return answer(port, "/healthz")[0] == 200

    await eventually(lambda: asyncio.to_thread(served), START_DEADLINE_S, "the service served")


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_runs_from_its_image_and_writes_nothing(service: str, fresh_database: str) -> None:
    with built(service) as image:
        before = contents(image.directory)
        (port,) = free_ports(1)
        settings = {**NO_KAFKA, "PMA_POSTGRES_DSN": fresh_database, "PMA_PORT": str(port)}
        with running(image, settings) as program:
            await until_served(program, port)
            runs_as, command = identity(program)
            assert runs_as == (WITHOUT_RIGHTS if os.geteuid() == 0 else os.geteuid())
            assert "python" in command  # it took the shell's place, so it gets the signals
            not_ready, figures = answer(port, "/readyz"), answer(port, "/metrics")
            assert not_ready[0] == 503, not_ready
            assert f"\npma_{service}_ready 0.0\n" in figures[1]
            program.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(program.wait, START_DEADLINE_S) in STOPPED
        assert contents(image.directory) == before
        assert kernels(image.directory.parent / "tmp") == kernels(image.directory / "app")
        assert bool(kernels(image.directory / "app")) == (service == "optimizer")


async def test_the_desk_simulator_runs_from_its_image_and_writes_nothing() -> None:
    with built("desk_simulator") as image:
        before = contents(image.directory)
        with running(image, NO_KAFKA) as program:
            assert program.stdout is not None
            first = await asyncio.to_thread(program.stdout.readline)
            assert "desk_simulator_started" in first
            program.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(program.wait, START_DEADLINE_S) == 0
        assert contents(image.directory) == before


def test_the_image_holds_compiled_modules_one_service_and_the_commands_of_a_deployment(fresh_database: str) -> None:
    with built(COMPILED_WHOLE) as image:
        app, site = image.directory / "app", next((image.directory / "venv/lib").glob("python3.*")) / "site-packages"
        for part in (app, site):
            sources = [path for path in part.rglob("*.py") if "/alembic/templates/" not in str(path)]
            missing = [path for path in sources if not list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"))]
            assert (missing, len(sources) > 50) == ([], True)
        assert {path.name for path in (app / "services").iterdir()} == {"__init__.py", "__pycache__", COMPILED_WHOLE}
        assert not {"tests", "demo", "benchmarks", "docs"} & {path.name for path in app.iterdir()}
        assert not any((site / name).exists() for name in ("pytest", "ortools", "numpy", "pip"))

        def command(*argv: str) -> subprocess.CompletedProcess[str]:
            environment = {**image.program_environment, "PMA_POSTGRES_DSN": fresh_database}
            whole = without_rights(["python", "-m", *argv])
            return subprocess.run(whole, cwd=app, env=environment, capture_output=True, text=True, check=False)

        migrated = command("deploy.migrate", COMPILED_WHOLE)
        assert (migrated.returncode, migrated.stdout) == (0, f"{COMPILED_WHOLE}: at the newest revision\n"), migrated.stderr
        no_topics = command("deploy.topics", "127.0.0.1:1")
        assert no_topics.returncode == 1
        assert "topics: " in no_topics.stderr


def test_the_last_stage_drops_its_rights_and_takes_nothing_but_packages_and_modules() -> None:
    last = [index for index, (instruction, _) in enumerate(instructions(DOCKERFILE.read_text())) if instruction == "FROM"][-1]
    stage = instructions(DOCKERFILE.read_text())[last:]
    assert [rest for instruction, rest in stage if instruction == "COPY"] == ["--from=build /venv /venv", "--from=build /app /app"]
    assert [rest for instruction, rest in stage if instruction == "USER"] == ["10001:10001"]
    assert [instruction for instruction, _ in stage].index("USER") > [instruction for instruction, _ in stage].index("RUN")


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    done = subprocess.run([Path(sys.executable).parent / "hadolint", DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
