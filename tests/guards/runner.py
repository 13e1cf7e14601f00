"""Runs tests in copies of the tree, with one guard taken away or with none."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.guards.removal import Removal, without_guard
from tests.guards.witness import REPORT

ROOT = Path(__file__).parents[2]
COPIED = ("libs", "services", "demo", "deploy", "docs", "tests", "pyproject.toml")
POSTGRES = "PMA_TEST_POSTGRES_DSN"
DEADLINE_S = 180.0
LONGEST_WAIT_S = "5"  # of a test that waits for what a missing guard prevents
NOT_COPIED = shutil.ignore_patterns("e2e", "node_modules")


class Verdict(StrEnum):
    """What became of a removal."""

    CAUGHT = "caught"
    NOT_CAUGHT = "NOT CAUGHT"
    NO_ANSWER = "NO ANSWER"  # the tests did not run, or fell over something that no test asserts


@dataclass(frozen=True)
class Finding:
    """A removal with its verdict: the test that caught it, or what happened instead."""

    removal: Removal
    verdict: Verdict
    by: str
    seconds: float


@dataclass(frozen=True)
class Ran:
    """One run of pytest: how it ended, what each test noted, and the end of its output."""

    returncode: int | None
    notes: list[dict[str, object]]
    output: str
    seconds: float

    def failed(self) -> list[dict[str, object]]:
        return [note for note in self.notes if not note["passed"]]


@dataclass(frozen=True)
class Copy:
    """A copy of the tree in which one removal at a time is made."""

    root: Path
    postgres_dsn: str

    @classmethod
    def make(cls, root: Path, postgres_dsn: str) -> "Copy":
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, root / name, ignore=NOT_COPIED)
            else:
                shutil.copy2(source, root / name)
        return cls(root, postgres_dsn)

    def run(self, tests: Sequence[str], stop_at_first: bool) -> Ran:
        """Run these tests here."""
        report = self.root / "report.jsonl"
        report.unlink(missing_ok=True)
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.root),
            "PMA_NO_SKIP": "1",
            POSTGRES: self.postgres_dsn,
            REPORT: str(report),
            **({"PMA_TEST_LONGEST_WAIT_S": LONGEST_WAIT_S} if stop_at_first else {}),
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.guards.witness", "--tb=line", *tests]
        if stop_at_first:
            command.append("-x")
        begun = time.monotonic()
        try:
            done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
            returncode, output = done.returncode, done.stdout + done.stderr
        except subprocess.TimeoutExpired:
            returncode, output = None, f"not done after {DEADLINE_S:.0f} s"
        notes = [json.loads(line) for line in report.read_text().splitlines()] if report.exists() else []
        return Ran(returncode, notes, output[-3000:], time.monotonic() - begun)

    @contextmanager
    def without(self, removal: Removal) -> Iterator[None]:
        """This copy without the guard, for the length of the block."""
        file = self.root / removal.file
        text = file.read_text()
        compiled = Path(importlib.util.cache_from_source(str(file)))
        try:
            file.write_text(without_guard(removal, text))
            compiled.unlink(missing_ok=True)  # its time stamp counts whole seconds: two edits within one look the same
            yield
        finally:
            file.write_text(text)
            compiled.unlink(missing_ok=True)


def judge(removal: Removal, copy: Copy) -> Finding:
    """Take the guard away and see whether one of its tests fails by what it asserts."""
    with copy.without(removal):
        ran = copy.run(removal.caught_by, stop_at_first=True)
    for note in ran.failed():
        errors = note["errors"]
        if note["when"] == "call" and isinstance(errors, list) and errors and set(errors) <= set(removal.shows_as):
            return Finding(removal, Verdict.CAUGHT, str(note["test"]), ran.seconds)
    if ran.returncode == 0:
        return Finding(removal, Verdict.NOT_CAUGHT, f"passed all the same: {', '.join(removal.caught_by)}", ran.seconds)
    what = "; ".join(f"{note['test']} ({note['when']}): {note['errors']}" for note in ran.failed())
    return Finding(removal, Verdict.NO_ANSWER, what or ran.output, ran.seconds)
