"""orders composed: for its own process, for the demo and for the tests."""

from functools import partial
from pathlib import Path

from fastapi import FastAPI

from libs.common.app import create_app
from libs.common.bus import Bus
from libs.common.clock import Clock
from libs.common.service import Service
from services.orders.api import routes
from services.orders.catch_up import OrdersSaid
from services.orders.closing import watch_runs, watch_waiting
from services.orders.handlers import Handlers
from services.orders.judging import Judging
from services.orders.metrics import OrdersMetrics
from services.orders.observing import watch_tables
from services.orders.settings import OrdersSettings


def build(settings: OrdersSettings, bus: Bus, clock: Clock) -> tuple[Service, FastAPI]:
    """The service and its app; nothing connects before the app's lifespan starts."""
    service = Service("orders", settings.postgres_dsn, bus, clock, Path(__file__).parent / "migrations")
    judging = Judging(settings.policy(), OrdersMetrics(service.metrics))
    service.subscribe(Handlers(judging).subscription())
    service.catches_up_by(OrdersSaid(judging))
    service.add_background(partial(watch_runs, service, judging, settings.watch_s))
    service.add_background(partial(watch_waiting, service, judging, settings.retry_s))
    service.add_background(partial(watch_tables, service, judging.metrics))
    service.on_commit(judging.wake.set)
    return service, create_app(service, settings, routes(service, settings, judging))
