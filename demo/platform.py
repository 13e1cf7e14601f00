"""The whole platform in one process: PostgreSQL from the wheel, a bus, five services and the desk, each reached as a user would."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from fastapi import FastAPI

from demo.observer import Observer
from deploy.local import kafka, postgres
from libs.common.bus import Bus
from libs.common.bus.kafka import KafkaBus
from libs.common.bus.memory import MemoryBus
from libs.common.clock import ManualClock
from libs.common.service import Service
from services.desk_simulator.wiring import build as build_desk
from services.ingest.settings import IngestSettings
from services.ingest.wiring import build as build_ingest
from services.optimizer.settings import OptimizerSettings
from services.optimizer.wiring import build as build_optimizer
from services.orders.settings import OrdersSettings
from services.orders.wiring import build as build_orders
from services.restrictions.settings import RestrictionsSettings
from services.restrictions.wiring import build as build_restrictions
from services.wash_sale.settings import WashSaleSettings
from services.wash_sale.wiring import build as build_wash_sale

REQUEST_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Platform:
    """The running platform: an HTTP client a service, the bus, what was said on it, and the clock that the demo moves."""

    clients: dict[str, httpx.AsyncClient]
    services: dict[str, Service]
    bus: Bus
    observer: Observer
    clock: ManualClock

    def failure(self) -> BaseException | None:
        """The bug that stopped a service, if one did."""
        return next((service.failure for service in self.services.values() if service.failure is not None), None)


@asynccontextmanager
async def running_platform(
    dsn: str, bus: Bus, clock: ManualClock, market_dir: Path, bootstrap: str = "in-process"
) -> AsyncIterator[Platform]:
    """Everything up; on leaving, everything stopped."""
    built: list[tuple[Service, FastAPI]] = [
        build_ingest(IngestSettings(postgres_dsn=dsn, kafka_bootstrap=bootstrap, market_dir=market_dir), bus, clock),
        build_restrictions(RestrictionsSettings(postgres_dsn=dsn, kafka_bootstrap=bootstrap), bus, clock),
        build_wash_sale(WashSaleSettings(postgres_dsn=dsn, kafka_bootstrap=bootstrap), bus, clock),
        build_optimizer(OptimizerSettings(postgres_dsn=dsn, kafka_bootstrap=bootstrap), bus, clock),
        build_orders(OrdersSettings(postgres_dsn=dsn, kafka_bootstrap=bootstrap), bus, clock),
    ]
    async with AsyncExitStack() as stack:
        await bus.start()
        stack.push_async_callback(bus.stop)
        observer = Observer(bus)
        await stack.enter_async_context(_task(observer.run))
        clients = {}
        for service, app in built:
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app)
            client = httpx.AsyncClient(transport=transport, base_url=f"http://{service.name}", timeout=REQUEST_TIMEOUT_S)
            clients[service.name] = await stack.enter_async_context(client)
        await stack.enter_async_context(_task(build_desk(bus).run))
        yield Platform(clients, {service.name: service for service, _ in built}, bus, observer, clock)


@asynccontextmanager
async def _task(work: Callable[[], object]) -> AsyncIterator[None]:
    coroutine = work()
    assert asyncio.iscoroutine(coroutine)
    task: asyncio.Task[None] = asyncio.create_task(coroutine)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def local_parts(real_kafka: bool) -> AsyncIterator[tuple[str, Bus, str]]:
    """PostgreSQL and a bus for one demo: the DSN, the bus, and where its brokers are."""
    async with AsyncExitStack() as stack:
        server = await asyncio.to_thread(stack.enter_context, postgres.temporary(fast=True))
        if not real_kafka:
            yield server.dsn, MemoryBus(), "in-process"
            return
        broker = await asyncio.to_thread(stack.enter_context, kafka.temporary())
        yield server.dsn, KafkaBus(broker.bootstrap), broker.bootstrap
