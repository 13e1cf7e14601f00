"""The runbook names only addresses and figures that the services have."""

import importlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from deploy.local.stack import PORTS
from libs.common.bus.memory import MemoryBus
from libs.common.clock import ManualClock
from libs.common.service import Service
from libs.common.settings import ServiceSettings

RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text()


def built(name: str) -> tuple[Service, FastAPI]:
    """A service as its wiring builds it; nothing connects."""
    module: Any = importlib.import_module(f"services.{name}.settings")
    settings_class = next(
        found
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, ServiceSettings) and found is not ServiceSettings
    )
    wiring: Any = importlib.import_module(f"services.{name}.wiring")
    clock = ManualClock(datetime(2025, 1, 2, tzinfo=UTC))
    service, app = wiring.build(settings_class(postgres_dsn="postgresql://unused", kafka_bootstrap="unused"), MemoryBus(), clock)
    return service, app


def addresses(port: int) -> set[str]:
    return {found.rstrip(".,;:`)") for found in re.findall(rf"localhost:{port}(/[^\s'\"?`]+)", RUNBOOK)}


def figures(name: str) -> set[str]:
    return {f"pma_{name}_{rest}" for rest in re.findall(rf"pma_(?:{name}|SERVICE)_([a-z_]+)", RUNBOOK)}


@pytest.mark.parametrize("name", PORTS)
def test_every_address_and_every_figure_of_the_runbook_exists(name: str) -> None:
    service, app = built(name)
    templates = [re.sub(r"\{[^}]+\}", "[^/]+", path) for path in app.openapi()["paths"]]
    missing = [path for path in addresses(PORTS[name]) if not any(re.fullmatch(template, path) for template in templates)]
    assert missing == []
    kept = {metric.name for metric in service.metrics.registry.collect()}
    assert {figure for figure in figures(name) if figure.removesuffix("_total") not in kept} == set()


def test_the_runbook_names_addresses_at_all() -> None:
    assert addresses(PORTS["orders"]) >= {"/v1/kill-switch", "/v1/runs/RUN/cutoff"}
    assert figures("orders") >= {"pma_orders_kill_switch_on", "pma_orders_parked_households"}
