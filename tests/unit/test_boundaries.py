"""Who may import whom, and what a core may touch: read from the syntax trees of libs/ and services/.

1. A service never imports another service.  (services/desk_simulator stands for a program outside the platform; it may read anyone's.)
2. libs never imports services, and neither imports demo, deploy or tests.
3. A core (services/<name>/core.py or core/) does no I/O and has no clock, randomness, logging or await; what it imports, directly or
   through libs, is held to the same list of modules; from its own service it imports the core alone.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

IMPURE_MODULES = frozenset(
    """aiokafka alembic asyncio asyncpg concurrent fastapi glob http httpx importlib io logging multiprocessing numpy.random os pathlib
    prometheus_client pydantic_settings random sched secrets select shutil signal socket sqlalchemy sqlite3 ssl starlette structlog
    subprocess tempfile threading time urllib uuid uvicorn uvloop""".split()  # noqa: SIM905 (a list this long reads better as text)
)
IMPURE_LIBS = tuple(
    f"libs.common.{name}" for name in ("app", "arrivals", "back_off", "bus", "consumer", "db", "observe", "outbox", "parking", "settings")
)
IMPURE_NAMES = {"libs.common.clock": {"SystemClock"}}
CLOCK_CALLS = frozenset({"now", "utcnow", "today"})
IMPURE_BUILTINS = frozenset({"open", "print", "input", "exec", "eval", "breakpoint"})
NOT_FOR_PRODUCTION = ("demo", "deploy", "tests")
OUTSIDE_THE_PLATFORM = "services.desk_simulator"


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(tree: ast.Module, path: Path, root: Path) -> Iterator[tuple[int, str, str | None]]:
    """(line, module, name or None) of every import anywhere in the file; relative ones resolved."""
    package = module_name(path, root).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, module, alias.name) for alias in node.names)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def targets(module: str, name: str | None) -> tuple[str, ...]:
    """`from a import b` may mean the module a.b: both count."""
    return (module,) if name is None else (module, f"{module}.{name}")


def import_violations(root: Path) -> list[str]:
    """Rules 1 and 2 over every file under libs/ and services/."""
    found = []
    for path in sorted([*(root / "libs").rglob("*.py"), *(root / "services").rglob("*.py")]):
        here = module_name(path, root)
        own_service = ".".join(here.split(".")[:2])
        for line, module, name in imported_modules(ast.parse(path.read_text()), path, root):
            top = module.partition(".")[0]
            service = next((".".join(t.split(".")[:2]) for t in targets(module, name)[::-1] if t.startswith("services.")), None)
            where = f"{path.relative_to(root)}:{line}"
            if top in NOT_FOR_PRODUCTION:
                found.append(f"{where} imports {module}, which is not for production")
            elif here.startswith("libs") and top == "services":
                found.append(f"{where} libs imports {module}")
            elif service and service != own_service and own_service not in (OUTSIDE_THE_PLATFORM, "services"):
                found.append(f"{where} {own_service} imports {service}")
    return found


def impure_import(module: str, name: str | None) -> str | None:
    """The forbidden thing this import brings, if any."""
    for target in targets(module, name):
        if any(within(target, impure) for impure in (*IMPURE_MODULES, *IMPURE_LIBS)):
            return target
    return f"{module}.{name}" if name in IMPURE_NAMES.get(module, ()) else None


def libs_file(module: str, root: Path) -> Path | None:
    path = root.joinpath(*module.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None) if within(module, "libs") else None


def impure_through_libs(module: str, root: Path, seen: set[str]) -> str | None:
    """The forbidden import reached through a libs module, as a chain; None where there is none."""
    path = libs_file(module, root)
    if path is None or module in seen:
        return None
    seen.add(module)
    for _, inner, name in imported_modules(ast.parse(path.read_text()), path, root):
        impure = impure_import(inner, name)
        if impure:
            return f"{module} -> {impure}"
        for target in targets(inner, name):
            if chain := impure_through_libs(target, root, seen):
                return f"{module} -> {chain}"
    return None


def core_files(root: Path) -> list[Path]:
    return sorted([*(root / "services").glob("*/core.py"), *(root / "services").glob("*/core/**/*.py")])


def impure_syntax(node: ast.AST) -> str | None:
    match node:
        case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
            return "async or await"
        case ast.Call(func=ast.Attribute(attr=attr)) if attr in CLOCK_CALLS:
            return f"{attr}() reads the clock"
        case ast.Call(func=ast.Name(id=name)) if name in IMPURE_BUILTINS:
            return f"{name}()"
        case ast.Attribute(value=ast.Name(id="np" | "numpy"), attr="random"):
            return "numpy.random"
    return None


def core_violations(root: Path) -> list[str]:
    """Rule 3 over every core."""
    found = []
    for path in core_files(root):
        tree = ast.parse(path.read_text())
        own_service = ".".join(module_name(path, root).split(".")[:2])
        for line, module, name in imported_modules(tree, path, root):
            where = f"{path.relative_to(root)}:{line}"
            impure = impure_import(module, name)
            chains = (impure_through_libs(target, root, set()) for target in targets(module, name))
            inside_core = any(within(target, f"{own_service}.core") for target in targets(module, name))
            if impure:
                found.append(f"{where} a core imports {impure}")
            elif chain := next(filter(None, chains), None):
                found.append(f"{where} a core reaches {chain}")
            elif within(module, own_service) and not inside_core:
                found.append(f"{where} a core imports {module} of its own service")
        found += [f"{path.relative_to(root)}:{node.lineno} a core uses {what}" for node in ast.walk(tree) if (what := impure_syntax(node))]  # type: ignore[attr-defined]
    return found


def test_no_service_imports_another_and_libs_import_no_service() -> None:
    assert import_violations(ROOT) == []


def test_cores_are_pure() -> None:
    assert core_violations(ROOT) == []


def plant(root: Path, path: str, source: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)


@pytest.mark.parametrize(
    ("path", "source", "caught"),
    [
        ("services/orders/store.py", "import services.ingest.store", True),
        ("services/orders/store.py", "from services import ingest", True),
        ("services/orders/store.py", "from ..ingest import store", True),
        ("services/orders/api.py", "from services.orders import store", False),
        ("services/orders/api.py", "from . import store", False),
        ("services/orders/api.py", "def f():\n    from services.ingest import core", True),
        ("services/desk_simulator/desk.py", "from services.orders import core", False),
        ("services/orders/store.py", "from services.desk_simulator import desk", True),
        ("libs/common/events.py", "from services.ingest import store", True),
        ("libs/common/events.py", "import demo.market", True),
        ("services/orders/store.py", "from deploy.local import postgres", True),
        ("libs/common/events.py", "from libs.common import ids", False),
    ],
)
def test_the_import_rule_sees_a_planted_import(tmp_path: Path, path: str, source: str, caught: bool) -> None:
    plant(tmp_path, path, source)
    assert bool(import_violations(tmp_path)) is caught


@pytest.mark.parametrize(
    ("source", "caught"),
    [
        ("import os", True),
        ("from pathlib import Path", True),
        ("import logging", True),
        ("from random import shuffle", True),
        ("import numpy.random", True),
        ("from numpy import random", True),
        ("import numpy as np\nx = np.random.default_rng(1)", True),
        ("from libs.common.outbox import Outbox", True),
        ("from libs.common import db", True),
        ("from libs.common.clock import SystemClock", True),
        ("from libs.common.clock import trade_date_of", False),
        ("from libs.common.wraps_io import parse", True),
        ("from libs.common import wraps_io", True),
        ("from libs.common.money import cents", False),
        ("from services.orders import store", True),
        ("from services.orders.core import blocks", False),
        ("from . import blocks", False),
        ("from datetime import date\ndef f(d: date) -> date: return d", False),
        ("from datetime import datetime\nx = datetime.now()", True),
        ("import datetime as dt\nx = dt.date.today()", True),
        ("async def f(): ...", True),
        ("x = open('f')", True),
        ("def f(clock): return clock.now()", True),
    ],
)
@pytest.mark.parametrize("core", ["services/orders/core.py", "services/orders/core/rules.py"])
def test_the_core_rule_sees_a_planted_impurity(tmp_path: Path, core: str, source: str, caught: bool) -> None:
    plant(tmp_path, core, source)
    plant(tmp_path, "libs/common/wraps_io.py", "import os")
    plant(tmp_path, "libs/common/money.py", "from decimal import Decimal")
    plant(tmp_path, "libs/common/clock.py", "from datetime import datetime")
    if core.endswith("/core.py") and source == "from . import blocks":
        caught = True  # here the dot is the service itself, not its core
    assert bool(core_violations(tmp_path)) is caught
