"""The shape of the tree: who knows one service knows five, and no file or function outgrows a reader."""

import ast
from pathlib import Path

import pytest

from libs.common.topics import SERVICES

ROOT = Path(__file__).parents[2]
OF_EACH_SERVICE = (
    "__init__.py",
    "__main__.py",
    "settings.py",
    "wiring.py",
    "handlers.py",
    "store.py",
    "api.py",
    "metrics.py",
    "core",
    "migrations",
)
NO_NAMES = {"utils", "util", "helpers", "helper", "misc", "stuff", "tools"}
MOST_LINES_OF_A_FILE = 300
MOST_LINES_OF_A_FUNCTION = 40

# What passes a limit, each with its reason: read it before you add one.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}

SOURCES = sorted(path for top in ("libs", "services", "demo", "deploy") for path in (ROOT / top).rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def own_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function without its docstring and without the functions defined in it, which count for themselves."""
    lines = set(range(function.body[0].lineno, (function.end_lineno or 0) + 1))
    if ast.get_docstring(function):
        lines -= set(range(function.body[0].lineno, (function.body[0].end_lineno or 0) + 1))
    for inner in ast.walk(function):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and inner is not function:
            lines -= set(range(inner.lineno, (inner.end_lineno or 0) + 1))
    return len(lines)


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_files(service: str) -> None:
    missing = [name for name in OF_EACH_SERVICE if not any((ROOT / "services" / service / part).exists() for part in (name, f"{name}.py"))]
    assert missing == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [name_of(path) for path in SOURCES if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))]
    assert [name for name in silent if "/migrations/" not in name] == []


def test_no_module_is_named_for_nothing() -> None:
    assert [name_of(path) for path in SOURCES if NO_NAMES & {path.stem, *path.relative_to(ROOT).parts}] == []


def test_no_file_outgrows_a_reader() -> None:
    lines = {name_of(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: count for name, count in lines.items() if count > MOST_LINES_OF_A_FILE and name not in LONG_FILES} == {}
    assert [name for name in LONG_FILES if lines.get(name, 0) <= MOST_LINES_OF_A_FILE] == []


def test_no_function_outgrows_a_reader() -> None:
    lengths = {
        f"{name_of(path)}:{node.name}": own_lines(node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: count for name, count in lengths.items() if count > MOST_LINES_OF_A_FUNCTION and name not in LONG_FUNCTIONS} == {}
