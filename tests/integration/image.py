"""What the Dockerfile builds, without an engine: its instructions, followed in a directory.

The base image is this machine's Python; `/venv` and `/app` lie under the directory; the build's own uv is that of the environment (the
lock's, as in the image), with its cache.  What runs then runs as in the container: an account without rights, in `/app`, with the
image's environment, and nothing to write to but its temporary directory.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
MAKES_UV = "/opt/uv/bin/python -m pip"
WITHOUT_RIGHTS = 10001


@dataclass
class Image:
    """A directory that stands for the image's root; `environment`, `user` and `entrypoint` are those of the last stage."""

    directory: Path
    arguments: dict[str, str]
    compiles_packages: bool = True
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)

    def inside(self, text: str) -> str:
        """A text of the Dockerfile with the arguments put in and the image's paths under the directory."""
        for name, value in self.arguments.items():
            text = text.replace(f"${{{name}}}", value)
        text = text.replace("/opt/uv/bin/python", sys.executable).replace("--no-cache ", "")
        text = text if self.compiles_packages else text.replace("--compile-bytecode ", "")
        return re.sub(r"(?<![\w./-])/(venv|app)\b", rf"{self.directory}/\1", text)

    @property
    def program_environment(self) -> dict[str, str]:
        """The environment of a program in it: the image's alone, with the base image's PATH."""
        return {"HOME": "/nonexistent", **{name: value.replace("$PATH", "/usr/bin:/bin") for name, value in self.environment.items()}}


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """(instruction, rest) of every instruction, continued lines joined, comments left out."""
    lines = "\n".join(line for line in dockerfile.splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", lines)
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in joined.splitlines() if line.strip()]


def build(directory: Path, arguments: dict[str, str], compiles_packages: bool = True) -> Image:
    """Follow the Dockerfile with these build arguments.  Raises CalledProcessError with what an instruction printed.

    Compiling the packages takes most of the time; without it only the platform's own modules are compiled.
    """
    image = Image(directory, dict(arguments), compiles_packages)
    working = directory / "app"
    working.mkdir(parents=True)
    for instruction, rest in instructions(DOCKERFILE.read_text()):
        match instruction:
            case "ARG":
                name, _, default = rest.partition("=")
                image.arguments.setdefault(name, image.inside(default))
            case "COPY" if not rest.startswith("--from"):
                *sources, target = image.inside(rest).split()
                for source in sources:
                    _copy(ROOT / source, working / target / (Path(source).name if target.endswith("/") else ""))
            case "RUN" if MAKES_UV not in rest and "useradd" not in rest:
                script = image.inside(rest)
                subprocess.run(["/bin/sh", "-euc", script], cwd=working, check=True, capture_output=True, text=True)
            case "ENV":
                image.environment |= dict(pair.split("=", 1) for pair in image.inside(rest).split())
            case "USER":
                image.user = rest
            case "ENTRYPOINT":
                image.entrypoint = json.loads(rest)
    return image


def _copy(source: Path, target: Path) -> None:
    """As COPY does within what .dockerignore lets in: no compiled files."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def without_rights(argv: list[str]) -> list[str]:
    """The command as an account that may read everything and write nothing; where we are not root we are such a one already."""
    if os.geteuid() != 0:
        return argv
    reads = "+dac_read_search"  # this machine's Python may lie under /root
    identity = [f"--reuid={WITHOUT_RIGHTS}", f"--regid={WITHOUT_RIGHTS}", "--clear-groups", "--no-new-privs"]
    return ["setpriv", *identity, f"--inh-caps={reads}", f"--ambient-caps={reads}", "--", *argv]


def contents(directory: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and time of change."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in directory.rglob("*") if path.is_file()}
