"""The composition of restrictions: one service, its handlers, its routes."""

import asyncio
from pathlib import Path

from fastapi import FastAPI

from libs.common.app import create_app
from libs.common.bus import Bus
from libs.common.clock import Clock
from libs.common.service import Service
from services.restrictions import store
from services.restrictions.api import routes
from services.restrictions.catch_up import ScreensSaid
from services.restrictions.handlers import Screener
from services.restrictions.metrics import ScreenMetrics
from services.restrictions.settings import RestrictionsSettings


def build(settings: RestrictionsSettings, bus: Bus, clock: Clock) -> tuple[Service, FastAPI]:
    """The service and its app, ready to run."""
    service = Service("restrictions", settings.postgres_dsn, bus, clock, Path(__file__).parent / "migrations")
    metrics = ScreenMetrics(service.metrics, clock)
    screener = Screener(metrics)
    service.subscribe(screener.subscription())
    service.catches_up_by(ScreensSaid(screener))

    committed = asyncio.Event()
    service.on_commit(committed.set)

    async def watch_waits() -> None:
        while True:
            committed.clear()
            waits = await store.count_waits(service.pool)
            metrics.set_waiting(waits.households, waits.oldest)
            await committed.wait()

    service.add_background(watch_waits)
    return service, create_app(service, settings, routes(service, settings, screener))
