"""wash_sale composed: for its own process, for the demo and for the tests."""

import asyncio
from contextlib import suppress
from pathlib import Path

from fastapi import FastAPI

from libs.common.app import create_app
from libs.common.bus import Bus
from libs.common.clock import Clock
from libs.common.service import Service
from services.wash_sale import store
from services.wash_sale.api import routes
from services.wash_sale.catch_up import LedgersSaid
from services.wash_sale.handlers import LedgerKeeper
from services.wash_sale.metrics import LedgerMetrics
from services.wash_sale.questions_api import question_routes
from services.wash_sale.saying import LedgerSpeaker, Spoken
from services.wash_sale.settings import WashSaleSettings
from services.wash_sale.tax_year_api import calculation_routes, tax_year_routes
from services.wash_sale.told_api import told_routes

BURST_S = 0.3  # events of a household that come this close together are one word
LOOK_AGAIN_S = 5.0  # whose work was cut off elsewhere is found after this, even if nothing comes


def build(settings: WashSaleSettings, bus: Bus, clock: Clock) -> tuple[Service, FastAPI]:
    """The service and its app; nothing connects before the app's lifespan starts."""
    service = Service("wash_sale", settings.postgres_dsn, bus, clock, Path(__file__).parent / "migrations")
    metrics = LedgerMetrics(service.metrics, clock)
    keeper = LedgerKeeper(metrics)
    speaker = LedgerSpeaker(metrics, keeper.households, keeper.securities)
    service.subscribe(keeper.subscription())
    service.catches_up_by(LedgersSaid())

    committed = asyncio.Event()
    service.on_commit(committed.set)

    async def say_next() -> Spoken:
        async with service.unit("background", "wash_sale") as unit:
            return await speaker.say_next(unit)

    async def say_ledgers() -> None:
        while True:
            committed.clear()
            while (spoken := await say_next()) is Spoken.SOME:
                pass
            waits = await store.count_waits(service.pool)
            metrics.set_waiting(waits.households, waits.oldest, waits.early_inputs, waits.held_back)
            with suppress(TimeoutError):
                async with asyncio.timeout(BURST_S if spoken is Spoken.BUSY else LOOK_AGAIN_S):
                    await committed.wait()
            await asyncio.sleep(BURST_S)

    service.add_background(say_ledgers)
    return service, create_app(
        service,
        settings,
        routes(service, keeper),
        question_routes(service, keeper),
        told_routes(service, settings, keeper, committed.set),
        tax_year_routes(service, keeper),
        calculation_routes(),
    )
