"""Temporary homes of servers, in directories that name the process which made them.

A test run that is killed outright can stop nothing; so whoever next asks for a scratch directory stops the servers of those whose
maker is gone, and removes what they left.
"""

import contextlib
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deploy.local import process

NOTES = {"data/postmaster.pid": signal.SIGINT, "kafka.pid": signal.SIGTERM}  # where a server notes its id, and how it is asked to end


@contextlib.contextmanager
def scratch_directory(purpose: str) -> Iterator[Path]:
    """A new directory that other accounts may enter but not read; removed at the end of the block."""
    sweep()
    directory = Path(tempfile.mkdtemp(prefix=f"pma-{os.getuid()}-{os.getpid()}-{purpose}-"))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def sweep() -> None:
    """Stop and remove what killed runs of this account left behind."""
    named = re.compile(rf"pma-{os.getuid()}-([0-9]+)-[a-z]+-.*")
    for directory in Path(tempfile.gettempdir()).iterdir():
        found = named.fullmatch(directory.name)
        if found and not process.is_running(int(found[1])) and directory.stat().st_uid == os.getuid():
            for note, gently in NOTES.items():
                if (directory / note).exists():  # the marker guards against an id that was given again
                    pid = int((directory / note).read_text().split()[0])
                    process.stop(pid, str(directory), deadline_s=5.0, gently=gently)
            shutil.rmtree(directory, ignore_errors=True)
