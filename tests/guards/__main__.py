"""`python -m tests.guards [WORD ...]`: take each guard away (or those whose name or file holds a word) and print what caught it.

Ends non-zero when a guard's absence goes unnoticed, when its tests fail with the guard in place, or when its text has changed so that
the removal must be written anew.
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from deploy.local import postgres
from tests.guards.catalogue import REMOVALS
from tests.guards.removal import CannotRemove, Removal, check
from tests.guards.runner import ROOT, Copy, Finding, Verdict, judge

AT_ONCE = max(2, os.cpu_count() or 2)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def chosen(words: Sequence[str]) -> list[Removal]:
    return [one for one in REMOVALS if not words or any(word in f"{one.guard} {one.file}" for word in words)]


def baseline(copies: Sequence[Copy], removals: Sequence[Removal]) -> bool:
    """Whether all tests pass while every guard is in place."""
    tests = sorted({test for one in removals for test in one.caught_by})
    files = sorted({test.partition("::")[0] for test in tests})
    halves = [[test for test in tests if files.index(test.partition("::")[0]) % len(copies) == i] for i in range(len(copies))]
    with ThreadPoolExecutor(len(copies)) as pool:
        runs = list(pool.map(lambda pair: pair[0].run(pair[1], stop_at_first=False) if pair[1] else None, zip(copies, halves, strict=True)))
    bad = [ran for ran in runs if ran is not None and ran.returncode != 0]
    for ran in bad:
        say(f"with every guard in place these tests do not pass:\n{ran.output}")
    if not bad:
        say(f"with every guard in place: {len(tests)} tests pass, {max(ran.seconds for ran in runs if ran is not None):.0f} s")
    return not bad


def take_away(copies: Sequence[Copy], removals: Sequence[Removal]) -> list[Finding]:
    """Each removal in whichever copy is free, said as soon as it is judged."""
    free: SimpleQueue[Copy] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def one(removal: Removal) -> Finding:
        copy = free.get()
        try:
            finding = judge(removal, copy)
        finally:
            free.put(copy)
        say(f"{finding.verdict:10} {finding.seconds:5.1f} s  {removal.guard}\n{'':20}{removal.file}\n{'':20}{finding.by}")
        return finding

    with ThreadPoolExecutor(len(copies)) as pool:
        return list(pool.map(one, removals))


def main(words: Sequence[str]) -> int:
    begun = time.monotonic()
    removals = chosen(words)
    try:
        for removal in removals:
            check(removal, ROOT)
    except CannotRemove as error:
        say(str(error))
        return 1
    with tempfile.TemporaryDirectory(prefix="pma-guards-") as scratch, postgres.temporary(fast=True) as server:
        copies = [Copy.make(Path(scratch, str(number)), server.dsn) for number in range(AT_ONCE)]
        if not baseline(copies, removals):
            return 1
        findings = take_away(copies, removals)
    unnoticed = [finding for finding in findings if finding.verdict is not Verdict.CAUGHT]
    say(f"{len(findings)} guards taken away, {len(findings) - len(unnoticed)} caught, {time.monotonic() - begun:.0f} s")
    for finding in unnoticed:
        say(f"{finding.verdict}: {finding.removal.guard}")
    return 1 if unnoticed or not findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
