"""The day: publish a market snapshot, and open the run on it when the custodians' files are in or when told to."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path

from libs.common.clock import trade_date_of
from libs.common.db import transaction
from libs.common.schemas.market import MarketPublished, RunOpened
from libs.common.service import Service
from services.ingest import delivery_store, store
from services.ingest.core.run import open_run, run_is_due
from services.ingest.market_files import load_market
from services.ingest.metrics import IngestMetrics
from services.ingest.settings import IngestSettings

LOOK_EVERY_S = 1.0


async def publish_market(service: Service, directory: Path, as_of: date, actor: str) -> tuple[MarketPublished, bool]:
    """Read the market files, build the snapshot of a date and publish it; False when the same content was published before.

    Raises BadInput naming file, line and field.
    """
    market = await asyncio.to_thread(load_market, directory, as_of)
    async with service.unit("http", actor, market.market_id) as unit:
        fresh = await store.save_market(unit.connection, market, unit.now)
        if fresh:
            unit.emit(market, market.market_id, 1, market.market_id)
    return market, fresh


async def open_daily_run(
    service: Service, settings: IngestSettings, metrics: IngestMetrics, as_of: date, files_of: date, actor: str
) -> tuple[RunOpened, bool] | None:
    """Open the run of a trade date on its newest market; False when it was open already, None when no market of that date is published."""
    async with service.unit("http", actor) as unit:
        market_id = await store.newest_market(unit.connection, as_of)
        if market_id is None:
            return None
        accounts = await store.account_rows(unit.connection)
        first_file = await delivery_store.first_received(unit.connection, files_of)
        run = open_run(as_of, files_of, market_id, accounts, unit.now, settings.cutoff_new_york, settings.price_collar_bps, first_file)
        fresh = await store.save_run(unit.connection, run)
        if not fresh:
            run = await store.load_run(unit.connection, run.run_id)
        else:
            unit.correlationid = run.run_id
            unit.emit(run, run.run_id, 1, run.run_id)
    if fresh:
        metrics.runs.inc()
        metrics.observe_left_out([member.excluded for member in run.accounts])
    return run, fresh


async def files_are_in(service: Service, business_date: date) -> bool:
    """Whether every custodian that the account master names has an applied delivery of the date."""
    async with transaction(service.pool) as connection:
        return not await delivery_store.custodians_missing(connection, business_date)


def day_watch(service: Service, settings: IngestSettings, metrics: IngestMetrics) -> Callable[[], Awaitable[None]]:
    """An endless look at whether today's run is due; a date gets one run this way, new prices alone do not open another."""

    async def watch() -> None:
        while True:
            await open_if_due(service, settings, metrics)
            await asyncio.sleep(LOOK_EVERY_S)

    return watch


async def open_if_due(service: Service, settings: IngestSettings, metrics: IngestMetrics) -> RunOpened | None:
    """Open today's run (New York) if it is due and there is none of the date yet; None otherwise, also while no market is published."""
    now = service.clock.now()
    today = trade_date_of(now)
    async with transaction(service.pool) as connection:
        if await store.run_of_date(connection, today) or not await store.account_rows(connection):
            return None
    if not run_is_due(await files_are_in(service, today), now, today, settings.files_cutoff_new_york):
        return None
    opened = await open_daily_run(service, settings, metrics, today, today, "ingest")
    return None if opened is None else opened[0]
