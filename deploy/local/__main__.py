"""`python -m deploy.local up|down`: the platform on this machine; see deploy/local/stack.py."""

import argparse
import subprocess
import sys
from pathlib import Path

from deploy.local import stack
from deploy.local.process import LocalServerError


def _up(home: Path) -> str:
    if stack.docker_answers():
        stack.up_with_docker()
        return "the platform runs in Docker: `docker compose ps` lists it, `make down` stops it"
    programs = stack.up(home)
    shown = home.relative_to(Path.cwd()) if home.is_relative_to(Path.cwd()) else home
    lines = [f"  {p.name:<15} {f'http://127.0.0.1:{p.port}/docs' if p.port else '':<30} log {shown / p.name}.log" for p in programs]
    first = "no Docker engine: the platform runs as processes of this machine; `make down` stops it"
    return "\n".join([first, *lines, f"  addresses of Kafka and PostgreSQL for your shell: . {shown}/environment"])


def _down(home: Path) -> str:
    if stack.docker_answers():
        stack.down_with_docker()
    return "stopped: " + (", ".join(stack.down(home)) or "nothing ran")


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    parser.add_argument("command", choices=["up", "down"])
    parser.add_argument("--home", type=Path, default=stack.HOME, help="where logs, process ids and data lie (default out/up)")
    arguments = parser.parse_args()
    try:
        told = {"up": _up, "down": _down}[arguments.command](arguments.home.resolve())
    except (LocalServerError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"make {arguments.command}: {error}\n")
        return 1
    sys.stdout.write(told + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
