"""ingest composed: for its own process, for the demo and for the tests."""

from pathlib import Path

from fastapi import FastAPI

from libs.common.app import create_app
from libs.common.bus import Bus
from libs.common.clock import Clock
from libs.common.service import Service
from services.ingest.api import routes
from services.ingest.catch_up import BooksSaid
from services.ingest.daily import day_watch
from services.ingest.deliveries import finish_applying
from services.ingest.metrics import IngestMetrics
from services.ingest.observing import table_watch
from services.ingest.plan_handlers import SUBSCRIPTION
from services.ingest.settings import IngestSettings


def build(settings: IngestSettings, bus: Bus, clock: Clock) -> tuple[Service, FastAPI]:
    """The service and its app; nothing connects before the app's lifespan starts."""
    service = Service("ingest", settings.postgres_dsn, bus, clock, Path(__file__).parent / "migrations")
    metrics = IngestMetrics(service.metrics)
    service.subscribe(SUBSCRIPTION)
    service.catches_up_by(BooksSaid())
    if settings.opens_runs:
        service.add_background(day_watch(service, settings, metrics))
    service.add_background(table_watch(service, metrics, settings.files_cutoff_new_york))
    service.at_start(lambda: finish_applying(service))
    return service, create_app(service, settings, routes(service, settings, metrics))
