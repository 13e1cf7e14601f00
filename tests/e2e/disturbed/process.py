"""One service in its own process: `python -m tests.e2e.disturbed.process SERVICE`, or in a process that the nursery forked.

Settings come from PMA_... as ever; besides them DISTURBED_CLOCK is the clock's file, DISTURBED_PLAN the fault points in order,
DISTURBED_LEDGER where those that happened are noted.
"""

import asyncio
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg

from libs.common.app import serve
from libs.common.bus.kafka import KafkaBus
from libs.common.observe import configure_logs
from services.desk_simulator.settings import DeskSettings
from services.desk_simulator.wiring import build as build_desk
from services.ingest.settings import IngestSettings
from services.ingest.wiring import build as build_ingest
from services.optimizer.pool import SolverPool
from services.optimizer.settings import OptimizerSettings
from services.optimizer.wiring import build as build_optimizer
from services.orders.settings import OrdersSettings
from services.orders.wiring import build as build_orders
from services.restrictions.settings import RestrictionsSettings
from services.restrictions.wiring import build as build_restrictions
from services.wash_sale.settings import WashSaleSettings
from services.wash_sale.wiring import build as build_wash_sale
from tests.e2e.disturbed.clock import FileClock
from tests.e2e.disturbed.faults import Faults, FaultyBus, connection_class, decode_plan, in_solve

BUILDS: dict[str, tuple[Callable[[], Any], Callable[..., Any]]] = {
    "ingest": (IngestSettings, build_ingest),
    "restrictions": (RestrictionsSettings, build_restrictions),
    "wash_sale": (WashSaleSettings, build_wash_sale),
    "optimizer": (OptimizerSettings, build_optimizer),
    "orders": (OrdersSettings, build_orders),
}


def run(name: str) -> int:
    """Serve until killed; returns the exit status of a service that met a bug."""
    faults = Faults(decode_plan(os.environ["DISTURBED_PLAN"]), Path(os.environ["DISTURBED_LEDGER"]))
    if name == "desk_simulator":
        desk = DeskSettings()
        configure_logs(desk.log_level)
        asyncio.run(build_desk(_bus(desk, faults), desk.proportions()).run())
        return 0
    asyncpg.create_pool = functools.partial(asyncpg.create_pool, connection_class=connection_class(faults))
    SolverPool.decide = in_solve(SolverPool.decide, faults)  # type: ignore[method-assign]
    settings_class, build = BUILDS[name]
    settings = settings_class()
    service, app = build(settings, _bus(settings, faults), FileClock(Path(os.environ["DISTURBED_CLOCK"])))
    return serve(app, service, settings)


def _bus(settings: Any, faults: Faults) -> Any:
    return FaultyBus(KafkaBus(settings.kafka_bootstrap, settings.session_timeout_ms), faults)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
