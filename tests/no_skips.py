"""In CI (CI or PMA_NO_SKIP set) a skipped test is a failure: the run lists it and ends non-zero."""

import os
from typing import NoReturn

import pytest

SKIPPED: list[str] = []


def skips_fail() -> bool:
    return bool(os.environ.get("CI") or os.environ.get("PMA_NO_SKIP"))


def skip_or_fail(reason: str) -> NoReturn:
    """For a fixture whose means are missing here: skips the test and says why; in CI it fails."""
    if skips_fail():
        pytest.fail(f"{reason} (may not be skipped in CI)", pytrace=False)
    pytest.skip(reason)


def _note(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        SKIPPED.append(report.nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _note(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    _note(report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if SKIPPED and skips_fail() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if SKIPPED and skips_fail():
        terminalreporter.section("skipped, which counts as failed in CI", red=True)
        for nodeid in SKIPPED:
            terminalreporter.line(nodeid)
