"""A pytest plugin that notes what became of each test, and the type of the exception that it ended with, for tests/guards/runner.py."""

import json
import os
from collections.abc import Generator
from pathlib import Path

import pytest

REPORT = "PMA_GUARDS_REPORT"


def _note(**what: object) -> None:
    with Path(os.environ[REPORT]).open("a") as report:
        report.write(json.dumps(what) + "\n")


def _leaves(error: BaseException) -> list[str]:
    """The types of an exception, or of those in an exception group."""
    if isinstance(error, BaseExceptionGroup):
        return [name for each in error.exceptions for name in _leaves(each)]
    return [type(error).__name__]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" or report.failed:
        errors = [] if call.excinfo is None else _leaves(call.excinfo.value)
        _note(test=item.nodeid, when=report.when, passed=report.passed, errors=errors)
    return report


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _note(test=report.nodeid, when="collect", passed=False, errors=[str(report.longrepr)[-300:]])
