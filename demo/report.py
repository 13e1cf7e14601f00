"""What a person sees: a progress bar a stage while it runs, and the table at the end."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table


class Stages:
    """A progress bar for each stage of each day; use as a context manager."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description:<44}"), BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, refresh_per_second=4)
        self._tasks: dict[str, TaskID] = {}
        self._day = ""

    def __enter__(self) -> "Stages":
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def begin_day(self, name: str) -> None:
        """The stages from here on belong to this day."""
        self._day = name

    def show(self, stage: str, done: int, total: int) -> None:
        """Move a stage's bar."""
        name = f"{self._day}  {stage}"
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._tasks[name], completed=done, total=total)


def print_report(console: Console, summary: Mapping[str, Any]) -> None:
    """The table of the demo."""
    table = Table(title="Personalised managed accounts: three business days (simulated market and accounts)", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    for label, value in _rows(summary):
        table.add_row(label, value)
    console.print(table)
    reasons = Table(title="Why accounts and trades did not go ahead (over the three runs)")
    for column in ("decided by", "reason", "times"):
        reasons.add_column(column, justify="right" if column == "times" else "left")
    groups = {"not_decided": "run", "declined": "optimizer", "unmet": "optimizer, one trade", "refused": "orders"}
    for key, by in groups.items():
        for reason, times in sorted(summary[key].items(), key=lambda item: (-item[1], item[0])):
            reasons.add_row(by, str(reason).replace("_", " "), str(times))
    console.print(reasons)


def _rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    def money(key: str) -> str:
        return f"${float(summary[key]):,.0f}"

    states = summary["orders_by_state"]
    return [
        ("accounts in households", f"{summary['accounts']} in {summary['households']}"),
        ("tax lots", f"{summary['lots']:,}"),
        (
            "median tracking error, before > after",
            f"{summary['tracking_error_median_before_bps']} > {summary['tracking_error_median_after_bps']} bp a year",
        ),
        ("losses harvested", money("losses_harvested_usd")),
        ("tax saved by them", money("tax_saved_usd")),
        ("tax on gains taken", money("tax_on_gains_usd")),
        ("proposals", f"{summary['proposals']:,}"),
        ("block orders to the desk", f"{summary['orders']:,}"),
        ("account allocations in them", f"{summary['allocations']:,}"),
        ("fills", f"{summary['fills']:,}"),
        ("orders by end", ", ".join(f"{n} {state}" for state, n in sorted(states.items()))),
        ("trades booked", f"{summary['trades']:,}"),
        ("files", ", ".join(f"{n} {outcome}" for outcome, n in sorted(summary["files"].items()))),
        ("approvals by a person", ", ".join(f"{n} {kind}" for kind, n in sorted(summary["approvals"].items()))),
        ("seconds", str(summary["seconds"])),
    ]
